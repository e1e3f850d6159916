"""The two halves of bulk embedding: pools become rows, and rows become parts of a file.

They meet in :class:`Sink`, so that they may be in one process or on two machines; what is told to a sink is the same.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa

from auricle.audio import AudioError
from auricle.embedding.batches import Embedder, Rows
from auricle.embedding.file import Rejected
from auricle.embedding.parts import Parts, Position
from auricle.embedding.pools import Clip, LongClip, Pool
from auricle.errors import AuricleError
from auricle.manifest import Manifest


@dataclass(frozen=True)
class EmbedProgress:
    """How far a job is.

    Attributes
    ----------
    done, clips
        Rows of the manifest that are done, of all, or of all that a shard has.
    seconds
        Of audio embedded, by this and by earlier processes.
    rejected
        Clips that could not be embedded.
    """

    done: int
    clips: int
    seconds: float
    rejected: int


class Sink(Protocol):
    """Who is told what became of pools, in their order."""

    def heard(self, seconds: float) -> None:
        """So much more of the sound has been embedded."""

    def long_begins(self) -> None:
        """The rows of a long clip come before it is over; a stop must not take others with them."""

    def found(self, rows: Sequence[Rows]) -> None:
        """Rows that count from the next `reached` on."""

    def reached(self, until: Position, rejected: dict[int, str]) -> None:
        """All up to `until` has been told, without the rows of the manifest that are `rejected`."""


def embed_pool(embedder: Embedder, pool: Pool, sink: Sink) -> None:
    """Embed a pool, and tell `sink`."""
    rejected = dict(pool.rejected)
    if pool.long is not None:
        _embed_long(embedder, pool.long, rejected, sink)
    elif pool.clips:
        _embed_clips(embedder, pool.clips, pool.seconds, rejected, sink)
    sink.reached(pool.until, rejected)


def _embed_clips(embedder: Embedder, clips: list[Clip], seconds: float, rejected: dict[int, str], sink: Sink) -> None:
    results = embedder.clips(clips, lambda count: sink.heard(count / len(clips) * seconds))
    for clip, result in zip(clips, results, strict=True):
        if not isinstance(result, Rows):
            rejected[clip.row] = str(result)
    if rows := [result for result in results if isinstance(result, Rows)]:
        sink.found(rows)


def _embed_long(embedder: Embedder, clip: LongClip, rejected: dict[int, str], sink: Sink) -> None:
    if embedder.frames:
        sink.long_begins()
    blocks = iter(clip.recording)
    try:
        embedder.long_clip(clip._replace(recording=blocks), sink.heard, lambda rows: sink.found([rows]))
    except AuricleError as error:
        rejected[clip.row] = error.reason if isinstance(error, AudioError) else str(error)
        with contextlib.suppress(AudioError):
            for _ in blocks:  # its decoder waits for someone to take them
                pass


class Writer:
    """The sink that writes parts.

    Parameters
    ----------
    parts
        What is written to.
    manifest
        The clips.
    carried
        Its columns, without those that are made here.
    first, end
        Rows of the manifest that are this job's.
    progress
        Is told how far the job is.
    """

    def __init__(
        self,
        parts: Parts,
        manifest: Manifest,
        carried: pa.Table,
        *,
        first: int,
        end: int,
        progress: Callable[[EmbedProgress], None] | None,
    ) -> None:
        self._parts, self._manifest, self._carried, self._progress = parts, manifest, carried, progress
        self._first, self._clips = first, end - first
        self._seconds = parts.seconds
        self._last_rejected = -1

    def heard(self, seconds: float) -> None:
        """So much more of the sound has been embedded."""
        self._seconds += seconds
        self.report()

    def long_begins(self) -> None:
        """Put down what there is."""
        self._parts.close_part()

    def found(self, rows: Sequence[Rows]) -> None:
        """Write rows."""
        repeated = np.repeat([part.row for part in rows], [len(part.start) for part in rows])
        table = self._carried.take(pa.array(repeated))
        for name, values in (("start", [part.start for part in rows]), ("end", [part.end for part in rows])):
            table = table.append_column(name, pa.array(np.concatenate(values), pa.float64()))
        self._parts.write(table, np.concatenate([part.embeddings for part in rows]))

    def reached(self, until: Position, rejected: dict[int, str]) -> None:
        """Let what was written count."""
        named = []
        for row in sorted(rejected):
            if row > self._last_rejected:  # windows of one recording may fail in several pools
                self._last_rejected = row
                path = self._manifest.root / self._manifest.table.column("path")[row].as_py()
                named.append(Rejected(str(path), rejected[row]))
        self._parts.advance(until, seconds=self._seconds - self._parts.seconds, rejected=named)
        self.report()

    def rewind(self) -> None:
        """Forget what was told since the last `reached`: it will be told again."""
        self._parts.rewind()
        self._seconds = self._parts.seconds

    def report(self) -> None:
        """Tell how far the job is."""
        if self._progress is not None:
            done = self._parts.position.row - self._first
            self._progress(EmbedProgress(done, self._clips, self._seconds, len(self._parts.rejected)))
