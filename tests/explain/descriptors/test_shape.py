"""Spectral shape against librosa where the definitions are the same, and on sounds of known shape."""

import librosa
import numpy as np
import pytest
from scipy import signal

from .sounds import RATE, described, harmonic, noise, silence, times, tone

FRAMES = {"n_fft": 1024, "win_length": 743, "hop_length": 185, "center": False}


def spectrum(waveform: np.ndarray) -> np.ndarray:
    """Magnitudes by librosa; its window lies in the middle of a longer frame, ours at its start."""
    before = np.zeros((1024 - 743) // 2)
    return np.abs(librosa.stft(np.concatenate([before, waveform, before]).astype(np.float32), **FRAMES))


def quartiles(values: np.ndarray) -> tuple[float, float]:
    low, middle, high = np.percentile(values, [25, 50, 75])
    return middle, high - low


SOUNDS = {
    "noise": noise(seed=1),
    "pink": noise(seed=2, octave=-3.01),
    "harmonic": harmonic(220.0) + noise(seed=3, rms=0.001),
    "sweep": signal.chirp(times(), 100, 1, 6000) + noise(seed=4, rms=0.01),
}


@pytest.mark.parametrize("sound", SOUNDS)
def test_centroid_spread_flatness_and_roll_off_are_librosas(sound: str) -> None:
    waveform = SOUNDS[sound]
    magnitude = spectrum(waveform)
    expected = {
        "spectral_centroid": librosa.feature.spectral_centroid(S=magnitude, sr=RATE),
        "spectral_spread": librosa.feature.spectral_bandwidth(S=magnitude, sr=RATE),
        "spectral_flatness": librosa.feature.spectral_flatness(S=magnitude),
        "spectral_roll_off": librosa.feature.spectral_rolloff(S=magnitude**2, sr=RATE, roll_percent=0.95),
    }
    found = described(waveform, *expected)
    for name, frames in expected.items():
        median, iqr = quartiles(frames)
        bin_width = RATE / 1024 if name == "spectral_roll_off" else 0.0  # librosa gives the bin, ours lies within it
        assert found[f"{name}_median"] == pytest.approx(median, rel=1e-3, abs=bin_width), name
        assert found[f"{name}_iqr"] == pytest.approx(iqr, rel=1e-2, abs=bin_width + 1e-3 * median), name


@pytest.mark.parametrize("hertz", [250.0, 1000.0, 4321.0])
def test_a_tone_has_centroid_and_roll_off_at_its_frequency_and_hardly_a_spread(hertz: float) -> None:
    found = described(tone(hertz), "spectral shape")
    assert found["spectral_centroid_median"] == pytest.approx(hertz, rel=0.005)
    assert found["spectral_roll_off_median"] == pytest.approx(hertz, abs=25)
    assert found["spectral_spread_median"] < 50
    place = 9.26449 * np.log(1 + hertz / (9.26449 * 24.7))
    assert found["erb_centroid_median"] == pytest.approx(place, abs=0.5)
    assert found["erb_roll_off_median"] == pytest.approx(place, abs=1.5)
    assert found["spectral_flatness_median"] < 1e-6


def test_two_tones_have_their_moments_by_arithmetic() -> None:
    # Amplitudes 2 at 1 kHz and 1 at 4 kHz: mean 2 kHz, variance 2 kHz^2, skewness 1 / sqrt(2), kurtosis 3/2.
    found = described(tone(1000.0, amplitude=0.4) + tone(4000.0, amplitude=0.2), "spectral shape")
    assert found["spectral_centroid_median"] == pytest.approx(2000, rel=0.01)
    assert found["spectral_spread_median"] == pytest.approx(1414, rel=0.01)
    assert found["spectral_skewness_median"] == pytest.approx(0.5**0.5, rel=0.03)
    assert found["spectral_kurtosis_median"] == pytest.approx(1.5, rel=0.03)


def test_white_noise_has_the_moments_of_a_uniform_distribution() -> None:
    found = described(noise(seconds=2.0), "spectral shape")
    assert found["spectral_centroid_median"] == pytest.approx(4000, rel=0.02)
    assert found["spectral_spread_median"] == pytest.approx(8000 / 12**0.5, rel=0.02)
    assert found["spectral_skewness_median"] == pytest.approx(0.0, abs=0.05)
    assert found["spectral_kurtosis_median"] == pytest.approx(1.8, rel=0.03)
    assert found["spectral_roll_off_median"] == pytest.approx(7600, rel=0.01)
    # Of exponentially distributed powers: exp(-gamma).
    assert found["spectral_flatness_median"] == pytest.approx(np.exp(-np.euler_gamma), abs=0.02)


@pytest.mark.parametrize("kind", ["spectral", "erb"])
@pytest.mark.parametrize("octave", [0.0, -3.01, -6.02])
def test_noise_has_the_slope_it_was_given(kind: str, octave: float) -> None:
    name = f"{kind}_slope_median"
    assert described(noise(seconds=2.0, octave=octave), name)[name] == pytest.approx(octave, abs=0.4)


@pytest.mark.parametrize("kind", ["spectral", "erb"])
@pytest.mark.parametrize("octave", [-3.01, -6.02, -12.04])
def test_a_harmonic_tone_has_the_slope_of_its_partials(kind: str, octave: float) -> None:
    name = f"{kind}_slope_median"
    found = described(harmonic(55.0, partials=145, octave=octave), name)
    assert found[name] == pytest.approx(octave, abs=0.5)


def test_level_does_not_change_the_shape() -> None:
    loud, quiet = (described(gain * SOUNDS["harmonic"], "spectral shape") for gain in (1.0, 0.01))
    assert loud == pytest.approx(quiet, rel=1e-3, abs=1e-4)


def test_a_sweep_has_the_spread_over_time_of_its_frequency() -> None:
    # From 500 to 4500 Hz at an even pace: half of the time is spent within 2 kHz.
    found = described(signal.chirp(times(2.0), 500, 2, 4500), "spectral_centroid")
    assert found["spectral_centroid_median"] == pytest.approx(2500, rel=0.02)
    assert found["spectral_centroid_iqr"] == pytest.approx(2000, rel=0.04)


def test_silence_has_no_shape() -> None:
    assert np.isnan(list(described(silence(), "spectral shape").values())).all()
