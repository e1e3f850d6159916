import json
from pathlib import Path

import pytest
import soundfile
import torch

import auricle
from auricle import cli

from .signals import chirps
from .test_importing import published


def auricle_command(*arguments: str | Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run the command line as the shell would; its exit code."""
    monkeypatch.setattr("sys.argv", ["auricle", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return int(stopped.value.code or 0)


def test_models_lists_every_model(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert auricle_command("models", monkeypatch=monkeypatch) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["name", *auricle.list_models()]
    assert "6,333,376" in lines[1]


def test_models_json_gives_the_facts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert auricle_command("models", "byola-2022", "--json", monkeypatch=monkeypatch) == 0
    [facts] = json.loads(capsys.readouterr().out)
    assert facts.pop("description")
    assert facts == {
        "name": "byola-2022",
        "parameters": 6_333_376,
        "embedding_dim": 3072,
        "sample_rate": 16_000,
        "frame_rate": 25.0,
        "licence": "Apache-2.0",
        "source": "random weights",
    }


def test_import_writes_a_folder_that_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(published().state_dict(), tmp_path / "weights.pth")
    out = tmp_path / "model"
    arguments = ("import", tmp_path / "weights.pth", "--out", out, "--mean", "-7.3", "--std", "4.2")
    assert auricle_command(*arguments, monkeypatch=monkeypatch) == 0
    printed = capsys.readouterr()
    assert printed.out.strip() == str(out)
    assert "byola-2020, 128-d" in printed.err
    assert "mel scale slaney with area norm; mean -7.3, std 4.2" in printed.err
    assert auricle.load(out).embed(chirps(1, 16_000)[0]).shape == (128,)


def test_import_computes_statistics_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(published().state_dict(), tmp_path / "weights.pth")
    (tmp_path / "sounds").mkdir()
    soundfile.write(tmp_path / "sounds" / "a.wav", chirps(1, 32_000)[0].numpy(), 16_000)
    arguments = ("import", tmp_path / "weights.pth", "--out", tmp_path / "model", "--stats-from", tmp_path / "sounds")
    assert auricle_command(*arguments, "--mel-scale", "htk", monkeypatch=monkeypatch) == 0
    assert "mel scale htk with no norm" in capsys.readouterr().err


def test_import_without_statistics_says_what_to_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(published().state_dict(), tmp_path / "weights.pth")
    arguments = ("import", tmp_path / "weights.pth", "--out", tmp_path / "model")
    assert auricle_command(*arguments, monkeypatch=monkeypatch) == 1
    error = capsys.readouterr().err
    assert error.startswith("auricle: statistics are not in this file")
    assert "give --mean and --std, or --stats-from MANIFEST" in error
    assert not (tmp_path / "model").exists()
    assert auricle_command(*arguments, "--mel-scale", "bark", monkeypatch=monkeypatch) == 2
