"""What a kind of task is scored by, over seeds and folds, with bootstrap intervals.

All metrics of an evaluation are computed for the same resamples. Clips of all folds are pooled where each clip counts
for itself; what ranks clips or compares them with their mean is computed fold by fold and then averaged, since probes
of different folds have no common scale, and a fold with more positives is tested by a probe that has seen fewer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auricle import randomness
from auricle.transfer import metrics, ranking
from auricle.transfer.bootstrap import CONFIDENCE, Floats, cluster_codes, resamples
from auricle.transfer.targets import Kind

Measure = Callable[[NDArray[Any], NDArray[Any], Floats], Mapping[str, Floats]]
"""From truth and answers ``(n, …)`` and weights ``(replicates, n)`` to values ``(replicates,)`` by metric."""
AllMetrics = Callable[[Floats], tuple[tuple[str, ...], Floats]]
"""From weights ``(replicates, n)`` to names and values ``(metrics, seeds, replicates)``."""


@dataclass(frozen=True)
class Scores:
    """Values of some metrics.

    Attributes
    ----------
    names : tuple of str
        The metrics.
    values : Floats
        ``(metrics, seeds)``.
    intervals : Floats or None
        ``(2, metrics, seeds + 1)``: low and high ends for each seed and, last, for the mean over seeds; None with one
        cluster, which says nothing about another.
    """

    names: tuple[str, ...]
    values: Floats
    intervals: Floats | None

    def ends(self, metric: int, seed: int) -> tuple[float | None, float | None]:
        """Of one interval; seed -1 is the mean."""
        if self.intervals is None:
            return None, None
        low, high = self.intervals[:, metric, seed]
        return (float(low), float(high)) if np.isfinite(low) and np.isfinite(high) else (None, None)


def score(
    kind: Kind,
    truth: NDArray[Any],
    answers: Sequence[NDArray[Any]],
    *,
    fold: NDArray[np.int64],
    cluster: Sequence[object],
    fold_by_fold: bool,
    resample_seeds: bool = False,
    replicates: int,
    bootstrap_seed: int = 0,
) -> Scores:
    """Score the answers of all seeds to the same clips.

    Parameters
    ----------
    kind
        What was predicted.
    truth
        ``(n,)`` classes or targets, or ``(n, labels)`` booleans.
    answers
        For each seed ``(n,)`` predicted classes (multi-class) or targets, scores of the positive label (binary), or
        ``(n, labels)`` scores.
    fold
        ``(n,)``: which probe answered.
    cluster
        ``(n,)`` units of the bootstrap.
    fold_by_fold
        Whether metrics that could be pooled are averaged over folds too.
    resample_seeds
        Whether the interval of the mean is for other seeds too, as it should be when they draw the training clips.
    replicates
        Bootstrap resamples.
    bootstrap_seed
        Of the resamples.
    """
    if kind == "regression":
        answers = [of_seed.reshape(len(truth)) for of_seed in answers]

    def all_metrics(weights: Floats) -> tuple[tuple[str, ...], Floats]:
        """Names, and values ``(metrics, seeds, replicates)``."""
        by_seed = [measured(kind, truth, of_seed, weights, fold=fold, fold_by_fold=fold_by_fold) for of_seed in answers]
        names = tuple(by_seed[0])
        return names, np.array([[values[name] for values in by_seed] for name in names])

    return bootstrapped(
        all_metrics, cluster, resample_seeds=resample_seeds, replicates=replicates, bootstrap_seed=bootstrap_seed
    )


def bootstrapped(
    all_metrics: AllMetrics,
    cluster: Sequence[object],
    *,
    resample_seeds: bool = False,
    replicates: int,
    bootstrap_seed: int = 0,
) -> Scores:
    """Values of metrics, and their intervals over resampled clusters.

    Parameters
    ----------
    all_metrics
        From weights of clips ``(replicates, n)`` to names and values ``(metrics, seeds, replicates)``.
    cluster
        ``(n,)`` units of the bootstrap.
    resample_seeds, replicates, bootstrap_seed
        As in :func:`score`.
    """
    names, values = all_metrics(np.ones((1, len(cluster))))
    codes = cluster_codes(cluster)
    if codes.max(initial=0) == 0:
        return Scores(names, values[..., 0], None)
    drawn = np.concatenate(
        [all_metrics(counts[:, codes])[1] for counts in resamples(codes, replicates, bootstrap_seed)], axis=2
    )
    means = drawn.mean(axis=1, keepdims=True)
    if resample_seeds:
        seeds = drawn.shape[1]
        generator = randomness.generator(bootstrap_seed, "bootstrap of seeds")
        chosen = generator.integers(seeds, size=(1, seeds, drawn.shape[2]))
        means = np.take_along_axis(drawn, chosen, axis=1).mean(axis=1, keepdims=True)
    drawn = np.concatenate([drawn, means], axis=1)
    tail = (1 - CONFIDENCE) / 2
    defined = ~np.isnan(drawn).all(axis=2)
    ends = np.full((2, *defined.shape), np.nan)
    ends[:, defined] = np.nanquantile(drawn[defined], [tail, 1 - tail], axis=1)
    return Scores(names, values[..., 0], ends)


def measured(
    kind: Kind,
    truth: NDArray[Any],
    answers: NDArray[Any],
    weights: Floats,
    *,
    fold: NDArray[np.int64],
    fold_by_fold: bool = False,
) -> dict[str, Floats]:
    """All metrics of the answers of one seed, for weights ``(replicates, n)``; arguments as :func:`score`."""
    folds = [np.flatnonzero(fold == name) for name in np.unique(fold)]
    everything = [np.arange(len(fold))]
    pooled, ranked = _MEASURES[kind]
    found: dict[str, Floats] = {}
    if pooled is not None:
        found |= _over(pooled, folds if fold_by_fold else everything, truth, answers, weights)
    if ranked is not None:
        found |= _over(ranked, folds, truth, answers, weights)
    return found


def _over(
    measure: Measure, parts: Sequence[NDArray[np.int64]], truth: NDArray[Any], answers: NDArray[Any], weights: Floats
) -> list[tuple[str, Floats]]:
    """A measure's metrics as means over parts of the clips; a part for which one is not defined does not count."""
    found = [
        measure(truth[part], answers[part], weights if len(part) == len(truth) else weights[:, part]) for part in parts
    ]
    return [(name, ranking.mean_of_defined(np.array([values[name] for values in found]))) for name in found[0]]


