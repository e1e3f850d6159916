"""Scores that can be read as probabilities, and thresholds to act on, both chosen on validation data.

A softmax is divided by one temperature (Guo et al. 2017, "On calibration of modern neural networks"); a sigmoid gets a
slope and an offset of its own (Platt 1999, with his smoothed targets, by the Newton method of Lin, Lin & Weng 2007). A
threshold is the one of highest F1 for its class.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special
from scipy.optimize import minimize_scalar

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

_TEMPERATURES = (0.01, 100.0)
_LOWEST_SLOPE = 0.01  # of a probe that knows nothing of a class: its order stays, its scores come close to the prior
_NEWTON_STEPS = 100
_TOLERANCE = 1e-10


@dataclass(frozen=True)
class Calibration:
    """From logits to logits that deserve the name: `slope` times the logit, plus `offset`.

    Attributes
    ----------
    slope, offset : tuple of float
        One per output. A temperature T is the slope 1/T of all of them, without offset.
    """

    slope: tuple[float, ...]
    offset: tuple[float, ...]

    @classmethod
    def none(cls, outputs: int) -> "Calibration":
        """Logits as they are."""
        return cls((1.0,) * outputs, (0.0,) * outputs)

    def __call__(self, logits: NDArray[np.floating]) -> Floats:
        """Calibrated logits, ``(n, outputs)``."""
        calibrated: Floats = logits.astype(np.float64) * np.array(self.slope) + np.array(self.offset)
        return calibrated


def temperature(logits: NDArray[np.floating], classes: Rows) -> Calibration:
    """The temperature of a softmax under which the given classes are likeliest.

    Parameters
    ----------
    logits
        ``(n, outputs)`` on validation clips.
    classes
        ``(n,)`` their classes.
    """
    logits = logits.astype(np.float64)
    own = logits[np.arange(len(classes)), classes]

    def loss(log_slope: float) -> float:
        slope = np.exp(log_slope)
        return float(np.mean(special.logsumexp(slope * logits, axis=1) - slope * own))

    low, high = (-np.log(bound) for bound in reversed(_TEMPERATURES))
    found = minimize_scalar(loss, bounds=(low, high), method="bounded")
    return Calibration((float(np.exp(found.x)),) * logits.shape[1], (0.0,) * logits.shape[1])


def platt(logits: NDArray[np.floating], positive: NDArray[np.bool_]) -> Calibration:
    """Slope and offset of every sigmoid; an output without validation clips of both kinds stays as it is.

    Parameters
    ----------
    logits
        ``(n, outputs)`` on validation clips.
    positive
        ``(n, outputs)``: what is true of them.
    """
    pairs = [_platt_of(logits[:, output], positive[:, output]) for output in range(logits.shape[1])]
    return Calibration(tuple(slope for slope, _ in pairs), tuple(offset for _, offset in pairs))


def _platt_of(logit: NDArray[np.floating], positive: NDArray[np.bool_]) -> tuple[float, float]:
    yes = int(positive.sum())
    no = len(positive) - yes
    if yes == 0 or no == 0:
        return 1.0, 0.0
    target = np.where(positive, (yes + 1) / (yes + 2), 1 / (no + 2))
    size = max(float(np.abs(logit).max()), 1e-12)  # Newton's steps in units of the logits' own size
    scaled = logit.astype(np.float64) / size
    slope, offset = _newton(np.stack([scaled, np.ones_like(scaled)], axis=1), target, np.zeros(len(scaled)))
    if slope / size >= _LOWEST_SLOPE:
        return float(slope / size), float(offset)
    fixed = _LOWEST_SLOPE * size * scaled
    (offset,) = _newton(np.ones((len(scaled), 1)), target, fixed)
    return _LOWEST_SLOPE, float(offset)


def _newton(features: Floats, target: Floats, fixed: Floats) -> Floats:
    """Coefficients of the likeliest logistic regression of `target`, beside a part of the logit that is `fixed`."""
    ridge = 1e-9 * np.eye(features.shape[1])

    def loss_of(coefficients: Floats) -> float:
        z = features @ coefficients + fixed
        return float(np.mean(np.logaddexp(0.0, z) - target * z))

    coefficients = np.zeros(features.shape[1])
    loss = loss_of(coefficients)
    for _ in range(_NEWTON_STEPS):
        probability = special.expit(features @ coefficients + fixed)
        slope = features.T @ (probability - target) / len(target)
        curvature = (features * (probability * (1 - probability))[:, None]).T @ features / len(target) + ridge
        step = np.linalg.solve(curvature, slope)
        share = 1.0
        while share > _TOLERANCE and loss_of(coefficients - share * step) > loss:
            share /= 2
        coefficients = coefficients - share * step
        before, loss = loss, loss_of(coefficients)
        if before - loss < _TOLERANCE * max(abs(loss), 1.0):
            break
    return coefficients


def best_threshold(score: Floats, positive: NDArray[np.bool_]) -> float:
    """The threshold from which on (≥) a clip is called positive with the highest F1; 0.5 without positives.

    It lies halfway between two scores of validation clips. Of equal F1 the highest threshold counts.
    """
    yes = int(positive.sum())
    if yes == 0:
        return 0.5
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    hits = np.cumsum(positive[order])[last]
    f1 = 2 * hits / (yes + last + 1)
    best = int(np.argmax(f1))
    at = float(ordered[last[best]])
    below = float(ordered[last[best] + 1]) if best + 1 < len(last) else 0.0
    return (at + below) / 2
