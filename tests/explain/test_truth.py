"""What the analysis says about the synthetic sound world, where the truth is known."""

from pathlib import Path

import numpy as np
import pytest
import torch

from auricle import audio, synth
from auricle.explain.descriptors import COLUMNS, describe
from auricle.explain.rsa import rsa
from auricle.manifest import Manifest

RATE = 16_000


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Factors of 120 events as they were drawn, and their descriptors as measured."""
    root: Path = tmp_path_factory.mktemp("world")
    manifest = Manifest.read(synth.make(root, clips=240, seed=3).tasks["event"])
    waveforms = np.stack([audio.read(file, sample_rate=RATE) for file in manifest.files])
    found = describe(torch.from_numpy(waveforms), names=["rms_level", "spectral_centroid_median", "f0_median"])
    measured = {name: values.numpy() for name, values in found.items()}
    columns = ("event", "pitch", "loudness", "brightness", "snr")
    return {name: np.array(manifest.column(name)) for name in columns}, measured


def test_measured_level_is_the_loudness_that_was_drawn(events) -> None:
    factors, measured = events
    assert np.abs(measured["rms_level"] - factors["loudness"]).max() < 0.02


def test_measured_pitch_is_the_one_that_was_drawn(events) -> None:
    factors, measured = events
    clear = np.isin(factors["event"], ["tone", "hum"]) & (factors["snr"] > 10)
    assert clear.sum() > 10
    assert measured["f0_median"][clear] == pytest.approx(factors["pitch"][clear], rel=0.02)


@pytest.mark.parametrize("encoded", ["rms_level", "spectral_centroid_median", "f0_median"])
def test_an_encoder_of_one_factor_is_found_to_encode_it(events, encoded: str) -> None:
    factors, measured = events
    drawn = {
        "rms_level": factors["loudness"],
        "spectral_centroid_median": factors["brightness"],
        "f0_median": np.log(factors["pitch"]),
    }
    place = (drawn[encoded] - drawn[encoded].min()) / np.ptp(drawn[encoded])
    distances = {name: COLUMNS[name].comparable(values) for name, values in measured.items()}
    # A quarter of a circle: cosine distance grows with the difference in the factor alone.
    embedding = np.stack([np.cos(place * np.pi / 2), np.sin(place * np.pi / 2)], axis=1)
    rows = {row["other"]: row for row in rsa({"encoder": embedding}, distances, permutations=499).to_pylist()}
    assert rows[encoded]["q"] < 0.01
    assert rows[encoded]["r_s"] == max(row["r_s"] for row in rows.values())
    if encoded == "rms_level":  # which nothing else depends on, where brightness and pitch both move the centroid
        assert rows[encoded]["r_s"] > 0.99
        assert rows["spectral_centroid_median"]["q"] > 0.05
        assert rows["f0_median"]["q"] > 0.05
