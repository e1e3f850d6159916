"""Scores as rows: what was measured, on what, how, and how sure it is.

Every score in Auricle becomes one `Result`, a row of the long table that DESIGN.md calls the results file. A row whose
fold and seed are both null summarises its metric; the others are the parts it was made of. Values are fractions.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from auricle.errors import AuricleError
from auricle.files import atomic_write

SCHEMA = pa.schema(
    [
        pa.field("model", pa.string(), nullable=False),
        pa.field("weights_fingerprint", pa.string()),
        pa.field("layer", pa.string()),
        pa.field("pooling", pa.string()),
        pa.field("diet", pa.string()),
        pa.field("task", pa.string(), nullable=False),
        pa.field("dataset_fingerprint", pa.string()),
        pa.field("protocol", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("ci_low", pa.float64()),
        pa.field("ci_high", pa.float64()),
        pa.field("n", pa.int64(), nullable=False),
        pa.field("k", pa.int64()),
        pa.field("fold", pa.int64()),
        pa.field("seed", pa.int64()),
    ]
)
RESULT_COLUMNS = tuple(SCHEMA.names)

# What tells two rows of a score table apart when they bear the same model's name, in the order of mention.
_DISTINCTIONS = ("diet", "layer", "pooling", "protocol", "k", "weights_fingerprint")


@dataclass(frozen=True, kw_only=True)
class Result:
    """One score.

    Attributes
    ----------
    model : str
        Name of the encoder.
    weights_fingerprint : str, optional
        Fingerprint of its weights; None for an encoder that has none.
    layer, pooling : str, optional
        Which of the encoder's layers was pooled, and how over time; None for the encoder's own.
    diet : str, optional
        What the encoder was pre-trained on; None when it was not.
    task : str
    dataset_fingerprint : str, optional
        Fingerprint of the manifest that was scored.
    protocol : str
        How the task was scored.
    split : str
        Which part was scored, usually ``"test"``.
    metric : str
    value : float
        The score, a fraction.
    ci_low, ci_high : float, optional
        The ends of its 95 % interval; None where there is none.
    n : int
        Number of clips scored.
    k : int, optional
        Shots or neighbours, for protocols that have them.
    fold, seed : int, optional
        The part of a summary that this row is; both None in the summary itself.
    """

    model: str
    weights_fingerprint: str | None = None
    layer: str | None = None
    pooling: str | None = None
    diet: str | None = None
    task: str
    dataset_fingerprint: str | None = None
    protocol: str
    split: str = "test"
    metric: str
    value: float
    ci_low: float | None = None
    ci_high: float | None = None
    n: int
    k: int | None = None
    fold: int | None = None
    seed: int | None = None

    @property
    def is_summary(self) -> bool:
        """Whether this row stands for its metric as a whole."""
        return self.fold is None and self.seed is None


def write(path: Path, results: Iterable[Result]) -> None:
    """Write a results file, Parquet or CSV by the suffix of `path`, all or nothing.

    Raises
    ------
    AuricleError
        When the suffix is neither ``.parquet`` nor ``.csv``.
    """
    _check_suffix(path)
    table = pa.Table.from_pylist([dataclasses.asdict(result) for result in results], schema=SCHEMA)
    with atomic_write(path) as temporary:
        if path.suffix == ".csv":
            pyarrow.csv.write_csv(table, temporary, pyarrow.csv.WriteOptions(quoting_style="needed"))
        else:
            pyarrow.parquet.write_table(table, temporary)


def read(path: Path) -> list[Result]:
    """Read a results file that :func:`write` wrote, or that has the same columns in any order.

    Raises
    ------
    AuricleError
        When the file is missing, has another suffix, lacks a column or holds a value of another type.
    """
    _check_suffix(path)
    if not path.is_file():
        raise AuricleError(f"there is no results file {path}")
    try:
        if path.suffix == ".csv":
            # An empty field is null; column types are given, lest a fingerprint of digits becomes a number.
            conversion = pyarrow.csv.ConvertOptions(
                column_types=SCHEMA, strings_can_be_null=True, null_values=[""], quoted_strings_can_be_null=False
            )
            table = pyarrow.csv.read_csv(path, convert_options=conversion)
        else:
            table = pyarrow.parquet.read_table(path)
        missing = [name for name in RESULT_COLUMNS if name not in table.column_names]
        if missing:
            raise AuricleError(f"{path} is no results file: it has no column {', '.join(missing)}")
        rows = table.select(RESULT_COLUMNS).cast(SCHEMA).to_pylist()
    except pa.ArrowException as error:
        raise AuricleError(f"{path} cannot be read as a results file: {error}") from error
    return [Result(**row) for row in rows]


def summary(results: Iterable[Result]) -> list[Result]:
    """Only the rows that summarise a metric: those with neither fold nor seed."""
    return [result for result in results if result.is_summary]


@dataclass(frozen=True)
class ScoreTable:
    """Summary rows arranged for reading: one model in each row, one task in each column.

    Attributes
    ----------
    models : list of str
        Row titles, in the order in which models first appear.
    tasks : list of str
        Column titles, a task, its metric and unit, in the order in which tasks first appear.
    cells : list of list of Result or None
        ``cells[row][column]``; None where a model has no score.
    """

    models: list[str]
    tasks: list[str]
    cells: list[list[Result | None]]


def score_table(results: Iterable[Result], *, metrics: Mapping[str, str] | None = None) -> ScoreTable:
    """Arrange the summary rows of `results`, one metric for each task.

    Rows that bear the same model's name are told apart by what differs between them (diet, layer, weights, …), and
    different data under the same task's name stands in different columns.

    Parameters
    ----------
    results
        Any rows; only summaries are used.
    metrics
        The metric to show for a task; for other tasks the one that comes first.

    Raises
    ------
    AuricleError
        When two summaries claim the same cell, or a metric asked for was not measured.
    """
    rows = summary(results)
    shown = dict(metrics or {})
    for row in rows:
        shown.setdefault(row.task, row.metric)
    rows = [row for row in rows if row.metric == shown[row.task]]
    for task, metric in shown.items():
        if not any(row.task == task for row in rows):
            raise AuricleError(f"no summary of {metric} on task {task} is among these results")

    models = list(dict.fromkeys(_model_key(row) for row in rows))
    tasks = list(dict.fromkeys(_task_key(row) for row in rows))
    cells: list[list[Result | None]] = [[None] * len(tasks) for _ in models]
    for row in rows:
        at_row, at_column = models.index(_model_key(row)), tasks.index(_task_key(row))
        if cells[at_row][at_column] is not None:
            raise AuricleError(f"model {row.model} has two summaries of {row.metric} on task {row.task}")
        cells[at_row][at_column] = row
    return ScoreTable(
        models=_titles(models, _DISTINCTIONS), tasks=[_task_title(key, tasks) for key in tasks], cells=cells
    )


def markdown_table(results: Iterable[Result], *, metrics: Mapping[str, str] | None = None) -> str:
    """The table of :func:`score_table` in Markdown, as percentages with their intervals.

    Examples
    --------
    >>> row = Result(model="a", task="esc50", protocol="ogg2025", metric="accuracy", value=0.5, n=8)
    >>> print(markdown_table([row]))
    | model | esc50 (accuracy, %) |
    |---|---:|
    | a | 50.0 |
    """
    table = score_table(results, metrics=metrics)
    lines = [["model", *table.tasks]]
    lines += [
        [model, *(format_cell(cell) for cell in cells)] for model, cells in zip(table.models, table.cells, strict=True)
    ]
    text = ["| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines]
    return "\n".join([text[0], "|---|" + "---:|" * len(table.tasks), *text[1:]])


def format_cell(result: Result | None) -> str:
    """A score for reading, ``"62.3 [59.8, 64.9]"`` in per cent; a dash where there is none."""
    if result is None:
        return "–"
    value = f"{100 * result.value:.1f}"
    if result.ci_low is None or result.ci_high is None:
        return value
    return f"{value} [{100 * result.ci_low:.1f}, {100 * result.ci_high:.1f}]"


def _check_suffix(path: Path) -> None:
    if path.suffix not in (".parquet", ".csv"):
        raise AuricleError(f"a results file ends in .parquet or .csv, got {path}")


def _model_key(row: Result) -> tuple[object, ...]:
    return (row.model, *(getattr(row, name) for name in _DISTINCTIONS))


def _task_key(row: Result) -> tuple[str, ...]:
    return (row.task, row.metric, row.split, row.dataset_fingerprint or "")


def _titles(keys: Sequence[tuple[object, ...]], names: Sequence[str]) -> list[str]:
    """Title of each key: its first part, and of the other parts those in which keys of the same first part differ."""
    titles = []
    for key in keys:
        namesakes = [other for other in keys if other[0] == key[0]]
        parts = [str(key[0])]
        for position, name in enumerate(names, start=1):
            if len({other[position] for other in namesakes}) > 1:
                value = key[position]
                parts.append(f"no {name}" if value is None else f"{value}")
        titles.append(" · ".join(parts))
    return titles


def _task_title(key: tuple[str, ...], keys: Sequence[tuple[str, ...]]) -> str:
    task, metric, split, fingerprint = key
    namesakes = [other for other in keys if other[0] == task]
    details = [metric]
    if len({other[2] for other in namesakes}) > 1:
        details.append(split)
    if len({other[3] for other in namesakes}) > 1:
        details.append(f"data {fingerprint[:8] or 'unknown'}")
    return f"{task} ({', '.join([*details, '%'])})"
