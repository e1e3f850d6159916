"""From folders and manifests to training crops: which clips there are, and the waveform of any global sample index.

Long recordings are cut into clips; every global sample index names one clip and one crop of it, by draws that depend on
(seed, index) alone. Crops are read from the files, or from one decoded copy on disk that all processes map into memory
(decoding a compressed crop costs as much as training on it).
"""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, SupportsIndex

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from auricle import audio, randomness
from auricle.errors import AuricleError
from auricle.files import atomic_write, fill_holes, refused_writes_are_errors
from auricle.inputs import manifest_of

Samples = NDArray[np.float32] | NDArray[np.int16]

FULL_SCALE = 32_768  # of 16-bit samples: what 1.0 would be
_BYTES_PER_SAMPLE = 4
_INDEX = "files.json"
_SAMPLES = "samples.f32"
_NEIGHBOURS = 8  # clips in a row that may turn out to be unreadable in mid-training


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

    with ThreadPoolExecutor(max(workers, 1)) as pool:
        entries = []
        for number, entry in enumerate(pool.map(fill, range(len(stretches)))):
            entries.append(entry)
            yield float(offsets[number + 1]) / float(offsets[-1])
    samples.flush()
    with atomic_write(folder / _INDEX) as temporary:
        temporary.write_text(json.dumps(entries))


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


