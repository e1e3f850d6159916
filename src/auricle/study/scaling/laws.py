"""What points say of a law: exponents, floors and what lies ahead, each with its interval, and where they cannot tell.

An error varies with the test clips, which all points share and which are drawn anew together, and with the training,
which each point has of its own. The latter is measured between seeds, pooled over all points; with a single seed,
scatter about straight lines has to stand for it. Both are in every replicate, and each replicate is fitted by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from auricle import randomness
from auricle.study.intervals import TAILS, Floats, Value, with_interval
from auricle.study.scaling.power_law import FLOOR_NEEDS, Floored, Straight, floored, straight

DOUBLE = 2.0
JOINT_DRAWS = 300  # replicates that the joint law is fitted to
JOINT_NEEDS = 3  # values on each of its axes
BENT = 0.05  # p below which points are not taken to lie on a straight line
_LEAST_DEVIATION = 1e-6  # of a logarithm: weights stay finite where nothing varies


@dataclass(frozen=True)
class TrainingNoise:
    """How much another training would differ: deviation of the logarithm of the mean error over seeds.

    Attributes
    ----------
    deviation
        Of the mean over all seeds of a point.
    freedom
        Degrees of freedom that it is known with.
    between_seeds
        Whether it is that of seeds; else of points about straight lines.
    """

    deviation: float
    freedom: int
    between_seeds: bool


def training_noise(log_errors: Floats, lines: Sequence[tuple[Floats, Sequence[int]]]) -> TrainingNoise | None:
    """How much training adds to what test clips do.

    Parameters
    ----------
    log_errors
        ``(points, seeds)``.
    lines
        For each axis its places, and which points lie there.

    Returns
    -------
    TrainingNoise or None
        None where neither seeds nor points are enough to tell.
    """
    points, seeds = log_errors.shape
    if seeds > 1:
        freedom = points * (seeds - 1)
        squares = float(((log_errors - log_errors.mean(axis=1, keepdims=True)) ** 2).sum())
        return TrainingNoise(float(np.sqrt(squares / freedom / seeds)), freedom, True)
    squares, freedom = 0.0, 0
    for x, rows in lines:
        if len(rows) > 2:
            found = log_errors[list(rows), 0]
            fit = straight(x, found[None], np.ones(len(rows)))
            squares += float(((found - np.log(fit.at(x)[0])) ** 2).sum())
            freedom += len(rows) - 2
    return TrainingNoise(float(np.sqrt(squares / freedom)), freedom, False) if freedom else None


def replicated(errors: Floats, noise: TrainingNoise | None, *, seed: int) -> Floats:
    """Logarithms of mean errors with all that varies.

    Parameters
    ----------
    errors
        ``(1 + draws, points, seeds)``: errors, then what they are for other test clips.
    noise
        Of training.
    seed
        Of its draws; its size is drawn too, as it is known from few numbers (Gelman et al. 2013, section 3.2).

    Returns
    -------
    Floats
        ``(1 + draws, points)``.
    """
    found: Floats = np.log(errors.mean(axis=2))
    if noise is not None:
        generator = randomness.generator(seed, "noise of training")
        draws, points = len(found) - 1, found.shape[1]
        size = noise.deviation * np.sqrt(noise.freedom / generator.chisquare(noise.freedom, size=(draws, 1)))
        found[1:] += size * generator.standard_normal((draws, points))
    return found


@dataclass(frozen=True)
class AxisLaw:
    """How the error of one task goes along one axis, the others at their largest.

    Attributes
    ----------
    axis
        Its name.
    x
        ``(n,)`` places, ascending.
    log_errors
        ``(1 + draws, n)`` as of :func:`replicated`.
    noise
        Of training, that is in them; None where it is not known, and nothing has an interval.
    """

    axis: str
    x: Floats
    log_errors: Floats
    noise: TrainingNoise | None

    @cached_property
    def _weights(self) -> Floats:
        deviations = np.maximum(self.log_errors[1:].std(axis=0), _LEAST_DEVIATION)
        weights = 1 / deviations**2
        scaled: Floats = weights / weights.mean()
        return scaled

    @cached_property
    def straight(self) -> Straight:
        """Without a floor."""
        return straight(self.x, self.log_errors, self._weights)

    @cached_property
    def floored(self) -> Floored | None:
        """With a floor; None where there are too few points for one, or nothing that falls to it."""
        if len(self.x) < FLOOR_NEEDS or self.direction != 1:
            return None
        return floored(self.x[:, None], self.log_errors, self._weights)

    def _value(self, replicates: Floats) -> Value:
        return Value(float(replicates[0]), None, None) if self.noise is None else with_interval(replicates)

    @property
    def exponent(self) -> Value:
        """Without a floor: above 0 where the error falls."""
        return self._value(self.straight.exponent)

    @property
    def change(self) -> Value:
        """By which share of itself the error changes with each doubling; negative where it falls."""
        return self._value(DOUBLE**-self.straight.exponent - 1)

    @property
    def floor(self) -> Value | None:
        """The error that is left in the end, as far as a power law tells."""
        return None if self.floored is None else self._value(self.floored.floor)

    @property
    def floored_exponent(self) -> Value | None:
        """How fast the rest falls."""
        return None if self.floored is None else self._value(self.floored.exponent[:, 0])

    @property
    def ahead(self) -> Value | None:
        """The error at twice the largest place, a floor allowed for."""
        if self.floored is None:
            return None
        return self._value(self.floored.at(np.array([[DOUBLE * self.x[-1]]]))[:, 0])

    @property
    def direction(self) -> int:
        """1 where the error falls, -1 where it rises, 0 where the interval cannot tell."""
        low, high = self.exponent.low, self.exponent.high
        if low is None or high is None:
            return 0
        return 1 if low > 0 else -1 if high < 0 else 0

    @property
    def levels_off(self) -> bool:
        """Whether a straight line will not do, and the interval of the floor leaves 0 out."""
        return self.is_bent and self.floor is not None and self.floor.low is not None and self.floor.low > 0

    @cached_property
    def bend_p(self) -> float | None:
        """How often noise alone would bend a straight line so much; None where the noise is not known apart from it."""
        if self.noise is None or not self.noise.between_seeds or len(self.x) < 3:
            return None
        around = self.log_errors - self.log_errors[0]
        around[0] = self.log_errors[0]
        fit = straight(self.x, around, self._weights)
        left = ((around - np.log(fit.at(self.x))) ** 2) @ self._weights
        return float((1 + np.count_nonzero(left[1:] >= left[0])) / len(left))

    @property
    def is_bent(self) -> bool:
        """Whether the points leave a straight line by more than noise explains."""
        return self.bend_p is not None and self.bend_p < BENT

    def points(self) -> list[Value]:
        """The errors that were measured."""
        return [self._value(column) for column in np.exp(self.log_errors).T]

    def band(self, x: Floats) -> tuple[Floats, NDArray[np.float64] | None]:
        """The law at ``(n,)`` places, and its interval ``(2, n)``; with a floor where there is one."""
        law = self.floored if self.levels_off and self.floored is not None else self.straight
        errors = law.at(x[:, None] if isinstance(law, Floored) else x)
        return errors[0], None if self.noise is None else np.quantile(errors[1:], TAILS, axis=0)


@dataclass(frozen=True)
class JointLaw:
    """How the error goes along all axes at once; `axes` of them, `exponents` in their order."""

    axes: tuple[str, ...]
    exponents: tuple[Value, ...]
    floor: Value


def joint_law(places: Mapping[str, Floats], log_errors: Floats, noise: TrainingNoise | None) -> JointLaw | None:
    """Fit error = E + Σ Aₖ·xₖ^-bₖ to a full grid; None where its axes have too few values, or no noise is known.

    Parameters
    ----------
    places
        For each axis ``(n,)``, where each point lies.
    log_errors
        ``(1 + draws, n)`` as of :func:`replicated`.
    noise
        Of training, that is in them.
    """
    varied = {axis: x for axis, x in places.items() if len(np.unique(x)) > 1}
    if noise is None or len(varied) < 2 or any(len(np.unique(x)) < JOINT_NEEDS for x in varied.values()):
        return None
    deviations = np.maximum(log_errors[1:].std(axis=0), _LEAST_DEVIATION)
    found = floored(np.column_stack(list(varied.values())), log_errors[: 1 + JOINT_DRAWS], 1 / deviations**2)
    return JointLaw(
        tuple(varied), tuple(with_interval(column) for column in found.exponent.T), with_interval(found.floor)
    )
