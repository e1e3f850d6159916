"""The beginnings of clips, small enough that thousands of them fit into one HTML file.

They are Ogg Vorbis at 16 kHz and about 25 kbit/s. Opus by the same library takes five to ten times as long to encode
for the same size, once the head that all Vorbis streams of one setting share (4 kB each) is stored only once; without
that, Opus would be three times smaller for clips of half a second. Chromium, Firefox and Safari since 18.4 decode both.
"""

import io
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from os import cpu_count
from pathlib import Path

import numpy as np
import soundfile

from auricle import audio
from auricle.explore import ogg

SAMPLE_RATE = 16_000  # Hz of the excerpts
LENGTHS = (3.0, 2.5, 2.0, 1.5, 1.25, 1.0, 0.75, 0.5)  # s; below the last an excerpt says nothing
_COMPRESSION = 0.9  # of libsndfile's 0 (best) … 1
_TRIAL = 32  # clips that are encoded to see how large they become
_RESERVE = 0.03  # of the budget, for clips that are larger than those of the trial
_FADE_SECONDS = 0.02  # at the end of what was cut off
_AHEAD = 8  # clips per thread that are encoded or wait to be taken
_SERIAL = 1

Clip = tuple[Path, float | None, float | None]


@dataclass(frozen=True)
class Excerpts:
    """The beginnings of clips, as they are embedded in a page.

    Attributes
    ----------
    head
        What all of them begin with.
    sounds
        What follows it for each clip, together an Ogg Vorbis file; None for one that cannot be read or does not fit.
    seconds
        What no excerpt is longer than.
    unreadable
        Rows of the clips that were to be heard, and cannot be read.
    """

    head: bytes
    sounds: list[bytes | None]
    seconds: float
    unreadable: list[int]

    @property
    def size(self) -> int:
        """Bytes that they take in a page."""
        return embedded_size(self.head) + sum(embedded_size(sound) for sound in self.sounds if sound is not None)

    @property
    def heard(self) -> int:
        """Clips that have an excerpt."""
        return sum(sound is not None for sound in self.sounds)

    def file(self, row: int) -> bytes | None:
        """The Ogg Vorbis file of a clip."""
        sound = self.sounds[row]
        return None if sound is None else self.head + sound


def excerpts(
    files: Sequence[Path],
    *,
    starts: Sequence[float | None] | None = None,
    ends: Sequence[float | None] | None = None,
    budget: int,
    report: Callable[[float], None] | None = None,
) -> Excerpts:
    """Encode the beginnings of clips, together at most `budget` bytes of a page.

    All become shorter until they fit; where they do not even at half a second, those that do are spread evenly.

    Parameters
    ----------
    files
        One per clip.
    starts, ends
        Seconds of the file that are the clip; None for its beginning and end.
    budget
        Bytes, base64 included; 0 for no sound at all.
    report
        Is told the share that is done.
    """
    count = len(files)
    clips = list(zip(files, starts or [None] * count, ends or [None] * count, strict=True))
    left = budget - embedded_size(_head())
    sounds: list[bytes | None] = [None] * count
    unreadable: list[int] = []
    if left <= 0 or not count:
        return Excerpts(_head(), sounds, LENGTHS[-1], unreadable)
    seconds, rows = _affordable(clips, left)
    for done, (row, sound) in enumerate(_encoded(clips, rows, seconds), 1):
        if sound is None:
            unreadable.append(row)
        elif embedded_size(sound) <= left:
            sounds[row], left = sound, left - embedded_size(sound)
        if report is not None:
            report(done / len(rows))
    return Excerpts(_head(), sounds, seconds, unreadable)


def embedded_size(sound: bytes) -> int:
    """Characters of base64."""
    return (len(sound) + 2) // 3 * 4


def _affordable(clips: Sequence[Clip], budget: int) -> tuple[float, list[int]]:
    """The longest excerpts, and of which clips, that some clips, taken evenly from all, suggest to fit."""
    trial = [clips[row] for row in _spread(len(clips), _TRIAL)]
    each = 0.0
    for seconds in LENGTHS:
        sizes = [embedded_size(sound) for clip in trial if (sound := _excerpt(clip, seconds)) is not None]
        each = float(np.mean(sizes)) if sizes else 0.0
        if each * len(clips) <= (1 - _RESERVE) * budget:
            return seconds, list(range(len(clips)))
    return LENGTHS[-1], _spread(len(clips), int(budget / each))


def _spread(count: int, wanted: int) -> list[int]:
    """At most so many of the first `count` numbers, evenly from all."""
    return list(dict.fromkeys(np.linspace(0, count - 1, min(wanted, count)).round().astype(int).tolist()))


def _encoded(clips: Sequence[Clip], rows: Sequence[int], seconds: float) -> Iterator[tuple[int, bytes | None]]:
    """The excerpts of some rows, in their order; few are in memory at a time."""
    threads = min(32, cpu_count() or 1)
    waiting: deque[tuple[int, Future[bytes | None]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for row in rows:
            waiting.append((row, pool.submit(_excerpt, clips[row], seconds)))
            if len(waiting) >= _AHEAD * threads:
                first, sound = waiting.popleft()
                yield first, sound.result()
        for first, sound in waiting:
            yield first, sound.result()


def _excerpt(clip: Clip, seconds: float) -> bytes | None:
    """What follows the head in an excerpt's file."""
    file, start, end = clip
    offset = start or 0.0
    duration = seconds if end is None else min(seconds, end - offset)
    try:
        waveform = audio.read(file, sample_rate=SAMPLE_RATE, offset=offset, duration=duration)
    except audio.AudioError:
        return None
    fade = min(len(waveform), round(_FADE_SECONDS * SAMPLE_RATE))
    waveform[len(waveform) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    loudest = float(np.abs(waveform).max(initial=0.0))
    if loudest > 1.0:
        waveform /= loudest
    return _encode(waveform)[len(_head()) :]


@cache
def _head() -> bytes:
    """The bytes that every excerpt begins with; a multiple of three, so that base64 can be joined behind it."""
    silence = _encode(np.zeros(SAMPLE_RATE // 10, dtype=np.float32))
    return silence[: ogg.head_length(silence) // 3 * 3]


def _encode(waveform: audio.Waveform) -> bytes:
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer, "w", SAMPLE_RATE, 1, format="OGG", subtype="VORBIS", compression_level=_COMPRESSION
    ) as file:
        file.write(waveform)
    return ogg.with_serial(buffer.getvalue(), _SERIAL)
