"""From folders and manifests to clips that are trained on: which there are, and where their samples come from.

Long recordings are cut into clips. Samples are read from the files, or from one decoded copy on disk that all processes
map into memory (decoding a compressed crop costs as much as training on it).
"""

import contextlib
import csv
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from auricle import audio
from auricle.errors import AuricleError
from auricle.files import atomic_write, fill_holes, refused_writes_are_errors
from auricle.inputs import manifest_of

Samples = NDArray[np.float32] | NDArray[np.int16]

FULL_SCALE = 32_768  # of 16-bit samples: what 1.0 would be
_BYTES_PER_SAMPLE = 4
_INDEX = "files.json"
_SAMPLES = "samples.f32"


@dataclass(frozen=True)
class Stretch:
    """A stretch of a file, in seconds; `end` is None for the rest of the file."""

    path: Path
    start: float = 0.0
    end: float | None = None


@dataclass(frozen=True)
class Rejected:
    """A file that cannot be used, and why."""

    path: Path
    reason: str


class Stretches(Protocol):
    """Stretches by number: a list, or what makes them when asked."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Stretch]: ...
    def __getitem__(self, index: SupportsIndex, /) -> Stretch: ...


class ClipReader(Protocol):
    """Where the samples of clips come from."""

    def read(self, clip: int, first: int, samples: int) -> Samples:
        """At most `samples` samples of a clip from its sample `first` on; of 16 bits, `FULL_SCALE` stands for 1.0."""
        ...


@dataclass(frozen=True)
class Clips:
    """Clips of at most `clip_seconds`, in a fixed order.

    Attributes
    ----------
    stretches
        The usable files (or stretches of them), sorted.
    stretch, first, samples
        ``(clips,)`` int64: which stretch a clip belongs to, where in it the clip starts, how long it is, in samples.
    sample_rate
        Hz that samples are counted at.
    rejected
        What cannot be used.
    files
        How many files the stretches are of; 0 where nobody has counted.
    """

    stretches: Stretches
    stretch: NDArray[np.int64]
    first: NDArray[np.int64]
    samples: NDArray[np.int64]
    sample_rate: int
    rejected: list[Rejected]
    files: int = 0

    def __len__(self) -> int:
        return len(self.stretch)

    @property
    def hours(self) -> float:
        """Hours of audio in all clips."""
        return float(self.samples.sum()) / self.sample_rate / 3600

    def read(self, clip: int, first: int, samples: int) -> NDArray[np.float32]:
        """Decode a part of a clip from its file."""
        stretch = self.stretches[self.stretch[clip]]
        offset = stretch.start + (int(self.first[clip]) + first) / self.sample_rate
        return audio.read(
            stretch.path, sample_rate=self.sample_rate, offset=offset, duration=samples / self.sample_rate
        )[:samples]


def find_stretches(sources: list[str]) -> list[Stretch]:
    """Every audio file, every file below the folders, and every row of the manifests, that `sources` name."""
    if not sources:
        raise AuricleError("nothing to train on: give data=FOLDER or data=MANIFEST")
    found: list[Stretch] = []
    for source in sources:
        manifest = manifest_of([source])
        starts = manifest.column("start") if manifest.has("start") else [None] * len(manifest)
        ends = manifest.column("end") if manifest.has("end") else [None] * len(manifest)
        found += [
            Stretch(file, float(start or 0.0), None if end is None else float(end))
            for file, start, end in zip(manifest.files, starts, ends, strict=True)
        ]
    return sorted(set(found), key=lambda stretch: (str(stretch.path), stretch.start))


def measure(
    stretches: list[Stretch], *, sample_rate: int, workers: int
) -> tuple[list[Stretch], list[int], list[Rejected]]:
    """Read every file's header: the usable stretches, their lengths in samples, and what cannot be used."""

    def length(stretch: Stretch) -> int | Rejected:
        try:
            seconds = audio.info(stretch.path).seconds
        except audio.AudioError as error:
            return Rejected(stretch.path, error.reason)
        end = seconds if stretch.end is None else min(stretch.end, seconds)
        samples = round((end - stretch.start) * sample_rate)
        return samples if samples > 0 else Rejected(stretch.path, f"nothing between {stretch.start} s and {end} s")

    with ThreadPoolExecutor(max(workers, 1)) as pool:
        lengths = list(pool.map(length, stretches))
    usable = [(stretch, n) for stretch, n in zip(stretches, lengths, strict=True) if isinstance(n, int)]
    rejected = [n for n in lengths if isinstance(n, Rejected)]
    return [stretch for stretch, _ in usable], [n for _, n in usable], rejected


