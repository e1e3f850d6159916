"""Spoken digits planted at known times in a long recording of real background sound are found there."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from auricle import audio
from auricle.embedding import embed_manifest, read_embeddings
from auricle.manifest import Manifest
from auricle.models import registry
from auricle.transfer import ProbeSettings, fit_probe
from auricle.transfer.predict import predict
from auricle.transfer.saved_probe import load_probe, save_probe

ENCODER = "logmel-stats"
RATE = 16_000
WINDOW = 0.5
DIGITS = ("3", "7")


def training_clips(data: Path, backgrounds: list[str]) -> Manifest:
    """Two digits, and excerpts of background: every third file selects."""
    digits = Manifest.read(data / "digits" / "manifest.csv")
    rows: list[dict[str, object]] = [
        {"path": f"digits/{path}", "label": label, "split": split}
        for path, label, split in zip(*map(digits.column, ("path", "label", "split")), strict=True)
        if label in DIGITS
    ]
    for number, path in enumerate(backgrounds):
        split = ("train", "valid", "train", "test")[number % 4]
        clip = {"path": path, "label": "neither", "split": split}
        rows += [clip | {"start": start, "end": start + WINDOW} for start in (0.0, 2.0, 4.0, 6.0)]
    return Manifest.from_rows([{"start": None, "end": None, **row} for row in rows], root=data)


@pytest.mark.real
def test_digits_are_found_in_background_sound(real_data: Path, tmp_path: Path) -> None:
    table = Manifest.read(real_data / "unlabelled" / "manifest.csv")
    long = [
        f"unlabelled/{path}"
        for path, seconds in zip(table.column("path"), table.column("seconds"), strict=True)
        if 8 < seconds < 60
    ]
    learnt, heard = long[0:240:3], long[1:60:3]  # different files of the same projects
    manifest = training_clips(real_data, learnt)
    encoder = registry.load(ENCODER)
    embed_manifest(encoder, manifest, out=tmp_path / "clips.parquet", workers=1)
    settings = ProbeSettings(learning_rate=1e-3, standardise=True)
    fitted = fit_probe(read_embeddings(tmp_path / "clips.parquet")[1], manifest, protocol="ogg2025", settings=settings)
    probe = save_probe(
        tmp_path / "probe",
        fitted,
        model=ENCODER,
        weights_fingerprint=encoder.weights_fingerprint,
        manifest=manifest,
    )

    # Two minutes and a half of background; every six seconds a digit of a take that the probe has not heard.
    generator = np.random.default_rng(0)
    sound = np.concatenate([audio.read(real_data / path, sample_rate=RATE, duration=8.0) for path in heard])[
        : 150 * RATE
    ]
    sound = 0.3 * sound / np.abs(sound).max()
    unheard = [row for row in manifest.table.to_pylist() if row["split"] == "test" and row["label"] in DIGITS]
    planted = []
    for at in np.arange(3.0, 145.0, 6.0) + generator.uniform(0, 1, size=24):
        row = unheard[generator.integers(len(unheard))]
        digit = audio.read(real_data / row["path"], sample_rate=RATE)
        first = round(at * RATE)
        sound[first : first + len(digit)] += 0.5 * digit / np.abs(digit).max()
        planted.append((at, at + len(digit) / RATE, row["label"]))
    audio.write(tmp_path / "field" / "night.flac", sound.clip(-1, 1).astype(np.float32), sample_rate=RATE)

    saved = load_probe(probe)
    assert 0.3 < saved.window <= WINDOW
    recording = Manifest.from_folder(tmp_path / "field")
    predict(saved, saved.encoder(), recording, out=tmp_path / "e.parquet", only=DIGITS, workers=1)
    events = [(row["start"], row["end"], row["label"]) for row in pq.read_table(tmp_path / "e.parquet").to_pylist()]

    def overlaps(a: tuple[float, float, str], b: tuple[float, float, str]) -> bool:
        return a[0] < b[1] and b[0] < a[1]

    found = [any(overlaps(event, truth) and event[2] == truth[2] for event in events) for truth in planted]
    false = [event for event in events if not any(overlaps(event, truth) for truth in planted)]
    assert sum(found) >= 18  # three in four, of the right digit
    assert len(false) <= 12
    covered = sum(end - start for start, end, _ in events)
    assert covered < 40  # of 150 s: an alarm that never stops would find them all
