"""How well predictions agree with the truth: accuracy and balanced accuracy, R², Spearman's correlation, error.

Each metric takes weights, one row per bootstrap replicate, and returns one value per row, so that a whole bootstrap is
a few array operations (`auricle.transfer.bootstrap`). Definitions are scikit-learn's, against which they are tested.
How well scores rank is in `auricle.transfer.ranking`.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from auricle.transfer.ranking import average_precision as average_precision

Floats = NDArray[np.float64]


def accuracy(truth: ArrayLike, predicted: ArrayLike, *, weights: Floats | None = None) -> Floats:
    """Share of clips whose class was predicted.

    Parameters
    ----------
    truth, predicted
        ``(n,)`` classes, as integers or names.
    weights
        ``(replicates, n)``, or ``(n,)``, or none: how often each clip counts.

    Returns
    -------
    Floats
        ``(replicates,)``, or a scalar array.
    """
    correct = (np.asarray(truth) == np.asarray(predicted)).astype(np.float64)
    return _share(correct, weights)


def balanced_accuracy(truth: ArrayLike, predicted: ArrayLike, *, weights: Floats | None = None) -> Floats:
    """Mean over classes of the share of a class's clips that were predicted; arguments as :func:`accuracy`.

    Classes without a clip (of any weight) do not count.
    """
    truth = np.asarray(truth)
    correct = (truth == np.asarray(predicted)).astype(np.float64)
    weights = _or_ones(weights, len(correct))
    classes, of_clip = np.unique(truth, return_inverse=True)
    belongs = np.zeros((len(truth), len(classes)))
    belongs[np.arange(len(truth)), of_clip] = 1.0
    clips, hits = weights @ belongs, weights @ (belongs * correct[:, None])
    present = clips > 0
    recall = np.divide(hits, clips, out=np.zeros_like(hits), where=present)
    return _ratio(recall.sum(axis=-1), present.sum(axis=-1).astype(np.float64))


def prevalence(positive: ArrayLike, *, weights: Floats | None = None) -> Floats:
    """Share of positives: the average precision of a detector that guesses; arguments as above."""
    return _share(np.asarray(positive, dtype=np.float64), weights)


def r_squared(target: ArrayLike, predicted: ArrayLike, *, weights: Floats | None = None) -> Floats:
    """Share of the targets' variance that is predicted: 1 − Σ w (y − ŷ)² / Σ w (y − ȳ)²; arguments as above.

    NaN where the targets do not vary.
    """
    target, predicted = np.asarray(target, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    weights = _or_ones(weights, len(target))
    centred = target - target.mean()  # the mean over all, that squares stay small
    spread = weights @ centred**2 - _ratio((weights @ centred) ** 2, weights.sum(axis=-1))
    missed = weights @ (target - predicted) ** 2
    varies = spread > 1e-12 * (weights @ centred**2)
    explained: Floats = 1.0 - np.divide(missed, spread, out=np.full_like(missed, np.nan), where=varies)
    return explained


def mean_absolute_error(target: ArrayLike, predicted: ArrayLike, *, weights: Floats | None = None) -> Floats:
    """Mean distance of predictions from targets, in their unit; arguments as above."""
    return _share(np.abs(np.asarray(target, dtype=np.float64) - np.asarray(predicted, dtype=np.float64)), weights)


def spearman(target: ArrayLike, predicted: ArrayLike, *, weights: Floats | None = None) -> Floats:
    """Correlation of ranks, a clip of weight w standing for w equal clips; arguments as above.

    NaN where either does not vary.
    """
    weights = _or_ones(weights, len(np.asarray(target)))
    total = weights.sum(axis=-1, keepdims=True)
    one, other = (
        _ranks(np.asarray(values, dtype=np.float64), weights) - (total + 1) / 2 for values in (target, predicted)
    )
    spread = np.sqrt((weights * one**2).sum(axis=-1) * (weights * other**2).sum(axis=-1))
    together = (weights * one * other).sum(axis=-1)
    correlation: Floats = np.divide(together, spread, out=np.full_like(together, np.nan), where=spread > 0)
    return correlation


def _ranks(values: Floats, weights: Floats) -> Floats:
    """The mean rank, from 1, of each clip among clips that are there as often as weights say: ``(…, n)``."""
    levels, level = np.unique(values, return_inverse=True)
    order = np.argsort(level, kind="stable")
    starts = np.searchsorted(level[order], np.arange(len(levels)))
    at_level = np.add.reduceat(weights[..., order], starts, axis=-1)
    mean_rank = np.cumsum(at_level, axis=-1) - at_level / 2 + 0.5
    ranks: Floats = mean_rank[..., level]
    return ranks


def _share(chosen: Floats, weights: Floats | None) -> Floats:
    weights = _or_ones(weights, len(chosen))
    return _ratio(weights @ chosen, weights.sum(axis=-1))


def _ratio(part: Floats, whole: Floats) -> Floats:
    """NaN where there is nothing to have a part of."""
    ratio: Floats = np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)
    return ratio


def _or_ones(weights: Floats | None, n: int) -> Floats:
    return np.ones(n) if weights is None else weights
