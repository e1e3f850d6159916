"""Representational similarity analysis: does a representation order sounds as an acoustic descriptor does?

Kriegeskorte et al. 2008; as used for audio by Ogg 2025, section II-D. Distances between all pairs of clips are computed
in the representation (cosine) and along a descriptor (absolute difference), and the two lists of distances are compared
by Spearman's rank correlation. Pairs of clips are not independent, so that significance comes from Mantel's permutation
test (1967), which permutes clips, and not from the correlation's own p value. Over all tests of an analysis the
false discovery rate is controlled (Benjamini & Hochberg 1995).
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import squareform

from auricle import randomness
from auricle.errors import AuricleError

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

_PERMUTATIONS_AT_ONCE = 16
_SAME = 1e-6  # correlations closer than this are equal: permuted ones are summed in float32
FEWEST_CLIPS = 4

SCHEMA = pa.schema(
    [
        ("model", pa.string()),
        ("descriptor", pa.string()),
        ("r_s", pa.float64()),
        ("p_mantel", pa.float64()),
        ("q", pa.float64()),
        ("n", pa.int64()),
    ]
)


def cosine_rdm(embeddings: NDArray[np.floating]) -> Floats:
    """Cosine distances of all pairs of clips: ``(n, dim)`` → ``(n (n - 1) / 2,)``, in SciPy's condensed order.

    Raises
    ------
    AuricleError
        When an embedding is 0 or not finite: it has no direction.
    """
    x = np.asarray(embeddings, dtype=np.float64)
    norm = np.linalg.norm(x, axis=1)
    bad = np.flatnonzero(~(norm > 0) | ~np.isfinite(norm))
    if len(bad):
        raise AuricleError(f"embedding {bad[0]} has length {norm[bad[0]]}: cosine distance needs a direction")
    unit = x / norm[:, None]
    distances: Floats = (1.0 - unit @ unit.T)[np.triu_indices(len(x), k=1)]
    return distances


def difference_rdm(descriptor: NDArray[np.floating]) -> Floats:
    """Absolute differences of all pairs of clips: ``(n,)`` → ``(n (n - 1) / 2,)``."""
    x = np.asarray(descriptor, dtype=np.float64)
    distances: Floats = np.abs(x[:, None] - x[None, :])[np.triu_indices(len(x), k=1)]
    return distances


def standardised_ranks(rdm: Floats) -> Floats:
    """Average ranks with mean 0 and length 1: the dot product of two of them is Spearman's correlation.

    Raises
    ------
    AuricleError
        When all distances are the same: nothing is ordered.
    """
    ranks = stats.rankdata(rdm)
    ranks -= ranks.mean()
    length = float(np.linalg.norm(ranks))
    if length == 0:
        raise AuricleError("all distances are the same: there is no order to compare")
    return np.asarray(ranks / length, dtype=np.float64)


def spearman(a: Floats, b: Floats) -> float:
    """Spearman's rank correlation of two condensed RDMs."""
    return float(standardised_ranks(a) @ standardised_ranks(b))


def mantel(a: Floats, b: Floats, *, permutations: int = 1000, seed: int = 0) -> tuple[float, float]:
    """Spearman's correlation of two RDMs and its one-sided p value by permuting the clips of one of them.

    Parameters
    ----------
    a, b
        Condensed RDMs of the same clips.
    permutations
        Random permutations of the clips, rows and columns together.
    seed
        Of the permutations.

    Returns
    -------
    r_s, p
        p = (1 + number of permutations with a correlation at least as large) / (1 + permutations).
    """
    ranks, others = standardised_ranks(a)[None], standardised_ranks(b)[None]
    observed = ranks @ others.T
    null = _permuted_correlations(ranks, others, permutations, seed)
    return float(observed[0, 0]), float(_share_reached(observed, null)[0, 0])


