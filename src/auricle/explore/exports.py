"""Embeddings for other programs that draw them: Embedding Atlas, and the projector of TensorBoard.

Embedding Atlas reads one Parquet file: the rows' columns, ``projection_x`` and ``projection_y``, and ``neighbors``, a
structure of ``ids`` (zero-based row numbers) and ``distances`` that begins with the row itself, as its own does
(documentation of embedding-atlas 0.26). TensorBoard reads a folder: ``vectors.tsv``, ``metadata.tsv`` with a line of
names above two or more columns, and ``projector_config.pbtxt`` (documentation of its projector plugin, 2.21).
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from auricle.embedding.file import encoder_name
from auricle.errors import AuricleError
from auricle.explore.embedded import Embedded
from auricle.files import atomic_write
from auricle.manifest_format import LABEL_SEPARATOR
from auricle.neighbours import Nearest, nearest
from auricle.projection import Method, project

NEIGHBOURS = 15
ATLAS_COLUMNS = ("projection_x", "projection_y", "neighbors")
VECTORS_FILE, METADATA_FILE, CONFIG_FILE = "vectors.tsv", "metadata.tsv", "projector_config.pbtxt"

Report = Callable[[str, float], None]


def export(
    embeddings: Path | str,
    out: Path,
    *,
    program: Literal["embedding-atlas", "tensorboard"],
    method: Method = "tsne",
    k: int = NEIGHBOURS,
    seed: int = 0,
    report: Report | None = None,
) -> str:
    """Write an embeddings file for another program, and say how to open it there.

    Raises
    ------
    AuricleError
        When the file is none of embeddings, or `out` is not what the program reads.
    """
    embedded = Embedded.open(embeddings)
    if program == "tensorboard":
        for_tensorboard(embedded, out, report=report)
        return f"{out}: {embedded.rows:,} embeddings   open them with `tensorboard --logdir {out}`, tab PROJECTOR"
    for_embedding_atlas(embedded, out, method=method, k=k, seed=seed, report=report)
    command = f"embedding-atlas {out} --x projection_x --y projection_y --neighbors neighbors --disable-projection"
    return f"{out}: {embedded.rows:,} embeddings   open them with `{command}`"


def for_embedding_atlas(
    embedded: Embedded,
    out: Path,
    *,
    method: Method = "tsne",
    k: int = NEIGHBOURS,
    seed: int = 0,
    report: Report | None = None,
) -> None:
    """Write ``FILE.parquet``: the clips, their places in two dimensions, and the `k` nearest of each.

    Neighbours are exact, by cosine distance of embeddings scaled as for a search.
    """
    if out.suffix.lower() != ".parquet":
        raise AuricleError(f"Embedding Atlas reads Parquet: give --out FILE.parquet, not {out}")
    if k < 1:
        raise AuricleError(f"k is {k}: expected 1 or more neighbours")
    tell = report or _nobody
    with embedded.units() as units:
        found = nearest(units, k, report=lambda share: tell("comparing", share))
        tell("laying out", 0.0)
        points = project(units, method=method, seed=seed, report=partial(tell, "laying out"))
        tell("laying out", 1.0)
    clips = embedded.clips()
    own = {
        "projection_x": pa.array(points[:, 0], pa.float64()),
        "projection_y": pa.array(points[:, 1], pa.float64()),
        "neighbors": _with_itself(found),
    }
    others = {name: clips.column(name) for name in clips.column_names if name not in ATLAS_COLUMNS}
    with atomic_write(out) as temporary:
        pq.write_table(pa.table({**others, **own}), temporary)


def _with_itself(found: Nearest) -> pa.Array:
    """Structures of ``ids`` and ``distances``, each row's own number first."""
    count, k = found.rows.shape
    rows = np.concatenate([np.arange(count)[:, None], found.rows], axis=1)
    distances = np.concatenate([np.zeros((count, 1)), np.maximum(1.0 - found.similarity, 0.0)], axis=1)
    offsets = pa.array(np.arange(count + 1, dtype=np.int32) * (k + 1))
    ids = pa.ListArray.from_arrays(offsets, pa.array(rows.ravel(), pa.int64()))
    lengths = pa.ListArray.from_arrays(offsets, pa.array(distances.ravel(), pa.float64()))
    return pa.StructArray.from_arrays([ids, lengths], ["ids", "distances"])


def for_tensorboard(embedded: Embedded, out: Path, *, report: Report | None = None) -> None:
    """Write a log folder for the projector of TensorBoard, which lays the raw embeddings out itself."""
    tell = report or _nobody
    with atomic_write(out / VECTORS_FILE) as temporary, temporary.open("w", encoding="utf-8") as file:
        done = 0
        for block in embedded.blocks():
            np.savetxt(file, block, fmt="%.6g", delimiter="\t")
            done += len(block)
            tell("writing", done / embedded.rows)
    clips = embedded.clips()
    names = [name for name in clips.column_names if _is_plain(clips.schema.field(name).type)]
    columns = [clips.column(name).to_pylist() for name in names]
    with atomic_write(out / METADATA_FILE) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        if len(names) > 1:  # of a single column TensorBoard takes the first line for a value
            file.write("\t".join(map(_cell, names)) + "\n")
        file.writelines("\t".join(map(_cell, row)) + "\n" for row in zip(*columns, strict=True))
    name = encoder_name(embedded.metadata) or embedded.path.stem
    lines = [f"tensor_name: {_quoted(name)}", f'tensor_path: "{VECTORS_FILE}"', f'metadata_path: "{METADATA_FILE}"']
    with atomic_write(out / CONFIG_FILE) as temporary:
        temporary.write_text("embeddings {\n" + "".join(f"  {text}\n" for text in lines) + "}\n", encoding="utf-8")


def _is_plain(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return bool(pa.types.is_string(kind.value_type))
    return not (pa.types.is_nested(kind) or pa.types.is_binary(kind))


def _cell(value: Any) -> str:
    """Text without what ends a cell or a line."""
    if value is None:
        return ""
    words = LABEL_SEPARATOR.join(map(str, value)) if isinstance(value, list) else str(value)
    return " ".join(words.split())


def _quoted(words: str) -> str:
    """A string of protocol buffers' text format."""
    return '"' + _cell(words).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _nobody(_what: str, _share: float) -> None:
    """Is told nothing."""
