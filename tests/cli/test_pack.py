"""The commands ``auricle corpora`` and ``auricle pack`` as a person gives them."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from auricle.cli import app
from auricle.errors import AuricleError
from auricle.manifest import Manifest

HOUR = 3600


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MUSAN's layout: 20 s of music, 10 s of noise, 30 s of speech."""
    root = tmp_path_factory.mktemp("data")
    for part, seconds in (("music/fma/a", 20), ("noise/free-sound/b", 14), ("speech/librivox/c", 30)):
        path = root / "musan" / f"{part}.wav"
        path.parent.mkdir(parents=True)
        soundfile.write(path, np.random.default_rng(seconds).uniform(-0.5, 0.5, 16_000 * seconds), 16_000)
    return root


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=code == 2)
    assert result.exit_code == code, result.output
    return result.output


def test_corpora_counts_ours_beside_the_papers(data: Path, tmp_path: Path) -> None:
    assert len(json.loads(run("corpora", "--json"))) == 12
    said = run("corpora", "musan", "--root", data)
    assert said.splitlines() == [
        f"musan: 6 clips, 0.02 h in {data / 'musan'}",
        "  the paper: 38,343 clips, 106.5 h; here are 0.0% of its hours",
    ]
    out = tmp_path / "musan.csv"
    ours = json.loads(run("corpora", "musan", "--root", data, "--without-speech", "--out", out, "--json"))
    assert (ours["clips"], ours["hours"], ours["paper_clips"]) == (3, pytest.approx(30 / HOUR), 38343)
    manifest = Manifest.read(out)
    assert len(manifest) == 3 and all(file.is_file() for file in manifest.files)
    assert "DATA/musan/music" in run("corpora", "musan")
    run("corpora", "ami", "--without-speech", code=2)


def test_pack_plans_packs_verifies_and_finds_damage(data: Path, tmp_path: Path) -> None:
    (tmp_path / "diet.yaml").write_text("name: quiet\ncorpora: {musan: 2}\nmusan_speech: false\n")
    diet = ("--diet", tmp_path / "diet.yaml", "--root", data)
    assert "2 files · 3 clips · 0.01 h · 960 kB" in run("pack", *diet, "--dry-run")
    out = tmp_path / "pack"
    said = run("pack", *diet, "--out", out, "--workers", 1)
    assert f"{out}: 3 clips · 0.01 h · 960 kB in 1 shard" in said
    assert "(complete already, nothing to do)" in run("pack", *diet, "--out", out)
    assert f"{out}: 3 clips in 1 shard, whole and unchanged (960 kB)" in run("pack", "--verify", out)
    shard = out / "shards" / "00000.pcm"
    content = bytearray(shard.read_bytes())
    content[400_000] ^= 1
    shard.write_bytes(content)
    said = run("pack", "--verify", out, code=1)
    assert f"{out}: 1 of 3 clips are not what was packed:\n  music/fma/a.wav (10–20 s) in shards/00000.pcm" in said


@pytest.mark.parametrize("drop", ["exact", "near"])
def test_what_is_given_twice_is_packed_once_when_duplicates_are_dropped(tmp_path: Path, drop: str) -> None:
    generator = np.random.default_rng(0)
    for name in ("a", "b"):
        soundfile.write(tmp_path / f"{name}.wav", generator.uniform(-0.5, 0.5, 40_000), 16_000)
    one, both = tmp_path / "a.wav", tmp_path
    with pytest.raises(AuricleError, match="is the same clip as row 1"):
        run("pack", both, one, "--out", tmp_path / "x")
    said = run("pack", both, one, "--drop", drop, "--out", tmp_path / "pack", "--workers", 1)
    assert "2 clips" in said and "1 dropped (dropped.csv)" in said
    with (tmp_path / "pack" / "dropped.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert Path(row["path"]) == one and row["same_as"] == "a.wav"
    said = run("pack", one, "--drop", drop, "--out", tmp_path / "single", "--workers", 1)
    assert "1 file · 1 clip · " in said and "1 clip · 0.00 h · 80.0 kB in 1 shard · no duplicates" in said


def test_pack_says_what_is_missing_from_the_command(tmp_path: Path) -> None:
    assert "give --out" in run("pack", tmp_path, code=2)
    with pytest.raises(AuricleError, match=rf"^{tmp_path / 'nowhere'} does not exist$"):
        run("pack", "--verify", tmp_path / "nowhere")
    with pytest.raises(AuricleError, match=r"^memory://nowhere does not exist$"):
        run("pack", "--verify", "memory://nowhere")
    with pytest.raises(AuricleError, match=f"{tmp_path} is not a finished pack"):
        run("pack", "--verify", tmp_path)
    assert "--verify takes nothing else" in run("pack", tmp_path, "--verify", tmp_path, code=2)
