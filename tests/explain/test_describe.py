"""Describing in bulk: the values of `describe`, one column each, with the manners of embedding."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from typer.testing import CliRunner

from auricle import audio
from auricle.cli import app
from auricle.errors import AuricleError
from auricle.explain.describe import describe_manifest
from auricle.explain.descriptors import COLUMNS, describe
from auricle.manifest import Manifest

from .descriptors.sounds import RATE, harmonic, noise, silence, tone


@pytest.fixture
def field(tmp_path: Path) -> Path:
    folder = tmp_path / "field"
    folder.mkdir()
    sounds = {
        "a hum.wav": harmonic(220.0, seconds=1.3),
        "b noise.flac": noise(seconds=2.1),
        "c silence.wav": silence(0.5),
        "d tick.wav": tone(2500.0, seconds=0.01),
    }
    for name, waveform in sounds.items():
        audio.write(folder / name, waveform.astype(np.float32), sample_rate=RATE)
    (folder / "e broken.wav").write_bytes(b"RIFF")
    return folder


def test_a_row_holds_the_descriptors_of_its_file_and_nothing_where_there_are_none(field: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.parquet"
    summary = describe_manifest(Manifest.from_folder(field), out=out, workers=1)
    assert (summary.rows, summary.clips, summary.rejected) == (4, 5, 1)
    assert "e broken.wav" in (tmp_path / "o.rejected.csv").read_text()
    table = pq.read_table(out)
    assert table.column_names == ["path", "start", "end", *COLUMNS]
    assert {table.schema.field(name).type for name in COLUMNS} == {pa.float32()}
    for row in table.to_pylist():
        waveform = torch.from_numpy(audio.read(field / row["path"], sample_rate=RATE))[None]
        for name, value in describe(waveform).items():
            expected = None if value.isnan() else pytest.approx(value.item(), rel=1e-3, abs=1e-5)
            assert row[name] == expected, (row["path"], name)
    frame = pd.read_parquet(out).set_index("path")
    assert frame.loc["a hum.wav", "f0_median"] == pytest.approx(220.0, rel=0.003)
    assert frame.loc["c silence.wav", "rms_level"] == -120.0
    assert np.isnan(frame.loc["c silence.wav", "spectral_centroid_median"])


def test_columns_of_the_manifest_are_carried_and_windows_are_rows_of_their_own(field: Path, tmp_path: Path) -> None:
    rows = [{"path": "b noise.flac", "label": "hiss", "start": 0.1, "end": 2.1}, {"path": "a hum.wav", "label": None}]
    manifest = Manifest.from_rows(rows, root=field)
    describe_manifest(manifest, out=tmp_path / "o.parquet", names=["envelope", "f0"], window=1.0, hop=0.5, workers=1)
    found = pq.read_table(tmp_path / "o.parquet")
    assert found.column("label").to_pylist() == ["hiss"] * 3 + [None] * 2
    assert found.column("start").to_pylist() == pytest.approx([0.1, 0.6, 1.1, 0.0, 0.5])
    waveform = torch.from_numpy(audio.read(field / "b noise.flac", sample_rate=RATE))[None, 9600:25600]
    expected = describe(waveform, names=["temporal_centroid"])["temporal_centroid"].item()
    assert found.column("temporal_centroid")[1].as_py() == pytest.approx(expected, rel=1e-4)
    metadata = {key.decode(): value.decode() for key, value in found.schema.metadata.items()}
    assert metadata["model"] == "acoustic descriptors" and metadata["apart"] == "true"


def test_a_long_recording_has_the_median_of_its_minutes(tmp_path: Path) -> None:
    minutes = [noise(seconds=60.0, seed=seed, rms=rms) for seed, rms in enumerate((0.01, 0.1))]
    recording = np.concatenate([*minutes, noise(seconds=40.0, seed=2, rms=0.03)]).astype(np.float32)
    audio.write(tmp_path / "long.wav", recording, sample_rate=RATE)
    manifest = Manifest.from_rows([{"path": "long.wav"}], root=tmp_path)
    summary = describe_manifest(manifest, out=tmp_path / "o.parquet", names=["rms_level", "f0"], workers=1)
    row = pq.read_table(tmp_path / "o.parquet").to_pylist()[0]
    assert row["rms_level"] == pytest.approx(20 * np.log10(0.03), abs=0.02)
    assert row["f0_median"] is None
    assert (row["end"], summary.seconds) == (pytest.approx(160.0), pytest.approx(160.0))


def test_what_is_asked_otherwise_is_another_job(field: Path, tmp_path: Path) -> None:
    manifest = Manifest.from_folder(field)
    describe_manifest(manifest, out=tmp_path / "o.parquet", names=["f0"], workers=1)
    assert describe_manifest(manifest, out=tmp_path / "o.parquet", names=["f0"], workers=1).was_complete
    with pytest.raises(AuricleError, match="of another job"):
        describe_manifest(manifest, out=tmp_path / "o.parquet", names=["envelope"], workers=1)
    with pytest.raises(AuricleError, match="no descriptor is called 'f1'"):
        describe_manifest(manifest, out=tmp_path / "p.parquet", names=["f1"], workers=1)


def test_the_command_prints_one_line_and_does_nothing_the_second_time(field: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.parquet"
    arguments = ["describe", str(field), "--out", str(out), "--only", "level", "--only", "f0", "--workers", "1"]
    first = CliRunner().invoke(app, [*arguments, "--device", "cpu"])
    assert first.exit_code == 0, first.output
    assert first.stdout == f"{out}: 4 descriptions of 5 clips · 0.00 h · 1 rejected ({tmp_path / 'o.rejected.csv'})\n"
    assert "describing" in first.stderr and "5/5 clips" in first.stderr
    assert pq.read_schema(out).names[-1] == "f0_median"
    second = CliRunner().invoke(app, arguments)
    assert second.stdout.strip().endswith("(complete already, nothing to do)")


def test_killed_and_started_again_it_holds_the_same_as_undisturbed(tmp_path: Path) -> None:
    # Five minutes are two pools; the kill comes while the first part is being written.
    field = tmp_path / "field"
    field.mkdir()
    for number in range(40):
        audio.write(field / f"{number:03d}.wav", noise(seconds=8.0, seed=number).astype(np.float32), sample_rate=RATE)
    manifest = Manifest.from_folder(field)
    describe_manifest(manifest, out=tmp_path / "whole.parquet", names=["f0", "spectral_centroid"], workers=1)
    out = tmp_path / "o.parquet"
    only = ["--only", "f0", "--only", "spectral_centroid", "--workers", "1", "--device", "cpu"]
    command = [sys.executable, "-m", "auricle", "describe", str(field), "--out", str(out), *only]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    parts = tmp_path / "o.parquet.parts"
    while process.poll() is None and not any(parts.glob("*part-*")):
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not out.exists()
    subprocess.run(command, check=True, capture_output=True)
    assert pq.read_table(out).equals(pq.read_table(tmp_path / "whole.parquet"))
    assert not parts.exists()
