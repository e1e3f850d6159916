"""From files to pools: some minutes of sound, in the manifest's order, that are embedded together.

Where a pool ends depends on nothing but the sound, where the last pool ended and where blocks do. A job that was killed
and goes on where a pool ended therefore makes the same pools, and from them the same numbers, as an undisturbed one.
"""

import math
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from auricle.audio import AudioError, Waveform
from auricle.embedding.parts import Position
from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.reading import Readers, Recording, Request

POOL_CLIPS = 2048  # at most, however short they are
ROWS_AT_ONCE = 1024  # of a manifest that become Python objects


@dataclass(frozen=True)
class Windows:
    """How clips are cut.

    Attributes
    ----------
    window, hop
        Length of a window and distance from one to the next, in seconds.
    """

    window: float
    hop: float

    @classmethod
    def checked(cls, window: float | None, hop: float | None) -> Self | None:
        """From what a user gave: `hop` is `window` by default; None without a window."""
        if window is None:
            if hop is not None:
                raise AuricleError("hop is the distance between windows: give window too")
            return None
        windows = cls(float(window), float(window if hop is None else hop))
        for name, value in (("window", windows.window), ("hop", windows.hop)):
            if not (value > 0 and math.isfinite(value)):
                raise AuricleError(f"{name} must be above 0 s, got {value}")
        return windows

    def cut(self, blocks: Iterable[Waveform], rate: int) -> Iterator[tuple[float, Waveform]]:
        """Start in seconds and samples of each window of a clip that comes in blocks.

        A last, shorter window is kept when it is at least half a window long and holds sound that no other does. A clip
        shorter than a window is one window, so that every clip has one.
        """
        length = max(1, round(self.window * rate))
        held = np.zeros(0, dtype=np.float32)
        base = number = first = 0  # sample of the clip at which `held` starts; the next window and its first sample
        for block in blocks:
            held = np.concatenate([held, block])
            while first + length <= base + len(held):
                yield number * self.hop, held[first - base : first - base + length]
                number += 1
                first = round(number * self.hop * rate)
            done = min(first - base, len(held))
            held, base = held[done:], base + done
        end = base + len(held)
        covered = round((number - 1) * self.hop * rate) + length if number else 0
        if end > covered and (number == 0 or end - first >= length / 2):
            yield number * self.hop, held[first - base :]


@dataclass(frozen=True)
class Clip:
    """A waveform to embed; `start` and `end` are seconds of its file, `row` is the manifest's."""

    row: int
    start: float
    end: float
    waveform: Waveform


class LongClip(NamedTuple):
    """Sound to embed that is too long to be held; it ends at `end` seconds, or where the file does."""

    row: int
    start: float
    end: float | None
    recording: Iterable[Waveform]


@dataclass
class Pool:
    """What is embedded together: some clips, or one long clip alone.

    Attributes
    ----------
    until
        Where the next pool starts.
    clips
        In the manifest's order.
    long
        A long clip.
    rejected
        Why a row of the manifest cannot be embedded.
    seconds
        Of the files' sound in `clips`; what two windows share counts once.
    """

    until: Position
    clips: list[Clip] = field(default_factory=list)
    long: LongClip | None = None
    rejected: dict[int, str] = field(default_factory=dict)
    seconds: float = 0.0
    _samples: int = 0

    def add(self, clip: Clip, *, seconds: float) -> None:
        """Add a clip that holds `seconds` of sound that the clip before it does not."""
        self.clips.append(clip)
        self.seconds += seconds
        self._samples += len(clip.waveform)

    def is_full(self, samples: int) -> bool:
        """Whether `samples` or `POOL_CLIPS` have been reached."""
        return self._samples >= samples or len(self.clips) + len(self.rejected) >= POOL_CLIPS


def pools(
    readers: Readers,
    manifest: Manifest,
    begin: Position,
    end: int,
    *,
    borders: Collection[int],
    windows: Windows | None,
    samples: int,
) -> Iterator[Pool]:
    """The clips of a manifest from `begin` to row `end`, in pools of about `samples`, none of which goes over a border.

    Parameters
    ----------
    readers
        What decodes.
    manifest
        The clips.
    begin, end
        The first clip, or a window in it, and the row after the last.
    borders
        Rows of the manifest at which a pool starts (:class:`auricle.embedding.shares.Blocks`).
    windows
        How clips are cut; None where they are not.
    samples
        Of a pool, about.
    """
    rate = readers.sample_rate
    asked: deque[_Row] = deque()  # of the reader, which is some files ahead

    def requests() -> Iterator[Request]:
        for clip in _rows(manifest, begin.row, end):
            asked.append(clip)
            yield Request(clip.file, clip.start, None if clip.end is None else clip.end - clip.start)

    pool = Pool(begin)
    for sound in readers.read(requests()):
        row, _, start, asked_end = asked.popleft()
        if isinstance(sound, AudioError):
            pool.rejected[row] = sound.reason
        elif windows is not None:
            read = 0.0
            try:
                blocks = sound if isinstance(sound, Recording) else [sound]
                for number, (offset, waveform) in enumerate(windows.cut(blocks, rate)):
                    until = offset + len(waveform) / rate
                    new, read = until - max(read, offset), until
                    if Position(row, number) < begin:
                        continue
                    pool.add(Clip(row, start + offset, start + until, waveform), seconds=new)
                    pool.until = Position(row, number + 1)
                    if pool.is_full(samples):
                        yield pool
                        pool = Pool(pool.until)
            except AudioError as error:  # a long recording that breaks further on keeps its windows before that
                pool.rejected[row] = error.reason
        elif isinstance(sound, Recording):
            # Handed on at once and alone: its process waits for someone to take the blocks.
            if pool.clips or pool.rejected:
                yield pool
            yield Pool(Position(row + 1), long=LongClip(row, start, asked_end, sound))
            pool = Pool(Position(row + 1))
        else:
            pool.add(Clip(row, start, end_of(start, asked_end, len(sound), rate), sound), seconds=len(sound) / rate)
        pool.until = Position(row + 1)
        if pool.is_full(samples) or (row + 1 in borders and (pool.clips or pool.rejected)):
            yield pool
            pool = Pool(pool.until)
    if pool.clips or pool.rejected:
        yield pool


class _Row(NamedTuple):
    """What is asked for by one row of the manifest."""

    row: int
    file: Path
    start: float
    end: float | None


def _rows(manifest: Manifest, first: int, end: int) -> Iterator[_Row]:
    """Rows `first` to `end`, of which few are taken from the table at a time: there may be millions."""
    for begin in range(first, end, ROWS_AT_ONCE):
        count = min(ROWS_AT_ONCE, end - begin)
        part = Manifest(manifest.table.slice(begin, count), manifest.root, manifest.source)
        starts, ends = (part.column(name) if part.has(name) else [None] * count for name in ("start", "end"))
        for row, file, start, stop in zip(range(begin, end), part.files, starts, ends, strict=False):
            yield _Row(row, file, start or 0.0, stop)


def end_of(start: float, asked: float | None, samples: int, rate: int) -> float:
    """Where `samples` from `start` on end: where it was asked for, unless the file ended before."""
    if asked is not None and samples == max(1, round(asked * rate) - round(start * rate)):
        return asked
    return start + samples / rate
