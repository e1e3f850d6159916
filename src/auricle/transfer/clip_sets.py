"""Clips embedded once for all tasks and protocols that hear them.

A clip's embedding does not depend on its label, so tasks over the same clips share their embeddings. They lie as one
array on disk and are read from there, never whole in memory.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import pyarrow.parquet as pq
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from auricle.datasets.windows import WindowedTask
from auricle.embedding import EmbedProgress, embed_manifest
from auricle.embedding.file import rejected_path
from auricle.files import atomic_write, fill_holes
from auricle.manifest import Manifest
from auricle.models.encoder import Encoder
from auricle.models.pooled import is_weighed
from auricle.stages import Finished, Stage, Stages, fingerprint_of_sound
from auricle.transfer.excerpts import embed_excerpts
from auricle.transfer.frame_sets import Frames, frames_of, recordings_of, write_times
from auricle.transfer.task import Task, clips_of

EMBEDDING_VERSION = 2

Rows = NDArray[np.int64]
_CLIP = "clip"  # column of a clip set: its own row number, carried through embedding
_EMBEDDINGS = "embeddings.parquet"
_VECTORS = "vectors.npy"
_CLIPS = "clips.npy"
_TIMES = "times.npy"
_WEIGHED = "weighed_layers"
REJECTED = rejected_path(Path(_EMBEDDINGS)).name


class Candidate(Protocol):
    """An encoder that is to be measured, loaded only when there is something to embed."""

    @property
    def label(self) -> str:
        """One line that tells it from all others."""

    @property
    def fingerprint(self) -> str:
        """Of everything that decides its embeddings."""

    @property
    def names(self) -> Mapping[str, str | None]:
        """What results call it: ``model`` and, where there is one, ``diet``, ``layer``, ``pooling``."""

    def load(self, device: torch.device) -> Encoder:
        """The encoder itself, ready to embed."""


CandidateT = TypeVar("CandidateT", bound=Candidate)


@dataclass(frozen=True)
class ClipSet:
    """Clips that are embedded together.

    Attributes
    ----------
    name
        Of the task with the most of them.
    manifest
        The clips without any labels, or the segments that they are excerpts of.
    rows
        For each task over these clips the row of each of its clips.
    sound
        Fingerprint of what is heard.
    excerpts
        The clips, where they are excerpts, which overlap each other so much that each recording is decoded once.
    by_frames
        Whether they are recordings of which every frame is embedded.
    """

    name: str
    manifest: Manifest
    rows: Mapping[str, Rows]
    sound: str
    excerpts: WindowedTask | None = None
    by_frames: bool = False

    def __len__(self) -> int:
        return len(self.manifest if self.excerpts is None else self.excerpts)


@dataclass(frozen=True)
class Embedded(Generic[CandidateT]):
    """The embeddings of a clip set by one encoder."""

    encoder: CandidateT
    clips: ClipSet
    stage: Finished

    @property
    def rejected(self) -> Path | None:
        """The table of clips that could not be embedded; None where all could."""
        path = self.stage.folder / REJECTED
        return path if self.stage.facts["rejected"] else None

    @property
    def weighed_layers(self) -> int:
        """Of how many layers the embeddings are made, side by side, for probes to weigh; 1 where they are one thing."""
        return int(self.stage.facts.get(_WEIGHED, 1))

    def of(self, task: Task) -> tuple[Rows, NDArray[np.float32]]:
        """The clips of a task that could be embedded, by their numbers, and their embeddings ``(clips, dim)``.

        Where the task is the whole clip set the array lies on disk; else its part is taken into memory.
        """
        # Copy on write: torch takes no array that must not be written, and nobody writes.
        vectors: NDArray[np.float32] = np.load(self.stage.folder / _VECTORS, mmap_mode="c")
        place = np.full(len(self.clips), -1, dtype=np.int64)
        clips = np.load(self.stage.folder / _CLIPS)
        there = np.flatnonzero(clips >= 0)
        place[clips[there]] = there
        places = place[self.clips.rows[task.name]]
        rows = np.flatnonzero(places >= 0)
        places = places[rows]
        if len(places) == len(vectors) and np.array_equal(places, np.arange(len(vectors))):
            return rows, vectors
        return rows, vectors[places]

    def whole(self, task: Task) -> tuple[Rows, NDArray[np.float32]]:
        """All embeddings ``(n, dim)``, on disk, and ``(n,)`` which of a task's clips each is of, -1 for none."""
        vectors: NDArray[np.float32] = np.load(self.stage.folder / _VECTORS, mmap_mode="c")
        clips = np.load(self.stage.folder / _CLIPS)
        number = np.full(len(self.clips), -1, dtype=np.int64)
        number[self.clips.rows[task.name]] = np.arange(len(task))
        return np.where(clips >= 0, number[clips], -1), vectors

    def frames_of(self, task: Task) -> tuple[Frames, set[str]]:
        """How to get the frame embeddings of a task's recordings, and those that could be embedded."""
        vectors: NDArray[np.float32] = np.load(self.stage.folder / _VECTORS, mmap_mode="r")
        times, recording = (np.load(self.stage.folder / name) for name in (_TIMES, _CLIPS))
        return frames_of(recordings_of(task.manifest).column("path"), vectors, recording, times)


