"""Whether two clips are one recording: noises whose truth is known, and real clips that were altered."""

import numpy as np
import pytest

from auricle.alignment import RANGE, Aligner

RATE = Aligner.sample_rate


@pytest.fixture(scope="module")
def aligner() -> Aligner:
    return Aligner()


def rain(seed: int, seconds: float = 4.0) -> np.ndarray:
    """Noise with the spectrum of rain and drops in it: alike to the ear, another course."""
    generator = np.random.default_rng(seed)
    samples = round(seconds * RATE)
    noise = generator.normal(0, 0.05, samples)
    for start in generator.integers(0, samples - 800, round(10 * seconds)):
        noise[start : start + 800] += generator.normal(0, 0.3) * np.hanning(800) * generator.normal(0, 1, 800)
    return noise.astype(np.float32)


def test_a_clip_is_itself(aligner: Aligner) -> None:
    match = aligner.match(rain(0), rain(0))
    assert match.is_same and match.shift == 0.0
    assert match.spectrum == pytest.approx(1.0) and match.waveform == pytest.approx(1.0)


@pytest.mark.parametrize("samples", [-20_000, -1_234, -1, 7, 160, 9_999, 25_000])
def test_the_shift_is_found_to_the_sample(aligner: Aligner, samples: int) -> None:
    whole = rain(1, 6.0)
    first = whole[max(0, -samples) :][: 4 * RATE]
    second = whole[max(0, samples) :][: 4 * RATE]
    match = aligner.match(first, second)
    assert match.is_same
    assert match.shift * RATE == pytest.approx(samples, abs=0.5)


@pytest.mark.parametrize("gain", [4.0, 0.05, -1.0])
def test_level_and_polarity_do_not_count(aligner: Aligner, gain: float) -> None:
    assert aligner.match(rain(2), (gain * rain(2)).astype(np.float32)).is_same


def test_two_rains_are_not_one(aligner: Aligner) -> None:
    matches = [aligner.match(rain(3), rain(seed)) for seed in range(4, 12)]
    assert not any(match.is_same for match in matches)
    assert max(match.waveform for match in matches) < 0.3


def test_hum_alone_makes_no_recording_the_same(aligner: Aligner) -> None:
    """Mains hum 20 dB above two rains correlates at some lag, and is most of both waveforms."""
    time = np.arange(4 * RATE) / RATE
    hum = np.sin(2 * np.pi * 100 * time)
    first, second = ((hum + rain(seed)).astype(np.float32) for seed in (20, 21))
    assert np.corrcoef(first, second)[0, 1] > 0.9
    assert not aligner.match(first, second).is_same


def test_a_vowel_on_one_pitch_is_not_the_same_as_another(aligner: Aligner) -> None:
    """As two takes of "four": the partials around 400 Hz agree, what is softer does not."""
    time = np.arange(RATE // 2) / RATE
    generator = np.random.default_rng(0)
    takes = []
    for _ in range(2):
        softer = sum(
            0.15 * np.sin(2 * np.pi * 130 * partial * time + generator.uniform(0, 2 * np.pi))
            for partial in range(4, 25)
        )
        vowel = np.sin(2 * np.pi * 390 * time) + softer
        takes.append((0.2 * np.hanning(len(time)) * vowel).astype(np.float32))
    match = aligner.match(*takes)
    assert np.abs(np.correlate(*takes, mode="full")).max() / np.linalg.norm(takes[0]) / np.linalg.norm(takes[1]) > 0.75
    assert match.waveform < 0.8 and not match.is_same


def test_half_a_clip_of_overlap_is_asked_for(aligner: Aligner) -> None:
    whole = rain(5, 8.0)
    assert aligner.match(whole[: 4 * RATE], whole[RATE : 5 * RATE]).is_same
    assert not aligner.match(whole[: 4 * RATE], whole[3 * RATE : 7 * RATE]).is_same


def test_silence_is_no_recording(aligner: Aligner) -> None:
    silence = np.zeros(RATE, dtype=np.float32)
    assert not aligner.match(silence, silence).is_same
    assert not aligner.match(silence, rain(0)).is_same


@pytest.mark.parametrize("samples", [1, 100, 161, 1000])
def test_very_short_clips_are_compared(aligner: Aligner, samples: int) -> None:
    assert np.isfinite(aligner.match(rain(6)[:samples], rain(7)[:samples]).waveform)
    assert np.isfinite(aligner.match(rain(6)[:samples], rain(7)).waveform)


def test_what_is_far_below_the_loudest_does_not_count(aligner: Aligner) -> None:
    spectrogram = aligner.spectrogram(np.concatenate([rain(8, 1.0), np.zeros(RATE, dtype=np.float32)]))
    assert spectrogram.max() - spectrogram.min() == pytest.approx(RANGE)
