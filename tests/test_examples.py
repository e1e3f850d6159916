"""The examples run as they stand, are short, and do what they say; here on a sound world of two minutes."""

import runpy
import sys
from pathlib import Path

import pytest

import auricle
from auricle import synth
from auricle.manifest import Manifest
from auricle.study.definition import load_study

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> synth.SoundWorld:
    return synth.make(tmp_path_factory.mktemp("world"), clips=120)


def run(name: str, *arguments: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [name, *map(str, arguments)])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_is_under_sixty_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < 60


def test_pretrain_on_your_sound(world, tmp_path, monkeypatch, capsys) -> None:
    given = (world.root / "speech", tmp_path / "run", "steps=2", "batch_size=8", "statistics_crops=16", "log_every=1")
    run("pretrain_on_your_sound.py", *given, monkeypatch=monkeypatch)
    said = capsys.readouterr().out
    assert "step 2: loss" in said
    assert "embedding of shape (512,)" in said
    assert auricle.load(tmp_path / "run").embedding_dim == 512


def test_compare_models(world, monkeypatch, capsys) -> None:
    run("compare_models.py", world.tasks["event"], "logmel-stats", "mfcc-stats", monkeypatch=monkeypatch)
    said = capsys.readouterr().out
    assert "| logmel-stats |" in said
    assert "logmel-stats and mfcc-stats" in said


def test_embed_and_map(world, tmp_path, monkeypatch, capsys) -> None:
    manifest = Manifest.read(world.tasks["event"])
    manifest.select(range(20)).write(world.root / "few.csv")
    run("embed_and_map.py", world.root / "few.csv", tmp_path / "map.html", "logmel-stats", monkeypatch=monkeypatch)
    said = capsys.readouterr().out
    assert "20 clips" in said
    assert "0 unreadable" in said
    page = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert "clips/event-0000.wav" in page
    assert "default-src 'none'" in page


def test_the_study_on_real_audio_can_be_read() -> None:
    study = load_study(EXAMPLES / "real_study.yaml")
    assert set(study.diets) == {"speech", "non-speech"}
    assert "esc50" in study.tasks
    assert not any("esc50" in source for sources in study.diets.values() for source in sources)
