"""`auricle embed`: one line about what was done, one sentence about what was not."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from auricle.cli import app, main
from auricle.embedding import read_embeddings

from .sounds import folder_of_sounds


@pytest.fixture
def field(tmp_path: Path) -> Path:
    folder_of_sounds(tmp_path / "field", 6)
    (tmp_path / "field" / "empty.wav").touch()
    return tmp_path / "field"


def test_it_prints_one_line_and_does_nothing_the_second_time(field: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.parquet"
    arguments = ["embed", "logmel-stats", str(field), "--out", str(out), "--workers", "1", "--device", "cpu"]
    first = CliRunner().invoke(app, arguments)
    assert first.exit_code == 0
    rejected = tmp_path / "o.rejected.csv"
    assert first.stdout == f"{out}: 6 embeddings of 7 clips · 0.00 h · 1 rejected ({rejected})\n"
    assert "7/7 clips" in first.stderr
    assert read_embeddings(out)[1].shape == (6, 192)
    second = CliRunner().invoke(app, arguments)
    assert second.exit_code == 0
    assert second.stdout.strip().endswith("(complete already, nothing to do)")


def test_files_windows_and_precision_are_passed_on(field: Path, tmp_path: Path) -> None:
    files = sorted(str(path) for path in field.glob("0*.wav"))[:2]
    options = ["--window", "0.1", "--hop", "0.05", "--precision", "bfloat16", "--out", str(tmp_path / "o.parquet")]
    assert CliRunner().invoke(app, ["embed", "mfcc-stats", *files, *options]).exit_code == 0
    table, embeddings = read_embeddings(tmp_path / "o.parquet")
    assert len(embeddings) > 2 and set(table.column("path").to_pylist()) == {"0000.wav", "0001.wav"}
    assert table.schema.metadata[b"precision"] == b"bfloat16"


@pytest.mark.parametrize(
    ("model", "options", "sentence"),
    [
        ("logmel-statz", [], "did you mean logmel-stats?"),
        ("logmel-stats", ["--hop", "1"], "give window too"),
        ("logmel-stats", ["--device", "tpu"], "device is 'tpu': expected auto, cpu or cuda"),
    ],
)
def test_a_mistake_is_one_sentence(
    field: Path,
    tmp_path: Path,
    model: str,
    options: list[str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["auricle", "embed", model, str(field), "--out", str(tmp_path / "o.parquet"), *options]
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 1
    error = capsys.readouterr().err
    assert sentence in error and len(error.strip().splitlines()) == 1
