"""How a manifest lies on disk and which types its columns have: CSV or Parquet to a typed pyarrow table and back.

CSV is UTF-8, separated by commas, with a header line; an empty field is null and nothing else is. Columns whose names
the manifest knows get their type; a column of another name becomes numbers only where nothing is lost by it.
"""

import csv
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from auricle.errors import AuricleError
from auricle.files import why_no_file

LABEL_SEPARATOR = ";"  # between the labels of one clip in a CSV file

TYPES = {
    "path": pa.string(),
    "start": pa.float64(),
    "end": pa.float64(),
    "label": pa.string(),
    "labels": pa.list_(pa.string()),
    "target": pa.float64(),
    "split": pa.string(),
    "fold": pa.int64(),
    "group": pa.string(),
    "cluster": pa.string(),
}
# In CSV a column of another name becomes numbers only when nothing is lost by it: speaker "03" stays text.
_WHOLE_NUMBER = r"^-?(0|[1-9][0-9]{0,17})$"
_NUMBER = r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?([eE][+-]?[0-9]+)?$"  # a float holds no longer whole number


class ManifestError(AuricleError):
    """A manifest that cannot be used; the sentence names the row and the file.

    What a table holds may hold line breaks and commands to terminals: in the sentence they are spelt out.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__("".join(c if c.isprintable() else ascii(c)[1:-1] for c in sentence))


def read_table(path: Path) -> pa.Table:
    """The file's table, its columns not yet typed.

    Raises
    ------
    ManifestError
        When there is no such file, or when it is not a table.
    """
    reader = {".csv": _read_csv, ".parquet": _read_parquet}.get(path.suffix.lower())
    if reader is None:
        raise ManifestError(f"{path} is not a manifest: expected a .csv or .parquet file")
    if not path.is_file():
        raise ManifestError(f"{path} {why_no_file(path)}: expected a manifest")
    return reader(path)


def write_table(table: pa.Table, path: Path) -> None:
    """Write a typed table in the format of the suffix.

    Raises
    ------
    ManifestError
        When the suffix is neither .csv nor .parquet, or when CSV cannot hold a column.
    """
    if path.suffix.lower() == ".csv":
        pyarrow.csv.write_csv(_for_csv(table), path)
    elif path.suffix.lower() == ".parquet":
        pyarrow.parquet.write_table(table, path)
    else:
        raise ManifestError(f"cannot write a manifest to {path}: expected a .csv or .parquet file")


def _read_csv(path: Path) -> pa.Table:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            names = [name.strip() for name in next(csv.reader(file), [])]
        # As text first: a label "007", "NA" or "null" is a label.
        table = (
            pyarrow.csv.read_csv(
                path,
                read_options=pyarrow.csv.ReadOptions(column_names=names, skip_rows=1),
                parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True
                ),
            )
            if names
            else pa.table({})
        )
    except UnicodeDecodeError:
        raise ManifestError(f"{path.name} is not UTF-8 text; save it as CSV UTF-8") from None
    except pa.ArrowInvalid as error:
        if "UTF8" in str(error):
            raise ManifestError(f"{path.name} is not UTF-8 text; save it as CSV UTF-8") from None
        raise ManifestError(f"{path.name} is not a table: {str(error).splitlines()[0]}") from error
    # Spreadsheets leave empty columns without a name at the end.
    empty = [not name and table.column(n).null_count == len(table) for n, name in enumerate(table.column_names)]
    table = table.select([n for n, is_empty in enumerate(empty) if not is_empty])
    for index, name in enumerate(table.column_names):
        if name not in TYPES:
            table = table.set_column(index, name, _numbers_where_nothing_is_lost(table.column(index)))
    return table


def _numbers_where_nothing_is_lost(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if column.null_count == len(column):
        return column
    for pattern, kind in ((_WHOLE_NUMBER, pa.int64()), (_NUMBER, pa.float64())):
        if pc.all(pc.match_substring_regex(column, pattern)).as_py():
            return column.cast(kind)
    return column


def number_in(text: str) -> int | float | None:
    """The number that a column of such texts would become in CSV; None where it would stay text."""
    if re.fullmatch(_WHOLE_NUMBER, text):
        return int(text)
    return float(text) if re.fullmatch(_NUMBER, text) else None


def _read_parquet(path: Path) -> pa.Table:
    try:
        table = pyarrow.parquet.read_table(path, partitioning=None)
        table.validate(full=True)  # a damaged file may hold text that is none
        return table
    except (pa.ArrowException, OSError) as error:
        raise ManifestError(f"{path.name} is not a Parquet file: {str(error).splitlines()[0]}") from error


def array_of(values: list[Any], name: str) -> pa.Array:
    """The values of the column `name` as an array of one type."""
    try:
        return pa.array([str(value) if isinstance(value, Path) else value for value in values])
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ManifestError(f"column `{name}` mixes types: {str(error).splitlines()[0]}") from error


def typed(table: pa.Table, source: str) -> pa.Table:
    """The table with every known column as its type; `source` is what errors call it.

    Raises
    ------
    ManifestError
        When there is no column ``path``, or a column twice, or a value that is not of its column's type.
    """
    names = table.column_names
    if repeated := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        what = f"`{repeated[0]}`" if repeated[0] else "without a name"
        raise ManifestError(f"{source} has two columns {what}")
    if "path" not in names:
        hint = "; separate the columns by commas" if len(names) == 1 and ";" in names[0] else ""
        raise ManifestError(f"{source} has no column `path`; it has {', '.join(names) or 'no columns'}{hint}")
    for index, name in enumerate(names):
        if name in TYPES and table.schema.types[index] != TYPES[name]:
            table = table.set_column(index, name, _cast(table, name, source))
    if "labels" in names:  # no labels and an empty list of labels are the same, as in CSV
        column = table.column("labels")
        if column.null_count:
            lists = pa.array([labels or [] for labels in column.to_pylist()], TYPES["labels"])
            table = table.set_column(names.index("labels"), "labels", lists)
    return table


def _cast(table: pa.Table, name: str, source: str) -> pa.ChunkedArray | pa.Array:
    column, kind = table.column(name), TYPES[name]
    if name == "labels" and (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return pa.array(
            [
                [label.strip() for label in (text or "").split(LABEL_SEPARATOR) if label.strip()]
                for text in column.to_pylist()
            ],
            kind,
        )
    wanted = {"fold": "a whole number", "labels": "a list of text"}.get(
        name, "text" if kind == pa.string() else "a number"
    )
    try:
        return column.cast(kind)
    except pa.ArrowException as error:
        for row in range(table.num_rows):
            try:
                column.slice(row, 1).cast(kind)
            except pa.ArrowException:
                value, path = column[row].as_py(), table.column("path")[row].as_py()
                raise ManifestError(
                    f"{source}: row {row + 1} ({path}) has {name} {value!r}: expected {wanted}"
                ) from error
        raise ManifestError(f"{source}: column `{name}` holds {column.type}: expected {wanted}") from error


def _for_csv(table: pa.Table) -> pa.Table:
    for index, field in enumerate(table.schema):
        if field.name == "labels":
            if any(LABEL_SEPARATOR in label for labels in table.column("labels").to_pylist() for label in labels):
                raise ManifestError(f"a label holds {LABEL_SEPARATOR!r}, which separates labels in CSV: write .parquet")
            table = table.set_column(index, "labels", pc.binary_join(table.column(index), LABEL_SEPARATOR))
        elif pa.types.is_nested(field.type):
            raise ManifestError(f"column `{field.name}` holds {field.type}, which CSV cannot hold: write .parquet")
    return table
