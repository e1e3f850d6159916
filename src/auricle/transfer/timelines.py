"""What is active when: annotated stretches, frames, one-second segments and events of one recording.

Metrics are those of sound event detection (Mesaros, Heittola & Virtanen 2016, "Metrics for polyphonic sound event
detection"): segments of one second count as active where anything in them is, and an event is found when one of the
same kind is predicted to begin within 200 ms. What nobody has annotated is never scored.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Spans = NDArray[np.float64]
"""``(n, 2)`` starts and ends in seconds, ascending and apart."""

SEGMENT = 1.0  # seconds
ONSET_TOLERANCE = 0.2  # seconds
_ROUNDING = 1e-6  # seconds: times that differ by less are the same


@dataclass(frozen=True, eq=False)
class Timeline:
    """The truth about one recording.

    Attributes
    ----------
    annotated : Spans
        Where anything is known.
    active : tuple of Spans
        For each class where it sounds.
    """

    annotated: Spans
    active: tuple[Spans, ...]

    @classmethod
    def of(cls, rows: Sequence[tuple[float, float, str | None]], classes: Sequence[str]) -> "Timeline":
        """From annotated segments (start, end, label); a label that is no class means that none of them sounds."""
        annotated = joined([(start, end) for start, end, _ in rows])
        active = [joined([(start, end) for start, end, label in rows if label == name]) for name in classes]
        return cls(annotated, tuple(active))

    def knows(self, times: Floats) -> NDArray[np.bool_]:
        """Which moments are annotated, ``(n,)``."""
        return covers(self.annotated, times)

    def truth(self, times: Floats) -> NDArray[np.bool_]:
        """Which classes sound at each moment, ``(n, classes)``."""
        return np.stack([covers(spans, times) for spans in self.active], axis=1)

    def segments(self) -> NDArray[np.int64]:
        """Numbers of the one-second segments of the recording of which something is annotated."""
        return touched(self.annotated)


def joined(spans: Sequence[tuple[float, float]]) -> Spans:
    """Spans in order, those that touch or overlap made one."""
    found: list[list[float]] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1] + _ROUNDING:
            found[-1][1] = max(found[-1][1], end)
        else:
            found.append([start, end])
    return np.array(found, dtype=np.float64).reshape(-1, 2)


def covers(spans: Spans, times: Floats) -> NDArray[np.bool_]:
    """Which moments lie in a span, its end excluded."""
    before = np.searchsorted(spans[:, 0], times, side="right") - 1
    inside = (before >= 0) & (times < np.append(spans[:, 1], -np.inf)[before])
    return np.asarray(inside)


def touched(spans: Spans) -> NDArray[np.int64]:
    """Numbers of the one-second segments that a span overlaps, ascending."""
    first = np.floor(spans[:, 0] / SEGMENT + _ROUNDING).astype(np.int64)
    last = np.ceil(spans[:, 1] / SEGMENT - _ROUNDING).astype(np.int64)
    long = np.maximum(last - first, 0)
    before = np.cumsum(long) - long
    return np.unique(np.arange(long.sum()) + np.repeat(first - before, long))


def events_of(active: NDArray[np.bool_], times: Floats, *, hop: float, annotated: Spans) -> Spans:
    """Runs of active frames as spans, from half a hop before the first to half a hop after the last.

    Parameters
    ----------
    active
        ``(n,)``.
    times
        ``(n,)`` centres of the frames, in seconds.
    hop
        Seconds from frame to frame.
    annotated
        Only what lies in here counts; an event goes on no further.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]]).astype(np.int8)))
    starts, ends = times[edges[::2]] - hop / 2, times[edges[1::2] - 1] + hop / 2
    cut = [
        np.clip(np.stack(_overlapping(starts, ends, known_start, known_end), axis=1), known_start, known_end)
        for known_start, known_end in annotated
    ]
    return np.concatenate([np.zeros((0, 2)), *cut])


def _overlapping(starts: Floats, ends: Floats, low: float, high: float) -> tuple[Floats, Floats]:
    chosen = slice(np.searchsorted(ends, low, side="right"), np.searchsorted(starts, high, side="left"))
    return starts[chosen], ends[chosen]


def smoothed(active: NDArray[np.bool_], frames: int) -> NDArray[np.bool_]:
    """Median filter over an odd number of frames; at the ends over those that there are."""
    if frames <= 1:
        return active
    half = frames // 2
    total = np.concatenate([[0], np.cumsum(active)])
    low = np.maximum(np.arange(len(active)) - half, 0)
    high = np.minimum(np.arange(len(active)) + half + 1, len(active))
    return np.asarray(2 * (total[high] - total[low]) > high - low)


def onsets_found(reference: Floats, predicted: Floats, *, tolerance: float = ONSET_TOLERANCE) -> int:
    """How many onsets can be paired so that each pair is no further apart than the tolerance.

    Both ``(n,)``, ascending; taking the earliest that fit is the best that can be done.
    """
    found = first = second = 0
    while first < len(reference) and second < len(predicted):
        apart = predicted[second] - reference[first]
        if abs(apart) <= tolerance + _ROUNDING:
            found += 1
        first += apart >= -tolerance - _ROUNDING
        second += apart <= tolerance + _ROUNDING
    return found
