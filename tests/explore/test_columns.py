"""What a map can be coloured by: which columns are classes, which numbers, and what is left out."""

import numpy as np
import pyarrow as pa
import pytest

from auricle.explore.columns import MOST_CLASSES, Classes, Numbers, column_of, columns_of


def column(values: list[object], kind: pa.DataType | None = None) -> Classes | Numbers | None:
    return column_of("c", pa.chunked_array([pa.array(values, kind)]))


def test_text_is_classes_in_natural_order() -> None:
    found = column(["take 10", "take 2", None, "", "take 10"])
    assert isinstance(found, Classes)
    assert found.classes == ["take 2", "take 10"]
    assert found.codes.tolist() == [1, 0, -1, -1, 1]


def test_few_whole_numbers_are_classes_and_many_a_scale() -> None:
    folds = column([5, 1, 2, None, 3, 4])
    assert isinstance(folds, Classes)
    assert folds.classes == ["1", "2", "3", "4", "5"]
    pitches = column([*range(21, 109), None])
    assert isinstance(pitches, Numbers)
    assert (pitches.low, pitches.high) == (21.0, 108.0)
    assert np.isnan(pitches.values[-1])


def test_one_wild_number_does_not_stretch_the_scale() -> None:
    found = column([*np.linspace(0, 1, 999), 1e9])
    assert isinstance(found, Numbers)
    assert found.high < 2
    assert found.values.max() == 1e9


def test_infinity_is_unknown_and_a_column_of_nothing_else_is_left_out() -> None:
    found = column([1.0, float("inf"), float("nan"), None])
    assert isinstance(found, Numbers)
    assert np.isnan(found.values).tolist() == [False, True, True, True]
    assert column([float("nan"), None], pa.float64()) is None


def test_of_too_many_classes_the_frequent_ones_have_a_look_of_their_own() -> None:
    names = [f"rare {number}" for number in range(100)] + ["common"] * 3 + ["usual"] * 2
    found = column(names)
    assert isinstance(found, Classes)
    assert found.shown == MOST_CLASSES
    assert {"common", "usual"} <= set(found.classes[: found.shown])
    assert len(found.classes) == 102


@pytest.mark.parametrize(
    ("values", "kind", "first"),
    [
        ([True, False, None], pa.bool_(), "True"),
        ([["rain", "wind"], [], None], pa.list_(pa.string()), "rain; wind"),
        (["a", "b", "a"], pa.dictionary(pa.int32(), pa.string()), "a"),
    ],
)
def test_other_kinds_are_classes_too(values, kind, first) -> None:
    found = column_of("c", pa.chunked_array([pa.array(values, kind)]))
    assert isinstance(found, Classes)
    assert found.classes[found.codes[0]] == first


def test_vectors_and_empty_columns_are_left_out() -> None:
    table = pa.table(
        {
            "path": ["a", "b"],
            "label": ["x", "y"],
            "empty": pa.nulls(2, pa.string()),
            "other_embedding": pa.array([[1.0], [2.0]], pa.list_(pa.float32(), 1)),
            "bytes": [b"1", b"2"],
        }
    )
    assert [found.name for found in columns_of(table, without=["path"])] == ["label"]
