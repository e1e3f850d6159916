import numpy as np
import pytest

from .sounds import RATE, click, described, harmonic, noise, silence, swinging, times, tone


@pytest.mark.parametrize("rise", [0.05, 0.2, 0.8])
def test_the_attack_of_a_straight_rise_is_seven_tenths_of_it(rise: float) -> None:
    # From 20 to 90 % of the amplitude.
    waveform = tone(1000.0) * np.minimum(times(1.5) / rise, 1.0)[:RATE]
    waveform = np.concatenate([silence(0.3), waveform])
    assert described(waveform, "attack_time")["attack_time"] == pytest.approx(0.7 * rise, abs=0.01)


def test_a_sound_that_is_there_at_once_has_the_shortest_attack() -> None:
    for waveform in (tone(1000.0), click(), noise(rms=0.1) * np.exp(-20 * times())):
        assert described(waveform, "attack_time")["attack_time"] <= 0.02


def test_the_attack_is_that_of_the_loudest_sound() -> None:
    first = 0.1 * tone(500.0)
    rising = tone(500.0) * times()
    found = described(np.concatenate([first, silence(0.2), rising]), "attack_time")
    assert found["attack_time"] == pytest.approx(0.7, abs=0.01)


def test_the_temporal_centroid_is_the_middle_of_the_energy() -> None:
    assert described(tone(440.0), "temporal_centroid")["temporal_centroid"] == pytest.approx(0.5, abs=0.005)
    assert described(click(at=0.8), "temporal_centroid")["temporal_centroid"] == pytest.approx(0.8, abs=0.01)
    # Energy of exp(-2 t / T) from 0: its mean time is T / 2.
    decaying = tone(440.0, seconds=2.0) * np.exp(-times(2.0) / 0.2)
    assert described(decaying, "temporal_centroid")["temporal_centroid"] == pytest.approx(0.1, abs=0.005)


def test_the_effective_duration_is_the_time_within_20_decibels() -> None:
    between = np.concatenate([silence(0.25), tone(440.0, seconds=0.5), 0.05 * tone(440.0, seconds=0.5)])
    assert described(between, "effective_duration")["effective_duration"] == pytest.approx(0.5, abs=0.02)
    decaying = tone(440.0, seconds=2.0) * 10 ** (-2 * times(2.0))  # 40 dB per second
    assert described(decaying, "effective_duration")["effective_duration"] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("seconds", [1.5, 2.0, 6.0])
@pytest.mark.parametrize(("hertz", "depth"), [(2.0, 0.8), (4.0, 0.5), (11.3, 0.2), (19.0, 0.5)])
def test_swinging_noise_has_the_rate_and_depth_it_was_given(seconds: float, hertz: float, depth: float) -> None:
    found = described(swinging(noise(seconds=seconds), hertz, depth), "am_rate", "am_depth")
    assert found["am_rate"] == pytest.approx(hertz, abs=0.15)
    # A window of 20 ms levels a swing by sinc(0.02 f): 9 % at 12 Hz, a quarter at 19.
    assert found["am_depth"] == pytest.approx(depth * np.sinc(0.02 * hertz), rel=0.12)


def test_a_sound_that_does_not_swing_has_no_rate() -> None:
    found = described(harmonic(200.0, seconds=2.0), "am_rate", "am_depth")
    assert np.isnan(found["am_rate"])
    assert found["am_depth"] < 0.01


def test_what_swings_less_than_twice_within_a_clip_is_no_modulation() -> None:
    once = described(swinging(tone(440.0, seconds=0.5), 2.0, 0.8), "am_rate")
    assert not once["am_rate"] < 4.0
    assert np.isnan(described(tone(440.0, seconds=0.05), "am_depth")["am_depth"])


def test_silence_has_no_envelope() -> None:
    assert np.isnan(list(described(silence(), "envelope").values())).all()
