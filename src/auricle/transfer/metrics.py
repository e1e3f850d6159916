"""How well predictions agree with the truth: accuracy, balanced accuracy, average precision and its base line.

Each metric takes weights, one row per bootstrap replicate, and returns one value per row, so that a whole bootstrap is
a few array operations (`auricle.transfer.bootstrap`). Definitions are scikit-learn's, against which they are tested.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
    balanced: Floats = recall.sum(axis=-1) / present.sum(axis=-1)
    return balanced


def average_precision(positive: ArrayLike, score: ArrayLike, *, weights: Floats | None = None) -> Floats:
    """Mean precision over the positives in the order of descending score: Σ (R_i − R_{i−1}) P_i over distinct scores.

    Parameters
    ----------
    positive
        ``(n,)`` booleans.
    score
        ``(n,)``, higher for what is held to be positive.
    weights
        As in :func:`accuracy`.

    Returns
    -------
    Floats
        ``(replicates,)``, or a scalar array; NaN where no positive has any weight.
    """
    score = np.asarray(score, dtype=np.float64)
    order = np.argsort(-score, kind="stable")
    # Clips of equal score are retrieved together: only the last of each run of equals is a threshold.
    thresholds = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    weights = _or_ones(weights, len(score))[..., order]
    hits = np.cumsum(weights * np.asarray(positive, dtype=np.float64)[order], axis=-1)[..., thresholds]
    retrieved = np.cumsum(weights, axis=-1)[..., thresholds]
    precision = np.divide(hits, retrieved, out=np.zeros_like(hits), where=retrieved > 0)
    gained = np.diff(hits, axis=-1, prepend=0.0)
    total = hits[..., -1]
    area = (gained * precision).sum(axis=-1)
    average: Floats = np.divide(area, total, out=np.full_like(total, np.nan), where=total > 0)
    return average


def prevalence(positive: ArrayLike, *, weights: Floats | None = None) -> Floats:
    """Share of positives: the average precision of a detector that guesses; arguments as above."""
    return _share(np.asarray(positive, dtype=np.float64), weights)


def _share(chosen: Floats, weights: Floats | None) -> Floats:
    weights = _or_ones(weights, len(chosen))
    share: Floats = weights @ chosen / weights.sum(axis=-1)
    return share


def _or_ones(weights: Floats | None, n: int) -> Floats:
    return np.ones(n) if weights is None else weights
