"""Descriptors of sounds whose answer is known by arithmetic, and against librosa."""

import librosa
import numpy as np
import pytest
import torch

from auricle.explain.descriptors import DESCRIPTORS, level, pitch, spectral_centroid, yin

RATE = 16_000


def tone(frequency: float, seconds: float = 1.0, amplitude: float = 0.5, harmonics: int = 1) -> torch.Tensor:
    time = torch.arange(int(RATE * seconds), dtype=torch.float64) / RATE
    waves = [torch.sin(2 * torch.pi * frequency * k * time) / k for k in range(1, harmonics + 1)]
    return (amplitude * torch.stack(waves).sum(0))[None].float()


def test_a_full_scale_sine_is_3_db_below_full_scale() -> None:
    assert level(tone(1000, amplitude=1.0), RATE).item() == pytest.approx(-3.01, abs=0.01)
    assert level(torch.zeros(1, RATE), RATE).item() == -120


@pytest.mark.parametrize("frequency", [300.0, 1000.0, 4000.0])
def test_a_tone_has_its_centroid_at_its_frequency(frequency: float) -> None:
    assert spectral_centroid(tone(frequency), RATE).item() == pytest.approx(frequency, rel=0.02)


def test_centroid_agrees_with_librosa() -> None:
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32) * 0.1
    expected = np.median(librosa.feature.spectral_centroid(y=noise, sr=RATE, n_fft=1024, hop_length=256, center=False))
    assert spectral_centroid(torch.from_numpy(noise)[None], RATE).item() == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("frequency", [60.0, 110.0, 440.0, 987.77, 1800.0])
@pytest.mark.parametrize("harmonics", [1, 4])
def test_pitch_of_a_tone_is_its_fundamental(frequency: float, harmonics: int) -> None:
    found = pitch(tone(frequency, harmonics=harmonics, amplitude=0.3), RATE).item()
    assert 1200 * abs(np.log2(found / frequency)) < 20  # cents


def test_pitch_agrees_with_librosas_yin_frame_by_frame() -> None:
    sweep = librosa.chirp(fmin=150, fmax=600, sr=RATE, length=RATE * 2).astype(np.float32)
    ours, aperiodicity = yin(torch.from_numpy(sweep)[None], RATE)
    theirs = librosa.yin(sweep, fmin=50, fmax=2000, sr=RATE, frame_length=2048, hop_length=512, center=False)
    # librosa's integration window is the second half of a frame, so that it sees the sweep a hop later than ours.
    assert np.allclose(ours[0, 1:], theirs[:-1], rtol=0.005)
    assert aperiodicity.max() < 0.1


def test_noise_and_silence_have_no_pitch() -> None:
    noise = torch.randn(1, RATE, generator=torch.Generator().manual_seed(0)) * 0.1
    assert torch.isnan(pitch(noise, RATE)).all()
    assert torch.isnan(pitch(torch.zeros(1, RATE), RATE)).all()
    assert torch.isnan(spectral_centroid(torch.zeros(1, RATE), RATE)).all()


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_every_descriptor_takes_batches_and_short_clips(name: str) -> None:
    entry = DESCRIPTORS[name]
    assert entry.unit and entry.definition and entry.source
    batch = torch.cat([tone(200), tone(400)])
    together = entry.compute(batch, RATE)
    assert together.shape == (2,)
    assert torch.allclose(together[1:], entry.compute(batch[1:], RATE))
    assert entry.compute(tone(400, seconds=0.02), RATE).shape == (1,)


@pytest.mark.real
def test_pitch_of_real_notes_is_the_labelled_one(real_data) -> None:
    import json

    from auricle import audio

    folder = real_data / "nsynth" / "nsynth-valid"
    examples = json.loads((folder / "examples.json").read_text())
    families = {"flute", "reed", "brass", "string", "guitar"}
    notes = [
        (name, entry["pitch"])
        for name, entry in examples.items()
        if entry["instrument_family_str"] in families and 40 <= entry["pitch"] <= 84
    ][::4]
    right = 0
    for name, midi in notes:
        path = next((folder / "audio").glob(f"{name}.*"))
        found = pitch(torch.from_numpy(audio.read(path, sample_rate=RATE))[None], RATE).item()
        right += bool(abs(12 * np.log2(found / 440) + 69 - midi) < 0.5)
    assert right / len(notes) > 0.95
