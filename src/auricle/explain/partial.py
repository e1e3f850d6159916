"""What one descriptor explains beyond others: partial correlations of RDMs, and unique variance.

Descriptors go together: a louder note has more energy in every band. A partial correlation is that of what is left of
two rankings after the best sum of other descriptors' ranks is taken off both. Unique variance is what the best
non-negative sum of all descriptors' ranks loses without the one (Jozwik et al. 2016): a difference never brings clips
nearer. Both follow from correlations alone, so that a permutation test of either costs no more than one of plain
correlations. They take off what is a sum of ranks: where two descriptors of clips are strongly correlated, a small
remainder may stay.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from auricle.explain.rdm import Floats

_LEFT = 1e-5  # share of variance under which nothing is left to correlate: correlations are sums of float32


def controls_of(families: Sequence[str]) -> NDArray[np.bool_]:
    """For each descriptor ``(m, m)`` those of other families: one's own family is what it is, said in other words."""
    names = np.array(families)
    return np.asarray(names[:, None] != names[None, :])


def partial_correlations(
    of_models: NDArray[np.floating], among: Floats, *, controls: NDArray[np.bool_] | None = None
) -> Floats:
    """Correlations of RDMs with descriptors, other descriptors controlled.

    Parameters
    ----------
    of_models
        ``(…, m)`` Spearman's correlations with m descriptors; also under permutations, along the first axis.
    among
        ``(m, m)`` those between the descriptors.
    controls
        ``(m, m)`` which are controlled (columns) for each (rows); by default all others.

    Returns
    -------
    ndarray
        ``(…, m)``; NaN where the controls explain all of the descriptor, or all of the model's RDM.
    """
    size = len(among)
    of_models = np.asarray(of_models, dtype=np.float64)
    controls = ~np.eye(size, dtype=bool) if controls is None else controls & ~np.eye(size, dtype=bool)
    found = np.empty_like(of_models)
    for one in range(size):
        others = controls[one]
        inverse = np.linalg.pinv(among[np.ix_(others, others)], rcond=_LEFT, hermitian=True)
        weights = inverse @ among[others, one]
        shared = of_models[..., others]
        rest_of_one = 1.0 - float(among[others, one] @ weights)
        rest_of_model = 1.0 - np.einsum("...i,...i->...", shared @ inverse, shared)
        rest = rest_of_one * rest_of_model
        usable = (rest_of_one > _LEFT) & (rest_of_model > _LEFT)
        correlation = (of_models[..., one] - shared @ weights) / np.sqrt(np.where(usable, rest, 1.0))
        found[..., one] = np.where(usable, correlation.clip(-1.0, 1.0), np.nan)
    return found


def unique_variance(of_models: NDArray[np.floating], among: Floats) -> tuple[Floats, Floats]:
    """Variance of models' ranks that a non-negative sum of all descriptors' ranks explains, and each alone.

    Parameters
    ----------
    of_models
        ``(k, m)`` Spearman's correlations.
    among
        ``(m, m)`` those between the descriptors.

    Returns
    -------
    explained
        ``(k,)`` share of variance that all explain together.
    unique
        ``(k, m)`` how much less it is without the one.
    """
    of_models = np.asarray(of_models, dtype=np.float64)
    explained = np.array([_explained(row, among) for row in of_models])
    unique = np.empty_like(of_models)
    for one in range(len(among)):
        others = np.arange(len(among)) != one
        without = [_explained(row[others], among[np.ix_(others, others)]) for row in of_models]
        unique[:, one] = np.maximum(explained - without, 0.0)
    return explained, unique


def _explained(of_model: Floats, among: Floats) -> float:
    """Share of variance that the best non-negative sum explains: least squares, from correlations alone."""
    if not len(among):
        return 0.0
    values, vectors = np.linalg.eigh(among)
    kept = values > _LEFT * values[-1]
    root = np.sqrt(values[kept])
    # With A = root · vectors' and A'y = of_model, |A b - y|² is the residual up to a constant.
    weights, _ = nnls(root[:, None] * vectors[:, kept].T, vectors[:, kept].T @ of_model / root)
    return float(np.clip(2 * weights @ of_model - weights @ among @ weights, 0.0, 1.0))
