"""The examples run as they stand, are short, and do what they say; here on a sound world of two minutes."""

import runpy
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import auricle
from auricle import audio, synth
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


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_that_is_told_nothing_says_how_to_call_it(path: Path, monkeypatch, capsys) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(path.name, monkeypatch=monkeypatch)
    said = f"{stopped.value.code}{capsys.readouterr().err}"
    assert f"python examples/{path.name} " in said or "arguments are required: labels, models" in said
    assert stopped.value.code != 0


def test_pretrain_on_your_sound(world, tmp_path, monkeypatch, capsys) -> None:
    (world.root / "speech" / "0-empty.wav").touch()  # which is the first
    given = (world.root / "speech", tmp_path / "run", "steps=2", "batch_size=8", "statistics_crops=16", "log_every=1")
    run("pretrain_on_your_sound.py", *given, monkeypatch=monkeypatch)
    said = capsys.readouterr().out
    assert "step 2: loss" in said
    assert "embedding of shape (512,)" in said
    assert auricle.load(tmp_path / "run").embedding_dim == 512


def test_compare_models(world, tmp_path, monkeypatch, capsys) -> None:
    """What its notes name is there to be read, and what they ask for it takes."""
    manifest = Manifest.read(world.tasks["event"])
    clips = zip(manifest.files, manifest.column("label"), strict=True)
    rows = [
        {"path": str(file.resolve()), "label": label, "site": f"site {row % 7}"}
        for row, (file, label) in enumerate(clips)
    ]
    copies = [{**row, "path": shutil.copy(row["path"], tmp_path), "site": "site of copies"} for row in rows[:12]]
    Manifest.from_rows([*rows, *copies], root="/").write(tmp_path / "mine.csv")
    given = (tmp_path / "mine.csv", "logmel-stats", "mfcc-stats")
    run("compare_models.py", *given, "--group", "site", monkeypatch=monkeypatch)
    said = capsys.readouterr().out
    assert "| logmel-stats |" in said
    assert "logmel-stats and mfcc-stats" in said
    assert "without --group" not in said
    assert f"which clips these are: {tmp_path / 'mine.scores.leaks.csv'}" in said
    assert (tmp_path / "mine.scores.leaks.csv").is_file() and (tmp_path / "mine.scores.parquet").is_file()


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


@pytest.mark.parametrize("apart", [True, False], ids=["a file each", "excerpts of one recording"])
def test_transcribe_by_ctc(apart: bool, tmp_path, monkeypatch, capsys) -> None:
    """Words of a language of three tones, a quarter of a second each."""
    random = np.random.default_rng(0)
    rows, words = [], []
    for number in range(40):
        text = "".join(random.choice(list("abc"), size=random.integers(3, 6)))
        time = np.arange(4000) / 16_000
        tones = [
            np.sin(2 * np.pi * {"a": 300, "b": 900, "c": 2700}[letter] * time) * np.hanning(4000) for letter in text
        ]
        waveform = 0.3 * np.concatenate(tones) + 0.003 * random.standard_normal(4000 * len(text))
        words.append(waveform.astype(np.float32))
        rows.append({"path": f"{number}.wav", "text": text})
        audio.write(tmp_path / f"{number}.wav", words[-1], sample_rate=16_000)
    if not apart:
        ends = np.cumsum([len(word) for word in words]) / 16_000
        audio.write(tmp_path / "all.wav", np.concatenate(words), sample_rate=16_000)
        starts = [0.0, *ends[:-1]]
        rows = [
            {"path": "all.wav", "start": float(start), "end": float(end), "text": row["text"]}
            for row, start, end in zip(rows, starts, ends, strict=True)
        ]
    Manifest.from_rows(rows, root=tmp_path).write(tmp_path / "words.csv")
    run("transcribe_by_ctc.py", tmp_path / "words.csv", "byola-2020-512", 300, monkeypatch=monkeypatch)
    lines = [line for line in capsys.readouterr().out.splitlines() if ".wav from " in line]
    assert len(lines) == 8
    right = [line.split(": ")[1].split(" (was ")[0] == line.rstrip(")").split("was ")[1] for line in lines]
    assert sum(right) >= 6


def test_synthesise_by_gradient(tmp_path, tone, sound_file, monkeypatch, capsys) -> None:
    target = sound_file("target.wav", tone(1200, seconds=1.0))
    run("synthesise_by_gradient.py", target, tmp_path / "out.wav", "byola-2020-512", 60, monkeypatch=monkeypatch)
    first, *_, last = (float(line.split()[-1]) for line in capsys.readouterr().out.splitlines())
    assert last < first / 2
    imitation = audio.read(tmp_path / "out.wav", sample_rate=16_000)
    assert len(imitation) == 16_000
    bands = np.abs(np.fft.rfft(imitation))[:8000].reshape(-1, 400).max(axis=1)  # of 400 Hz
    assert bands.argmax() in (2, 3)  # 800 to 1,600 Hz


def test_adapt_to_a_site(world, tmp_path, monkeypatch, capsys) -> None:
    model = auricle.load("byola-2020-512")
    model.set_statistics(mean=-1.0, std=1.0)  # of another site
    model.save_pretrained(tmp_path / "general")
    (world.root / "speech" / "1-empty.wav").touch()
    given = ("steps=2", "batch_size=4", "statistics_crops=8", "log_every=1", "workers=1")
    run(
        "adapt_to_a_site.py",
        world.root / "speech",
        tmp_path / "general",
        tmp_path / "site",
        *given,
        monkeypatch=monkeypatch,
    )
    said = capsys.readouterr().out
    assert "step 2 of 2: loss" in said
    assert "before: " in said and "log-mel mean -1.00, std 1.00" in said
    adapted = auricle.load(tmp_path / "site")
    assert adapted.embedding_dim == 512
    assert adapted.statistics["mean"] < -3
    assert adapted.weights_fingerprint != model.weights_fingerprint


def test_the_study_on_real_audio_can_be_read() -> None:
    study = load_study(EXAMPLES / "real_study.yaml")
    assert set(study.diets) == {"speech", "non-speech"}
    assert "esc50" in study.tasks
    assert not any("esc50" in source for sources in study.diets.values() for source in sources)


@pytest.mark.real
def test_list_base_diet(real_data, tmp_path, monkeypatch, capsys) -> None:
    run("list_base_diet.py", real_data, tmp_path / "diet.parquet", monkeypatch=monkeypatch)
    assert "vctk: 850 clips" in capsys.readouterr().out
    heard = {path.resolve() for path in Manifest.read(tmp_path / "diet.parquet").files}
    assert len(heard) == 9132  # what docs/weights.md begins with
    assert not {path for path in heard if {"ESC-50-master", "AVA-Speech", "emodb"} & set(path.parts)}
    assert not {path for path in heard if "VCTK" in str(path) and 310 <= int(path.parent.name[1:]) <= 349}
    for line in (real_data / "speech_commands" / "testing_list.txt").read_text().split("\n"):
        assert not line or (real_data / "speech_commands" / line).resolve() not in heard
