"""An embeddings file as searches see it: rows that stream by in blocks, what they are of, and which encoder made them.

Nothing but the rows asked for is held: a file may be larger than memory.
"""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from auricle.embedding.file import batches, encoder_name, metadata_of
from auricle.errors import AuricleError
from auricle.models import registry
from auricle.models.encoder import Encoder
from auricle.neighbours import BLOCK_ROWS, Scaling, Vectors, fitted_rows

COLUMN = "embedding"
MEMORY_BYTES = 2_000_000_000  # of vectors; more of them lie in a temporary file


@dataclass(frozen=True)
class Embedded:
    """An embeddings file that is open to searches.

    Attributes
    ----------
    path
        The file.
    rows, dim
        How many embeddings it holds, and their length.
    columns
        The names of its other columns.
    metadata
        What it says of itself (:class:`auricle.embedding.file.Job`); any other Parquet says nothing.
    """

    path: Path
    rows: int
    dim: int
    columns: tuple[str, ...]
    metadata: dict[str, str]

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Look what a file holds.

        Raises
        ------
        AuricleError
            When it is missing, no Parquet, has no rows, or has no column ``embedding`` or ``path``.
        """
        path = Path(path)
        try:
            with pq.ParquetFile(path) as file:
                names, rows = file.schema_arrow.names, file.metadata.num_rows
                missing = next((name for name in (COLUMN, "path") if name not in names), None)
                if missing is not None:
                    raise AuricleError(f"{path} has no column `{missing}`: expected what `auricle embed` writes")
                if not rows:
                    raise AuricleError(f"{path} holds no embeddings: expected at least one row")
                first = next(batches(file, [COLUMN], rows=1)).column(0)[0].as_py()
        except FileNotFoundError:
            raise AuricleError(f"{path} does not exist: expected an embeddings file") from None
        except pa.ArrowInvalid as error:
            raise AuricleError(
                f"{path} cannot be read as Parquet: expected an embeddings file, as `auricle embed` writes it"
            ) from error
        except OSError as error:
            raise AuricleError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
        others = tuple(name for name in names if name != COLUMN)
        return cls(path, rows, len(first or ()), others, metadata_of(path))

    def root(self, given: Path | None = None) -> Path:
        """The folder that its paths start from: as given, as it says itself, else its own."""
        said = self.metadata.get("root")
        return given or (Path(said) if said else self.path.parent)

    @property
    def encoder_name(self) -> str:
        """What its encoder is called wherever it is spoken of."""
        return encoder_name(self.metadata) or "an unnamed encoder"

    def encoder(self, source: str | Path | None = None) -> Encoder:
        """The encoder that its embeddings were made with: where it was then, under its name, or where `source` says.

        Raises
        ------
        AuricleError
            When the file does not say which it was, or it is not there, or is another one by now.
        """
        name, fingerprint = self.metadata.get("model"), self.metadata.get("weights_fingerprint")
        if not (name and fingerprint):
            raise AuricleError(f"{self.path} does not say which encoder made it: expected what `auricle embed` writes")
        said = [place for place in (self.metadata.get("place"), name) if place]
        other = ""
        for place in said if source is None else [source]:
            try:
                encoder = registry.load(place)
            except AuricleError:
                if source is not None:
                    raise
                continue
            if encoder.weights_fingerprint == fingerprint:
                return encoder
            other = other or f"{place} has {encoder.weights_fingerprint}"
        made = f"{self.path} was made with {self.encoder_name}"
        if not other:
            raise AuricleError(f"{made}, which is not found any more: give its place with --model")
        raise AuricleError(
            f"{made} of fingerprint {fingerprint}, but {other}: give the same encoder with --model, or embed the "
            "recordings again"
        )

    def blocks(self) -> Iterator[Vectors]:
        """All embeddings in order, ``(rows, dim)`` of at most `BLOCK_ROWS` rows each.

        Raises
        ------
        AuricleError
            When they are not all of one length, or not all finite.
        """
        with pq.ParquetFile(self.path) as file:
            start = 0
            for batch in batches(file, [COLUMN], rows=BLOCK_ROWS):
                column = batch.column(0)
                values = column.flatten().to_numpy(zero_copy_only=False)
                if len(values) != len(column) * self.dim:
                    raise AuricleError(f"{self.path}: column `{COLUMN}` holds lists of different lengths")
                block = values.reshape(len(column), self.dim).astype(np.float32, copy=False)
                bad = np.flatnonzero(~np.isfinite(block).all(axis=1))
                if len(bad):
                    raise AuricleError(
                        f"{self.path}: row {start + int(bad[0]) + 1} has an embedding that is not finite; leave it out"
                    )
                start += len(column)
                yield block

    def scaling(self) -> Scaling:
        """What makes its embeddings comparable, of rows spread evenly over it; read in one pass."""
        wanted, start, parts = fitted_rows(self.rows), 0, []
        for block in self.blocks():
            here = wanted[(wanted >= start) & (wanted < start + len(block))]
            parts.append(block[here - start])
            start += len(block)
        return Scaling.of(np.concatenate(parts))

    @contextlib.contextmanager
    def units(self) -> Iterator[Vectors]:
        """All embeddings, comparable: ``(rows, dim)`` of length 1, in memory or, of very many, in a temporary file."""
        scaling, shape = self.scaling(), (self.rows, self.dim)
        with contextlib.ExitStack() as stack:
            if 4 * self.rows * self.dim <= MEMORY_BYTES:
                out: Vectors = np.empty(shape, dtype=np.float32)
            else:
                place = stack.enter_context(tempfile.TemporaryFile())
                out = np.memmap(place, dtype=np.float32, mode="w+", shape=shape)
            start = 0
            for block in self.blocks():
                out[start : start + len(block)] = scaling.units(block)
                start += len(block)
            yield out

    def clips(self, rows: Sequence[int] | Any | None = None) -> pa.Table:
        """What some rows are of, in the order given; all of them when not given: every column but the embeddings."""
        with pq.ParquetFile(self.path) as file:
            if rows is None:
                return file.read(list(self.columns))
            wanted, places = np.unique(np.asarray(rows, dtype=np.int64), return_inverse=True)
            parts, start = [], 0
            for batch in batches(file, list(self.columns)):
                here = wanted[(wanted >= start) & (wanted < start + len(batch))]
                if len(here):
                    parts.append(batch.take(pa.array(here - start)))
                start += len(batch)
        schema = file.schema_arrow
        table = pa.Table.from_batches(parts, schema=None if parts else schema.remove(schema.get_field_index(COLUMN)))
        return table.take(pa.array(places.reshape(-1)))
