"""The clips of a task, decoded once, with what is to be predicted from each and which part it is in."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auricle import clips as clips_module
from auricle.clips import FULL_SCALE, ClipReader, Clips, Stretch
from auricle.errors import AuricleError
from auricle.finetuning.sampling import nested_share
from auricle.transfer.splits import Partition, partitions
from auricle.transfer.targets import Targets, refuse_unlearnable, targets_of
from auricle.transfer.task import Task

LONGEST_CROP = 10.0  # seconds, where none is asked for
_GIB = 1 << 30

Rows = NDArray[np.int64]


def learnable(task: Task, part: Partition) -> Targets:
    """What there is to learn.

    Raises
    ------
    AuricleError
        When the task is not one of classes, a clip has no label, or a class cannot be trained.
    """
    if task.kind == "regression" or task.kind == "frames":
        raise AuricleError(f"{task.name} is of kind {task.kind}: fine-tuning learns classes, of one or several labels")
    targets = targets_of(task.manifest, kind=task.kind, positive=task.positive)
    refuse_unlearnable(targets, [part], task.manifest.source)
    return targets


def partition_of(task: Task, fold: int | None) -> Partition:
    """Which clips train, select and score: the official split, or the folds of which `fold`, or the first, is tested.

    Raises
    ------
    AuricleError
        When there is no such fold.
    """
    parts = partitions(task.manifest)
    if fold is None:
        return parts[0]
    for part in parts:
        if part.fold == fold:
            return part
    known = ", ".join(str(part.fold) for part in parts if part.fold is not None)
    raise AuricleError(f"{task.name} has no fold {fold}: " + (f"it has {known}" if known else "it has a split"))


@dataclass(frozen=True)
class LabelledClips:
    """A task's clips.

    Attributes
    ----------
    clips, reader
        The usable ones, and where their samples come from.
    rows
        ``(clips,)`` their rows of the manifest.
    train, valid, test
        Clips of each part.
    """

    clips: Clips
    reader: ClipReader
    rows: Rows
    train: Rows
    valid: Rows
    test: Rows

    @classmethod
    def of(cls, task: Task, part: Partition, clips: Clips, reader: ClipReader) -> "LabelledClips":
        """The clips of a partition.

        Raises
        ------
        AuricleError
            When a part has no usable clip.
        """
        row_of = {stretch: row for row, stretch in enumerate(stretches_of(task))}
        rows = np.array([row_of[clips.stretches[number]] for number in clips.stretch], dtype=np.int64)
        parts = {}
        for name in ("train", "valid", "test"):
            parts[name] = np.flatnonzero(np.isin(rows, getattr(part, name)))
            if not len(parts[name]):
                raise AuricleError(f"{task.name}: no clip of the {name} part can be read; rejected.csv says why")
        return cls(clips, reader, rows, **parts)

    def crop_seconds(self, asked: float | None, *, shortest: float) -> float:
        """Length of a crop: as asked, or that of the median training clip, from `shortest` to `LONGEST_CROP`."""
        if asked is not None:
            return max(asked, shortest)
        median = float(np.median(self.clips.samples[self.train])) / self.clips.sample_rate
        return min(max(median, shortest), max(LONGEST_CROP, shortest))

    def with_share(self, targets: Targets, share: float, *, seed: int) -> "LabelledClips":
        """With a share of the training clips alone; shares of one seed are nested.

        Raises
        ------
        AuricleError
            When the share has fewer clips than there are classes.
        """
        if share == 1:
            return self
        chosen = nested_share(targets.indicator[self.rows[self.train]], share=share, seed=seed)
        return replace(self, train=self.train[chosen])

    def waveform(self, clip: int) -> NDArray[np.float32]:
        """All samples of a clip."""
        samples = self.reader.read(clip, 0, int(self.clips.samples[clip]))
        full = FULL_SCALE if samples.dtype == np.int16 else 1
        waveform: NDArray[np.float32] = samples.astype(np.float32) / np.float32(full)
        return waveform


def stretches_of(task: Task) -> list[Stretch]:
    """Where each row of a task's manifest lies."""
    manifest = task.manifest
    starts, ends = (
        manifest.column(name) if manifest.has(name) else [None] * len(manifest) for name in ("start", "end")
    )
    return [
        Stretch(file, float(start or 0.0), end) for file, start, end in zip(manifest.files, starts, ends, strict=True)
    ]


def measure(task: Task, part: Partition, *, sample_rate: int, workers: int) -> "Measured":
    """Look at every file of a partition."""
    stretches = stretches_of(task)
    chosen = np.concatenate([part.train, part.valid, part.test])
    usable, lengths, rejected = clips_module.measure(
        [stretches[row] for row in np.sort(chosen)], sample_rate=sample_rate, workers=workers
    )
    return Measured(usable, lengths, rejected, sample_rate)


@dataclass(frozen=True)
class Measured:
    """Usable stretches, their lengths in samples at `sample_rate`, and what cannot be used."""

    stretches: list[Stretch]
    lengths: list[int]
    rejected: list[clips_module.Rejected]
    sample_rate: int

    def fits(self, cache_gib: float) -> bool:
        """Whether all of it may be decoded to disk."""
        return bool(self.stretches) and clips_module.decoded_size(self.lengths) <= cache_gib * _GIB

    def decode(self, folder: Path, *, workers: int) -> Iterator[float]:
        """Decode all of it to `folder`; yields the share done."""
        return clips_module.decode(
            self.stretches, self.lengths, sample_rate=self.sample_rate, folder=folder, workers=workers
        )

    def open(self, decoded: Path | None) -> tuple[Clips, ClipReader]:
        """One clip for each stretch, read from where it was decoded or from the files themselves."""
        whole = (max(self.lengths, default=0) + 1) / self.sample_rate
        if decoded is None:
            clips = clips_module.cut(
                self.stretches,
                self.lengths,
                self.rejected,
                sample_rate=self.sample_rate,
                clip_seconds=whole,
                crop_seconds=whole,
            )
            return clips, clips
        reader = clips_module.open_decoded(
            decoded, self.rejected, sample_rate=self.sample_rate, clip_seconds=whole, crop_seconds=whole
        )
        return reader.clips, reader
