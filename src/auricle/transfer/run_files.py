"""The files of an evaluation: ``FILE.parquet``, what could not be read, and the folder that keeps its predictions.

Results of several evaluations can be merged: every file's predictions are found in the folder beside it, so that models
that were evaluated apart are still compared on the same test clips.
"""

import csv
import itertools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from auricle import results
from auricle.comparisons import Comparison
from auricle.datasets.registry import dataset, list_datasets
from auricle.embedding.file import Rejected
from auricle.errors import AuricleError
from auricle.files import atomic_write
from auricle.results import Result
from auricle.score_formats import FORMATS
from auricle.score_tables import ScoreTable, score_tables
from auricle.transfer.leak_stage import LEAKS
from auricle.transfer.probing import COMPARISON_SEED, CONFUSION, PER_CLASS, Probed, compare_evaluations, read_evaluation

_FORMATS = {".md": "markdown", ".csv": "csv", ".html": "html", ".tex": "latex"}
_INDEX = "predictions.json"


def work_folder(out: Path) -> Path:
    """``FILE.work``: where an evaluation keeps its finished stages."""
    return out.with_suffix(".work")


def rejected_file(out: Path) -> Path:
    """``FILE.rejected.csv``: what could not be read."""
    return out.with_suffix(".rejected.csv")


def rejected_in(table: Path) -> list[Rejected]:
    """The rows of a table of what could not be read."""
    with table.open(newline="", encoding="utf-8") as file:
        return [Rejected(**row) for row in csv.DictReader(file)]


def write_index(out: Path, probed: Iterable[Probed[Any]]) -> None:
    """Put down where the predictions behind each score lie."""
    work = work_folder(out)
    entries = {
        _key(row): entry.stage.folder.relative_to(work).as_posix()
        for entry in probed
        for row in entry.results
        if row.is_summary
    }
    with atomic_write(work / _INDEX) as temporary:
        temporary.write_text(json.dumps(entries, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def details_files(out: Path) -> tuple[Path, Path]:
    """``FILE.per_class.csv`` and ``FILE.confusion.csv``."""
    return out.with_suffix(".per_class.csv"), out.with_suffix(".confusion.csv")


def write_details(out: Path, probed: Sequence[Probed[Any]]) -> None:
    """Write scores of single classes, and how often each class was taken for which, of all models and tasks."""
    for path, name in zip(details_files(out), (PER_CLASS, CONFUSION), strict=True):
        table = pa.concat_tables([entry.table(name) for entry in probed], promote_options="default")
        if len(table):
            with atomic_write(path) as temporary:
                pyarrow.csv.write_csv(table, temporary, pyarrow.csv.WriteOptions(quoting_style="needed"))


def write_leaks(out: Path, folders: Sequence[Path]) -> Path:
    """``FILE.leaks.csv``: the pairs of clips that should not stand on different sides."""
    path = out.with_suffix(".leaks.csv")
    tables = [pq.read_table(folder / LEAKS) for folder in folders]
    with atomic_write(path) as temporary:
        pyarrow.csv.write_csv(pa.concat_tables(tables, promote_options="default"), temporary)
    return path


def merged(paths: Sequence[Path]) -> tuple[list[Result], list[ScoreTable]]:
    """The results of several files, each row once, and their tables with paired tests where predictions are there.

    Raises
    ------
    AuricleError
        When a file is not there or no results file, or two files hold different scores of the same thing.
    """
    rows: dict[tuple[object, ...], tuple[Result, Path]] = {}
    folders: dict[str, Path] = {}
    for path in paths:
        for row in results.read(path):
            key = (*results.identity(row), row.metric, row.fold, row.seed)
            known, where = rows.setdefault(key, (row, path))
            if known != row:
                raise AuricleError(
                    f"{where} and {path} disagree on {row.metric} of {row.model} on {row.task} ({known.value:.4f} and "
                    f"{row.value:.4f}): leave one of them out"
                )
        folders |= {key: folder for key, folder in _index(path).items() if key not in folders}
    found = [row for row, _ in rows.values()]

    def compare(title: str, scores: Sequence[tuple[str, Result]]) -> list[Comparison]:
        evaluations = {
            model: [read_evaluation(folders[_key(score)])] for model, score in scores if _key(score) in folders
        }
        pairs = list(itertools.combinations(evaluations, 2))
        return compare_evaluations(title, evaluations, pairs, metric=scores[0][1].metric, seed=COMPARISON_SEED)

    return found, [table.compared(compare) for table in score_tables(found, metrics=_usual_metrics(found))]


def write_merged(rows: Sequence[Result], tables: Sequence[ScoreTable], out: Path, form: str | None = None) -> None:
    """Write merged results: all rows where `out` is a results file, else their tables.

    Parameters
    ----------
    rows, tables
        From :func:`merged`.
    out
        ``.parquet`` takes all rows; ``.md``, ``.csv``, ``.html`` and ``.tex`` take the tables.
    form
        A name of :data:`auricle.score_formats.FORMATS`, whatever the suffix.

    Raises
    ------
    AuricleError
        When the suffix says nothing of the format and none is given.
    """
    if out.suffix == ".parquet" and form is None:
        results.write(out, rows)
        return
    form = form or _FORMATS.get(out.suffix.lower())
    if form is None:
        raise AuricleError(
            f"cannot tell the format of {out}: end it in .parquet, {', '.join(_FORMATS)}, or give --format"
        )
    with atomic_write(out) as temporary:
        temporary.write_text(FORMATS[form](tables), encoding="utf-8")


def _usual_metrics(rows: Sequence[Result]) -> dict[str, str]:
    """What the field reports, for the tasks that are datasets; for others the metric that comes first."""
    measured = {(row.task, row.metric) for row in rows}
    usual = {}
    for task in {row.task for row in rows}:
        name = task.partition(" (")[0]
        if name in list_datasets() and not task.endswith("(own labels)") and (task, dataset(name).metric) in measured:
            usual[task] = dataset(name).metric
    return usual


def _index(out: Path) -> dict[str, Path]:
    work = work_folder(out)
    try:
        entries = json.loads((work / _INDEX).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return {key: work / folder for key, folder in entries.items() if (work / folder).is_dir()}


def _key(row: Result) -> str:
    return json.dumps(results.identity(row), ensure_ascii=False)
