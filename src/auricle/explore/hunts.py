"""The three hunts through embeddings files, from paths to findings: by a sound, for outliers, for duplicates."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from auricle.embedding import choose_device
from auricle.errors import AuricleError
from auricle.explore import duplicates, outliers
from auricle.explore.embedded import Embedded
from auricle.explore.findings import Findings, told_of
from auricle.explore.index import EXACT_ROWS, open_index
from auricle.explore.search import QUERY_COLUMNS, ExactFinder, Finder, embed_queries, search
from auricle.inputs import manifest_of
from auricle.manifest import Manifest

Report = Callable[[str, float], None]


def search_by_sound(
    embeddings: Path,
    inputs: Sequence[Path],
    k: int = 10,
    *,
    start: float | None = None,
    end: float | None = None,
    model: str | None = None,
    root: Path | None = None,
    index: Path | None = None,
    exact: bool = False,
    device: str = "auto",
    report: Report | None = None,
) -> Findings:
    """The clips of an embeddings file that are most like some sounds.

    Parameters
    ----------
    embeddings
        The file.
    inputs
        Audio files, folders or manifests; each clip is a query.
    k
        Clips for each query.
    start, end
        Seconds of the one audio file that are the query.
    model
        Where the file's encoder is, when it has moved.
    root
        Folder that the file's paths start from, when it is not the one it names.
    index
        Folder of an index to search by. Without it every row is compared up to `EXACT_ROWS` rows; beyond, the index
        beside the file is used.
    exact
        Compare every row in any case.
    device
        Where the encoder works: auto, cpu or cuda.
    report
        Is told what is being done, and the share of it that is done.

    Raises
    ------
    AuricleError
        When the file or a query cannot be used, or the encoder is not the one that made the file.
    """
    embedded = Embedded.open(embeddings)
    manifest = _stretch(manifest_of(inputs), start, end)
    if exact and index is not None:
        raise AuricleError("give --index or --exact, not both: an index does not compare with every row")
    encoder = embedded.encoder(model).to(choose_device(device))
    finder: Finder
    if not exact and (index is not None or embedded.rows > EXACT_ROWS):
        finder, how = open_index(embedded, index, report=report), "by an index, which may miss some"
    else:
        finder, how = ExactFinder.of(embedded), "compared with every row"
    queries = embed_queries(embedded, encoder, manifest)
    table = search(embedded, queries, k, finder=finder, report=report)
    of = f"{embedded.rows:,} rows of {embedded.path}"
    count = len(queries.names)
    return Findings(
        table,
        _files(embedded, table, root),
        title="Search by sound",
        subtitle=f"{of} · {embedded.encoder_name} · cosine of scaled embeddings, {how}",
        sentences=[f"{count} {'query' if count == 1 else 'queries'} against {of}, {how}"],
        told=told_of(table, QUERY_COLUMNS)[1:],
        by="query",
        heading=lambda row, _count: f"like {row['query']}",
        leads={name: ("the query", *clip) for name, clip in zip(queries.names, queries.clips, strict=True)},
    )


def find_outliers(
    embeddings: Path,
    *,
    k: int = outliers.NEIGHBOURS,
    top: int | None = None,
    root: Path | None = None,
    report: Report | None = None,
) -> Findings:
    """The clips of an embeddings file that are like no others; see :func:`auricle.explore.outliers.outliers`."""
    embedded = Embedded.open(embeddings)
    table = outliers.outliers(embedded, k=k, top=top, report=report)
    score = f"mean cosine distance to the {k} nearest of {embedded.rows:,} clips"
    if table.num_rows < embedded.rows:
        listed = f"the {table.num_rows:,} clips of {embedded.path} that are like no others, by their {score}"
    else:
        listed = f"all {table.num_rows:,} clips of {embedded.path}, least like any other first, by their {score}"
    return Findings(
        table,
        _files(embedded, table, root),
        title="Outliers",
        subtitle=f"{embedded.path} · {embedded.encoder_name} · {score}",
        sentences=[listed],
        told=told_of(table, ("rank", "distance"), hidden=("nearest",), most=2),
    )


def find_duplicates(embeddings: Sequence[Path], *, root: Path | None = None, report: Report | None = None) -> Findings:
    """Groups of clips that are one recording; see :func:`auricle.explore.duplicates.duplicates`."""
    files = [Embedded.open(path) for path in embeddings]
    found = duplicates.duplicates(files, root=root, report=report)
    names = ", ".join(str(file.path) for file in files)
    return Findings(
        found.table,
        found.files,
        title="Near-duplicates",
        subtitle=f"{names} · clips that agree in spectrum and waveform where they fit best",
        sentences=found.sentences(),
        told=told_of(found.table, duplicates.OWN_COLUMNS)[2:],
        by="set",
        heading=_heading,
    )


def _heading(row: dict[str, Any], count: int) -> str:
    across = f", in more than one {row['across']}" if row["across"] else ""
    return f"set {row['set']}: {count} clips{across}"


def _stretch(manifest: Manifest, start: float | None, end: float | None) -> Manifest:
    if start is None and end is None:
        return manifest
    if len(manifest) > 1 or manifest.has("start") or manifest.has("end"):
        raise AuricleError(
            f"--start and --end are of one audio file, but {manifest.source} holds {len(manifest)} clips"
        )
    return manifest.with_column("start", [start]).with_column("end", [end]).validate()


def _files(embedded: Embedded, table: Any, root: Path | None) -> list[Path]:
    folder = embedded.root(root)
    return [folder / path for path in table.column("path").to_pylist()]
