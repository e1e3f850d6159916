"""A number and what its bootstrap replicates say of it, for studies whose findings are computed from many scores.

Replicates are arrays ``(1 + draws,)``: first the value itself. Ends are values of replicates, never between two of
them, so that infinity may be one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auricle.transfer.bootstrap import CONFIDENCE

Floats = NDArray[np.float64]

TAILS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)


@dataclass(frozen=True)
class Value:
    """A number with its 95 % interval; no interval where nothing varies."""

    value: float
    low: float | None
    high: float | None


def with_interval(values: Floats) -> Value:
    """A value and what its replicates say of it."""
    if np.all(values[1:] == values[1]):
        return Value(float(values[0]), None, None)
    low, high = (quantile(values[1:], tail) for tail in TAILS)
    return Value(float(values[0]), low, high)


def quantile(values: Floats, tail: float) -> float:
    """Without interpolation, which infinity would not bear."""
    return float(np.quantile(values, tail, method="inverted_cdf"))
