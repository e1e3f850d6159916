"""The parts of an embeddings file that is being made, so that a killed job goes on where it was.

Finished parts lie in ``FILE.parquet.parts/``, each written in one step and a readable embeddings file of its own; each
says from which row of the manifest to which it goes. At the end they are joined into the file in one step, and removed.
"""

import contextlib
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from auricle.embedding.file import (
    REJECTED_SUFFIX,
    SUFFIX,
    EmbedSummary,
    Job,
    Rejected,
    metadata_of,
    read_rejected,
    write_rejected,
)
from auricle.embedding.joining import NothingUsableError, join, layout, rows_per_group
from auricle.errors import AuricleError
from auricle.files import FolderLock, atomic_write, refused_writes_are_errors

PART_SECONDS = 20.0  # of work at most that a kill undoes
PART_BYTES = 256 << 20

_PART_NAME = "part-{:06d}"


class Position(NamedTuple):
    """Where a job is: a row of the manifest, and in it a window."""

    row: int
    window: int = 0


class Parts:
    """The parts of one job; a context manager that owns their folder.

    Parameters
    ----------
    out
        The file to be.
    job
        What it holds. Parts of the same job are gone on from.
    columns
        Schema of the table before ``start``, ``end`` and what is computed.
    begin
        Where the job starts; by default with the first clip.

    Attributes
    ----------
    position : Position
        Where the finished parts end.
    seconds : float
        Of audio in them.
    rejected : list of Rejected
        In them.

    Raises
    ------
    AuricleError
        On entering: when another process writes there, or when the parts there are of another job.
    """

    def __init__(self, out: Path, job: Job, columns: pa.Schema, *, begin: Position | None = None) -> None:
        self.out, self.job = out, job
        self.folder = out.with_name(out.name + ".parts")
        self.position = begin or Position(0)
        self.seconds = 0.0
        self.rejected: list[Rejected] = []
        times = [("start", pa.float64()), ("end", pa.float64())]
        self.schema = pa.schema([*columns.remove_metadata(), *times, *job.fields()])
        self._finished: list[Path] = []
        self._part: _Part | None = None
        self._lock = FolderLock(self.folder)

    def __enter__(self) -> Self:
        try:
            self._lock.__enter__()
        except OSError as error:
            raise AuricleError(f"cannot write {self.out}: {error.strerror}") from error
        try:
            self._find_finished()
        except BaseException:
            self._lock.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._part is not None:
                # What is whole is kept, whatever stopped the job; a full disk has nothing left to keep it on.
                with contextlib.suppress(OSError, AuricleError):
                    self._part.close(keep=self._part.is_whole)
                if not self._part.path.exists():
                    self.position = self._part.start
        finally:
            self._lock.__exit__(None, None, None)
            with contextlib.suppress(OSError):  # unless parts are in it
                self.folder.rmdir()

    def _find_finished(self) -> None:
        """Go on after the parts that follow each other from the start; remove what else a killed job left there."""
        while (path := self._path(len(self._finished))).exists():
            try:
                metadata = metadata_of(path)
                start, end = (Position(*map(int, metadata[key].split())) for key in ("from", "to"))
                seconds = float(metadata["seconds"])
                rejected = read_rejected(_rejected_beside(path))
            except (pa.ArrowInvalid, OSError, KeyError, ValueError, TypeError):
                break  # damaged: made again
            different = self.job.difference(metadata)
            if different is not None:
                raise AuricleError(
                    f"{self.folder} holds the parts of another job ({different}); delete it or choose another output"
                )
            if start != self.position:
                break
            self._finished.append(path)
            self.position = end
            self.seconds += seconds
            self.rejected += rejected
        kept = set(self._finished) | {_rejected_beside(path) for path in self._finished}
        for pattern in ("part-*", "_part-*", ".*.tmp*", self.out.name):
            for leftover in set(self.folder.glob(pattern)) - kept:
                leftover.unlink()

    def _path(self, number: int) -> Path:
        return self.folder / (_PART_NAME.format(number) + SUFFIX)

    def write(self, table: pa.Table, embeddings: NDArray[np.float32]) -> None:
        """Add rows, of which `table` holds all but the embeddings; they count from the next :meth:`advance` on."""
        if self._part is None:
            self._part = _Part(self._path(len(self._finished)), self.schema, self.job, self.position)
        self._part.write(table, embeddings)

    def advance(self, position: Position, *, seconds: float, rejected: list[Rejected]) -> None:
        """All up to `position` has been written: `seconds` more of audio, without what was `rejected`."""
        if self._part is None:
            empty = np.empty((0, self.job.embedding_dim), dtype=np.float32)
            self.write(self.schema.empty_table().drop_columns(list(self.job.columns)), empty)
        assert self._part is not None
        self._part.advance(position, seconds, rejected)
        self.position = position
        self.seconds += seconds
        self.rejected += rejected
        if self._part.is_full:
            self.close_part()

    def close_part(self) -> None:
        """Put down what was written since the last part, so that a kill cannot undo it."""
        if self._part is not None:
            part, self._part = self._part, None
            part.close(keep=True)
            self._finished.append(part.path)

    def rewind(self) -> None:
        """Forget what was written since the last :meth:`advance`, of a part that began there."""
        if self._part is not None and not self._part.is_whole:
            part, self._part = self._part, None
            part.close(keep=False)
            self.position = part.start

    def finish(self, *, clips: int) -> EmbedSummary:
        """Join the parts of all `clips` rows of the manifest into the file, and remove them.

        Raises
        ------
        AuricleError
            When every clip was rejected, or when the disk cannot hold the file beside its parts.
        """
        if not self._finished and self._part is None:
            self.advance(self.position, seconds=0.0, rejected=[])  # a shard without clips is a file without rows
        self.close_part()
        try:
            summary = join(
                self._finished,
                self.out,
                job=self.job,
                schema=self.schema,
                folder=self.folder,
                clips=clips,
                seconds=self.seconds,
                rejected=self.rejected,
            )
        except NothingUsableError:
            self.discard()
            raise
        self.discard()
        return summary

    def discard(self) -> None:
        """Remove the finished parts."""
        # The last part goes first: what a kill leaves can be gone on from.
        for path in reversed(self._finished):
            path.unlink()
            _rejected_beside(path).unlink()
        self._finished = []


