"""Pitch and periodicity: tones of known pitch, known noise, librosa's YIN, and real notes of known pitch."""

import json
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from scipy import signal

from auricle import audio
from auricle.explain.descriptors import describe
from auricle.explain.descriptors.sound import Sound
from auricle.explain.descriptors.yin import periods

from .sounds import RATE, described, harmonic, noise, padded, silence, times, tone


@pytest.mark.parametrize("hertz", [55.0, 82.4, 130.8, 261.6, 440.0, 987.8, 1760.0])
@pytest.mark.parametrize("partials", [1, 10])
def test_the_pitch_of_a_tone_is_its_fundamental(hertz: float, partials: int) -> None:
    found = described(harmonic(hertz, partials=partials), "f0_median")["f0_median"]
    assert 1200 * abs(np.log2(found / hertz)) < (5 if hertz < 500 else 15)  # cents


def test_a_missing_fundamental_is_still_the_pitch() -> None:
    waveform = sum(tone(200.0 * number, amplitude=0.2) for number in (3, 4, 5, 6))
    assert described(waveform, "f0_median")["f0_median"] == pytest.approx(200.0, rel=0.003)


def test_a_strong_second_harmonic_does_not_make_an_octave() -> None:
    waveform = tone(110.0, amplitude=0.1) + tone(220.0, amplitude=0.5) + tone(330.0, amplitude=0.1)
    assert described(waveform, "f0_median")["f0_median"] == pytest.approx(110.0, rel=0.003)


def test_the_pitch_of_a_glide_is_that_of_its_middle_with_its_range_and_slope() -> None:
    glide = signal.chirp(times(2.0), 200, 2, 800, method="logarithmic")  # two octaves in two seconds
    found = described(glide, "harmonicity")
    assert found["f0_median"] == pytest.approx(400, rel=0.02)
    assert found["f0_range"] == pytest.approx(0.9 * 24 * 0.965, rel=0.03)  # less the length of a frame
    assert found["f0_slope"] == pytest.approx(12.0, rel=0.02)


def test_vibrato_has_a_range_and_no_slope() -> None:
    # Two semitones from end to end, five times a second: 5 to 95 % of a sine span sin(0.45 pi) of it; 50 ms level it.
    semitones = np.sin(2 * np.pi * 5 * times(2.0))
    vibrato = np.sin(2 * np.pi * np.cumsum(300.0 * 2 ** (semitones / 12)) / RATE)
    found = described(vibrato, "f0_range", "f0_slope")
    assert found["f0_range"] == pytest.approx(2 * np.sin(0.45 * np.pi) * np.sinc(5 * 0.05), rel=0.03)
    assert found["f0_slope"] == pytest.approx(0.0, abs=0.2)


def test_pitch_is_librosas_yin_frame_by_frame() -> None:
    sweep = librosa.chirp(fmin=150, fmax=600, sr=RATE, length=RATE * 2).astype(np.float32)
    ours = periods(Sound(torch.from_numpy(sweep)[None]))
    theirs = librosa.yin(sweep, fmin=50, fmax=2000, sr=RATE, frame_length=2048, hop_length=160, center=False)
    assert ours.audible.all()
    assert ours.aperiodicity.max() < 0.1
    # The middle of librosa's frames lies at 64 ms, that of ours at 25 ms: four hops earlier.
    assert np.allclose(ours.fundamental[0, 4 : 4 + len(theirs)], theirs, rtol=0.005)


def test_the_normalised_difference_is_that_of_the_papers_formula() -> None:
    # de Cheveigné & Kawahara, equations 6 and 8, summed term by term, without the parabola.
    waveform = (harmonic(150.0) + noise(rms=0.02)).astype(np.float32)
    frame = waveform[1600 : 1600 + 1120].astype(np.float64)
    difference = np.array([np.sum((frame[:800] - frame[lag : lag + 800]) ** 2) for lag in range(321)])
    normalised = difference[1:] * np.arange(1, 321) / np.cumsum(difference[1:])
    found = periods(Sound(*padded([waveform])))
    lag = np.argmin(normalised[80:130]) + 81  # the period has 106.7 samples
    assert found.aperiodicity[0, 10].item() == pytest.approx(normalised[lag - 1], abs=0.01)
    assert found.fundamental[0, 10].item() == pytest.approx(RATE / lag, rel=0.01)


def test_aperiodicity_is_zero_for_a_tone_and_about_one_for_noise() -> None:
    assert described(harmonic(220.0), "aperiodicity")["aperiodicity_median"] < 0.01
    assert described(noise(), "aperiodicity")["aperiodicity_median"] == pytest.approx(0.9, abs=0.1)


@pytest.mark.parametrize("ratio", [0.0, 5.0, 10.0, 20.0])
def test_the_harmonic_to_noise_ratio_is_the_one_that_was_mixed(ratio: float) -> None:
    voice = harmonic(200.0, octave=0.0)
    voice /= np.sqrt(np.mean(voice**2))
    mixed = 0.1 * (voice + noise(seconds=1.0, rms=10 ** (-ratio / 20)))
    name = "harmonic_to_noise_ratio_median"
    assert described(mixed, name)[name] == pytest.approx(ratio, abs=0.8)


def test_noise_and_silence_have_no_pitch() -> None:
    for waveform in (noise(seed=3), silence()):
        found = described(waveform, "f0", "f0_range", "f0_slope")
        assert np.isnan(list(found.values())).all()


def test_pauses_do_not_count() -> None:
    hum, hiss = harmonic(220.0), noise(rms=1e-5)
    both = np.concatenate([hum, hiss, hiss])
    assert described(both, "f0_median")["f0_median"] == pytest.approx(220.0, rel=0.003)
    assert described(both, "aperiodicity_median")["aperiodicity_median"] < 0.01


@pytest.mark.real
def test_notes_have_the_pitch_that_their_labels_say(real_data: Path) -> None:
    # On all 1,480 notes of these families and this range, all parts, every one is within a quarter tone.
    families = {"flute", "reed", "brass", "string", "vocal", "synth_lead", "guitar", "keyboard"}
    files, labels = [], []
    for part in ("train", "valid", "test"):
        folder = real_data / "nsynth" / f"nsynth-{part}"
        for name, note in sorted(json.loads((folder / "examples.json").read_text()).items()):
            if note["instrument_family_str"] in families and 36 <= note["pitch"] <= 84:
                files.append(folder / "audio" / f"{name}.ogg")
                labels.append(note["pitch"])
    notes = [audio.read(file, sample_rate=RATE) for file in files[::7]]
    found = describe(*padded(notes), names=["f0_median"])["f0_median"].numpy()
    off = np.abs(69 + 12 * np.log2(found / 440) - np.array(labels[::7]))
    assert len(off) > 200
    assert np.mean(off < 0.5) >= 0.98  # within a quarter tone
