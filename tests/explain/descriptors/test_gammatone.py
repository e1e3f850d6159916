"""The gammatone bank against SciPy's filters and against the impulse response that gives it its name."""

import numpy as np
import pytest
import torch
from scipy import signal

from auricle.explain.descriptors import gammatone
from auricle.explain.descriptors.sound import Sound

from .sounds import RATE, noise, padded, tone

CENTRES = gammatone.frequency(gammatone.centre_places(torch.device("cpu")).double()).numpy()


def band_powers(waveform: np.ndarray) -> np.ndarray:
    return gammatone.erb_spectrogram(Sound(*padded([waveform])))[0].double().numpy()


def powers_of(filtered: np.ndarray) -> np.ndarray:
    """Mean squares of frames of 20 ms, 10 ms apart."""
    starts = range(0, len(filtered) - 319, 160)
    return np.array([np.mean(filtered[start : start + 320] ** 2) for start in starts])


def test_bands_lie_on_the_erb_scale_from_50_to_8000_hz() -> None:
    # ERBSpace of Slaney's Auditory Toolbox: 32 steps, the first band at 50 Hz, 8 kHz one step beyond the last.
    fixed = 9.26449 * 24.7
    expected = -fixed + np.exp(np.arange(1, 33) * (np.log(50 + fixed) - np.log(8000 + fixed)) / 32) * (8000 + fixed)
    assert np.allclose(CENTRES[::-1], expected, rtol=1e-5)
    # Glasberg & Moore: 1 kHz is 15.6 ERBs up and its filter 132.6 Hz wide.
    assert gammatone.place(1000.0) == pytest.approx(15.6, abs=0.05)
    assert gammatone.bandwidth(torch.tensor(1000.0)).item() == pytest.approx(132.6, abs=0.1)


@pytest.mark.parametrize("band", range(9, 32, 2))
def test_band_powers_are_those_of_scipys_filters(band: int) -> None:
    # SciPy's filters of order eight in one polynomial lose their precision further down; see the next test.
    waveform = noise(seconds=1.3, seed=band).astype(np.float32)
    expected = powers_of(signal.lfilter(*signal.gammatone(CENTRES[band], "iir", fs=RATE), waveform.astype(np.float64)))
    assert np.allclose(band_powers(waveform)[:, band], expected, rtol=2e-5, atol=1e-9)


@pytest.mark.parametrize("band", [0, 1, 4, 8, 15, 31])
def test_band_powers_are_those_of_a_cascade_of_four_sections(band: int) -> None:
    # Slaney 1993, equation for equation: one pair of poles, four zeros, each section run by SciPy.
    waveform = noise(seconds=1.3, seed=1).astype(np.float32)
    centre = CENTRES[band]
    decay = np.exp(-2 * np.pi * 1.019 * (centre / 9.26449 + 24.7) / RATE)
    angle = 2 * np.pi * centre / RATE
    zeros = [
        np.cos(angle) + sign * np.sqrt(3 + inner * 2**1.5) * np.sin(angle) for sign in (1, -1) for inner in (1, -1)
    ]
    sections = [[1, -zero * decay, 0, 1, -2 * decay * np.cos(angle), decay**2] for zero in zeros]
    _, response = signal.sosfreqz(sections, worN=[centre], fs=RATE)
    filtered = signal.sosfilt(sections, waveform.astype(np.float64)) / np.abs(response[0])
    assert np.allclose(band_powers(waveform)[:, band], powers_of(filtered), rtol=2e-5, atol=1e-9)


@pytest.mark.parametrize("band", [4, 15, 26])
def test_a_click_rings_as_a_gammatone(band: int) -> None:
    # t^3 exp(-2 pi b t) cos(2 pi f t), the analogue filter that the digital one imitates.
    waveform = np.zeros(4000)
    waveform[0] = 1.0
    time = np.arange(4000) / RATE
    centre = CENTRES[band]
    ideal = time**3 * np.exp(-2 * np.pi * 1.019 * (centre / 9.26449 + 24.7) * time) * np.cos(2 * np.pi * centre * time)
    found, expected = band_powers(waveform)[:, band], powers_of(ideal)
    assert np.allclose(found / found.sum(), expected / expected.sum(), atol=0.01)


def test_a_sine_at_full_scale_drives_its_band_to_half_and_far_bands_hardly() -> None:
    power = band_powers(tone(CENTRES[15], amplitude=1.0))[50]
    assert power[15] == pytest.approx(0.5, rel=0.01)  # 20 ms are no whole number of periods
    assert 10 * np.log10(power[25] / power[15]) < -55


@pytest.mark.parametrize("band", [8, 15, 22, 31])
def test_a_band_passes_of_white_noise_what_one_erb_holds(band: int) -> None:
    # 1.019 ERB is what gives a filter of order four an equivalent noise bandwidth of one ERB.
    power = band_powers(noise(seconds=30.0, rms=1.0, seed=band))[20:, band].mean()
    assert power == pytest.approx((CENTRES[band] / 9.26449 + 24.7) / 8000, rel=0.08)


def test_where_a_clip_is_cut_into_blocks_leaves_no_trace() -> None:
    # The same sound, later: filters forget in 128 ms what came before.
    waveform = noise(seconds=2.0, seed=2)
    whole, later = band_powers(waveform), band_powers(waveform[3200:])
    assert np.allclose(whole[20 + 40 :], later[40:], rtol=1e-3, atol=1e-8)
