"""How sure a score is: bootstrap intervals over clusters of clips, and paired tests between two models.

Clips of one speaker, film or source are not independent, so whole clusters are drawn (Efron & Tibshirani 1993, chapters
8 and 13; Davison & Hinkley 1997, section 3.8). A replicate is a row of weights, how often each clip was drawn; metrics
take many rows at once. Intervals are for new clusters under the trained probe: training again is not part of them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from auricle import randomness
from auricle.errors import AuricleError

Floats = NDArray[np.float64]
Metric = Callable[[Floats], Floats]
"""From weights ``(replicates, n)`` to values ``(replicates,)``."""

CONFIDENCE = 0.95
REPLICATES = 1000
PERMUTATIONS = 10_000
_CHUNK = 4_000_000  # weights in memory at a time


def interval(
    metric: Metric, cluster: Sequence[object], *, replicates: int = REPLICATES, seed: int = 0
) -> tuple[float, float] | None:
    """Percentile bootstrap interval of a metric, at 95 %.

    Parameters
    ----------
    metric
        Function of clip weights.
    cluster
        ``(n,)``: the cluster of each clip; clips of the same value are drawn together, and a clip whose cluster is None
        is one of its own.
    replicates
        Number of resamples.
    seed
        Equal seeds give equal resamples, whatever the metric.

    Returns
    -------
    tuple of float or None
        Low and high end; None when all clips are one cluster, which says nothing about another.
    """
    codes = cluster_codes(cluster)
    if codes.max(initial=0) == 0:
        return None
    values = np.concatenate([metric(counts[:, codes]) for counts in resamples(codes, replicates, seed)])
    tail = (1 - CONFIDENCE) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail])
    return float(low), float(high)


@dataclass(frozen=True)
class PairedDifference:
    """How much better one model does than another on the same clips.

    Attributes
    ----------
    difference : float
        Mean of a minus mean of b.
    ci_low, ci_high : float or None
        95 % bootstrap interval over clusters; None with one cluster.
    p : float
        Two-sided p-value of a permutation test that swaps the models within clusters.
    n, clusters : int
        Number of clips and of clusters.
    """

    difference: float
    ci_low: float | None
    ci_high: float | None
    p: float
    n: int
    clusters: int


def paired_difference(
    a_correct: ArrayLike,
    b_correct: ArrayLike,
    cluster: Sequence[object] | None = None,
    *,
    replicates: int = REPLICATES,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> PairedDifference:
    """Compare two models clip by clip.

    Parameters
    ----------
    a_correct, b_correct
        ``(n,)``: what each model scored on each clip, 0 or 1 or a mean over seeds.
    cluster
        ``(n,)`` as in :func:`interval`; by default every clip is its own.
    replicates, permutations
        Number of resamples for the interval and of swaps for the test; p is (1 + #≥) / (1 + permutations).
    seed
        Of both.

    Raises
    ------
    AuricleError
        When the lengths differ.
    """
    a, b = np.asarray(a_correct, dtype=np.float64), np.asarray(b_correct, dtype=np.float64)
    n = len(a)
    if len(b) != n or (cluster is not None and len(cluster) != n) or n == 0:
        lengths = f"{n} and {len(b)}" + ("" if cluster is None else f", with {len(cluster)} clusters")
        raise AuricleError(f"a paired comparison needs the same clips from both models, got {lengths}")
    codes = cluster_codes(cluster if cluster is not None else [None] * n)
    clusters = int(codes.max()) + 1
    gains = np.bincount(codes, weights=a - b, minlength=clusters).astype(np.float64)
    sizes = np.bincount(codes, minlength=clusters).astype(np.float64)
    ends: tuple[float | None, float | None] = (None, None)
    if clusters > 1:
        drawn = [counts @ gains / (counts @ sizes) for counts in resamples(codes, replicates, seed)]
        tail = (1 - CONFIDENCE) / 2
        low, high = np.quantile(np.concatenate(drawn), [tail, 1 - tail])
        ends = (float(low), float(high))
    return PairedDifference(
        difference=float(gains.sum() / n),
        ci_low=ends[0],
        ci_high=ends[1],
        p=_swap_test(gains, permutations, seed),
        n=n,
        clusters=clusters,
    )


def cluster_codes(cluster: Sequence[object]) -> NDArray[np.int64]:
    """``(n,)`` integers from 0 without gaps: equal for equal clusters, one of its own for each None."""
    codes: dict[object, int] = {}
    return np.array(
        [codes.setdefault((row,) if name is None else name, len(codes)) for row, name in enumerate(cluster)],
        dtype=np.int64,
    )


def resamples(codes: NDArray[np.int64], replicates: int, seed: int) -> Iterator[Floats]:
    """Rows of how often each cluster was drawn, ``(some, clusters)``, as many at a time as memory should hold."""
    clusters = int(codes.max()) + 1
    generator = randomness.generator(seed, "bootstrap")
    rows = max(1, _CHUNK // len(codes))
    for start in range(0, replicates, rows):
        some = min(rows, replicates - start)
        drawn = generator.integers(clusters, size=(some, clusters)) + np.arange(some)[:, None] * clusters
        yield np.bincount(drawn.ravel(), minlength=some * clusters).reshape(some, clusters).astype(np.float64)


def _swap_test(gains: Floats, permutations: int, seed: int) -> float:
    """Share of random sign changes of the clusters' gains, the observed one included, that reach the observed sum."""
    generator = randomness.generator(seed, "paired permutation")
    # Sums of the same thirds in another order differ in their last bits: what is equal must count as reached.
    reached = abs(float(gains.sum())) - 1e-9 * float(np.abs(gains).sum())
    rows = max(1, _CHUNK // len(gains))
    count = 0
    for start in range(0, permutations, rows):
        signs = generator.integers(2, size=(min(rows, permutations - start), len(gains)), dtype=np.int8) * 2.0 - 1.0
        count += int(np.count_nonzero(np.abs(signs @ gains) >= reached))
    return (1 + count) / (1 + permutations)
