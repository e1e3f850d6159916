"""Scores as rows: what was measured, on what, how, and how sure it is.

Every score in Auricle becomes one `Result`, a row of the long table that DESIGN.md calls the results file. A row whose
fold and seed are both null summarises its metric; the others are the parts it was made of. Values are fractions.
"""

import csv
import dataclasses
from collections.abc import Iterable
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
_IDENTITY = (
    *("model", "weights_fingerprint", "layer", "pooling", "diet"),
    *("task", "dataset_fingerprint", "protocol", "split", "k"),
)


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
        As :func:`check_target`.
    """
    check_target(path)
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
    check_suffix(path)
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


def identity(result: Result) -> tuple[object, ...]:
    """What was scored and how, whatever the metric, fold and seed: one model on one task under one protocol."""
    return tuple(getattr(result, name) for name in _IDENTITY)


def check_target(path: Path) -> None:
    """Make sure that results can be written to `path`, and that nothing else is lost by it.

    Raises
    ------
    AuricleError
        When its suffix is neither ``.parquet`` nor ``.csv``, or a file is there that holds no results.
    """
    check_suffix(path)
    if path.is_file() and not {"model", "task", "metric", "value"} <= set(columns_in(path)):
        raise AuricleError(f"{path} is there and holds no results: it stays as it is, choose another file for them")


def columns_in(path: Path) -> list[str]:
    """The names of the columns of a ``.parquet`` or ``.csv`` file; none where it is no table."""
    try:
        if path.suffix == ".parquet":
            return list(pyarrow.parquet.read_schema(path).names)
        with path.open(newline="", encoding="utf-8-sig") as file:
            return next(csv.reader(file), [])
    except (pa.ArrowException, UnicodeDecodeError, csv.Error):
        return []


def check_suffix(path: Path) -> None:
    """Make sure that a file can be of results.

    Raises
    ------
    AuricleError
        When its suffix is neither ``.parquet`` nor ``.csv``.
    """
    if path.suffix not in (".parquet", ".csv"):
        raise AuricleError(f"a results file ends in .parquet or .csv, got {path}")