class Crops:
    """The crop of every global sample index.

    Parameters
    ----------
    clips
        What there is.
    reader
        Where samples come from: the clips themselves (decode at every crop) or :class:`DecodedClips`.
    crop_samples
        Samples of a crop.
    sampling
        ``clip``: an epoch is one crop of every clip; ``duration``: as many crops as fit into each.
    padding
        Where a shorter clip lies in its zeros, or ``repeat``: it is repeated until the crop is full.
    seed
        The run's seed.
    shortest
        Samples of the zero-padded clip that an encoder makes of a shorter one; with ``repeat``, that is repeated.
    members
        ``(n,)`` the clips that crops are taken from; all of them when not given.
    """

    def __init__(
        self,
        clips: Clips,
        reader: ClipReader,
        *,
        crop_samples: int,
        sampling: Literal["clip", "duration"],
        padding: Literal["tail", "centre", "repeat"],
        seed: int,
        shortest: int = 0,
        members: NDArray[np.int64] | None = None,
    ) -> None:
        self.clips, self.reader = clips, reader
        self.crop_samples, self.padding, self.seed, self._shortest = crop_samples, padding, seed, shortest
        # Ten thousand hours are millions of clips: what follows from their number alone is not kept for each.
        self._members, self._count = members, len(clips) if members is None else len(members)
        self._slots = (
            None if sampling == "clip" else np.cumsum(np.maximum(1, self._samples_of(slice(None)) // crop_samples))
        )
        self.failed: dict[Path, str] = {}

    def __len__(self) -> int:
        """Crops of one epoch."""
        return self._count if self._slots is None else int(self._slots[-1])

    @property
    def padding_share(self) -> float:
        """Share of all crops' samples that is padding."""
        missing = np.maximum(0, self.crop_samples - self._samples_of(slice(None)))
        if self._slots is not None:
            missing *= np.diff(self._slots, prepend=0)
        return float(missing.sum() / (len(self) * self.crop_samples))

    def _samples_of(self, members: NDArray[np.int64] | slice) -> NDArray[np.int64]:
        """Samples of the clips of some members."""
        return self.clips.samples[members if self._members is None else self._members[members]]

    def _members_at(self, index: Tensor) -> NDArray[np.int64]:
        """Which member the crop of each global sample index is taken from; no order is kept, however long it is."""
        epochs, places = np.divmod(index.numpy(), len(self))
        members = np.empty(len(index), dtype=np.int64)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            members[here] = self._ordered(int(epoch), places[here])
        return members

    def _ordered(self, epoch: int, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which members stand at these places of an epoch's order."""
        slots = randomness.permuted(self.seed, "order", epoch, places, len(self))
        return slots if self._slots is None else np.searchsorted(self._slots, slots, side="right")

    def samples(self, index: Tensor) -> NDArray[np.int64]:
        """True samples of the crops of these global sample indices: ``(n,)``."""
        return np.minimum(self._samples_of(self._members_at(index)), self.crop_samples)

    def lengths(self, clips: Tensor) -> Tensor:
        """True samples of crops of these clips, as :meth:`read` numbers them: ``(n,)`` int64 both."""
        return torch.from_numpy(np.minimum(self.clips.samples[clips.numpy()], self.crop_samples))

    def read(self, index: Tensor, *, width: int | None = None, purpose: str = "crop") -> tuple[Tensor, Tensor]:
        """Crops of global sample indices, and which clips they are of.

        Parameters
        ----------
        index
            ``(n,)`` int64.
        width
            Samples of what is returned, those of a crop when not given; what is longer is cut off at its end.
        purpose
            Of the draws that place the crops.

        Returns
        -------
        crops, clips
            ``(n, width)`` and ``(n,)`` int64.
        """
        width = width or self.crop_samples
        out = torch.empty(len(index), width)  # filled row by row: clearing it first would cost as much as reading
        rows = out.numpy()
        clips = torch.zeros(len(index), dtype=torch.int64)
        draws = randomness.uniform(randomness.keys(self.seed, purpose, index), 1)[:, 0].tolist()
        for row, member in enumerate(self._members_at(index).tolist()):
            clip, samples = self._read_one(member, draws[row])
            if self.padding == "repeat":
                samples = np.resize(np.pad(samples, (0, max(0, self._shortest - len(samples)))), self.crop_samples)
            at = (self.crop_samples - len(samples)) // 2 if self.padding == "centre" else 0
            samples = samples[: width - at]
            if len(samples) < width:
                rows[row, :at], rows[row, at + len(samples) :] = 0.0, 0.0
            place = rows[row, at : at + len(samples)]
            place[:] = samples
            if samples.dtype == np.int16:
                place *= np.float32(1 / FULL_SCALE)
            clips[row] = clip
        return out, clips

    def _read_one(self, member: int, draw: float) -> tuple[int, Samples]:
        for step in range(_NEIGHBOURS):  # a file that turns out to be broken is replaced by its neighbour
            near = (member + step) % self._count
            clip = near if self._members is None else int(self._members[near])
            room = max(0, int(self.clips.samples[clip]) - self.crop_samples)
            try:
                return clip, self.reader.read(clip, int(draw * (room + 1)), self.crop_samples)
            except audio.AudioError as error:
                self.failed[error.path] = error.reason
                last = error
        raise AuricleError(f"{_NEIGHBOURS} clips in a row cannot be read; the last is {last.path}: {last.reason}")

    def batches(
        self, first: int, batch: int, steps: int, *, rows: slice, workers: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Crops of `steps` successive batches and their clips, read ahead in threads; of each batch only `rows`."""
        batches = (torch.arange(first + step * batch, first + (step + 1) * batch)[rows] for step in range(steps))
        return self.stream(batches, workers=workers)

    def stream(
        self, batches: Iterable[Tensor], *, workers: int, trimmed: bool = False
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """What :meth:`read` gives for each batch of indices, read ahead in threads.

        With `trimmed`, crops are only as wide as the longest of their batch.
        """
        coming = iter(batches)
        with ThreadPoolExecutor(max(1, workers)) as pool:

            def submit() -> list[Future[tuple[Tensor, Tensor]]] | None:
                index = next(coming, None)
                if index is None:
                    return None
                longest = int(self.samples(index).max()) if trimmed else None
                parts = torch.tensor_split(index, max(1, min(workers, len(index))))
                return [pool.submit(self.read, part, width=longest) for part in parts]

            ahead = [submit() for _ in range(2)]
            while (parts_of_batch := ahead.pop(0)) is not None:
                ahead.append(submit())
                crops, clips = zip(*(future.result() for future in parts_of_batch), strict=True)
                yield torch.cat(crops), torch.cat(clips)
