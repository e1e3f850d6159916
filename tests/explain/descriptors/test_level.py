import numpy as np
import pytest
from scipy import signal

from .sounds import RATE, click, described, noise, silence, times, tone


@pytest.mark.parametrize(
    ("waveform", "expected"),
    [(tone(440, amplitude=1.0), -3.01), (tone(440, amplitude=0.1), -23.01), (np.ones(RATE), 0.0), (silence(), -120.0)],
)
def test_the_level_is_the_root_mean_square_in_decibels(waveform: np.ndarray, expected: float) -> None:
    assert described(waveform, "rms_level")["rms_level"] == pytest.approx(expected, abs=0.01)


def test_ten_times_the_amplitude_is_20_db_more_in_every_band() -> None:
    quiet, loud = described(0.1 * noise(), "level"), described(noise(), "level")
    for name in quiet:
        assert loud[name] - quiet[name] == pytest.approx(0.0 if name.endswith("iqr") else 20.0, abs=0.01), name


def test_frame_level_of_a_steady_tone_is_its_level_and_does_not_vary() -> None:
    found = described(tone(1000, amplitude=1.0), "frame_level")
    assert found["frame_level_median"] == pytest.approx(-3.01, abs=0.02)
    assert found["frame_level_iqr"] < 0.05


def test_frame_level_of_a_fading_tone_has_the_spread_of_its_decibels() -> None:
    # 40 dB in a second: the middle lies at -23, half of the frames within 20 dB, less the length of a frame.
    fading = tone(1000, amplitude=1.0) * 10 ** (-2 * times())
    found = described(fading, "frame_level")
    assert found["frame_level_median"] == pytest.approx(-23.0, abs=0.5)
    assert found["frame_level_iqr"] == pytest.approx(20 * (1 - 743 / RATE), abs=0.5)


@pytest.mark.parametrize(("hertz", "band"), [(50.0, 1), (997.1, 15), (7174.0, 32)])
def test_a_tone_has_its_energy_in_the_band_at_its_frequency(hertz: float, band: int) -> None:
    found = described(tone(hertz, amplitude=1.0), "level")
    bands = [found[f"erb_energy_band_{number:02d}_median"] for number in range(1, 33)]
    assert np.argmax(bands) + 1 == band
    assert max(bands) == pytest.approx(-3.01, abs=0.05)


def test_all_bands_of_noise_together_hold_about_its_power() -> None:
    assert described(noise(rms=0.1), "erb_energy")["erb_energy_median"] == pytest.approx(-20.0, abs=0.5)


def test_a_steady_sound_with_pauses_has_the_level_of_the_sound() -> None:
    with_pauses = tone(1000) * (signal.square(2 * np.pi * 2 * times()) > 0)
    found = described(with_pauses, "frame_level", "erb_energy")
    assert found["frame_level_median"] == pytest.approx(-9.03, abs=0.1)
    assert found["erb_energy_median"] == pytest.approx(
        described(tone(1000), "erb_energy")["erb_energy_median"], abs=0.1
    )


def test_a_click_is_as_strong_in_a_band_as_the_band_is_wide() -> None:
    # Energy of an impulse response that is 1 at the centre: equivalent noise bandwidth over half the sample rate.
    found = described(click(0.1, at=0.01), "level")
    high, low = (found[f"erb_energy_band_{band}_median"] for band in (25, 15))
    assert np.isfinite([high, low]).all()
    assert found["rms_level"] == pytest.approx(10 * np.log10(1 / 1600), abs=0.01)


def test_silence_has_a_level_and_nothing_over_time() -> None:
    found = described(silence(), "level")
    assert found.pop("rms_level") == -120.0
    assert np.isnan(list(found.values())).all()
