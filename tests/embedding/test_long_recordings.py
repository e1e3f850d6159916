"""Long recordings that turn out to be broken, or are refused, cost themselves and keep nobody waiting."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import soundfile

from auricle.embedding import embed_manifest, read_embeddings
from auricle.manifest import Manifest
from auricle.models.registry import load

from .sounds import RATE, noise


def test_a_long_recording_that_breaks_further_on_is_rejected_but_keeps_its_windows(tmp_path: Path) -> None:
    sound = noise(100.0)
    sound[95 * RATE] = np.nan
    soundfile.write(tmp_path / "a.wav", sound, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "b.wav", noise(1.0), RATE)
    manifest = Manifest.from_folder(tmp_path)
    for options, rows in (({}, ["b.wav"]), ({"window": 10.0}, ["a.wav"] * 9 + ["b.wav"])):
        out = tmp_path / f"{len(rows)}.parquet"
        summary = embed_manifest(load("logmel-stats"), manifest, out=out, workers=1, **options)
        assert read_embeddings(out)[0].column("path").to_pylist() == rows
        assert summary.rejected == 1
        assert "NaN or infinite, the first at 95.000 s" in summary.rejected_path.read_text()


def test_a_long_recording_that_the_encoder_refuses_does_not_keep_the_next_one_waiting(tmp_path: Path) -> None:
    sound = noise(150.0)
    sound[RATE] = 1e30  # its power is infinite, which is found long before all has been decoded
    soundfile.write(tmp_path / "a.wav", sound, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "b.wav", noise(1.0), RATE)
    out = tmp_path / "o.parquet"
    summary = embed_manifest(load("logmel-stats"), Manifest.from_folder(tmp_path), out=out, workers=1, frames=True)
    assert summary.rejected == 1 and "not finite" in summary.rejected_path.read_text()
    assert set(pq.read_table(out).column("path").to_pylist()) == {"b.wav"}
