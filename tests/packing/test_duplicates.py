"""Nothing twice, and nothing that a task is scored on."""

import csv
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile

from auricle.manifest import Manifest
from auricle.packing.reader import open_pack
from auricle.packing.run import pack

from .sounds import noise

RATE = 16_000


NAMES = "abcdefgh"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight recordings, each with two copies: in another format, and softer and cut."""
    root = tmp_path_factory.mktemp("recordings")
    for seed, name in enumerate(NAMES):
        # Noise around a frequency of its own that comes and goes, of 16 bits, so that WAV and FLAC hold the same.
        angle = 2 * np.pi * 300 * 1.4**seed / RATE
        sound = scipy.signal.lfilter([0.1], [1.0, -1.8 * np.cos(angle), 0.81], noise(3.0, RATE, seed=seed)[:, 0])
        gain = np.repeat(np.random.default_rng(seed).uniform(0.1, 1.0, 30), RATE // 10)
        samples = np.rint(sound * gain * 32767).astype(np.int16)
        soundfile.write(root / f"{name}.wav", samples, RATE, subtype="PCM_16")
        soundfile.write(root / f"{name}-copy.flac", samples, RATE)
        soundfile.write(root / f"{name}-soft.flac", 0.5 * samples[1600:] / 32768, RATE)
    return root


def dropped(out: Path) -> dict[str, str]:
    with (out / "dropped.csv").open(newline="") as file:
        return {Path(row["path"]).name: row["same_as"] for row in csv.DictReader(file)}


def names(out: Path) -> list[str]:
    return [stretch.path.name for stretch in open_pack(out).stretches]


def test_all_is_kept_unless_asked(folder: Path, tmp_path: Path) -> None:
    summary = pack(Manifest.from_folder(folder), tmp_path / "pack", workers=1)
    assert (summary.clips, summary.dropped) == (24, 0) and not (tmp_path / "pack" / "dropped.csv").exists()


def test_exact_duplicates_are_the_same_samples_in_any_format(folder: Path, tmp_path: Path) -> None:
    summary = pack(Manifest.from_folder(folder), tmp_path / "pack", workers=1, drop="exact", shard_bytes=100_000)
    assert dropped(tmp_path / "pack") == {f"{name}.wav": f"{name}-copy.flac" for name in NAMES}
    assert (summary.clips, summary.dropped, summary.shards) == (16, 8, 8)  # two clips of 93 or 96 kB each


def test_near_duplicates_go_too(folder: Path, tmp_path: Path) -> None:
    pack(Manifest.from_folder(folder), tmp_path / "pack", workers=1, drop="near")
    assert names(tmp_path / "pack") == [f"{name}-copy.flac" for name in NAMES]
    assert set(dropped(tmp_path / "pack")) == {f"{name}{end}" for name in NAMES for end in (".wav", "-soft.flac")}


def test_what_a_task_is_scored_on_stays_out_and_its_training_part_does_not(folder: Path, tmp_path: Path) -> None:
    rows = [("a.wav", "train"), ("b.wav", "valid"), *((f"{name}.wav", "test") for name in NAMES[2:])]
    task = Manifest.from_rows([{"path": path, "split": split} for path, split in rows], root=folder, source="birds")
    pack(Manifest.from_folder(folder), tmp_path / "exact", workers=1, against=[task])
    assert dropped(tmp_path / "exact") == {
        "a.wav": "a-copy.flac",
        **{f"{name}{end}": f"birds: {name}.wav" for name in NAMES[1:] for end in (".wav", "-copy.flac")},
    }
    pack(Manifest.from_folder(folder), tmp_path / "near", workers=1, against=[task], drop="near")
    assert names(tmp_path / "near") == ["a-copy.flac"]