def _permuted_correlations(ranks: Floats, others: Floats, permutations: int, seed: int) -> Floats:
    """Correlations ``(permutations, k, m)`` of `ranks`, whose clips are permuted, with `others`.

    The ranks of a permuted RDM are the permuted ranks, so that ranking is done once; all ``(k, pairs)`` ranks are
    permuted alike, and compared with all ``(m, pairs)`` others in one matrix product.
    """
    squares = [squareform(rank).astype(np.float32) for rank in ranks]
    n = len(squares[0])
    fixed = np.stack([squareform(other).astype(np.float32).ravel() for other in others])
    generator = randomness.generator(seed, "mantel")
    null = np.empty((permutations, len(ranks), len(others)))
    # The same memory for every permutation: fresh pages would take most of the time.
    rows, permuted = np.empty((n, n), np.float32), np.empty((_PERMUTATIONS_AT_ONCE, n, n), np.float32)
    for first in range(0, permutations, _PERMUTATIONS_AT_ONCE):
        count = min(_PERMUTATIONS_AT_ONCE, permutations - first)
        orders = [generator.permutation(n) for _ in range(count)]
        for position, square in enumerate(squares):
            for order, place in zip(orders, permuted, strict=False):
                # mode="clip" only spares NumPy a copy: every index is inside.
                np.take(square, order, axis=0, out=rows, mode="clip")
                np.take(rows, order, axis=1, out=place, mode="clip")
            # A full square holds every pair twice.
            null[first : first + count, position] = 0.5 * (fixed @ permuted[:count].reshape(count, -1).T).T
    return null


def _share_reached(observed: Floats, null: Floats) -> Floats:
    """One-sided p values: the share of permutations, the observed one among them, that reach what was observed."""
    reached = (null >= observed - _SAME).sum(axis=0)
    return np.asarray((1 + reached) / (1 + len(null)), dtype=np.float64)


def benjamini_hochberg(p: NDArray[np.floating]) -> Floats:
    """q values: the false discovery rate at which each test would just be significant."""
    return np.asarray(stats.false_discovery_control(np.asarray(p, dtype=np.float64), method="bh"), dtype=np.float64)


def rsa(
    embeddings: Mapping[str, NDArray[np.floating]],
    descriptors: Mapping[str, NDArray[np.floating]],
    *,
    permutations: int = 1000,
    seed: int = 0,
) -> pa.Table:
    """Compare every representation with every descriptor over the same clips.

    Parameters
    ----------
    embeddings
        Name of the model → ``(n, dim)``.
    descriptors
        Name of the descriptor → ``(n,)``; clips where any descriptor is not finite (an unvoiced sound has no pitch)
        are left out for that descriptor.
    permutations
        Of Mantel's test.
    seed
        Of the permutations.

    Returns
    -------
    pa.Table
        Columns ``model``, ``descriptor``, ``r_s``, ``p_mantel``, ``q`` (Benjamini-Hochberg over all rows) and ``n``
        (clips). A pair that cannot be compared (fewer than four clips, or a constant descriptor) has null values.

    Raises
    ------
    AuricleError
        When the numbers of clips differ.
    """
    sizes = {len(values) for values in (*embeddings.values(), *descriptors.values())}
    if len(sizes) > 1:
        raise AuricleError(f"RSA compares the same clips, got {' and '.join(map(str, sorted(sizes)))} of them")
    usable = {name: np.flatnonzero(np.isfinite(values)) for name, values in descriptors.items()}
    rows: dict[tuple[str, str], dict[str, Any]] = {
        (model, name): {"model": model, "descriptor": name, "n": len(usable[name])}
        for model in embeddings
        for name in descriptors
    }
    comparable = [
        name
        for name, values in descriptors.items()
        if len(usable[name]) >= FEWEST_CLIPS and np.ptp(values[usable[name]]) > 0
    ]
    # Descriptors of the same clips share the models' distances and their permutations.
    for clips, names in _by_clips(usable, comparable):
        models = np.stack([standardised_ranks(cosine_rdm(matrix[clips])) for matrix in embeddings.values()])
        others = np.stack([standardised_ranks(difference_rdm(descriptors[name][clips])) for name in names])
        observed = models @ others.T
        if len(models) <= len(others):
            null = _permuted_correlations(models, others, permutations, seed)
        else:
            null = _permuted_correlations(others, models, permutations, seed).transpose(0, 2, 1)
        p = _share_reached(observed, null)
        for (i, model), (j, name) in itertools.product(enumerate(embeddings), enumerate(names)):
            rows[model, name] |= {"r_s": float(observed[i, j]), "p_mantel": float(p[i, j])}
    tested = [row for row in rows.values() if "p_mantel" in row]
    if tested:
        for row, q in zip(tested, benjamini_hochberg(np.array([row["p_mantel"] for row in tested])), strict=True):
            row["q"] = float(q)
    return pa.Table.from_pylist(list(rows.values()), schema=SCHEMA)


def _by_clips(usable: Mapping[str, Rows], names: Sequence[str]) -> list[tuple[Rows, list[str]]]:
    """Descriptors grouped by the clips that have them."""
    groups: dict[bytes, list[str]] = {}
    for name in names:
        groups.setdefault(usable[name].tobytes(), []).append(name)
    return [(usable[group[0]], group) for group in groups.values()]
