"""Power laws through few points: how an error falls as the model, the data or the training grows.

Along one axis error = A·x^-b (Hestness et al. 2017, Kaplan et al. 2020), or with a floor, error = E + A·x^-b; along
several at once error = E + Σ Aₖ·xₖ^-bₖ (Rosenfeld et al. 2020; Hoffmann et al. 2022, equation 2). Fitted are
logarithms of errors by least squares, Rosenfeld's relative residuals, each weighed by how sure its point is. Hoffmann's
Huber loss is against outliers among hundreds of runs; among a handful of points none can be told from the others.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auricle.study.intervals import Floats

STEEPEST = 4.0  # exponents beyond this are a step from one error to another, and not to be told from each other
FLOOR_NEEDS = 4  # points along an axis: three numbers are fitted
_NO_FLOOR = 1e-3  # of the smallest error: a floor below this is none
_ROUNDS = 80  # of Levenberg's and Marquardt's method
_STARTS = (0.02, 0.5, 0.9), (0.15, 0.5, 1.5)  # floors as shares of the smallest error, and exponents
_JOINT_STARTS = (0.1, 0.7), (0.2, 0.8)


@dataclass(frozen=True)
class Straight:
    """Power laws without a floor, straight lines in logarithms.

    Attributes
    ----------
    level, exponent
        ``(fits,)``: logarithm of the error where x is 1, and how fast it falls; negative where it rises.
    """

    level: Floats
    exponent: Floats

    def at(self, x: Floats) -> Floats:
        """Errors ``(fits, n)`` at ``(n,)`` places."""
        errors: Floats = np.exp(self.level[:, None] - self.exponent[:, None] * np.log(x))
        return errors


@dataclass(frozen=True)
class Floored:
    """Power laws that end at a floor, of one or several axes.

    Attributes
    ----------
    floor
        ``(fits,)``: the error that is left, 0 where the data has no need of one.
    share
        ``(fits, axes)``: what each axis adds to the floor at the smallest place of all axes.
    exponent
        ``(fits, axes)``, at least 0; infinite beyond :data:`STEEPEST`.
    smallest
        ``(axes,)``: that place.
    """

    floor: Floats
    share: Floats
    exponent: Floats
    smallest: Floats

    def at(self, x: Floats) -> Floats:
        """Errors ``(fits, n)`` at ``(n, axes)`` places."""
        steep = np.minimum(self.exponent, STEEPEST)[:, None, :]
        parts = self.share[:, None, :] * np.exp(-steep * np.log(x / self.smallest))
        errors: Floats = self.floor[:, None] + parts.sum(axis=2)
        return errors


def straight(x: Floats, log_errors: Floats, weights: Floats) -> Straight:
    """Fit power laws without a floor.

    Parameters
    ----------
    x
        ``(n,)`` places, at least two different ones.
    log_errors
        ``(fits, n)``.
    weights
        ``(n,)``: one over each point's variance.
    """
    centre = np.average(np.log(x), weights=weights)
    moved = np.log(x) - centre
    slope = log_errors @ (weights * moved) / (weights @ moved**2)
    level = log_errors @ weights / weights.sum()
    return Straight(level - slope * centre, -slope)


def floored(x: Floats, log_errors: Floats, weights: Floats) -> Floored:
    """Fit power laws with a floor.

    Parameters
    ----------
    x
        ``(n, axes)`` places, more of them than one and twice the axes.
    log_errors
        ``(fits, n)``; the first is fitted from many starts, and where it ends is one more start of the others.
    weights
        ``(n,)``: one over each point's variance.
    """
    smallest = x.min(axis=0)
    distance = np.log(x / smallest)
    scaled = weights / weights.mean()
    first = _best(distance, log_errors[:1], scaled, _starts(distance, log_errors[:1]))
    starts = [np.repeat(first, len(log_errors), axis=0)]
    starts += _starts(distance, log_errors) if x.shape[1] == 1 else _starts(distance, log_errors)[:1]
    found = _best(distance, log_errors, scaled, starts)
    axes = x.shape[1]
    least = np.exp(log_errors.min(axis=1))
    floor, share, exponent = np.exp(found[:, 0]), np.exp(found[:, 1 : 1 + axes]), found[:, 1 + axes :]
    flat = share < _NO_FLOOR * least[:, None]  # nothing falls, however fast
    exponent = np.where(flat, 0.0, np.where(exponent > STEEPEST - 1e-6, np.inf, exponent))
    return Floored(np.where(floor <= 1.01 * _NO_FLOOR * least, 0.0, floor), share, exponent, smallest)


def _starts(distance: Floats, log_errors: Floats) -> list[Floats]:
    """Where to begin: ``(fits, 1 + 2 axes)`` logarithms of floor and shares, then exponents."""
    axes = distance.shape[1]
    least, most = np.exp(log_errors.min(axis=1)), np.exp(log_errors.max(axis=1))
    floors, exponents = _STARTS if axes == 1 else _JOINT_STARTS
    return [
        np.column_stack(
            [
                np.log(part * least),
                *[np.log((most - part * least) / axes)] * axes,
                *[np.full(len(log_errors), exponent)] * axes,
            ]
        )
        for part in floors
        for exponent in exponents
    ]


def _best(distance: Floats, log_errors: Floats, weights: Floats, starts: list[Floats]) -> Floats:
    """Parameters of the best of all descents of each fit."""
    fits = len(log_errors)
    ends, losses = _descend(distance, np.tile(log_errors, (len(starts), 1)), weights, np.concatenate(starts))
    chosen = losses.reshape(len(starts), fits).argmin(axis=0) * fits + np.arange(fits)
    best: Floats = ends[chosen]
    return best


def _descend(distance: Floats, wanted: Floats, weights: Floats, begin: Floats) -> tuple[Floats, Floats]:
    """Levenberg's and Marquardt's method (Marquardt 1963) within bounds, for each row by itself."""
    axes = distance.shape[1]
    least, most = wanted.min(axis=1), wanted.max(axis=1)
    low = np.zeros_like(begin)
    low[:, : 1 + axes] = (least + np.log(_NO_FLOOR))[:, None]
    low[:, 1 : 1 + axes] -= np.log(1e3)
    high = np.full_like(begin, STEEPEST)
    high[:, : 1 + axes] = (most + np.log(10))[:, None]
    now = np.clip(begin, low, high)
    damping = np.full(len(now), 1e-2)
    residual, slopes = _errors(distance, wanted, now)
    loss = (residual**2) @ weights
    for _ in range(_ROUNDS):
        gradient = np.einsum("rnp,n,rn->rp", slopes, weights, residual)
        stuck = ((now <= low) & (gradient < 0)) | ((now >= high) & (gradient > 0))
        free = ~stuck
        curvature = np.einsum("rnp,n,rnq->rpq", slopes, weights, slopes) * (free[:, :, None] & free[:, None, :])
        diagonal = np.einsum("rpp->rp", curvature)
        diagonal += damping[:, None] * diagonal + 1e-9 + stuck
        step = np.linalg.solve(curvature, (gradient * free)[:, :, None])[:, :, 0]
        tried = np.clip(now + step, low, high)
        new_residual, new_slopes = _errors(distance, wanted, tried)
        new_loss = (new_residual**2) @ weights
        better = new_loss < loss
        now = np.where(better[:, None], tried, now)
        residual = np.where(better[:, None], new_residual, residual)
        slopes = np.where(better[:, None, None], new_slopes, slopes)
        settled = not np.any(better & (loss - new_loss > 1e-10 * (loss + 1e-12)))
        loss = np.where(better, new_loss, loss)
        damping = np.clip(np.where(better, damping / 4, damping * 5), 1e-9, 1e9)
        if settled and np.all(better | (damping > 1e3)):
            break
    return now, loss


def _errors(distance: Floats, wanted: Floats, parameters: Floats) -> tuple[Floats, NDArray[np.float64]]:
    """Residuals ``(fits, n)`` and the model's derivatives ``(fits, n, parameters)``."""
    axes = distance.shape[1]
    parts = parameters[:, None, 1 : 1 + axes] - parameters[:, None, 1 + axes :] * distance
    terms = np.concatenate([np.broadcast_to(parameters[:, None, :1], (*wanted.shape, 1)), parts], axis=2)
    top = terms.max(axis=2, keepdims=True)
    shares = np.exp(terms - top)
    total = shares.sum(axis=2, keepdims=True)
    shares /= total
    residual = wanted - (top + np.log(total))[:, :, 0]
    return residual, np.concatenate([shares, -shares[:, :, 1:] * distance], axis=2)