def _classes(truth: NDArray[Any], predicted: NDArray[Any], weights: Floats) -> dict[str, Floats]:
    return {
        "accuracy": metrics.accuracy(truth, predicted, weights=weights),
        "balanced_accuracy": metrics.balanced_accuracy(truth, predicted, weights=weights),
    }


def _detection(truth: NDArray[Any], scores: NDArray[Any], weights: Floats) -> dict[str, Floats]:
    return {
        "average_precision": ranking.average_precision(truth, scores, weights=weights),
        "prevalence": metrics.prevalence(truth, weights=weights),
    }


def _labels(truth: NDArray[Any], scores: NDArray[Any], weights: Floats) -> dict[str, Floats]:
    precision, area, share = ranking.mean_over_labels(truth, scores, weights=weights)
    return {
        "mean_average_precision": precision,
        "auroc": area,
        "d_prime": ranking.d_prime(area),
        "prevalence": share,
    }


def _numbers(truth: NDArray[Any], predicted: NDArray[Any], weights: Floats) -> dict[str, Floats]:
    return {
        "r2": metrics.r_squared(truth, predicted, weights=weights),
        "spearman": metrics.spearman(truth, predicted, weights=weights),
    }


def _errors(truth: NDArray[Any], predicted: NDArray[Any], weights: Floats) -> dict[str, Floats]:
    return {"mean_absolute_error": metrics.mean_absolute_error(truth, predicted, weights=weights)}


# What may be pooled over folds, and what may not.
_MEASURES: Mapping[Kind, tuple[Measure | None, Measure | None]] = {
    "multi-class": (_classes, None),
    "binary": (None, _detection),
    "multi-label": (None, _labels),
    "regression": (_errors, _numbers),
}
