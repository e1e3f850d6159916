"""Sound in: files of any common format, rate and channel count become float32 mono waveforms at the asked rate.

WAV, FLAC, Ogg Vorbis, Opus, MP3 and AIFF are decoded by libsndfile (through `soundfile`), MP4, AAC and WebM by FFmpeg
(through PyAV, the optional extra ``av``); rates are converted by soxr's "HQ" filter. Everything is read in blocks, so
memory follows the sound that is there and not the length that a header promises. An excerpt equals the same slice of
the whole file: it starts at an input sample that falls on an output sample, early enough for the filter to settle.
"""

import io
import math
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import soundfile
import soxr

from auricle.decoding import (
    HIGHEST_RATE,
    LOWEST_RATE,
    PYAV_EXTENSIONS,
    AudioError,
    AudioInfo,
    Decoder,
    Waveform,
    existing_file,
    needs_pyav,
    open_decoder,
    pyav_info,
    soundfile_info,
)
from auricle.errors import AuricleError
from auricle.files import atomic_write

__all__ = [
    "EXTENSIONS",
    "AudioError",
    "AudioInfo",
    "Waveform",
    "find",
    "info",
    "read",
    "resample",
    "stream",
    "write",
]

EXTENSIONS = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".aif", ".au", ".oga", *PYAV_EXTENSIONS)

_QUALITY = "HQ"  # soxr's 20-bit filter, its pass band up to 0.91 of the lower Nyquist frequency
_MARGIN = 0.05  # s on either side of an excerpt: soxr's filter reaches less than 0.01 s at 8 kHz


def info(path: Path | str) -> AudioInfo:
    """Rate, channels and length of a file, from its header; where that says no length, by decoding it all.

    Raises
    ------
    AudioError
        When the file is missing, empty or not audio, or when its header promises more than such a file can hold.
    """
    path = existing_file(path)
    return pyav_info(path) if needs_pyav(path) else soundfile_info(path)


def read(path: Path | str, *, sample_rate: int, offset: float = 0.0, duration: float | None = None) -> Waveform:
    """A file, or an excerpt of it, as one mono waveform.

    Channels are averaged. Samples are in [-1, 1], except that a float file whose samples go beyond is given as it is. A
    file that breaks off (a recorder's battery went flat) gives what is there.

    Parameters
    ----------
    path
        Any file with one of `EXTENSIONS`.
    sample_rate
        Rate of the result, Hz.
    offset, duration
        The excerpt, in seconds; it ends early where the file does. Both are rounded to samples of the result:
        ``whole[round(offset * sample_rate) : round((offset + duration) * sample_rate)]``.

    Returns
    -------
    Waveform
        float32 ``(samples,)``.

    Raises
    ------
    AudioError
        When the file is missing, empty or not audio, holds NaN or infinity, or ends before `offset`.
    """
    blocks = list(stream(path, sample_rate=sample_rate, offset=offset, duration=duration))
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def stream(
    path: Path | str,
    *,
    sample_rate: int,
    offset: float = 0.0,
    duration: float | None = None,
    block_seconds: float = 60.0,
) -> Iterator[Waveform]:
    """The waveform of :func:`read` in blocks, for files of any length in constant memory.

    Parameters
    ----------
    path, sample_rate, offset, duration
        As in :func:`read`.
    block_seconds
        Length of every block but the last, in seconds.

    Yields
    ------
    Waveform
        float32 ``(samples,)``; the blocks laid end to end are what :func:`read` returns.

    Raises
    ------
    AudioError
        As :func:`read`, while iterating.
    """
    path = existing_file(path)
    _check_rate(sample_rate, what="sample_rate")
    if not (offset >= 0 and math.isfinite(offset)) or (duration is not None and not duration > 0):
        raise AuricleError(f"offset must be 0 s or more and duration more than 0 s, got {offset} and {duration}")
    first = round(offset * sample_rate)
    last = (
        None if duration is None or duration == math.inf else max(first + 1, round((offset + duration) * sample_rate))
    )

    block = max(1, round(block_seconds * sample_rate))
    waiting: list[Waveform] = []
    n_waiting = n_given = 0
    for piece in _excerpt(path, open_decoder(path), sample_rate, first, last):
        waiting.append(piece)
        n_waiting += len(piece)
        while n_waiting >= block:
            joined = np.concatenate(waiting)
            yield joined[:block]
            n_given += block
            waiting, n_waiting = [joined[block:]], n_waiting - block
    if n_waiting:
        yield np.concatenate(waiting)
    elif not n_given:
        reason = "holds no samples" if first == 0 else f"ends before {offset:g} s"
        raise AudioError(path, reason)


def resample(waveform: Waveform, *, from_rate: int, to_rate: int) -> Waveform:
    """Convert a waveform's sample rate with soxr's HQ filter.

    Parameters
    ----------
    waveform
        float32 ``(samples,)``.
    from_rate, to_rate
        Hz.

    Returns
    -------
    Waveform
        float32 ``(samples * to_rate / from_rate,)``, rounded.
    """
    _check_rate(from_rate, what="from_rate")
    _check_rate(to_rate, what="to_rate")
    waveform = np.asarray(waveform, dtype=np.float32)
    if waveform.ndim != 1:
        raise AuricleError(f"a waveform has one axis, (samples,); this has shape {waveform.shape}")
    if from_rate == to_rate or waveform.size == 0:
        return waveform
    converted: Waveform = soxr.resample(waveform, from_rate, to_rate, quality=_QUALITY)
    return converted


