import csv
import dataclasses
from pathlib import Path

import pandas as pd
import pyarrow.parquet
import pytest

from auricle import results
from auricle.errors import AuricleError
from auricle.results import Result

DESIGN_COLUMNS = [
    *("model", "weights_fingerprint", "layer", "pooling", "diet", "task", "dataset_fingerprint", "protocol", "split"),
    *("metric", "value", "ci_low", "ci_high", "n", "k", "fold", "seed"),
]


def row(**changes: object) -> Result:
    first = Result(
        model="byola-2022",
        weights_fingerprint="0123456789012345",
        diet="speech",
        task="esc50",
        dataset_fingerprint="abc",
        protocol="ogg2025",
        metric="accuracy",
        value=0.5,
        ci_low=0.45,
        ci_high=0.5512,
        n=2000,
    )
    return dataclasses.replace(first, **changes)


ROWS = [
    row(seed=0, value=1 / 3),
    row(),
    row(task="vad, films", metric="average precision", value=0.9, ci_low=None, ci_high=None),
    row(model='the "other" | one', weights_fingerprint=None, diet=None, value=0.25),
]


@pytest.mark.parametrize("name", ["scores.parquet", "scores.csv"])
def test_rows_come_back_as_they_were_written(tmp_path: Path, name: str) -> None:
    results.write(tmp_path / name, ROWS)
    assert results.read(tmp_path / name) == ROWS


def test_files_have_the_columns_of_the_design_and_open_in_other_tools(tmp_path: Path) -> None:
    results.write(tmp_path / "scores.csv", ROWS)
    results.write(tmp_path / "scores.parquet", ROWS)
    with (tmp_path / "scores.csv").open() as file:
        assert next(csv.reader(file)) == DESIGN_COLUMNS
    frame = pd.read_parquet(tmp_path / "scores.parquet")
    assert list(frame.columns) == DESIGN_COLUMNS
    assert frame.loc[frame.fold.isna() & frame.seed.isna()].shape[0] == 3


def test_a_file_that_is_no_results_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(AuricleError, match=r"there is no results file .*none\.csv"):
        results.read(tmp_path / "none.csv")
    with pytest.raises(AuricleError, match=r"ends in \.parquet or \.csv"):
        results.write(tmp_path / "scores.txt", ROWS)
    (tmp_path / "other.csv").write_text("model,value\na,0.5\n")
    with pytest.raises(AuricleError, match="no column weights_fingerprint, layer"):
        results.read(tmp_path / "other.csv")
    header = ",".join(DESIGN_COLUMNS)
    (tmp_path / "wrong.csv").write_text(f"{header}\na,,,,,t,,p,test,accuracy,high,,,8,,,\n")
    with pytest.raises(AuricleError, match="cannot be read"):
        results.read(tmp_path / "wrong.csv")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    with pytest.raises(AuricleError, match="cannot be read"):
        results.read(tmp_path / "broken.parquet")


def test_a_summary_has_neither_fold_nor_seed() -> None:
    assert results.summary([row(), row(seed=1), row(fold=2), row(fold=2, seed=1)]) == [row()]


def test_parquet_states_which_columns_may_be_null(tmp_path: Path) -> None:
    results.write(tmp_path / "scores.parquet", ROWS)
    schema = pyarrow.parquet.read_schema(tmp_path / "scores.parquet")
    always = {"model", "task", "protocol", "split", "metric", "value", "n"}
    assert {field.name for field in schema if not field.nullable} == always


@pytest.mark.parametrize("name", ["labels.csv", "labels.parquet", "notes.csv"])
def test_what_holds_no_results_is_never_overwritten(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "notes.csv":
        path.write_bytes(b"\xff\xfe\x00 no table at all")
    else:
        table = pd.DataFrame({"path": ["a.wav"], "label": ["wren"]})
        table.to_csv(path) if path.suffix == ".csv" else table.to_parquet(path)
    before = path.read_bytes()
    with pytest.raises(AuricleError, match=rf"{name} is there and holds no results: it stays as it is"):
        results.write(path, ROWS)
    assert path.read_bytes() == before
    results.write(tmp_path / "scores.csv", ROWS[:1])
    results.write(tmp_path / "scores.csv", ROWS)  # results are replaced by results
    assert results.read(tmp_path / "scores.csv") == ROWS
