"""What one descriptor explains beyond others: partial correlations of RDMs, and unique variance.

Descriptors go together: a louder note has more energy in every band. A partial correlation is that of what is left of
two rankings after the best sum of other descriptors' ranks is taken off both. It is tested by permuting the clips of
what is left of the descriptor (double semi-partialling: Dekker, Krackhardt & Snijders 2007): all other relations then
stand as they are. Unique variance is what the best non-negative sum of all descriptors' ranks loses without the one
(Jozwik et al. 2016): a difference never brings clips nearer. All of it follows from correlations alone. What is taken
off is a sum of ranks: where two descriptors of clips are strongly correlated, a small remainder may stay.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
        ``(k, m)`` Spearman's correlations with m descriptors.
    among
        ``(m, m)`` those between the descriptors.
    controls
        ``(m, m)`` which are controlled (columns) for each (rows); by default all others.

    Returns
    -------
    ndarray
        ``(k, m)``; NaN where the controls explain all of the descriptor, or all of the model's RDM.
    """
    correlated: Floats = np.asarray(of_models, dtype=np.float64)
    found = np.empty_like(correlated)
    for one, others in _with_controls(controls, len(among)):
        rest = _Rest.of(one, others, among, correlated)
        found[:, one] = rest.correlation(correlated[:, one] - correlated[:, others] @ rest.weights, rest.of_one)
    return found


def permuted_partial_correlations(
    null: NDArray[np.floating],
    of_models: NDArray[np.floating],
    among: Floats,
    *,
    controls: NDArray[np.bool_] | None = None,
) -> Floats:
    """Partial correlations where what is left of each descriptor has its clips permuted.

    Parameters
    ----------
    null
        ``(permutations, m, m + k)`` correlations of m descriptors, whose clips are permuted, with the m descriptors and
        k models, whose are not.
    of_models, among, controls
        As of :func:`partial_correlations`.

    Returns
    -------
    ndarray
        ``(permutations, k, m)``.
    """
    correlated: Floats = np.asarray(of_models, dtype=np.float64)
    size = len(among)
    found = np.empty((len(null), *correlated.shape))
    for one, others in _with_controls(controls, size):
        rest = _Rest.of(one, others, among, correlated)
        # Of what is left of the descriptor, permuted, with everything.
        left = null[:, one] - np.tensordot(null[:, others], rest.weights, axes=(1, 0))
        shared = left[:, :size][:, others] @ rest.inverse
        own = rest.of_one - np.einsum("pi,pi->p", shared, left[:, :size][:, others])
        with_models = left[:, size:] - shared @ correlated[:, others].T
        found[:, :, one] = rest.correlation(with_models, own[:, None])
    return found


def _with_controls(controls: NDArray[np.bool_] | None, size: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Each descriptor and those that are controlled for it."""
    for one in range(size):
        wanted = np.ones(size, dtype=bool) if controls is None else controls[one].copy()
        wanted[one] = False
        yield one, np.flatnonzero(wanted)


@dataclass(frozen=True)
class _Rest:
    """What controls leave of one descriptor and of each model: shares of variance, and how they are taken off."""

    inverse: Floats
    weights: Floats
    of_one: float
    of_models: Floats

    @classmethod
    def of(cls, one: int, others: NDArray[np.int64], among: Floats, of_models: Floats) -> "_Rest":
        inverse = np.asarray(
            np.linalg.pinv(among[np.ix_(others, others)], rcond=_LEFT, hermitian=True), dtype=np.float64
        )
        weights: Floats = inverse @ among[others, one]
        shared = of_models[:, others]
        return cls(
            inverse,
            weights,
            1.0 - float(among[others, one] @ weights),
            np.asarray(1.0 - np.einsum("ki,ki->k", shared @ inverse, shared)),
        )

    def correlation(self, products: Floats, own: float | Floats) -> Floats:
        """Correlation of what is left, from its products ``(…, k)`` and its own share of variance; NaN of nothing."""
        usable = (np.asarray(own) > _LEFT) & (self.of_models > _LEFT) & (self.of_one > _LEFT)
        found = products / np.sqrt(np.where(usable, own * self.of_models, 1.0))
        return np.where(usable, found.clip(-1.0, 1.0), np.nan)


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
