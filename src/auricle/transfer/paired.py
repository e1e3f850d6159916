"""Two models compared by the very metric that a table shows, clip by clip, within clusters.

Accuracy is a mean over clips, so its difference is one too (:func:`auricle.transfer.bootstrap.paired_difference`). Any
other metric is computed anew after each swap: under the null hypothesis it does not matter which model gave which
answer to a cluster's clips (Good 2005, Permutation, Parametric and Bootstrap Tests of Hypotheses, chapter 3). A swap is
a weighting of both models' clips taken together, so that many are one array operation. Scores of detectors are
compared as ranks within their fold, for models need not agree on a scale. With several labels per clip models are
compared by label-ranking average precision, a mean over clips; over time by their segments of one second.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from auricle import randomness
from auricle.transfer import ranking
from auricle.transfer.bootstrap import (
    CONFIDENCE,
    PERMUTATIONS,
    REPLICATES,
    Floats,
    PairedDifference,
    cluster_codes,
    paired_difference,
    resamples,
)
from auricle.transfer.evaluation import Evaluation, Kind
from auricle.transfer.scoring import measured

Measure = Callable[[NDArray[Any], NDArray[Any], Floats], Floats]
"""From truth and answers ``(n,)`` and weights ``(replicates, n)`` to values ``(replicates,)``."""

_CHUNK = 4_000_000  # weights in memory at a time
_FEWEST = 999  # permutations
_MEANS = ("accuracy", "mean_absolute_error", "mean_average_precision")  # compared as means over clips
_OVER_TIME = "frame_average_precision"  # compared by segments of one second
_KINDS: dict[str, Kind] = {
    "balanced_accuracy": "multi-class",
    "average_precision": "binary",
    "r2": "regression",
    "spearman": "regression",
}


@dataclass(frozen=True)
class Answers:
    """What one model answered to the test clips that are compared.

    Attributes
    ----------
    rows
        ``(n,)`` rows of the manifest, ascending.
    truth
        ``(n,)``.
    given
        ``(seeds, n)``: predicted classes or numbers, ranks of scores, or how right each clip was got.
    fold
        ``(n,)``: which probe answered.
    cluster
        ``(n,)``.
    """

    rows: NDArray[np.int64]
    truth: NDArray[Any]
    given: NDArray[Any]
    fold: NDArray[np.int64]
    cluster: list[str | None]

    def at(self, rows: NDArray[np.int64]) -> "Answers":
        """Those to some of the clips."""
        kept = np.isin(self.rows, rows)
        cluster = [name for name, is_kept in zip(self.cluster, kept, strict=True) if is_kept]
        return Answers(self.rows[kept], self.truth[kept], self.given[:, kept], self.fold[kept], cluster)

    def resampled(self, metric: str, *, replicates: int = REPLICATES, seed: int = 0) -> Floats:
        """``(1 + replicates,)``: the metric, a mean over seeds, and what it is when clusters are drawn anew.

        Models that answered to the same clips are resampled alike; all replicates are equal where there is one cluster.
        """
        codes = cluster_codes(self.cluster)
        values = [self._values(metric, np.ones((1, len(codes))))]
        values += [self._values(metric, counts[:, codes]) for counts in resamples(codes, replicates, seed)]
        return np.concatenate(values)

    def _values(self, metric: str, weights: Floats) -> Floats:
        if metric in _MEANS:
            means: Floats = weights @ self.given.mean(axis=0) / weights.sum(axis=1)
            return means
        truth, given = self.truth, self.given
        if given.dtype.kind != "f":
            truth, given, _ = _as_numbers(self, self)
        values = [measured(_KINDS[metric], truth, one, weights, fold=self.fold)[metric] for one in given]
        return ranking.mean_of_defined(np.array(values))


def compared_by(metric: str, evaluation: Evaluation) -> str:
    """The metric by which models are compared where a table shows `metric`: of tasks over time, that of segments."""
    if metric != _OVER_TIME:
        return metric
    return "average_precision" if "score" in evaluation.predictions.column_names else "mean_average_precision"


def answers_of(evaluations: Sequence[Evaluation], metric: str) -> Answers | None:
    """The answers of one model, of all its seeds; None for a metric by which models are not compared."""
    if metric in _MEANS:
        found = [evaluation.correctness() for evaluation in evaluations]
        rows, _, cluster = found[0]
        nothing = np.zeros(len(rows), dtype=np.int64)
        return Answers(rows, nothing, np.stack([share for _, share, _ in found]), nothing, cluster)
    if metric not in _KINDS:
        return None
    given = []
    for evaluation in evaluations:
        table = evaluation.predictions
        seeds = table.column("seed").to_numpy()
        for seed in np.unique(seeds):
            own = table.filter(seeds == seed).sort_by("row")
            fold = own.column("fold").fill_null(0).to_numpy()
            columns = [name for name in ("target", "label", "predicted", "score") if name in own.column_names]
            truth, answers = _truth_and_answers(own.select(columns).to_pydict(), fold, _KINDS[metric])
            given.append(answers)
    return Answers(own.column("row").to_numpy(), truth, np.stack(given), fold, own.column("cluster").to_pylist())


def _truth_and_answers(
    columns: dict[str, list[Any]], fold: NDArray[np.int64], kind: Kind
) -> tuple[NDArray[Any], NDArray[Any]]:
    if kind == "regression":
        return np.array(columns["target"]), np.array(columns["predicted"])
    labels, predicted = np.array(columns["label"]), np.array(columns["predicted"])
    if kind == "multi-class":
        return labels, predicted
    score = np.array(columns["score"])
    ranks = np.empty(len(score))
    for one in np.unique(fold):
        ranks[fold == one] = rankdata(score[fold == one]) / np.count_nonzero(fold == one)
    return labels == _positive(labels, predicted, score), ranks


def _positive(labels: NDArray[Any], predicted: NDArray[Any], score: NDArray[Any]) -> Any:
    """The label that a detector's scores are of: the one that it predicts above one half."""
    above = score > 0.5
    return predicted[np.argmax(above)] if above.any() else labels[np.argmax(labels != predicted[0])]


