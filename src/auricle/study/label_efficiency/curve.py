"""Scores over shares of the labels, and the share at which one curve reaches the end of the other, with intervals.

A bootstrap replicate draws clusters of test clips and seeds, the same ones for both starts, so that what is easy for
one is easy for the other (Efron & Tibshirani 1993, chapter 8). Between two shares a curve is taken to be a straight
line over the logarithm of the share; the share is the one from which on the curve stays at or above its goal.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auricle import randomness
from auricle.study.intervals import TAILS, Floats, Value, quantile
from auricle.transfer.bootstrap import REPLICATES, cluster_codes, resamples
from auricle.transfer.scoring import measured
from auricle.transfer.targets import Kind

Point = tuple[str, float]  # a start and a share

NEVER = math.inf  # the share at which a curve that does not reach its goal would do so


def replicates(
    kind: Kind,
    truth: NDArray[Any],
    answers: Mapping[Point, Sequence[NDArray[Any]]],
    cluster: Sequence[object],
    *,
    draws: int = REPLICATES,
    seed: int = 0,
) -> dict[str, dict[Point, Floats]]:
    """All metrics at every point, means over seeds.

    Parameters
    ----------
    kind, truth
        What was predicted, and what is true of the ``n`` test clips.
    answers
        For each point, seed by seed in the same order, what :func:`auricle.transfer.scoring.score` takes.
    cluster
        ``(n,)`` units of the bootstrap.
    draws, seed
        Of the bootstrap.

    Returns
    -------
    dict
        Metric → point → ``(1 + draws,)``: first the value itself, then the replicates.
    """
    codes = cluster_codes(cluster)
    seeds = len(next(iter(answers.values())))
    chosen = randomness.generator(seed, "bootstrap of seeds").integers(seeds, size=(draws, seeds))
    chosen = np.concatenate([np.arange(seeds)[None], chosen])
    fold = np.zeros(len(truth), dtype=np.int64)
    weights = [np.ones((1, len(truth))), *(counts[:, codes] for counts in resamples(codes, draws, seed))]
    found: dict[str, dict[Point, Floats]] = {}
    for point, of_point in answers.items():
        by_seed = []
        for of_seed in of_point:
            parts = [measured(kind, truth, of_seed, some, fold=fold) for some in weights]
            by_seed.append({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
        for name in by_seed[0]:
            values = np.stack([of_seed[name] for of_seed in by_seed], axis=1)
            found.setdefault(name, {})[point] = np.take_along_axis(values, chosen, axis=1).mean(axis=1)
    return found


def share_reaching(shares: Sequence[float], curve: Sequence[float], goal: float) -> float:
    """The share from which on a curve is at or above a goal; the first share if it always is, :data:`NEVER` if not."""
    below = [index for index, value in enumerate(curve) if value < goal]
    if not below:
        return shares[0]
    last = below[-1]
    if last == len(shares) - 1:
        return NEVER
    way = (goal - curve[last]) / (curve[last + 1] - curve[last])
    return math.exp((1 - way) * math.log(shares[last]) + way * math.log(shares[last + 1]))


@dataclass(frozen=True)
class Worth:
    """The share of the labels at which one start equals the other with all labels.

    Attributes
    ----------
    share
        With its interval, where there is one; ends may be :data:`NEVER`.
    least
        The smallest share that was tried: what is not above it may be smaller still.
    """

    share: Value
    least: float

    @property
    def is_reached(self) -> bool:
        """Whether it is equalled with at most all labels."""
        return self.share.value != NEVER

    @property
    def band(self) -> tuple[float, float] | None:
        """The interval as far as it lies within the shares; None where there is none or nothing of it does."""
        if self.share.low is None or self.share.high is None or self.share.low == NEVER:
            return None
        low, high = self.share.low, min(self.share.high, 1.0)
        return (low, high) if low < high else None

    def in_words(self) -> str:
        """For instance ``0.31 (at most 0.10 … 0.52)``."""
        said = self._word(self.share.value)
        if self.share.low is None or self.share.high is None:
            return said
        ends = list(dict.fromkeys(map(self._word, (self.share.low, self.share.high))))
        return said if ends == [said] else f"{said} ({' … '.join(ends)})"

    def _word(self, share: float) -> str:
        if share == NEVER:
            return "not reached"
        return f"at most {share:.2f}" if share <= self.least else f"{share:.2f}"


def worth(shares: Sequence[float], curves: Sequence[Floats], goal: Floats) -> Worth:
    """At which share the curve, ``(1 + draws,)`` at each share, reaches the goal ``(1 + draws,)``.

    Without draws there is no interval.
    """
    found = np.array(
        [share_reaching(shares, row, end) for row, end in zip(np.stack(curves, axis=1), goal, strict=True)]
    )
    if len(found) == 1:
        return Worth(Value(float(found[0]), None, None), shares[0])
    low, high = (quantile(found[1:], tail) for tail in TAILS)
    return Worth(Value(float(found[0]), low, high), shares[0])
