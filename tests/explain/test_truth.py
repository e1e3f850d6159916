"""What the analysis says about the synthetic sound world, where the truth is known."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
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


def encoder_of(factor: np.ndarray, seed: int) -> np.ndarray:
    """Embeddings that hold one factor and a little noise: cosine distance grows with the difference in it alone."""
    place = (factor - factor.min()) / np.ptp(factor) * np.pi / 2  # on a quarter of a circle
    circle = np.stack([np.cos(place), np.sin(place), *np.zeros((6, len(place)))], axis=1)
    return circle + 0.02 * np.random.default_rng(seed).standard_normal(circle.shape)


def retained(table: pa.Table) -> dict[str, set[str]]:
    """What each encoder is found to encode by partial RSA, after correction for all tests."""
    rows = [row for row in table.to_pylist() if row["kind"] == "descriptor"]
    found = {row["model"]: set() for row in rows}
    for row in rows:
        if row["r_partial"] > 0 and row["q_partial"] < 0.05:
            found[row["model"]].add(row["other"])
    return found


def test_an_encoder_of_one_factor_is_found_to_encode_that_one_and_no_other(events) -> None:
    factors, _ = events
    drawn = {"pitch": np.log2(factors["pitch"])} | {name: factors[name] for name in ("loudness", "brightness", "snr")}
    exact, false = 0, Counter()
    for draw in range(12):
        encoders = {name: encoder_of(values, 10 * draw + k) for k, (name, values) in enumerate(drawn.items())}
        table = rsa(encoders, drawn, permutations=499, draws=0, seed=draw)
        encoded = retained(table)
        assert all(name in others for name, others in encoded.items())
        own = [row for row in table.to_pylist() if row["model"] == row["other"]]
        assert all(row["r_partial"] > 0.95 and row["unique_variance"] > 0.9 for row in own)
        exact += encoded == {name: {name} for name in drawn}
        false.update((name, other) for name, others in encoded.items() for other in others - {name})
    # At a false discovery rate of 5 % one of sixteen findings may be false now and then, but never the same one again.
    assert exact >= 8
    assert max(false.values(), default=0) <= 2


def test_it_is_found_from_the_sound_too(events) -> None:
    # Of tones and hums, which have a pitch that can be measured.
    factors, measured = events
    tonal = np.isin(factors["event"], ["tone", "hum"]) & np.isfinite(measured["f0_median"])
    assert tonal.sum() > 30
    distances = {name: COLUMNS[name].comparable(values[tonal]) for name, values in measured.items()}
    encoders = {
        "rms_level": encoder_of(factors["loudness"][tonal], 1),
        "f0_median": encoder_of(np.log2(factors["pitch"][tonal]), 2),
    }
    table = rsa(encoders, distances, permutations=999, draws=0)
    assert retained(table) == {name: {name} for name in encoders}


def test_an_encoder_of_nothing_that_is_described_is_found_to_encode_nothing(events) -> None:
    factors, _ = events
    other = np.random.default_rng(5).uniform(size=len(factors["pitch"]))
    drawn = {name: factors[name] for name in ("pitch", "loudness", "brightness", "snr")}
    assert retained(rsa({"encoder": encoder_of(other, 0)}, drawn, permutations=999, draws=0)) == {"encoder": set()}
