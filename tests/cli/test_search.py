"""Journey 7 and a search, as one types them: rows to look at, and one page with the clips to listen to."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from auricle.cli import app, main
from auricle.explore import hunts
from explore.files import embeddings_file, noise, vectors_of


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fourteen recordings of noise, and one of them again, softer; embedded."""
    folder = tmp_path_factory.mktemp("field")
    for seed in range(14):
        noise(folder / "sound" / f"{seed:02}.wav", seed)
    noise(folder / "sound" / "copy.wav", 6, gain=0.3)
    run("embed", "logmel-stats", str(folder / "sound"), "--out", str(folder / "e.parquet"), "--workers", "1")
    return folder


def run(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_search_prints_a_list_and_writes_a_table_and_a_page(field: Path, tmp_path: Path) -> None:
    table, page = tmp_path / "found.csv", tmp_path / "found.html"
    query = str(field / "sound" / "06.wav")
    said = run("search", str(field / "e.parquet"), query, "-k", "3", "--out", str(table), "--html", str(page))
    lines = said.splitlines()
    assert lines[0] == f"1 query against 15 rows of {field / 'e.parquet'}, compared with every row"
    assert lines[1].split() == ["rank", "similarity", "clip"] and lines[2] == f"like {query}"
    assert lines[3].split()[:3] == ["1", "1.000", "06.wav"] and len(lines) == 6
    found = pd.read_csv(table)
    assert found["path"].iloc[0] == "06.wav" and found["rank"].tolist() == [1, 2, 3]
    assert page.read_text(encoding="utf-8").count("<audio ") == 4  # the query is heard too


def test_start_and_end_are_of_the_query(field: Path) -> None:
    said = run("search", str(field / "e.parquet"), str(field / "sound" / "03.wav"), "--start", "0.2", "--end", "0.7")
    assert "03.wav 0.2–0.7 s" in said


def test_an_index_is_used_when_asked_for_and_beyond_a_million_rows(
    field: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("usearch", reason="usearch is not installed (extra `search`)")
    arguments = ("search", str(field / "e.parquet"), str(field / "sound" / "06.wav"), "-k", "1")
    said = run(*arguments, "--index", str(tmp_path / "index"))
    assert "by an index, which may miss some" in said and "06.wav" in said.splitlines()[-1]
    monkeypatch.setattr(hunts, "EXACT_ROWS", 10)
    assert "by an index" in run(*arguments) and (field / "e.index").is_dir()
    assert "compared with every row" in run(*arguments, "--exact")


def test_outliers_and_duplicates_give_rows_and_pages(field: Path, tmp_path: Path) -> None:
    odd = vectors_of(40, 32)
    odd[7] = 5 + 30 * np.random.default_rng(99).normal(size=32)
    file = embeddings_file(tmp_path / "odd.parquet", odd, root=field / "sound", label=["a"] * 40)
    said = run("outliers", str(file), "-k", "3", "--top", "5", "--out", str(tmp_path / "odd.csv"))
    assert said.splitlines()[2].endswith("a  7.wav") and len(said.splitlines()) == 7
    assert pd.read_csv(tmp_path / "odd.csv").columns.tolist() == ["rank", "distance", "nearest", "path", "label"]
    table, page = tmp_path / "groups.csv", tmp_path / "groups.html"
    said = run("duplicates", str(field / "e.parquet"), "--out", str(table), "--html", str(page))
    assert said.splitlines()[0] == "1 group of near-duplicates: 2 of 15 clips"
    assert pd.read_csv(table)["path"].tolist() == ["06.wav", "copy.wav"]
    assert page.read_text(encoding="utf-8").count("<audio ") == 2


def test_where_nothing_is_twice_one_line_says_so(tmp_path: Path) -> None:
    for seed in range(12):
        noise(tmp_path / "sound" / f"{seed:02}.wav", seed)
    file = str(tmp_path / "e.parquet")
    run("embed", "logmel-stats", str(tmp_path / "sound"), "--out", file, "--workers", "1")
    assert run("duplicates", file, "--html", str(tmp_path / "twice.html")).startswith(
        "no near-duplicates among 12 clips\n"
    )
    assert "<audio " not in (tmp_path / "twice.html").read_text(encoding="utf-8")


def test_project_says_how_to_open_what_it_wrote(field: Path, tmp_path: Path) -> None:
    out = tmp_path / "atlas.parquet"
    said = run("project", str(field / "e.parquet"), "--projection", "pca", "-k", "3", "--out", str(out))
    assert "--x projection_x --y projection_y --neighbors neighbors" in said and len(pd.read_parquet(out)) == 15
    run("project", str(field / "e.parquet"), "--for", "tensorboard", "--out", str(tmp_path / "log"))
    assert (tmp_path / "log" / "projector_config.pbtxt").is_file()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["search", "E", "06.wav", "--model", "mfcc-stats"], "was made with logmel-stats of fingerprint"),
        (["search", "E", "06.wav", "--exact", "--index", "i"], "give --index or --exact, not both"),
        (["search", "E", "06.wav", "07.wav", "--end", "1"], "--start and --end are of one audio file"),
        (["search", "E", "none.wav"], "does not exist: expected an audio file, a folder or a manifest"),
        (["outliers", "E", "-k", "15"], "has 15 rows: more than k = 15 are needed"),
        (["outliers", "E", "--html", "odd.pdf"], "give --html FILE.html, not odd.pdf"),
        (["duplicates", "E", "--root", "/nowhere"], "give --root, the folder that the paths"),
    ],
)
def test_a_mistake_is_one_sentence(
    arguments: list[str],
    sentence: str,
    field: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(field / "sound")
    given = [str(field / "e.parquet") if argument == "E" else argument for argument in arguments]
    monkeypatch.setattr("sys.argv", ["auricle", *given])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("auricle: ")]
    assert len(said) == 1 and sentence in said[0]