def paired_answers(
    metric: str, a: Answers, b: Answers, *, permutations: int = PERMUTATIONS, seed: int = 0
) -> PairedDifference:
    """The difference of two models' scores by a metric, means over their seeds, with its interval and test.

    Parameters
    ----------
    metric
        One that :func:`answers_of` knows.
    a, b
        To the same clips.
    permutations
        Of the test of a metric that is no mean over clips; fewer where there are so few clusters that all swaps can be
        tried.
    seed
        Of resamples and swaps.
    """
    if metric in _MEANS:
        of_a, of_b = a.given.mean(axis=0), b.given.mean(axis=0)
        return paired_difference(of_a, of_b, a.cluster, seed=seed)  # cheap enough for all of its permutations
    codes = cluster_codes(a.cluster)
    clusters = int(codes.max()) + 1
    pair = _Pair(metric, a, b)
    difference = float(pair.apart(np.ones((1, len(codes))))[0])
    ends: tuple[float | None, float | None] = (None, None)
    if clusters > 1:
        drawn = [pair.apart(counts[:, codes]) for counts in resamples(codes, REPLICATES, seed)]
        tail = (1 - CONFIDENCE) / 2
        low, high = np.nanquantile(np.concatenate(drawn), [tail, 1 - tail])
        ends = (float(low), float(high))
    reached = total = 0
    for swapped in _swaps(clusters, permutations, seed, rows=max(1, _CHUNK // (2 * len(codes)))):
        # What is equal but for rounding counts as reached.
        reached += int(np.count_nonzero(np.abs(pair.swapped(swapped[:, codes])) >= abs(difference) - 1e-9))
        total += len(swapped)
    p = reached / total if total == 2**clusters else (1 + reached) / (1 + total)
    return PairedDifference(difference, *ends, p=p, n=len(codes), clusters=clusters)


class _Pair:
    """Two models' answers to the same clips, for as many weightings as are asked for."""

    def __init__(self, metric: str, a: Answers, b: Answers) -> None:
        self.metric, self.kind = metric, _KINDS[metric]
        self.truth, of_a, of_b = _as_numbers(a, b)
        self.fold = a.fold
        seeds = max(len(of_a), len(of_b))
        self.given = [(of_a[seed % len(of_a)], of_b[seed % len(of_b)]) for seed in range(seeds)]

    def apart(self, weights: Floats) -> Floats:
        """The difference, a mean over seeds, for each row of weights."""
        return self._mean(
            self._value(self.truth, one, weights, self.fold) - self._value(self.truth, other, weights, self.fold)
            for one, other in self.given
        )

    def swapped(self, swapped: Floats) -> Floats:
        """The difference after swaps, ``(swaps, n)`` of 0 and 1: each side takes some clips of either model."""
        truth, fold = np.concatenate([self.truth, self.truth]), np.concatenate([self.fold, self.fold])
        first = np.concatenate([1 - swapped, swapped], axis=1)
        return self._mean(
            self._value(truth, both, first, fold) - self._value(truth, both, 1 - first, fold)
            for both in (np.concatenate(pair) for pair in self.given)
        )

    def _value(self, truth: NDArray[Any], given: NDArray[Any], weights: Floats, fold: NDArray[np.int64]) -> Floats:
        return measured(self.kind, truth, given, weights, fold=fold)[self.metric]

    @staticmethod
    def _mean(values: Iterator[Floats]) -> Floats:
        mean: Floats = np.mean(list(values), axis=0)
        return mean


def _as_numbers(a: Answers, b: Answers) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Truth and both models' answers, classes as numbers that are the same for both."""
    if a.given.dtype.kind == "f":
        return a.truth, a.given, b.given
    codes = np.unique(np.concatenate([a.truth, a.given.ravel(), b.given.ravel()]), return_inverse=True)[1]
    truth, of_a, of_b = np.split(codes, [len(a.truth), len(a.truth) + a.given.size])
    return truth, of_a.reshape(a.given.shape), of_b.reshape(b.given.shape)


def _swaps(clusters: int, permutations: int, seed: int, *, rows: int) -> Iterator[Floats]:
    """Which clusters are swapped: all ways where they are no more than `permutations`, else a random choice."""
    if 2**clusters <= permutations:
        every = np.array(list(product((0.0, 1.0), repeat=clusters)))
        yield from (every[start : start + rows] for start in range(0, len(every), rows))
        return
    generator = randomness.generator(seed, "paired permutation")
    for start in range(0, permutations, rows):
        size = min(rows, permutations - start), clusters
        yield generator.integers(2, size=size, dtype=np.int8).astype(np.float64)


def permutations_for(pairs: int) -> int:
    """So many that the smallest p value stays clear after Holm's correction for so many pairs."""
    return min(PERMUTATIONS, max(_FEWEST, 60 * pairs))
