"""Two decoders: libsndfile for most formats, FFmpeg for MP4, AAC and WebM, and for Opus files that libsndfile refuses.

A decoder gives a file's samples at its own rate, channels averaged, in blocks, from any start, and turns whatever is
wrong with the file into an `AudioError`. Blocks keep memory at what is there, whatever length a header promises.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from auricle.errors import AuricleError
from auricle.files import in_units
from auricle.opus import has_irregular_times

Waveform = NDArray[np.float32]

PYAV_EXTENSIONS = (".m4a", ".mp4", ".aac", ".webm", ".mkv")
LOWEST_RATE, HIGHEST_RATE = 100, 10_000_000  # Hz: infrasound loggers to ultrasound digitisers
MOST_FRAMES_PER_BYTE = 20_000  # of silence, FLAC and Opus hold at most some thousand

# Seconds that a decoder needs after a seek until its samples are those of the whole file. Opus converges within 0.08 s
# (RFC 7845, section 4.6); an MP3 frame borrows from up to 511 bytes before it, 0.5 s at the lowest bit rate.
_SETTLING = {"OPUS": 0.25, "MPEG_LAYER_III": 0.6}
_BLOCK = 8192  # frames decoded at a time; what is lost at most where a damaged file breaks off
_NOT_STATED = 2**63 - 1  # libsndfile's length of a FLAC stream whose encoder could not come back to its header


class AudioError(AuricleError):
    """A file that cannot be used as sound.

    Attributes
    ----------
    path : Path
        The file.
    reason : str
        What is wrong with it, to be read after the path: "is empty".
    """

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(Path(path), reason)
        self.path = Path(path)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path} {self.reason}"


@dataclass(frozen=True)
class AudioInfo:
    """What a file's header says, which a damaged file need not hold.

    Where it says no length, as in what was written to a pipe or by a browser, the file has been decoded and counted.

    Attributes
    ----------
    sample_rate : int
        In Hz.
    channels : int
    frames : int
        Samples per channel.
    """

    sample_rate: int
    channels: int
    frames: int

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.frames / self.sample_rate


def existing_file(path: Path | str) -> Path:
    """`path`, which exists and holds at least one byte."""
    path = Path(path)
    state = _state(path)
    if stat.S_ISDIR(state.st_mode):
        raise AudioError(path, "is a folder, not an audio file")
    if not stat.S_ISREG(state.st_mode):  # reading one could take for ever
        raise AudioError(path, "is a pipe or a device, not an audio file; save the sound to a file first")
    if state.st_size == 0:
        raise AudioError(path, "is empty")
    return path


def _state(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except FileNotFoundError:
        raise AudioError(path, "does not exist") from None
    except (OSError, ValueError) as error:
        raise AudioError(path, f"cannot be opened: {getattr(error, 'strerror', None) or error}") from error


def _refuse_false_promise(path: Path, frames: float, rate: int) -> None:
    """Refuse a header that states more sound than a file of this size can hold, before anyone plans with it."""
    size = _state(path).st_size
    if frames > MOST_FRAMES_PER_BYTE * size:
        hours = frames / rate / 3600
        raise AudioError(path, f"promises {hours:,.0f} h of sound in {in_units(size)}: its header is damaged")


def _checked_mono(path: Path, block: Waveform, frames_before: int, sample_rate: int) -> Waveform:
    """Average ``(frames, channels)`` over the channels."""
    channels = block.shape[1]
    mono: Waveform = block[:, 0] if channels == 1 else block @ np.full(channels, 1.0 / channels, dtype=np.float32)
    if not np.isfinite(mono).all():
        where = (frames_before + int(np.argmin(np.isfinite(mono)))) / sample_rate
        raise AudioError(path, f"holds samples that are NaN or infinite, the first at {where:.3f} s")
    return mono


# --- libsndfile


def needs_pyav(path: Path) -> bool:
    """Whether libsndfile does not know the suffix, or would get this Opus file wrong."""
    try:
        return path.suffix.lower() in PYAV_EXTENSIONS or has_irregular_times(path)
    except OSError as error:  # it may be another's, or have vanished since it was found
        raise AudioError(path, f"cannot be opened: {error.strerror}") from error


class _ForwardFile(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """Reads on without seeking.

    After every read `soundfile` seeks to where it already is. That resets the decoder: MP3 frames, which borrow bits
    from those before them, come out garbled, Opus has to converge anew, and FLAC is slow.
    """

    def seekable(self) -> bool:
        return False


def opened_by_soundfile(path: Path) -> Any:
    """The file as an open `soundfile.SoundFile` that is read in order."""
    try:
        file = _ForwardFile(path)
    except soundfile.LibsndfileError as error:
        raise AudioError(path, f"cannot be decoded: {_reason(error)}") from error
    if not LOWEST_RATE <= file.samplerate <= HIGHEST_RATE:
        file.close()
        raise AudioError(path, f"cannot be decoded: its header states a sample rate of {file.samplerate} Hz")
    if file.frames != _NOT_STATED:
        try:
            _refuse_false_promise(path, file.frames, file.samplerate)
        except AudioError:
            file.close()
            raise
    return file


def soundfile_info(path: Path) -> AudioInfo:
    """Rate, channels and length as libsndfile finds them."""
    with opened_by_soundfile(path) as file:
        found = AudioInfo(file.samplerate, file.channels, file.frames)
    return _counted(path, found) if found.frames == _NOT_STATED else found


def _reason(error: soundfile.LibsndfileError) -> str:
    text: str = error.error_string.rstrip(".")
    if not text or "does not exist" in text:  # its words for an MP3 in which it finds no frame
        return "libsndfile finds no sound in it"
    return text


class SoundfileDecoder:
    """A file through libsndfile.

    Attributes
    ----------
    sample_rate : int
        The file's own, Hz.
    margin : float
        Seconds to start early for samples that do not depend on where decoding started.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = opened_by_soundfile(path)
        self.sample_rate: int = self._file.samplerate
        self.margin: float = _SETTLING.get(self._file.subtype, 0.0)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def mono_blocks(self, start: int, stop: int | None) -> Iterator[Waveform]:
        """Frames `start` to `stop`, or to where the file ends or breaks off."""
        position = start
        try:
            if start >= self._file.frames:
                return
            if start:
                if self._file.subtype == "VORBIS":
                    _refuse_damaged_vorbis(self._path)
                self._file.seek(start)
            while stop is None or position < stop:
                wanted = _BLOCK if stop is None else min(_BLOCK, stop - position)
                block = self._file.read(wanted, dtype="float32", always_2d=True)
                if not len(block):
                    return
                yield _checked_mono(self._path, block, position, self.sample_rate)
                position += len(block)
        except soundfile.LibsndfileError as error:
            # A file that was cut off may end in the middle of a frame: what came before is sound.
            if position == start:
                where = f" at {start / self.sample_rate:.1f} s" if start else ""
                raise AudioError(self._path, f"cannot be decoded{where}: {_reason(error)}") from error


