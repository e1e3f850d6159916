"""How well scores rank: average precision, area under the ROC curve and d′, for one label or the mean over many.

Definitions are scikit-learn's; d′ is √2 Φ⁻¹(AUROC), as reported for AudioSet (Hershey et al. 2017). Weights are rows of
how often each clip counts, as in `auricle.transfer.metrics`. A label with thousands of clips and few positives needs
but the sums of weights between its positives' scores: one sparse matrix product per label for a whole bootstrap.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.special import ndtri

Floats = NDArray[np.float64]


def average_precision(positive: ArrayLike, score: ArrayLike, *, weights: Floats | None = None) -> Floats:
    """Mean precision over the positives in the order of descending score: Σ (R_i − R_{i−1}) P_i over distinct scores.

    Parameters
    ----------
    positive
        ``(n,)`` booleans.
    score
        ``(n,)``, higher for what is held to be positive.
    weights
        ``(replicates, n)``, or ``(n,)``, or none: how often each clip counts.

    Returns
    -------
    Floats
        ``(replicates,)``, or a scalar array; NaN where no positive has any weight.
    """
    return _one(_Sums.average_precision, positive, score, weights)


def area_under_roc(positive: ArrayLike, score: ArrayLike, *, weights: Floats | None = None) -> Floats:
    """Probability that a positive has a higher score than a negative, equals counting half; as above.

    NaN where either has no weight.
    """
    return _one(_Sums.area_under_roc, positive, score, weights)


def d_prime(area: ArrayLike) -> Floats:
    """Distance of two normal distributions of equal width whose area under the ROC curve this is."""
    found: Floats = np.sqrt(2.0) * ndtri(np.asarray(area, dtype=np.float64))
    return found


def mean_over_labels(
    positive: NDArray[np.bool_], score: NDArray[np.floating], *, weights: Floats | None = None
) -> tuple[Floats, Floats, Floats]:
    """Mean over labels of average precision, of the area under the ROC curve, and of the share of positives.

    Parameters
    ----------
    positive, score
        ``(n, labels)``.
    weights
        As above.

    Returns
    -------
    tuple of Floats
        Each ``(replicates,)`` or a scalar array. Labels for which a measure is not defined do not count.
    """
    columns = _columns(weights, len(positive))
    found = np.empty((3, positive.shape[1], columns.shape[1]))
    for label in range(positive.shape[1]):
        sums = _Sums.of(positive[:, label], score[:, label], columns)
        found[:, label] = sums.average_precision(), sums.area_under_roc(), sums.hits.sum(axis=0) / sums.total
    found[2, found[2] == 0] = np.nan
    precision, area, share = mean_of_defined(found.swapaxes(0, 1))
    return (precision, area, share) if weights is not None and weights.ndim == 2 else (precision[0], area[0], share[0])


def mean_of_defined(values: Floats) -> Floats:
    """Mean over the first axis of what is not NaN; NaN where all is."""
    defined = ~np.isnan(values)
    count = defined.sum(axis=0)
    total = np.where(defined, values, 0.0).sum(axis=0)
    mean: Floats = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return mean


@dataclass(frozen=True)
class _Sums:
    """Weights by the distinct scores of positives, in descending order, each ``(distinct scores, replicates)``.

    `above` is what scores higher than each, `equal` what scores the same, `hits` the positives that do; `total`
    ``(replicates,)`` is everything.
    """

    above: Floats
    equal: Floats
    hits: Floats
    total: Floats

    @classmethod
    def of(cls, positive: NDArray[np.bool_], score: NDArray[np.floating], columns: Floats) -> "_Sums":
        """`columns` are weights ``(n, replicates)``."""
        levels = np.unique(score[positive])
        # Even bins lie between two levels, odd bins are the levels themselves.
        bins = np.searchsorted(levels, score, side="left") + np.searchsorted(levels, score, side="right")
        by_bin = _summed(bins, 2 * len(levels) + 1, columns)[::-1]
        hits = _summed(bins[positive] // 2, len(levels), columns[positive])[::-1]
        return cls(np.cumsum(by_bin, axis=0)[:-1:2], by_bin[1::2], hits, columns.sum(axis=0))

    def average_precision(self) -> Floats:
        retrieved, found = self.above + self.equal, np.cumsum(self.hits, axis=0)
        precision = np.divide(found, retrieved, out=np.zeros_like(found), where=retrieved > 0)
        return _ratio((self.hits * precision).sum(axis=0), self.hits.sum(axis=0))

    def area_under_roc(self) -> Floats:
        positives = self.hits.sum(axis=0)
        negatives = self.total - positives
        above = self.above - (np.cumsum(self.hits, axis=0) - self.hits)
        below = negatives - above - (self.equal - self.hits) / 2  # half of the equals
        return _ratio((self.hits * below).sum(axis=0), positives * negatives)


def _one(measure: Callable[[_Sums], Floats], positive: ArrayLike, score: ArrayLike, weights: Floats | None) -> Floats:
    chosen, score = np.asarray(positive, dtype=np.bool_), np.asarray(score, dtype=np.float64)
    values = measure(_Sums.of(chosen, score, _columns(weights, len(score))))
    return values if weights is not None and weights.ndim == 2 else values[0]


def _columns(weights: Floats | None, n: int) -> Floats:
    return np.ones((n, 1)) if weights is None else np.ascontiguousarray(np.atleast_2d(weights).T)


def _summed(bins: NDArray[np.int64], count: int, columns: Floats) -> Floats:
    belongs = sparse.csr_array((np.ones(len(bins)), (bins, np.arange(len(bins)))), shape=(count, len(bins)))
    return np.asarray(belongs @ columns)


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > 0)
