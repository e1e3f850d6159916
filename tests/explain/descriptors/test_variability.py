import numpy as np
import pytest

from .sounds import RATE, described, harmonic, noise, silence, times, tone


def test_a_steady_tone_does_not_vary() -> None:
    found = described(harmonic(200.0), "spectral variability")
    assert all(value < 1e-3 for value in found.values())


def test_noise_varies_by_what_independent_spectra_would_times_their_overlap() -> None:
    # Amplitudes of independent noise spectra are Rayleigh distributed: 1 - E[a]^2 / E[a^2] = 1 - pi / 4.
    independent = 1 - np.pi / 4
    found = described(noise(seconds=2.0), "spectral_variation")
    assert 0.4 * independent < found["spectral_variation_median"] < independent


def test_variation_is_one_less_the_cosine_of_how_far_the_spectrum_turned() -> None:
    # Between two tones that fade into each other, back and forth twice a second.
    angle = 2 * np.pi * 2 * times(2.0)
    turning = tone(1000, seconds=2.0) * np.cos(angle) + tone(3000, seconds=2.0) * np.sin(angle)
    found = described(turning, "spectral variability")
    assert found["spectral_variation_median"] == pytest.approx(1 - np.cos(2 * np.pi * 2 * 185 / RATE), rel=0.1)
    assert found["erb_variation_median"] == pytest.approx(1 - np.cos(2 * np.pi * 2 * 0.01), rel=0.2)


def test_variation_does_not_depend_on_level_and_flux_is_proportional_to_it() -> None:
    loud, quiet = (described(gain * noise(), "spectral variability") for gain in (1.0, 0.1))
    for name in loud:
        ratio = 10.0 if "flux" in name else 1.0
        assert loud[name] == pytest.approx(ratio * quiet[name], rel=1e-3, abs=1e-7), name


def test_flux_of_a_changing_tone_is_its_change_of_amplitude() -> None:
    # A Hann window spreads a tone's power over 1.5 bins of its own 21.5 Hz: over 1.5 * 1024 / 743 bins of ours.
    growing = tone(1000.0, amplitude=1.0) * times()
    per_frame = 185 / RATE
    bins = 1.5 * 1024 / 743
    power = 0.5 * per_frame**2 * bins
    found = described(growing, "spectral_flux")
    assert found["spectral_flux_median"] == pytest.approx(np.sqrt(power) / 513, rel=0.02)


def test_what_varies_in_one_band_shows_in_its_group_alone() -> None:
    # Steady tones in all groups of four bands, but around 1 kHz two tones 133 Hz apart take turns 15 times a second.
    steady = sum(
        tone(hertz, amplitude=0.05) for hertz in (70, 120, 220, 290, 450, 560, 1850, 2330, 3300, 4100, 5700, 7000)
    )
    turn = np.sin(2 * np.pi * 15 * times()) > 0
    turning = np.where(turn, tone(874, amplitude=0.1), tone(1134, amplitude=0.1))
    found = described(steady + turning, "spectral variability")
    groups = {group: found[f"erb_variation_group_{group}_iqr"] for group in range(1, 9)}
    assert max(groups, key=groups.get) == 4
    assert groups[4] > 10 * max(value for group, value in groups.items() if group not in (3, 4, 5))
    assert found["erb_variation_iqr"] < groups[4]


def test_pauses_are_no_change() -> None:
    bursts = np.concatenate([harmonic(200.0), silence(), harmonic(200.0)])
    assert described(bursts, "spectral_variation")["spectral_variation_median"] < 1e-3


def test_silence_does_not_vary_in_any_way() -> None:
    assert np.isnan(list(described(silence(), "spectral variability").values())).all()
