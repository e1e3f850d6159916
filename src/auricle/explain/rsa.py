"""Representational similarity analysis: does a representation order sounds as an acoustic descriptor does?

Kriegeskorte et al. 2008; as used for audio by Ogg 2025, section II-D. Distances between all pairs of clips are computed
in the representation (cosine) and along a descriptor (absolute difference), and the two lists of distances are compared
by Spearman's rank correlation. Pairs of clips are not independent, so that significance comes from Mantel's permutation
test (1967), which permutes clips, and not from the correlation's own p-value. Here is what people call from Python; the
parts are in the modules around it.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from auricle.explain.bootstrap import DRAWS, bootstrap
from auricle.explain.cka import cka, cka_matrix
from auricle.explain.inference import benjamini_hochberg, noise_ceiling, profile_correlations
from auricle.explain.mantel import PERMUTATIONS, mantel
from auricle.explain.partial import partial_correlations, unique_variance
from auricle.explain.ranks import kendall, spearman
from auricle.explain.rdm import rdm
from auricle.explain.similarity import Inference, Representation, as_table, similarities, with_q

__all__ = [
    "benjamini_hochberg",
    "bootstrap",
    "cka",
    "cka_matrix",
    "kendall",
    "mantel",
    "noise_ceiling",
    "partial_correlations",
    "profile_correlations",
    "rdm",
    "rsa",
    "spearman",
    "unique_variance",
]


def rsa(
    embeddings: Mapping[str, NDArray[np.floating]],
    descriptors: Mapping[str, NDArray[np.floating]],
    *,
    families: Mapping[str, str] | None = None,
    clusters: Sequence[object] | None = None,
    permutations: int = PERMUTATIONS,
    draws: int = DRAWS,
    seed: int = 0,
) -> pa.Table:
    """Compare every representation with every descriptor, and with each other, over the same clips.

    Parameters
    ----------
    embeddings
        Name of the model → ``(n, dim)``.
    descriptors
        Name of the descriptor → ``(n,)``; clips where one is not finite (an unvoiced sound has no pitch) are left out
        for that descriptor.
    families
        Family of each descriptor: partial correlations control for descriptors of other families. By default each is a
        family of its own.
    clusters
        ``(n,)`` what clips belong to (speaker, film, source): permutations stay within, the bootstrap draws them whole.
    permutations
        Of Mantel's test.
    draws
        Of the bootstrap; with 0 there are no intervals.
    seed
        Of permutations and draws.

    Returns
    -------
    pa.Table
        As :data:`auricle.explain.similarity.SCHEMA` says; a pair that cannot be compared has nulls and says why.

    Raises
    ------
    AuricleError
        When the numbers of clips differ.

    Examples
    --------
    >>> import numpy as np
    >>> level = np.arange(20.0)
    >>> angle = level / 20
    >>> encoder = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    >>> rsa({"encoder": encoder}, {"level": level}, permutations=99, draws=0).column("r_s").to_pylist()
    [1.0]
    """
    return as_table(
        with_q(
            similarities(
                [Representation(model, None, matrix) for model, matrix in embeddings.items()],
                descriptors,
                families=families,
                clusters=clusters,
                inference=Inference(permutations=permutations, draws=draws, seed=seed),
            )
        )
    )
