import numpy as np
import pytest
from scipy import signal

from .sounds import RATE, described, harmonic, noise, silence, swinging, times, tone


def ripples(*, rate: float, scale: float, seconds: float = 2.0, depth: float = 0.9) -> np.ndarray:
    """A moving ripple (Chi et al. 1999): sines 20 Hz apart, whose levels swing over time and over frequency."""
    rng = np.random.default_rng(0)
    time, waveform = times(seconds), np.zeros(round(seconds * RATE))
    for hertz in np.arange(100, 7900, 20.0):
        swing = 1 + depth * np.sin(2 * np.pi * (rate * time + scale * hertz / 1000))
        waveform += swing * np.sin(2 * np.pi * (hertz * time + rng.random()))
    return 0.1 * waveform / np.sqrt(np.mean(waveform**2))


def octave_of(found: dict[str, float], axis: str) -> int:
    """The octave of rate or scale with the largest share, from 0."""
    return int(np.argmax([found[f"modulation_{axis}_octave_{number}"] for number in range(1, 6)]))


@pytest.mark.parametrize(("rate", "octave"), [(1.5, 0), (3.0, 1), (5.7, 2), (11.3, 3)])
def test_swinging_noise_has_its_power_in_the_octave_of_its_rate(rate: float, octave: int) -> None:
    assert octave_of(described(swinging(noise(seconds=4.0), rate, 0.9), "modulation"), "rate") == octave


@pytest.mark.parametrize(("hertz", "octave"), [(150.0, 4), (300.0, 3)])
def test_a_harmonic_tone_ripples_once_per_fundamental(hertz: float, octave: int) -> None:
    # Partials 300 Hz apart are 3.3 cycles per kHz.
    tone_of_many = harmonic(hertz, partials=60, octave=0.0, seconds=2.0) + noise(seconds=2.0, rms=0.01)
    assert octave_of(described(tone_of_many, "modulation"), "scale") == octave


@pytest.mark.parametrize(("scale", "octave"), [(0.35, 0), (0.7, 1), (1.4, 2), (2.8, 3)])
def test_a_ripple_over_frequency_has_its_scale(scale: float, octave: int) -> None:
    assert octave_of(described(ripples(rate=4.0, scale=scale), "modulation"), "scale") == octave


def test_the_speech_region_holds_slow_broad_modulation_and_neither_fast_nor_fine() -> None:
    share = "modulation_speech_share"
    slow_broad = described(ripples(rate=4.0, scale=0.5), share)[share]
    fast = described(ripples(rate=14.0, scale=0.5), share)[share]
    fine = described(ripples(rate=4.0, scale=2.5), share)[share]
    assert slow_broad > 0.5
    assert max(fast, fine) < 0.35 * slow_broad
    # Noise has no preference: 6 of 31 Hz, 1 of 8 cycles per kHz.
    white = described(noise(seconds=4.0), share)[share]
    assert 0.5 * 6 / 31 / 8 < white < 3 * 6 / 31 / 8


def test_shares_of_rate_and_of_scale_each_sum_to_one() -> None:
    found = described(noise(), "modulation")
    for axis in ("rate", "scale"):
        assert sum(value for name, value in found.items() if f"_{axis}_octave" in name) == pytest.approx(1.0)


def test_level_does_not_change_modulations() -> None:
    loud, quiet = (described(gain * ripples(rate=4.0, scale=0.5), "modulation") for gain in (1.0, 0.01))
    assert loud == pytest.approx(quiet, abs=1e-4)


def test_a_steady_tone_has_scales_and_no_rates() -> None:
    found = described(tone(1000.0, seconds=2.0), "modulation")
    assert np.isnan(found["modulation_rate_octave_1"]) and np.isnan(found["modulation_speech_share"])
    assert np.isfinite(found["modulation_scale_octave_1"])


@pytest.mark.parametrize("waveform", [silence(), signal.chirp(times(0.2), 200, 0.2, 800)])
def test_silence_and_what_is_shorter_than_a_quarter_second_have_none(waveform: np.ndarray) -> None:
    assert np.isnan(list(described(waveform, "modulation").values())).all()
