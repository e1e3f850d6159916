"""What there is to know of a descriptor: name, unit, range, definition, source, and the function that computes it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from auricle.explain.descriptors.sound import Sound
from auricle.explain.descriptors.statistics import IQR, MEDIAN

OVER_TIME = (MEDIAN, IQR)


@dataclass(frozen=True, kw_only=True)
class Descriptor:
    """One acoustic property of a clip.

    Attributes
    ----------
    name
        The column in which its value stands; those over time have one column per statistic, ``name_median``.
    family
        ``level``, ``spectral shape``, ``spectral variability``, ``harmonicity``, ``envelope`` or ``modulation``.
    unit
        Of its values; ``""`` for a pure number.
    range
        Between which all its values lie.
    definition
        In a sentence.
    source
        Where the definition is from.
    compute
        From a batch of clips: ``(batch,)``, or ``(batch, frames)`` of what changes over time. NaN where a clip or frame
        has no such property.
    statistics
        What values over time are summarised by; empty for one value per clip.
    pitch
        Whether it has a meaning for sounds with a pitch only.
    logarithmic
        Whether equal ratios of its values, not equal differences, are alike to the ear; see :meth:`comparable`.
    """

    name: str
    family: str
    unit: str
    range: tuple[float, float]
    definition: str
    source: str
    compute: Callable[[Sound], Tensor]
    statistics: tuple[str, ...] = ()
    pitch: bool = False
    logarithmic: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of its values."""
        return tuple(f"{self.name}_{statistic}" for statistic in self.statistics) or (self.name,)

    def comparable(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Values whose differences are distances between sounds: logarithms to base 2 of a logarithmic descriptor's."""
        numbers = np.asarray(values, dtype=np.float64)
        return np.log2(numbers) if self.logarithmic else numbers