def cut(
    stretches: Stretches,
    lengths: Sequence[int] | NDArray[np.int64],
    rejected: list[Rejected],
    *,
    sample_rate: int,
    clip_seconds: float,
    crop_seconds: float,
    files: int | None = None,
) -> Clips:
    """Cut stretches into clips of `clip_seconds`; a rest shorter than a crop is left out, unless it is all there is.

    `files` says how many files they are of; they are counted when it is not given.
    """
    clip, crop = round(clip_seconds * sample_rate), round(crop_seconds * sample_rate)
    length = np.asarray(lengths, dtype=np.int64)
    if not len(length) or not length.any():
        why = f"{rejected[0].path}: {rejected[0].reason}" if rejected else "none was found"
        raise AuricleError(f"no usable audio: all {len(rejected)} files were rejected, the first is {why}")
    if files is None:
        files = len({stretch.path for stretch in stretches})
    pieces = -(-length // clip)
    if int(pieces.min()) == int(pieces.max()) == 1:  # as they are, without another copy of many lengths
        nowhere = np.broadcast_to(np.int64(0), len(length))
        return Clips(stretches, np.arange(len(length)), nowhere, length, sample_rate, rejected, files)
    stretch = np.repeat(np.arange(len(length)), pieces)
    first = (np.arange(len(stretch)) - np.repeat(np.cumsum(pieces) - pieces, pieces)) * clip
    samples = np.minimum(clip, length[stretch] - first)
    kept = (samples >= crop) | (first == 0)
    return Clips(stretches, stretch[kept], first[kept], samples[kept], sample_rate, rejected, files)


def write_rejected(rejected: list[Rejected], path: Path) -> None:
    """Write the table of files that cannot be used: path, reason."""
    with atomic_write(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "reason"])
        writer.writerows([str(entry.path), entry.reason] for entry in rejected)


class DecodedClips:
    """Clips whose samples lie decoded in one file that is mapped into memory."""

    def __init__(self, clips: Clips, offsets: NDArray[np.int64], path: Path) -> None:
        self.clips = clips
        self._offsets = offsets
        self._samples = np.memmap(path, dtype=np.float32, mode="r")

    def read(self, clip: int, first: int, samples: int) -> NDArray[np.float32]:
        """At most `samples` samples of a clip from its sample `first` on."""
        start = int(self._offsets[self.clips.stretch[clip]] + self.clips.first[clip] + first)
        available = int(self.clips.samples[clip]) - first
        return np.array(self._samples[start : start + max(0, min(samples, available))])


def decode(
    stretches: list[Stretch], lengths: list[int], *, sample_rate: int, folder: Path, workers: int
) -> Iterator[float]:
    """Decode all stretches into `folder`; yields the share done. What is already complete there is kept."""
    if (folder / _INDEX).exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    with refused_writes_are_errors(folder):
        samples = np.memmap(folder / _SAMPLES, dtype=np.float32, mode="w+", shape=(int(offsets[-1]),))
        fill_holes(folder / _SAMPLES)

    def fill(number: int) -> dict[str, object]:
        stretch = stretches[number]
        at, end = int(offsets[number]), int(offsets[number + 1])
        duration = None if stretch.end is None else stretch.end - stretch.start
        entry: dict[str, object] = {"path": str(stretch.path), "start": stretch.start, "end": stretch.end}
        try:
            for block in audio.stream(stretch.path, sample_rate=sample_rate, offset=stretch.start, duration=duration):
                kept = block[: end - at]
                samples[at : at + len(kept)] = kept
                at += len(kept)
        except audio.AudioError as error:
            return entry | {"offset": int(offsets[number]), "samples": 0, "reason": error.reason}
        return entry | {"offset": int(offsets[number]), "samples": at - int(offsets[number])}

    try:
        with ThreadPoolExecutor(max(workers, 1)) as pool:
            entries = []
            for number, entry in enumerate(pool.map(fill, range(len(stretches)))):
                entries.append(entry)
                yield float(offsets[number + 1]) / float(offsets[-1])
    except BaseException:  # a part of it is of no use
        remove_decoded(folder)
        raise
    samples.flush()
    with atomic_write(folder / _INDEX) as temporary:
        temporary.write_text(json.dumps(entries))


def remove_decoded(folder: Path) -> None:
    """Remove what :func:`decode` wrote, and the folder when it holds nothing else."""
    for name in (_INDEX, _SAMPLES):
        (folder / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def decoded_size(lengths: list[int]) -> int:
    """Bytes that :func:`decode` writes."""
    return sum(lengths) * _BYTES_PER_SAMPLE


def open_decoded(
    folder: Path, rejected: list[Rejected], *, sample_rate: int, clip_seconds: float, crop_seconds: float
) -> DecodedClips:
    """The clips that :func:`decode` wrote, with the lengths that decoding really gave."""
    entries = json.loads((folder / _INDEX).read_text())
    good = [entry for entry in entries if entry["samples"] > 0]
    bad = [
        Rejected(Path(entry["path"]), entry.get("reason", "no audio in it"))
        for entry in entries
        if not entry["samples"]
    ]
    clips = cut(
        [Stretch(Path(entry["path"]), entry["start"], entry["end"]) for entry in good],
        [entry["samples"] for entry in good],
        rejected + bad,
        sample_rate=sample_rate,
        clip_seconds=clip_seconds,
        crop_seconds=crop_seconds,
    )
    return DecodedClips(clips, np.array([entry["offset"] for entry in good], dtype=np.int64), folder / _SAMPLES)
