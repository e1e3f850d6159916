"""Bootstrap intervals of rank correlations of RDMs, over clips or clusters of them.

Clips (or whole clusters) are drawn with replacement. A clip that is drawn twice would lie at distance 0 from itself:
such pairs are left out (Nili et al. 2014). A pair of clips then counts as often as the product of how often they were
drawn. Ranking every draw anew would take hours. But the rank of a pair is a sum over all pairs, so that the sums of
products that a correlation is made of are polynomials in the counts; taken to first order around the sample itself they
are quadratic forms of a clip's counts, the change of the ranks included. Tests hold the result against ranking anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auricle import randomness
from auricle.errors import AuricleError
from auricle.explain.ranks import order_of
from auricle.explain.rdm import Floats, Singles, clips_of, square

DRAWS = 1000
COVERAGE = 0.95
FEWEST_CLUSTERS = 5  # to draw from; of fewer, clips are drawn


@dataclass(frozen=True)
class Intervals:
    """Bootstrap intervals of correlations ``(k, m)``.

    Attributes
    ----------
    low, high
        ``(k, m)`` ends of the central 95 %.
    draws
        ``(draws, k, m)`` the correlations themselves, for intervals of what is made of them.
    """

    low: Floats
    high: Floats
    draws: Singles


def drawn_counts(n: int, draws: int, *, seed: int, clusters: Sequence[object] | None = None) -> Singles:
    """How often each clip is drawn: ``(n, draws)`` float32.

    Parameters
    ----------
    n, draws
        Numbers of clips and of draws.
    seed
        Of the draws.
    clusters
        ``(n,)`` what each clip belongs to; whole clusters are drawn then, as many as there are.

    Raises
    ------
    AuricleError
        When there are more or fewer clusters than clips, or a single cluster, which leaves nothing to draw.
    """
    if clusters is None:
        of_clip = np.arange(n)
    else:
        if len(clusters) != n:
            raise AuricleError(f"clusters say what each of {n} clips belongs to, got {len(clusters)}")
        _, of_clip = np.unique(np.array([str(cluster) for cluster in clusters]), return_inverse=True)
    units = int(of_clip.max()) + 1
    if units < 2:
        raise AuricleError("all clips are one cluster: a bootstrap draws clusters and needs two or more")
    generator = randomness.generator(seed, "bootstrap over clips")
    drawn = generator.multinomial(units, np.full(units, 1 / units), size=draws)
    return np.ascontiguousarray(drawn[:, of_clip].T, dtype=np.float32)


def drawn_clusters(clusters: Sequence[object] | None) -> Sequence[object] | None:
    """The clusters that a bootstrap draws from; None where there are too few of them, so that it draws clips."""
    return clusters if clusters is not None and len(set(clusters)) >= FEWEST_CLUSTERS else None


def bootstrap(
    a: NDArray[np.floating],
    b: NDArray[np.floating],
    *,
    draws: int = DRAWS,
    seed: int = 0,
    clusters: Sequence[object] | None = None,
) -> Intervals:
    """Intervals of Spearman's correlations of all RDMs `a` with all RDMs `b`.

    Parameters
    ----------
    a, b
        Condensed RDMs of the same clips, or monotone functions of them such as their ranks: ``(k, pairs)`` and
        ``(m, pairs)``.
    draws
        Of clips with replacement.
    seed
        Of the draws.
    clusters
        As :func:`drawn_counts`.

    Returns
    -------
    Intervals
        Percentile intervals.
    """
    counts = drawn_counts(clips_of(a.shape[1]), draws, seed=seed, clusters=clusters)
    first = [_Grades.of(rdm) for rdm in a]
    second = first if b is a else [_Grades.of(rdm) for rdm in b]
    own = [[_sums(grades, grades, counts) for grades in side] for side in (first, second)]
    found = np.empty((draws, len(a), len(b)), dtype=np.float32)
    for i, one in enumerate(first):
        for j, other in enumerate(second):
            if b is a and j < i:
                found[:, i, j] = found[:, j, i]
            else:
                found[:, i, j] = _sums(one, other, counts) / np.sqrt(own[0][i] * own[1][j])
    np.clip(found, -1.0, 1.0, out=found)
    low, high = np.quantile(found, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2], axis=0)
    return Intervals(low, high, found)


@dataclass(frozen=True)
class _Grades:
    """An RDM by the shares of pairs that are nearer, ``(pairs,)`` with mean 0, and their order."""

    values: Singles
    order: NDArray[np.int64]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, rdm: NDArray[np.floating]) -> "_Grades":
        order, starts = order_of(np.asarray(rdm))
        pairs = len(order)
        counts = np.diff(starts, append=pairs)
        values = np.empty(pairs, dtype=np.float32)
        values[order] = np.repeat((starts + counts / 2) / pairs - 0.5, counts)
        return cls(values, order, starts)

    def above(self, values: Singles) -> Singles:
        """For each pair the mean over all pairs of `values`, of which only farther ones count, equal ones by half.

        That is how much the mean product of this RDM's grades with `values` gains from one more such pair.
        """
        pairs = len(values)
        ordered = values[self.order]
        running = np.cumsum(ordered, dtype=np.float64)
        if len(self.starts) == pairs:
            beyond = running[-1] - running + 0.5 * ordered
        else:
            ends = np.append(self.starts[1:], pairs)
            last = running[ends - 1]
            beyond = np.repeat(running[-1] - 0.5 * (np.append(0.0, last[:-1]) + last), ends - self.starts)
        gained = np.empty(pairs, dtype=np.float32)
        gained[self.order] = beyond / pairs
        return gained


def _sums(one: _Grades, other: _Grades, counts: Singles) -> Floats:
    """Mean product of two RDMs' grades under each draw ``(draws,)``, to first order in how often a pair counts."""
    product = one.values * other.values
    mean = float(product.mean(dtype=np.float64))
    # What a pair adds: its own product, and what it changes in the grades of all others.
    gain = product + one.above(other.values) + other.above(one.values)
    gain -= gain.mean(dtype=np.float64)
    of_clips = square(gain)
    gained = 0.5 * np.einsum("ij,ij->j", counts, of_clips @ counts, dtype=np.float64)
    weight = 0.5 * (counts.sum(axis=0, dtype=np.float64) ** 2 - np.square(counts).sum(axis=0, dtype=np.float64))
    return np.asarray(mean + gained / weight, dtype=np.float64)