def write(path: Path | str, waveform: Waveform, *, sample_rate: int) -> None:
    """Write a mono waveform, in the format of the suffix (16-bit for WAV, FLAC and AIFF), all or nothing.

    Parameters
    ----------
    path
        File to write; ``.wav``, ``.flac``, ``.ogg`` (Vorbis), ``.opus``, ``.mp3`` or ``.aiff``.
    waveform
        ``(samples,)`` in [-1, 1].
    sample_rate
        Hz.

    Raises
    ------
    AudioError
        When the waveform is not one axis of finite numbers in [-1, 1], or the suffix is not one of these.
    """
    path = Path(path)
    waveform = np.asarray(waveform, dtype=np.float32)
    suffix = path.suffix.lower()
    if suffix in PYAV_EXTENSIONS or suffix not in EXTENSIONS:
        raise AudioError(path, "cannot be written: choose .wav, .flac, .ogg, .opus, .mp3 or .aiff")
    if waveform.ndim != 1 or waveform.size == 0:
        raise AudioError(path, f"cannot be written: a waveform has one axis, (samples,), this has {waveform.shape}")
    peak = float(np.abs(waveform).max())
    if not peak <= 1.0:
        raise AudioError(path, f"cannot be written: samples go up to {peak:g}, beyond [-1, 1]")
    container, coding = {
        ".ogg": ("OGG", "VORBIS"),
        ".oga": ("OGG", "VORBIS"),
        ".opus": ("OGG", "OPUS"),
        ".mp3": ("MP3", "MPEG_LAYER_III"),
        ".aif": ("AIFF", "PCM_16"),
    }.get(suffix, (suffix[1:].upper(), "PCM_16"))
    content = io.BytesIO()  # libsndfile does not say why it cannot write to a disk
    try:
        with soundfile.SoundFile(content, "w", sample_rate, 1, coding, format=container) as file:
            for start in range(0, len(waveform), sample_rate):  # libsndfile's Vorbis overflows its stack on long writes
                file.write(waveform[start : start + sample_rate])
    except soundfile.LibsndfileError as error:
        raise AudioError(path, f"cannot be written: {error.error_string}") from error
    with atomic_write(path) as temporary:
        temporary.write_bytes(content.getvalue())


def find(root: Path | str) -> list[Path]:
    """All audio files under `root`, sorted; hidden files and folders are left out and links to folders
    are not followed; upper-case suffixes count.

    Raises
    ------
    AuricleError
        When `root` is not a folder.
    """
    root = Path(root)
    if not root.is_dir():
        wrong = "is not a folder" if root.exists() else "does not exist"
        raise AuricleError(f"{root} {wrong}; is the path right?")
    found: list[Path] = []
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        found += [  # in order already, or nearly: comparing paths is slow
            Path(folder, name)
            for name in sorted(names)
            if name.lower().endswith(EXTENSIONS) and not name.startswith(".")
        ]
    return sorted(found)


def _check_rate(rate: int, *, what: str) -> None:
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise AuricleError(f"{what} must be {LOWEST_RATE} to {HIGHEST_RATE:,} Hz, got {rate}")


def _excerpt(path: Path, decoder: Decoder, rate: int, first: int, last: int | None) -> Iterator[Waveform]:
    """The decoder's samples `first` to `last` as counted at `rate` Hz, in pieces.

    With from/to reduced to p/q, input sample k*p falls on output sample k*q: starting there gives the whole file's
    samples but for the filter's first few, which the margin holds.
    """
    with closing(decoder):
        divisor = math.gcd(decoder.sample_rate, rate)
        p, q = decoder.sample_rate // divisor, rate // divisor
        margin = decoder.margin if decoder.sample_rate == rate else max(decoder.margin, _MARGIN)
        k = max(0, first - math.ceil(margin * rate)) // q
        stop = None if last is None else math.ceil(last * p / q) + math.ceil(_MARGIN * decoder.sample_rate)
        drop = first - k * q
        left = math.inf if last is None else last - first
        for piece in _convert_blocks(decoder.mono_blocks(k * p, stop), decoder.sample_rate, rate):
            if p != q and not np.isfinite(piece).all():  # finite samples that add up to more than float32 holds
                raise AudioError(path, "holds samples that are too large to be resampled")
            kept = piece[drop : drop + int(min(left, len(piece)))]
            drop = max(0, drop - len(piece))
            left -= len(kept)
            if len(kept):
                yield kept
            if left <= 0:
                return


def _convert_blocks(blocks: Iterator[Waveform], from_rate: int, to_rate: int) -> Iterator[Waveform]:
    if from_rate == to_rate:
        yield from blocks
        return
    converter = soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32", quality=_QUALITY)
    for block in blocks:
        yield converter.resample_chunk(block)
    yield converter.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