def _refuse_damaged_vorbis(path: Path) -> None:
    """Refuse a file whose beginning is not decoded: libsndfile 1.2 ends the process when it seeks in one."""
    with opened_by_soundfile(path) as file:  # once more: a seek after a read gives other samples
        if not len(file.read(1)):
            raise AudioError(path, "cannot be decoded: its Vorbis stream is damaged")


# --- FFmpeg


def _import_av(path: Path) -> Any:
    """The module `av`, or the sentence that says how `path` gets it."""
    try:
        import av
    except ImportError:
        extra = 'needs the `av` extra: pip install "auricle[av]"'
        reason = (
            extra if path.suffix.lower() in PYAV_EXTENSIONS else f"is an Opus file that libsndfile refuses; it {extra}"
        )
        raise AudioError(path, reason) from None
    return av


def _open_pyav(path: Path) -> tuple[Any, Any]:
    av = _import_av(path)
    try:
        container = av.open(str(path), metadata_errors="replace")  # titles are in any encoding
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise AudioError(path, f"cannot be decoded: {getattr(error, 'strerror', None) or error}") from error
    if not container.streams.audio:
        container.close()
        raise AudioError(path, "holds no audio")
    found = container.streams.audio[0]
    if found.codec_context is None:
        container.close()
        raise AudioError(path, "cannot be decoded: its sound is in a coding that FFmpeg does not know")
    if not found.rate or not LOWEST_RATE <= found.rate <= HIGHEST_RATE:
        container.close()
        raise AudioError(path, f"cannot be decoded: its header states a sample rate of {found.rate} Hz")
    try:
        _refuse_false_promise(path, _stated_frames(container, found), found.rate)
    except AudioError:
        container.close()
        raise
    return container, found


def _stated_frames(container: Any, found: Any) -> int:
    """Samples that an FFmpeg container says it holds; 0 where it does not say."""
    if found.duration is not None:
        seconds = float(found.duration * found.time_base)
    else:
        seconds = (container.duration or 0) / 1e6  # FFmpeg counts a container in microseconds
    return max(0, round(seconds * int(found.rate)))


def pyav_info(path: Path) -> AudioInfo:
    """Rate, channels and length as FFmpeg finds them; Opus has no rate of its own and is given at 48 kHz."""
    container, found = _open_pyav(path)
    with container:
        info = AudioInfo(found.rate, found.channels, _stated_frames(container, found))
    return info if info.frames else _counted(path, info)


class PyavDecoder:
    """A file through FFmpeg; attributes as those of `SoundfileDecoder`."""

    margin = 0.0  # it decodes from the start, so there is nothing to converge

    def __init__(self, path: Path) -> None:
        self._path = path
        self._av = _import_av(path)
        self._container, self._stream = _open_pyav(path)
        self.sample_rate: int = self._stream.rate

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def mono_blocks(self, start: int, stop: int | None) -> Iterator[Waveform]:
        """Frames `start` to `stop`; what lies before is decoded and dropped, since few containers seek to a sample."""
        position = 0
        to_float = self._av.AudioResampler(format="fltp", layout=self._stream.layout, rate=self.sample_rate)
        try:
            for packet in self._container.demux(self._stream):
                for coded in packet.decode():
                    for frame in to_float.resample(coded):
                        block = np.ascontiguousarray(frame.to_ndarray().T)
                        kept = block[max(0, start - position) : None if stop is None else max(0, stop - position)]
                        if len(kept):
                            yield _checked_mono(self._path, kept, max(position, start), self.sample_rate)
                        position += len(block)
                        if stop is not None and position >= stop:
                            return
        except (self._av.error.FFmpegError, ValueError) as error:
            if position == 0:
                reason = getattr(error, "strerror", None) or error
                raise AudioError(self._path, f"cannot be decoded: {reason}") from error


Decoder = SoundfileDecoder | PyavDecoder


def open_decoder(path: Path) -> Decoder:
    """The decoder that knows this file, opened."""
    return PyavDecoder(path) if needs_pyav(path) else SoundfileDecoder(path)


def _counted(path: Path, header: AudioInfo) -> AudioInfo:
    """The same with the length that decoding gives."""
    with closing(open_decoder(path)) as decoder:
        frames = sum(len(block) for block in decoder.mono_blocks(0, None))
    return AudioInfo(header.sample_rate, header.channels, frames)
