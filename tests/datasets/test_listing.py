"""`auricle tasks`: all tasks, one of them, a local copy of it, its download and its leaks."""

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from auricle.cli import app, main
from auricle.datasets import esc50, listing, registry
from auricle.datasets.entry import RemoteFile
from auricle.datasets.registry import dataset, list_datasets
from serving import FileServer, file_server
from test_archives import zip_of

HEADER = "filename,fold,target,category,esc10,src_file,take\n"


def small_esc50(folder: Path, *, left_out: int = 0) -> dict[str, bytes]:
    """Ten clips of noise in ESC-50's layout: one byte for byte on both sides, one recording in two folds."""
    folder.mkdir(parents=True, exist_ok=True)
    content, rows = {}, [HEADER]
    for number in range(10):
        fold, source = 1 + number % 5, 103 if number == 4 else 100 + number
        name = f"{fold}-{source}-{'AB'[number == 4]}-{number}.wav"
        path = folder / name
        samples = np.random.default_rng(min(number, 8)).uniform(-0.5, 0.5, 8000)  # the last two are one
        soundfile.write(path, samples, 16_000, subtype="PCM_16")
        if number >= left_out:
            content[f"ESC-50-master/audio/{name}"] = path.read_bytes()
        rows.append(f"{name},{fold},{number},class {number},False,{source},A\n")
    content["ESC-50-master/meta/esc50.csv"] = "".join(rows).encode()
    return content


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as running:
        yield running


@pytest.fixture
def esc(server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileServer:
    """ESC-50, small, at an address of this machine."""
    archive = zip_of(tmp_path / "esc.zip", small_esc50(tmp_path / "made"))
    url = server.add("master.zip", archive.read_bytes())
    monkeypatch.setitem(registry._entries, "esc50", replace(esc50.ENTRY, files=(RemoteFile(url),)))
    monkeypatch.delenv("AURICLE_DATA", raising=False)
    return server


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["tasks", *arguments])
    assert result.exit_code == code, result.output
    return result.stdout


def test_all_tasks_are_listed() -> None:
    header, *rows = run().splitlines()
    assert header.split() == ["name", "kind", "classes", "clips", "hours", "metric", "download", "licence", "dataset"]
    assert [row.split()[0] for row in rows] == list_datasets()
    assert all(row[header.index("kind") :].startswith(dataset(row.split()[0]).kind) for row in rows)  # aligned
    listed = {entry["name"]: entry for entry in json.loads(run("--json"))}
    assert list(listed) == list_datasets()
    assert listed["esc50"]["counts"]["fold 3"] == 400 and listed["esc50"]["classes"] == 50
    assert listed["fsd50k"]["kind"] == "multi-label" and len(listed["fsd50k"]["files"]) == 10


def test_what_a_download_brings() -> None:
    assert listing.fetched(dataset("fsd50k")) == "yes"
    assert listing.fetched(dataset("ava-speech")) == "lists"
    assert listing.fetched(dataset("crema-d")) == "no"


def test_one_task_without_data_says_where_it_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AURICLE_DATA", raising=False)
    said = run("esc50")
    for expected in ("K. J. Piczak", "CC BY-NC 3.0", "DATA/ESC-50-master/meta/esc50.csv", "--download", "131943"):
        assert expected in said
    assert json.loads(run("esc50", "--json"))[0]["name"] == "esc50"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--download"], "need the name of a task"),
        (["esc50", "--download"], "give --root"),
        (["esc50", "--root", ".", "--out", "x.csv"], "--out is for the pairs"),
    ],
)
def test_arguments_that_miss_others_are_said(arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AURICLE_DATA", raising=False)
    result = CliRunner().invoke(app, ["tasks", *arguments])
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.replace("│", " ").split())


def test_a_download_is_checked_and_named_for_what_it_is(esc: FileServer, tmp_path: Path) -> None:
    root = str(tmp_path / "data")
    result = CliRunner().invoke(app, ["tasks", "esc50", "--root", root, "--download"])
    assert result.exit_code == 0, result.output
    assert f"fetched 1 file of esc50 to {root} (licence CC BY-NC 3.0)" in result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == f"esc50: 10 clips, 10 classes in {root}/ESC-50-master"
    assert "  differs: 10 clips, the release has 2,000" in lines
    assert "  differs: fold 1: 2 clips, the release has 400" in lines
    assert "results on it are called `esc50 (local: 10 classes, 10 clips)`, for it is not the release" in lines
    again = CliRunner().invoke(app, ["tasks", "esc50", "--root", root, "--download"])
    assert f"nothing to fetch: all files of esc50 had been fetched to {root}" in again.stderr
    assert len(esc.ranges) == 1


def test_what_is_missing_is_named(esc: FileServer, tmp_path: Path) -> None:
    content = small_esc50(tmp_path / "again", left_out=2)
    for name, data in content.items():
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    said = run("esc50", "--root", str(tmp_path / "data"), code=1)
    assert "1-100-A-0.wav" in said and "2-101-A-1.wav" in said and said.count("missing:") == 2
    facts = json.loads(run("esc50", "--root", str(tmp_path / "data"), "--json", code=1))
    assert len(facts["missing"]) == 2 and facts["clips"] == 8 and not facts["is_published"]


def test_a_dataset_that_is_not_there_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["auricle", "tasks", "esc50", "--root", str(tmp_path)])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 1
    said = capsys.readouterr().err
    assert "esc50: expected" in said and len(said.strip().splitlines()) == 1


def test_leaks_are_told_and_written(esc: FileServer, tmp_path: Path) -> None:
    root, out = str(tmp_path / "data"), tmp_path / "leaks.csv"
    said = run("esc50", "--root", root, "--download", "--check-leaks", "--out", str(out))
    assert "cluster: 1 cluster stands in more than one fold (known: four source recordings" in said
    assert "identical: 1 pair of files across folds is the same byte for byte" in said
    assert "  identical: audio/4-108-A-8.wav (4) = audio/5-109-A-9.wav (5)" in said.splitlines()
    assert "near-duplicate: none" in said
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["kind"], row["known"]) for row in rows] == [("cluster", "true"), ("identical", "false")]
    leaks = json.loads(run("esc50", "--root", root, "--check-leaks", "--json"))["leaks"]
    assert [leak["kind"] for leak in leaks] == ["cluster", "identical"]


@pytest.mark.real
def test_the_copy_at_hand_of_esc50_is_the_release(real_data: Path) -> None:
    said = run("esc50", "--root", str(real_data))
    assert said.splitlines()[:2] == [
        f"esc50: 2,000 clips, 50 classes in {real_data}/ESC-50-master",
        "all there, as published",
    ]
    commands = run("speech-commands", "--root", str(real_data))
    assert "results on it are called `speech-commands (local: 20 words, 6,000 clips)`" in commands
