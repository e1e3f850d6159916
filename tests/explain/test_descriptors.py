import json
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch
from scipy import signal

from auricle import audio
from auricle.explain.descriptors import DESCRIPTORS, level, pitch, spectral_centroid, yin

RATE = 16_000
TIME = np.arange(RATE) / RATE


def batch(*waveforms: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(waveforms).astype(np.float32))


def harmonic(hertz: float, partials: int = 10) -> np.ndarray:
    numbers = [number for number in range(1, partials + 1) if number * hertz < 7500]
    return sum(0.3 / number * np.sin(2 * np.pi * number * hertz * TIME + number) for number in numbers)


def test_a_sine_at_full_scale_lies_3_db_below_it() -> None:
    sine = np.sin(2 * np.pi * 440 * TIME)
    found = level(batch(sine, sine / 10, np.ones(RATE), np.zeros(RATE)), RATE)
    assert found.tolist() == pytest.approx([-3.01, -23.01, 0.0, -120.0], abs=0.01)


@pytest.mark.parametrize("hertz", [250.0, 1000.0, 4321.0])
def test_a_tone_has_its_centroid_at_its_frequency(hertz: float) -> None:
    assert spectral_centroid(batch(np.sin(2 * np.pi * hertz * TIME)), RATE).item() == pytest.approx(hertz, rel=0.02)


def test_white_noise_has_its_centroid_in_the_middle() -> None:
    noise = np.random.default_rng(0).normal(size=RATE)
    assert spectral_centroid(batch(noise), RATE).item() == pytest.approx(4000, rel=0.03)


def test_the_centroid_is_librosas() -> None:
    rng = np.random.default_rng(1)
    window = np.pad(signal.get_window("hann", 743), (0, 281))
    for waveform in (rng.normal(size=RATE), harmonic(220.0), signal.chirp(TIME, 100, 1, 6000)):
        frames = librosa.feature.spectral_centroid(
            y=np.pad(waveform.astype(np.float32), (0, 281)),
            sr=RATE,
            n_fft=1024,
            window=window,
            hop_length=185,
            center=False,
        )
        found = spectral_centroid(batch(waveform), RATE).item()
        assert found == pytest.approx(np.quantile(frames, 0.5, method="lower"), rel=1e-4)


@pytest.mark.parametrize("hertz", [55.0, 82.4, 130.8, 261.6, 440.0, 987.8, 1760.0])
@pytest.mark.parametrize("partials", [1, 10])
def test_the_pitch_of_a_tone_is_its_fundamental(hertz: float, partials: int) -> None:
    found = pitch(batch(harmonic(hertz, partials)), RATE).item()
    assert 1200 * abs(np.log2(found / hertz)) < (5 if hertz < 500 else 15)  # cents


def test_a_missing_fundamental_is_still_the_pitch() -> None:
    waveform = sum(np.sin(2 * np.pi * 200.0 * number * TIME) for number in (3, 4, 5, 6))
    assert pitch(batch(waveform), RATE).item() == pytest.approx(200.0, rel=0.003)


def test_the_pitch_of_a_glide_is_that_of_its_middle() -> None:
    glide = signal.chirp(TIME, 200, 1, 400, method="logarithmic")
    assert pitch(batch(glide), RATE).item() == pytest.approx(200 * 2**0.5, rel=0.03)


def test_pitch_is_librosas_yin_frame_by_frame() -> None:
    sweep = librosa.chirp(fmin=150, fmax=600, sr=RATE, length=RATE * 2).astype(np.float32)
    ours, aperiodicity, audible = yin(torch.from_numpy(sweep)[None], RATE)
    theirs = librosa.yin(sweep, fmin=50, fmax=2000, sr=RATE, frame_length=2048, hop_length=160, center=False)
    assert audible.all()
    assert aperiodicity.max() < 0.1
    # The middle of librosa's frames lies at 64 ms, that of ours at 25 ms: four hops earlier.
    assert np.allclose(ours[0, 4 : 4 + len(theirs)], theirs, rtol=0.005)


def test_noise_and_silence_have_no_pitch_and_silence_no_spectral_centroid() -> None:
    noise = np.random.default_rng(3).normal(size=RATE)
    assert pitch(batch(noise, np.zeros(RATE)), RATE).isnan().all()
    assert spectral_centroid(batch(np.zeros(RATE)), RATE).isnan().all()


def test_pauses_do_not_count() -> None:
    rng = np.random.default_rng(4)
    hum, hiss = harmonic(220.0), 1e-5 * rng.normal(size=RATE)
    both = batch(np.concatenate([hum, hiss, hiss]))
    assert pitch(both, RATE).item() == pytest.approx(220.0, rel=0.003)
    assert spectral_centroid(both, RATE).item() == pytest.approx(spectral_centroid(batch(hum), RATE).item(), rel=0.01)


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_every_descriptor_says_what_it_is(name: str) -> None:
    entry = DESCRIPTORS[name]
    assert entry.name == name
    assert all([entry.unit, entry.definition, entry.source])


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_padding_changes_nothing(name: str) -> None:
    compute = DESCRIPTORS[name].compute
    clips = [harmonic(220.0)[:12_345], harmonic(330.0)]
    padded = np.zeros((2, 20_000), dtype=np.float32)
    for row, clip in enumerate(clips):
        padded[row, : len(clip)] = clip
    padded[0, 12_345:] = 0.9  # what lies beyond a clip is not part of it
    found = compute(torch.from_numpy(padded), RATE, torch.tensor([12_345, RATE]))
    expected = [compute(batch(clip), RATE).item() for clip in clips]
    assert found.tolist() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("samples", [2, 100, 743, 1023])
def test_clips_shorter_than_a_frame_are_described(samples: int) -> None:
    clip = batch(np.sin(2 * np.pi * 1000 * TIME[:samples] + 1))
    assert level(clip, RATE).isfinite().all()
    assert spectral_centroid(clip, RATE).isfinite().all()
    assert pitch(clip, RATE).shape == (1,)


def test_other_sample_rates_give_the_same_values() -> None:
    low = harmonic(220.0, partials=5)
    high = librosa.resample(low, orig_sr=RATE, target_sr=48_000)
    for name in DESCRIPTORS:
        compute = DESCRIPTORS[name].compute
        assert compute(batch(high), 48_000).item() == pytest.approx(compute(batch(low), RATE).item(), rel=0.02), name


@pytest.mark.real
def test_notes_have_the_pitch_that_their_labels_say(real_data: Path) -> None:
    notes = real_data / "nsynth" / "nsynth-valid"
    metadata = json.loads((notes / "examples.json").read_text())
    families = {"flute", "reed", "brass", "string", "vocal", "synth_lead", "guitar", "keyboard"}
    chosen = [
        (name, note["pitch"])
        for name, note in metadata.items()
        if note["instrument_family_str"] in families and 36 <= note["pitch"] <= 84
    ]
    off = []
    for name, label in chosen[::2]:
        waveform = audio.read(notes / "audio" / f"{name}.ogg", sample_rate=RATE)
        found = pitch(torch.from_numpy(waveform)[None], RATE).item()
        off.append(abs(69 + 12 * np.log2(found / 440) - label))
    assert len(off) > 100
    assert np.mean(np.array(off) < 0.5) > 0.96  # within a quarter tone