def clip_sets(tasks: Sequence[Task]) -> list[ClipSet]:
    """The clips of all tasks; a task whose clips are all among another's is embedded with it."""
    by_frames = [_frame_set(task) for task in tasks if task.kind == "frames"]
    excerpts = [task for task in tasks if task.excerpts is not None]
    tasks = [task for task in tasks if task.excerpts is None and task.kind != "frames"]
    clips = {task.name: clips_of(task.manifest) for task in tasks}
    hosts: list[tuple[Task, dict[Any, int], dict[str, Rows]]] = []
    for task in sorted(tasks, key=lambda task: -len(task.manifest)):
        own = clips[task.name]
        for _, index, rows in hosts:
            if all(clip in index for clip in own):
                rows[task.name] = np.array([index[clip] for clip in own])
                break
        else:
            index = {clip: row for row, clip in enumerate(own)}
            hosts.append((task, index, {task.name: np.arange(len(own))}))
    found = []
    for task, _, rows in hosts:
        plain = _plain(task)
        numbered = plain.with_column(_CLIP, list(range(len(plain))))
        found.append(ClipSet(task.name, numbered, rows, fingerprint_of_sound(plain)))
    return [*found, *_excerpt_sets(excerpts), *by_frames]


def _frame_set(task: Task) -> ClipSet:
    recordings = recordings_of(task.manifest)
    plain = Manifest(recordings.table.select(["path"]), recordings.root, recordings.source)
    numbered = plain.with_column(_CLIP, list(range(len(plain))))
    rows = {task.name: np.arange(len(plain))}
    return ClipSet(task.name, numbered, rows, fingerprint_of_sound(plain), by_frames=True)


def _excerpt_sets(tasks: Sequence[Task]) -> list[ClipSet]:
    """The excerpts of tasks that cut them; one whose recordings are all among another's is embedded with it."""
    found: list[tuple[Task, WindowedTask, dict[str, Rows]]] = []
    for task in sorted(tasks, key=lambda task: -len(task)):
        own = task.excerpts
        assert own is not None
        for _, host, rows in found:
            films = [film for film in own.films if own.sizes[film]]
            if all(host.has(own, film) for film in films):
                rows[task.name] = np.concatenate([host.numbers(film) for film in films])
                break
        else:
            found.append((task, own, {task.name: np.arange(len(task))}))
    return [ClipSet(task.name, cut.manifest, rows, task.sound, excerpts=cut) for task, cut, rows in found]


def _plain(task: Task) -> Manifest:
    """A task's clips without labels."""
    names = [name for name in ("path", "start", "end") if task.manifest.has(name)]
    return Manifest(task.manifest.table.select(names), task.manifest.root, task.manifest.source)


def embed(
    stages: Stages,
    encoder: CandidateT,
    clips: ClipSet,
    *,
    device: torch.device,
    workers: int | None = None,
    progress: Callable[[EmbedProgress], None],
) -> Embedded[CandidateT]:
    """Embed a clip set, or go on with it; nothing if it is finished."""

    def work(folder: Path) -> dict[str, Any]:
        model = encoder.load(device)
        layers = {_WEIGHED: len(model.embedding_parts)} if is_weighed(model) else {}
        if clips.excerpts is not None:
            return layers | embed_excerpts(
                model,
                clips.excerpts,
                vectors=folder / _VECTORS,
                clips=folder / _CLIPS,
                rejected=folder / REJECTED,
                progress=progress,
            )
        done = embed_manifest(
            model,
            clips.manifest,
            out=folder / _EMBEDDINGS,
            frames=clips.by_frames,
            workers=workers,
            progress=progress,
        )
        if clips.by_frames:
            write_times(folder / _EMBEDDINGS, folder / _TIMES)
        lay_out(folder / _EMBEDDINGS, vectors=folder / _VECTORS, clips=folder / _CLIPS)
        return layers | {"rows": done.rows, "rejected": done.rejected, "audio_seconds": round(done.seconds, 2)}

    inputs = {"weights": encoder.fingerprint, "sound": clips.sound}
    if clips.by_frames:
        inputs["rows"] = "frames"
    stage = Stage("embedding", f"{clips.name}-{encoder.label}", EMBEDDING_VERSION, inputs)
    finished = stages.run(stage, work, resumable=True, outputs=[_VECTORS, _CLIPS, _TIMES])
    (finished.folder / _EMBEDDINGS).unlink(missing_ok=True)  # the same numbers; a kill before now costs nothing
    return Embedded(encoder, clips, finished)


def lay_out(embeddings: Path, *, vectors: Path, clips: Path) -> None:
    """Write the vectors of an embeddings file as one array ``(rows, dim)``, and beside it the clip of each row."""
    with pq.ParquetFile(embeddings) as file, atomic_write(clips) as clip_file, atomic_write(vectors) as vector_file:
        rows = file.metadata.num_rows
        dim = file.schema_arrow.field("embedding").type.list_size
        array = open_memmap(vector_file, mode="w+", dtype=np.float32, shape=(rows, dim))
        fill_holes(vector_file)
        numbers = np.empty(rows, dtype=np.int64)
        row = 0
        for group in range(file.num_row_groups):  # one by one: an iterator over batches reads all of them ahead
            table = file.read_row_group(group, columns=[_CLIP, "embedding"]).combine_chunks()
            end = row + len(table)
            numbers[row:end] = table.column(_CLIP).to_numpy()
            array[row:end] = table.column("embedding").chunk(0).flatten().to_numpy().reshape(len(table), dim)
            row = end
        array.flush()
        del array
        np.save(clip_file, numbers)
