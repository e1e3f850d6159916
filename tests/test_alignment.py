"""Whether two clips are one recording: noises whose truth is known, and real clips that were altered."""

import numpy as np
import pytest

from auricle.alignment import RANGE, Aligner, Match

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
    assert match.seconds == pytest.approx(4.0, abs=0.02)


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


def test_two_tones_of_one_pitch_are_not_told_by_their_waveform_alone(aligner: Aligner) -> None:
    """Mains hum under two recordings correlates at some lag; their spectrograms do not."""
    time = np.arange(4 * RATE) / RATE
    hum = np.sin(2 * np.pi * 100 * time)
    first, second = ((hum + rain(seed)).astype(np.float32) for seed in (20, 21))
    match = aligner.match(first, second)
    assert match.waveform > 0.9 and match.spectrum < 0.5
    assert not match.is_same


def test_what_is_short_has_to_agree_more() -> None:
    assert Match(0.0, 3.0, 0.9, 0.9).is_same
    assert not Match(0.0, 0.5, 0.9, 0.9).is_same
    assert Match(0.0, 0.5, 0.9, 0.99).is_same


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
    assert aligner.match(rain(6)[:samples], rain(7)[:samples]).seconds < 0.1
    assert aligner.match(rain(6)[:samples], rain(7)).seconds < 0.1


def test_seconds_count_sound_and_not_silence(aligner: Aligner) -> None:
    clip = np.concatenate([rain(8, 1.0), np.zeros(4 * RATE, dtype=np.float32)])
    assert aligner.match(clip, clip).seconds == pytest.approx(1.03, abs=0.05)
    spectrogram = aligner.spectrogram(clip)
    assert spectrogram.max() - spectrogram.min() == pytest.approx(RANGE)
