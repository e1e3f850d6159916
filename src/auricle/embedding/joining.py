"""Joining the pieces of an embeddings file, parts of one process or shards of many, into the file itself.

The file appears in one step; until then the pieces stay, and are asked for again where the disk is full.
"""

import math
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from auricle.embedding.file import (
    EmbedSummary,
    Job,
    Rejected,
    rejected_path,
    summary_of,
    write_rejected,
)
from auricle.errors import AuricleError
from auricle.files import atomic_write

ROW_GROUP_BYTES = 16 << 20  # writing one takes several times its size


class NothingUsableError(AuricleError):
    """Every clip was rejected."""


def join(
    pieces: Sequence[Path],
    out: Path,
    *,
    job: Job,
    schema: pa.Schema,
    folder: Path,
    clips: int,
    seconds: float,
    rejected: Sequence[Rejected],
) -> EmbedSummary:
    """Join pieces, in their order, into `out`.

    Parameters
    ----------
    pieces
        Embeddings files of one schema.
    out
        The file.
    job
        What it holds.
    schema
        Of the file, without metadata.
    folder
        Where the file grows, on the disk of `out`: a kill leaves nothing beside `out`.
    clips, seconds, rejected
        Of all pieces.

    Raises
    ------
    NothingUsableError
        When every clip was rejected, unless the file is a shard.
    AuricleError
        When the disk cannot hold the file beside its pieces.
    """
    rows = sum(pq.read_metadata(path).num_rows for path in pieces)
    if rejected:
        write_rejected(rejected, rejected_path(out))
    else:
        rejected_path(out).unlink(missing_ok=True)
    if rows == 0 and job.share is None:
        first = rejected[0]
        raise NothingUsableError(
            f"no usable audio: all {clips} clips were rejected, the first is {first.path}: {first.reason}"
        )
    counts = {"rows": rows, "clips": clips, "seconds": seconds, "rejected": len(rejected)}
    metadata = job.metadata() | {key: str(value) for key, value in counts.items()}
    _check_space(pieces, out, folder)
    joined = folder / out.name
    with (
        atomic_write(joined) as temporary,
        pq.ParquetWriter(temporary, schema.with_metadata(metadata), **layout(schema, job)) as writer,
    ):
        for group in _row_groups(pieces, job):
            writer.write_table(group)
    joined.replace(out)
    return summary_of(out, metadata, was_complete=False)


def _check_space(pieces: Sequence[Path], out: Path, folder: Path) -> None:
    missing = sum(path.stat().st_size for path in pieces) - shutil.disk_usage(folder).free
    if missing > 0:
        amount = math.ceil(missing / 1e8) / 10
        raise AuricleError(
            f"disk full before {out} could be joined; finished parts are kept; "
            f"free {amount:.1f} GB and run the same command again"
        )


def _row_groups(pieces: Sequence[Path], job: Job) -> Iterator[pa.Table]:
    waiting: list[pa.Table] = []
    for path in pieces:
        with pq.ParquetFile(path) as piece:
            for number in range(piece.num_row_groups):
                waiting.append(piece.read_row_group(number).replace_schema_metadata())
                if sum(map(len, waiting)) >= rows_per_group(job):
                    yield pa.concat_tables(waiting)
                    waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def rows_per_group(job: Job) -> int:
    """Rows of a row group, at least."""
    return max(1, ROW_GROUP_BYTES // (4 * job.embedding_dim))


def layout(schema: pa.Schema, job: Job) -> dict[str, Any]:
    """How columns are stored: embeddings as they are (they do not shrink, and dictionaries would cost time)."""
    others = [field.name for field in schema if not pa.types.is_nested(field.type) and field.name not in job.columns]
    return {"compression": "none", "use_dictionary": others, "write_statistics": others}