class _Part:
    """The part that is being written."""

    def __init__(self, path: Path, schema: pa.Schema, job: Job, start: Position) -> None:
        self.path = path
        self.schema, self._job = schema, job
        self.start = self._end = start
        self._seconds = 0.0
        self._rejected: list[Rejected] = []
        self._opened = time.monotonic()
        self._bytes = 0
        self._tables: list[pa.Table] = []
        # Filled row by row: arrays that are kept one by one leave holes in the memory that the encoder works in.
        self._embeddings = np.empty((rows_per_group(job), job.embedding_dim), dtype=np.float32)
        self._waiting = 0
        self.is_whole = True  # nothing was written since the last `advance`
        with refused_writes_are_errors(path), ExitStack() as stack:
            temporary = stack.enter_context(atomic_write(path))
            self._writer = stack.enter_context(
                pq.ParquetWriter(temporary, schema.with_metadata(job.metadata()), **layout(schema, job))
            )
            self._open = stack.pop_all()

    @property
    def is_full(self) -> bool:
        return self._bytes > PART_BYTES or time.monotonic() - self._opened > PART_SECONDS

    def write(self, table: pa.Table, embeddings: NDArray[np.float32]) -> None:
        self.is_whole = False
        self._bytes += table.nbytes + embeddings.nbytes
        while len(embeddings):
            count = min(len(embeddings), len(self._embeddings) - self._waiting)
            self._tables.append(table[:count])
            self._embeddings[self._waiting : self._waiting + count] = embeddings[:count]
            self._waiting += count
            table, embeddings = table[count:], embeddings[count:]
            if self._waiting == len(self._embeddings):
                self._flush()

    def advance(self, position: Position, seconds: float, rejected: list[Rejected]) -> None:
        self.is_whole = True
        self._end = position
        self._seconds += seconds
        self._rejected += rejected

    def close(self, *, keep: bool) -> None:
        if not keep:
            with contextlib.suppress(_DiscardedError), self._open:
                raise _DiscardedError
            return
        with self._open:
            self._flush()
            self._writer.add_key_value_metadata(
                {
                    "from": f"{self.start.row} {self.start.window}",
                    "to": f"{self._end.row} {self._end.window}",
                    "seconds": str(self._seconds),
                }
            )
            write_rejected(self._rejected, _rejected_beside(self.path))

    def _flush(self) -> None:
        if not self._waiting:
            return
        others = pa.concat_tables(self._tables).combine_chunks().columns
        columns = [*others, *self._job.arrays(self._embeddings[: self._waiting])]
        with refused_writes_are_errors(self.path):
            self._writer.write_table(pa.table(columns, schema=self.schema))
        self._tables, self._waiting = [], 0


class _DiscardedError(Exception):
    """Makes `atomic_write` drop its file."""


def _rejected_beside(part: Path) -> Path:
    # The underscore keeps it out when someone reads the folder as one Parquet data set.
    return part.with_name(f"_{part.stem}{REJECTED_SUFFIX}")
