"""What the points of a map can be coloured by: the columns of a table, as classes or as numbers.

Text, truth values and small whole numbers with few different values are classes, other numbers lie on a scale. Of more
classes than colours and markers can tell apart the most frequent are shown each, the others together.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from auricle.manifest_format import LABEL_SEPARATOR
from auricle.projection import MARKERS, PALETTE

MOST_CLASSES = len(PALETTE) * len(MARKERS) - 1  # that look different; the last look is that of all others
FEW_NUMBERS = 12  # different whole numbers that are still classes, for instance folds
BINS = 8  # of a scale, which its legend shows and hides
_TAILS = 1.0, 99.0  # percentiles that a scale spans where what lies beyond them would stretch it
_STRETCHED = 4.0  # times their distance

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Classes:
    """A column of classes.

    Attributes
    ----------
    name
        Of the column.
    classes
        Names; those that have a look of their own come first, in natural order, and `shown` of them.
    codes
        ``(n,)`` of int32: each clip's class, -1 where unknown.
    shown
        How many have a look of their own.
    """

    name: str
    classes: list[str]
    codes: NDArray[np.int32]
    shown: int


@dataclass(frozen=True)
class Numbers:
    """A column of numbers.

    Attributes
    ----------
    name
        Of the column.
    values
        ``(n,)``, NaN where unknown.
    low, high
        Ends of the scale; what lies beyond has the colour of the end.
    """

    name: str
    values: Floats
    low: float
    high: float


Column = Classes | Numbers


def columns_of(table: pa.Table, *, without: Sequence[str] = ()) -> list[Column]:
    """Every column that holds anything and that can be drawn, in the table's order.

    Left out are columns without any value, and such as hold vectors or structures.
    """
    found = (column_of(name, table.column(name)) for name in table.column_names if name not in without)
    return [column for column in found if column is not None]


def column_of(name: str, values: pa.ChunkedArray) -> Column | None:
    """One column; None when it cannot be drawn."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        values, kind = values.cast(kind.value_type), kind.value_type
    if values.null_count == len(values):
        return None
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return numbers(name, values.cast(pa.float64()).to_numpy())
    if pa.types.is_integer(kind):
        whole = values.cast(pa.float64(), safe=False).to_numpy()
        if len(np.unique(whole[~np.isnan(whole)])) > FEW_NUMBERS:
            return numbers(name, whole)
        return classes(name, [None if value is None else str(value) for value in values.to_pylist()])
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        if not (pa.types.is_string(kind.value_type) or pa.types.is_large_string(kind.value_type)):
            return None
        joined = f"{LABEL_SEPARATOR} "
        return classes(name, [None if not value else joined.join(map(str, value)) for value in values.to_pylist()])
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        return None
    return classes(name, [None if value is None else str(value) for value in values.to_pylist()])


def numbers(name: str, values: Floats) -> Numbers | None:
    """A column of numbers ``(n,)``, NaN or infinity where unknown; None when all are."""
    values = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    low, high = float(known.min()), float(known.max())
    inner_low, inner_high = (float(end) for end in np.percentile(known, _TAILS))
    if high - low > _STRETCHED * (inner_high - inner_low) > 0:
        low, high = inner_low, inner_high
    return Numbers(name, values, low, high)


def classes(name: str, values: Sequence[str | None]) -> Classes | None:
    """A column of classes, None where unknown; None when all are, or are empty."""
    counts: dict[str, int] = {}
    for value in values:
        if value:
            counts[value] = counts.get(value, 0) + 1
    if not counts:
        return None
    frequent = sorted(counts, key=lambda value: (-counts[value], value))
    shown = len(frequent) if len(frequent) <= MOST_CLASSES else MOST_CLASSES
    names = sorted(frequent[:shown], key=_natural) + frequent[shown:]
    number = {value: code for code, value in enumerate(names)}
    codes = np.array([number[value] if value else -1 for value in values], dtype=np.int32)
    return Classes(name, names, codes, shown)


def _natural(value: str) -> list[Any]:
    """Order in which 2 comes before 10."""
    parts = re.split(r"(\d+)", value.lower())
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts if part]
