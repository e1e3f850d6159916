"""An index of an embeddings file, for when comparing a query with every row takes too long: beyond a million rows.

The graph of Malkov & Yashunin 2018 by usearch, the extra `search`: a search visits few rows, and may miss some of the
nearest. It lies in a folder beside the file, with the scaling of the file's rows, and is built again when the file has
changed. Similarities are those of 16-bit numbers, within about 0.001.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from auricle.errors import AuricleError
from auricle.explore.embedded import Embedded
from auricle.explore.search import Report
from auricle.files import FolderLock, atomic_write, in_units, refuse_small_disk
from auricle.neighbours import Nearest, Scaling, Vectors

EXACT_ROWS = 1_000_000  # up to which a search compares with every row, unless it is told otherwise
GRAPH_FILE, SCALING_FILE = "rows.usearch", "scaling.safetensors"
NEIGHBOURS = 32  # of a row in the graph
SEARCHED_ON_BUILDING, SEARCHED = 128, 256  # rows that are kept in sight while one is added, or searched for
_GRAPH_BYTES = 8 * 2 * NEIGHBOURS  # of the graph for each row, about


@dataclass(frozen=True)
class IndexFinder:
    """Finds the nearest rows by an index.

    Attributes
    ----------
    scaling
        That of the file's rows.
    graph
        A `usearch.index.Index` of their scaled unit vectors.
    """

    scaling: Scaling
    graph: Any

    def __call__(self, queries: Vectors, k: int, *, report: Report | None = None) -> Nearest:  # noqa: ARG002 (at once)
        """The `k` rows nearest to each of the raw vectors ``(m, dim)``, nearly."""
        k = min(k, len(self.graph))
        matches = self.graph.search(self.scaling.units(queries), k)
        keys = np.asarray(matches.keys).reshape(len(queries), k).astype(np.int64)
        return Nearest(keys, 1 - np.asarray(matches.distances, dtype=np.float32).reshape(len(queries), k))


def default_folder(embedded: Embedded) -> Path:
    """Where the index of a file is looked for: ``FILE.index`` beside it."""
    return embedded.path.with_name(f"{embedded.path.stem}.index")


def open_index(embedded: Embedded, folder: Path | None = None, *, report: Report | None = None) -> IndexFinder:
    """The index of an embeddings file; it is built when there is none of the file as it is now.

    Parameters
    ----------
    embedded
        The file.
    folder
        Where the index is or will be; :func:`default_folder` by default.
    report
        Is told what is being done, and the share of it that is done.

    Raises
    ------
    AuricleError
        When usearch is not installed, when the disk cannot hold the index, or another process is building it.
    """
    folder = folder or default_folder(embedded)
    found = _read(embedded, folder)
    if found is not None:
        return found
    if folder.exists() and any(folder.iterdir()) and not (folder / SCALING_FILE).exists():
        raise AuricleError(f"{folder} holds something else than an index: choose another folder for --index")
    graph = _new_graph(embedded.dim)
    refuse_small_disk(folder, embedded.rows * (2 * embedded.dim + _GRAPH_BYTES), f"an index of {embedded.path}")
    with FolderLock(folder):
        scaling = embedded.scaling()
        for start, block in _numbered(embedded):
            graph.add(np.arange(start, start + len(block)), scaling.units(block))
            if report is not None:
                report("indexing", (start + len(block)) / embedded.rows)
        (folder / SCALING_FILE).unlink(missing_ok=True)  # the old one's: without it there is no index
        with atomic_write(folder / GRAPH_FILE) as temporary:
            graph.save(temporary)
        with atomic_write(folder / SCALING_FILE) as temporary:
            arrays = {"mean": scaling.mean, "weight": scaling.weight}
            save_file(arrays, temporary, metadata={"of": _state(embedded)})
    return IndexFinder(scaling, graph)


def said_of(folder: Path, rows: int) -> str:
    """One line about an index that was built."""
    return f"{folder}: index of {rows:,} rows · {in_units((folder / GRAPH_FILE).stat().st_size)}"


def _read(embedded: Embedded, folder: Path) -> IndexFinder | None:
    """The index in a folder; None when there is none, or one of another file."""
    if not ((folder / GRAPH_FILE).is_file() and (folder / SCALING_FILE).is_file()):
        return None
    try:
        with safe_open(folder / SCALING_FILE, framework="numpy") as opened:
            if (opened.metadata() or {}).get("of") != _state(embedded):
                return None
            scaling = Scaling(opened.get_tensor("mean"), opened.get_tensor("weight"))
    except (SafetensorError, OSError):
        return None
    graph = _new_graph(embedded.dim)
    try:
        graph.view(folder / GRAPH_FILE)
    except (RuntimeError, ValueError):
        return None
    return IndexFinder(scaling, graph) if len(graph) == embedded.rows else None


def _new_graph(dim: int) -> Any:
    try:
        from usearch.index import Index
    except ImportError as error:
        raise AuricleError(
            'an index needs the `search` extra: pip install "auricle[search]"; or give --exact, which compares with '
            "every row"
        ) from error
    return Index(
        ndim=dim,
        metric="ip",
        dtype="f16",
        connectivity=NEIGHBOURS,
        expansion_add=SEARCHED_ON_BUILDING,
        expansion_search=SEARCHED,
    )


def _numbered(embedded: Embedded) -> Any:
    start = 0
    for block in embedded.blocks():
        yield start, block
        start += len(block)


def _state(embedded: Embedded) -> str:
    """What changes when the file does."""
    stat = embedded.path.stat()
    return f"{stat.st_size} bytes of {stat.st_mtime_ns}, {embedded.rows} rows of {embedded.dim}"
