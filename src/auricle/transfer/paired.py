"""Two models compared by the very metric that a table shows, clip by clip, within clusters.

Accuracy is a mean over clips, so its difference is one too (:func:`auricle.transfer.bootstrap.paired_difference`). Any
other metric is computed anew after each swap: under the null hypothesis it does not matter which model gave which
score to a cluster's clips (Good 2005, Permutation, Parametric and Bootstrap Tests of Hypotheses, chapter 3). A swap is
a weighting of both models' clips taken together, so that many are one array operation. Scores are compared as ranks,
for models need not agree on a scale.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from auricle import randomness
from auricle.transfer import metrics
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
from auricle.transfer.evaluation import Evaluation

MetricOfScores = Callable[[NDArray[np.generic], NDArray[np.generic], Floats], Floats]
"""From truth and scores ``(n,)`` and weights ``(replicates, n)`` to values ``(replicates,)``."""

_CHUNK = 4_000_000  # weights in memory at a time
_FEWEST = 999  # permutations


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
        ``(seeds, n)``: predicted classes, or scores.
    cluster
        ``(n,)``.
    """

    rows: NDArray[np.int64]
    truth: NDArray[np.generic]
    given: NDArray[np.generic]
    cluster: list[str | None]

    def at(self, rows: NDArray[np.int64]) -> "Answers":
        """Those to some of the clips."""
        kept = np.isin(self.rows, rows)
        cluster = [name for name, is_kept in zip(self.cluster, kept, strict=True) if is_kept]
        return Answers(self.rows[kept], self.truth[kept], self.given[:, kept], cluster)


def answers_of(evaluations: Sequence[Evaluation], metric: str) -> Answers | None:
    """The answers of one model, of all its seeds; None where its predictions do not hold what the metric needs."""
    columns = _COLUMNS.get(metric)
    if columns is None:
        return None
    truth_name, given_name = columns
    found: list[tuple[NDArray[np.int64], NDArray[np.generic], NDArray[np.generic], list[str | None]]] = []
    for evaluation in evaluations:
        table = evaluation.predictions
        seeds = table.column("seed").to_numpy()
        for seed in np.unique(seeds):
            own = table.filter(seeds == seed).sort_by("row")
            truth, given = (own.column(name).to_numpy(zero_copy_only=False) for name in (truth_name, given_name))
            if metric == "average_precision":
                truth = truth == _positive(own.column("predicted").to_numpy(zero_copy_only=False), given, truth)
                given = rankdata(given)
            found.append((own.column("row").to_numpy(), truth, given, own.column("cluster").to_pylist()))
    rows, truth, _, cluster = found[0]
    return Answers(rows, truth, np.stack([given for _, _, given, _ in found]), cluster)


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
        Of the test; fewer where there are so few clusters that all swaps can be tried.
    seed
        Of resamples and swaps.
    """
    if metric == "accuracy":
        of_a, of_b = ((one.given == one.truth).mean(axis=0) for one in (a, b))
        return paired_difference(of_a, of_b, a.cluster, permutations=permutations, seed=seed)
    measure = _METRICS[metric]
    codes = cluster_codes(a.cluster)
    truth, given_by_a, given_by_b = _as_numbers(a, b)
    seeds = max(len(given_by_a), len(given_by_b))
    given = [(given_by_a[n % len(given_by_a)], given_by_b[n % len(given_by_b)]) for n in range(seeds)]
    apart = partial(_apart, measure, truth, given)
    ones = np.ones((1, len(codes)))
    difference = float(apart(ones, ones)[0])
    ends: tuple[float | None, float | None] = (None, None)
    clusters = int(codes.max()) + 1
    if clusters > 1:
        drawn = [apart(counts[:, codes], counts[:, codes]) for counts in resamples(codes, REPLICATES, seed)]
        tail = (1 - CONFIDENCE) / 2
        low, high = np.nanquantile(np.concatenate(drawn), [tail, 1 - tail])
        ends = (float(low), float(high))
    reached = total = 0
    together = partial(_together, measure, truth, given)
    for swapped in _swaps(clusters, permutations, seed, rows=max(1, _CHUNK // (2 * len(codes)))):
        found = together(swapped[:, codes])
        # Equal up to rounding counts as reached.
        reached += int(np.count_nonzero(np.abs(found) >= abs(difference) - 1e-9))
        total += len(swapped)
    exact = total == 2**clusters
    p = reached / total if exact else (1 + reached) / (1 + total)
    return PairedDifference(difference, *ends, p=p, n=len(codes), clusters=clusters)


def _apart(
    measure: MetricOfScores,
    truth: NDArray[np.generic],
    given: Sequence[tuple[NDArray[np.generic], NDArray[np.generic]]],
    of_a: Floats,
    of_b: Floats,
) -> Floats:
    """Difference of the means over seeds, for each row of weights."""
    values: Floats = np.mean([measure(truth, one, of_a) - measure(truth, other, of_b) for one, other in given], axis=0)
    return values


def _together(
    measure: MetricOfScores,
    truth: NDArray[np.generic],
    given: Sequence[tuple[NDArray[np.generic], NDArray[np.generic]]],
    swapped: Floats,
) -> Floats:
    """The difference after swaps, ``(swaps, n)`` of 0 and 1: each side takes some clips of either model."""
    both = np.concatenate([truth, truth])
    first = np.concatenate([1 - swapped, swapped], axis=1)
    values: Floats = np.mean(
        [
            measure(both, scores, first) - measure(both, scores, 1 - first)
            for one, other in given
            for scores in [np.concatenate([one, other])]
        ],
        axis=0,
    )
    return values


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


def _as_numbers(a: Answers, b: Answers) -> tuple[NDArray[np.generic], NDArray[np.generic], NDArray[np.generic]]:
    """Truth and both models' answers, classes as numbers that are the same for both."""
    if a.given.dtype.kind == "f":
        return a.truth, a.given, b.given
    names = np.concatenate([a.truth, a.given.ravel(), b.given.ravel()]).astype(str)
    codes = np.unique(names, return_inverse=True)[1]
    truth, of_a, of_b = np.split(codes, [len(a.truth), len(a.truth) + a.given.size])
    return truth, of_a.reshape(a.given.shape), of_b.reshape(b.given.shape)


def _positive(predicted: NDArray[np.generic], score: NDArray[np.generic], truth: NDArray[np.generic]) -> str:
    """The label that a detector's scores are of: the one that it predicts above one half."""
    above = np.asarray(score, dtype=np.float64) > 0.5
    if above.any():
        return str(predicted[np.argmax(above)])
    return str(truth[np.argmax(truth != predicted[0])])


def _average_precision(truth: NDArray[np.generic], score: NDArray[np.generic], weights: Floats) -> Floats:
    return metrics.average_precision(truth, score, weights=weights)


def _balanced_accuracy(truth: NDArray[np.generic], predicted: NDArray[np.generic], weights: Floats) -> Floats:
    return metrics.balanced_accuracy(truth, predicted, weights=weights)


_COLUMNS = {
    "accuracy": ("label", "predicted"),
    "balanced_accuracy": ("label", "predicted"),
    "average_precision": ("label", "score"),
}
_METRICS: dict[str, MetricOfScores] = {
    "balanced_accuracy": _balanced_accuracy,
    "average_precision": _average_precision,
}
