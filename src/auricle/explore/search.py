"""Search by sound: the clips of an embeddings file that are most like some queries.

Exact however large the file is: its rows stream by once and are compared with all queries (:mod:`auricle.neighbours`).
A query is embedded by the encoder, and in windows, as the file's rows were; one of several windows is as near to a clip
as its nearest window is.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from auricle.embedding import embed_manifest, read_embeddings
from auricle.embedding.file import rejected_path
from auricle.errors import AuricleError
from auricle.explore.embedded import Embedded
from auricle.manifest import Manifest
from auricle.models.encoder import Encoder
from auricle.neighbours import Nearest, Scaling, Vectors, nearest_among

QUERY_COLUMNS = ("query", "rank", "similarity")  # that come before those of the clips found

Clip = tuple[Path, float | None, float | None]
Report = Callable[[str, float], None]


class Finder(Protocol):
    """What finds the rows nearest to some queries: all rows, or an index of them."""

    def __call__(self, queries: Vectors, k: int, *, report: Report | None = None) -> Nearest:
        """The `k` rows nearest to each of the raw vectors ``(m, dim)``; fewer where there are fewer."""
        ...


@dataclass(frozen=True)
class Queries:
    """Sounds to search with.

    Attributes
    ----------
    names
        What each is called: its path, and its stretch where it is only a part of the file.
    vectors
        ``(rows, dim)``: one or, of an embeddings file of windows, several for each.
    owner
        ``(rows,)``: the query that each vector is of.
    clips
        The file of each query, and the seconds of it from which and up to which it goes.
    """

    names: list[str]
    vectors: Vectors
    owner: NDArray[np.int64]
    clips: list[Clip]


def embed_queries(embedded: Embedded, encoder: Encoder, manifest: Manifest) -> Queries:
    """Embed the clips of a manifest as the rows of an embeddings file were.

    Raises
    ------
    AuricleError
        When the file is one of frames, or one of the queries cannot be read.
    """
    said = embedded.metadata
    if said.get("frames") == "true":
        raise AuricleError(f"{embedded.path} holds frames: search among clips or windows (`auricle embed --window`)")
    numbered = manifest.with_column("query", list(range(len(manifest))))
    with tempfile.TemporaryDirectory(prefix="auricle-search-") as folder:
        summary = embed_manifest(
            encoder,
            numbered,
            out=Path(folder) / "queries.parquet",
            window=float(said["window"]) if said.get("window") else None,
            hop=float(said["hop"]) if said.get("hop") else None,
            precision=said.get("precision") or "float32",
            workers=min(len(manifest), 4),
        )
        if summary.rejected:
            first = rejected_path(summary.path).read_text(encoding="utf-8").splitlines()[1]
            raise AuricleError(f"{summary.rejected} of {len(manifest)} queries cannot be read: {first}")
        table, vectors = read_embeddings(summary.path)
    clips = _clips_of(manifest)
    owner = table.column("query").to_numpy().astype(np.int64)
    return Queries([_name_of(*clip) for clip in clips], vectors, owner, clips)


def _clips_of(manifest: Manifest) -> list[Clip]:
    columns = [manifest.column(name) if manifest.has(name) else [None] * len(manifest) for name in ("start", "end")]
    return list(zip(manifest.files, *columns, strict=True))


def _name_of(path: Path, start: float | None, end: float | None) -> str:
    if start is None and end is None:
        return str(path)
    return f"{path} {start or 0:g}–{'' if end is None else f'{end:g}'} s"


@dataclass(frozen=True)
class ExactFinder:
    """Compares queries with every row of a file, block by block.

    Attributes
    ----------
    embedded
        The file.
    scaling
        That of its rows.
    """

    embedded: Embedded
    scaling: Scaling

    @classmethod
    def of(cls, embedded: Embedded) -> "ExactFinder":
        """Ready to search a file."""
        return cls(embedded, embedded.scaling())

    def __call__(self, queries: Vectors, k: int, *, report: Report | None = None) -> Nearest:
        """The `k` rows nearest to each of the raw vectors ``(m, dim)``, exactly."""
        seen = 0

        def blocks() -> Iterator[Vectors]:
            nonlocal seen
            for block in self.embedded.blocks():
                yield self.scaling.units(block)
                seen += len(block)
                if report is not None:
                    report("comparing", seen / self.embedded.rows)

        return nearest_among(self.scaling.units(queries), blocks(), min(k, self.embedded.rows))


def search(
    embedded: Embedded, queries: Queries, k: int, *, finder: Finder | None = None, report: Report | None = None
) -> pa.Table:
    """The `k` clips nearest to each query.

    Parameters
    ----------
    embedded
        Where to look.
    queries
        As of :func:`embed_queries`.
    k
        At least 1; all clips where there are fewer.
    finder
        What compares: every row (:class:`ExactFinder`) by default.
    report
        Is told what is being done, and the share of it that is done.

    Returns
    -------
    pyarrow.Table
        The nearest first: ``query`` (its name), ``rank`` (from 1), ``similarity`` (cosine, -1 … 1), and the columns of
        the clips found.
    """
    if k < 1:
        raise AuricleError(f"k is {k}: expected 1 or more clips for each query")
    if len(queries.vectors) and queries.vectors.shape[1] != embedded.dim:
        raise AuricleError(
            f"the queries have {queries.vectors.shape[1]} dimensions, the rows of {embedded.path} have {embedded.dim}"
        )
    found = (finder or ExactFinder.of(embedded))(queries.vectors, k, report=report)
    names, ranks, similarity, rows = [], [], [], []
    for query, name in enumerate(queries.names):
        for rank, (row, value) in enumerate(_best(found, queries.owner == query)[:k], 1):
            names.append(name)
            ranks.append(rank)
            similarity.append(value)
            rows.append(row)
    clips = embedded.clips(rows)
    clips = clips.drop_columns([name for name in QUERY_COLUMNS if name in clips.column_names])
    first = {
        "query": pa.array(names, pa.string()),
        "rank": pa.array(ranks, pa.int32()),
        "similarity": pa.array(similarity, pa.float32()),
    }
    return pa.table({**first, **{name: clips.column(name) for name in clips.column_names}})


def _best(found: Nearest, mine: NDArray[np.bool_]) -> list[tuple[int, float]]:
    """Rows and their similarity to the nearest of some vectors, the most similar first."""
    best: dict[int, float] = {}
    for row, value in zip(found.rows[mine].ravel().tolist(), found.similarity[mine].ravel().tolist(), strict=True):
        best[row] = max(value, best.get(row, -np.inf))
    return sorted(best.items(), key=lambda item: (-item[1], item[0]))
