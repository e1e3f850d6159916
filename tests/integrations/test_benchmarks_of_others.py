"""Encoders as HEAR, X-ARES and MTEB call them; the checks are those that their validators publish."""

from pathlib import Path

import numpy as np
import pytest
import torch

import auricle
from auricle import hear
from auricle.errors import AuricleError
from auricle.integrations.mteb import MTEBEncoder
from auricle.integrations.xares import xares_encoder

HEAR_RATES = (16_000, 22_050, 44_100, 48_000)


def noise(clips: int, seconds: float) -> torch.Tensor:
    return 2 * torch.rand(clips, int(seconds * 16_000), generator=torch.Generator().manual_seed(0)) - 1


@pytest.fixture(scope="module", params=["byola-2022", "byola-2020-512", "logmel-stats"])
def model(request: pytest.FixtureRequest) -> hear.HearModel:
    return hear.load_model(request.param)


@pytest.mark.parametrize("seconds", [1.07, 1.98, 4.0])
def test_timestamps_as_hear_validates_them(model: hear.HearModel, seconds: float) -> None:
    frames, times = hear.get_timestamp_embeddings(noise(2, seconds), model)
    assert frames.dtype == torch.float32
    assert frames.shape == (2, times.shape[1], model.timestamp_embedding_size)
    assert times.shape[0] == 2
    steps = times.diff(dim=1)
    interval = float(steps.mean())
    assert float((steps - interval).abs().max()) <= 1  # ms
    assert float(times.min()) <= interval
    assert 1000 * seconds - 2 * interval <= float(times.max()) <= 1000 * seconds


def test_scenes_and_sizes_as_hear_validates_them(model: hear.HearModel) -> None:
    embeddings = hear.get_scene_embeddings(noise(4, 2.74), model)
    assert embeddings.dtype == torch.float32
    assert embeddings.shape == (4, model.scene_embedding_size)
    assert not embeddings.requires_grad
    assert model.sample_rate in HEAR_RATES
    assert type(model.scene_embedding_size) is type(model.timestamp_embedding_size) is int
    assert isinstance(model, torch.nn.Module)


def test_a_very_short_sound_has_no_frames_beyond_its_end() -> None:
    frames, times = hear.get_timestamp_embeddings(noise(1, 0.2), hear.load_model())
    assert frames.shape[1] == times.shape[1] == 5  # of 40 ms, though 0.95 s were encoded
    with pytest.raises(AuricleError, match=r"\(n_sounds, n_samples\), got \(3200,\)"):
        hear.get_scene_embeddings(noise(1, 0.2)[0], hear.load_model("logmel-stats"))


def test_xares() -> None:
    encoder = xares_encoder("byola-2020-512")()
    assert type(encoder).__name__.endswith("Encoder")
    out = encoder(torch.randn(2, 50_000))  # the very batch of its check_audio_encoder
    assert out.shape == (2, 39, encoder.output_dim)
    assert encoder.hop_size_in_ms == 80
    assert encoder.sampling_rate == 16_000
    assert encoder(torch.randn(16_000)).ndim == 3


def test_ten_minutes_are_heard_as_a_whole_in_parts() -> None:
    recording = noise(1, 600)
    encoder = xares_encoder("logmel-stats")()
    expected, _ = encoder.encoder.frames(recording)
    torch.testing.assert_close(encoder(recording), expected)


def test_mteb() -> None:
    encoder = auricle.load("byola-2020-512")
    waveforms = noise(3, 1.2).numpy()
    rows = [
        {"audio": {"array": waveform[: 17_000 + n], "sampling_rate": 16_000}} for n, waveform in enumerate(waveforms)
    ]
    rows[2]["audio"]["sampling_rate"] = 8_000
    inputs = torch.utils.data.DataLoader(rows, batch_size=2)  # whose own collation refuses unequal lengths
    wrapped = MTEBEncoder("byola-2020-512", None, device="cpu")
    found = wrapped.encode(inputs, task_metadata=None, hf_split="test", hf_subset="default", prompt_type=None)
    expected = [encoder.embed(row["audio"]["array"], sample_rate=row["audio"]["sampling_rate"]) for row in rows]
    np.testing.assert_array_equal(found, expected)
    cosines = wrapped.similarity(found, found)
    unit = found / np.linalg.norm(found, axis=1, keepdims=True)
    np.testing.assert_allclose(cosines, unit @ unit.T, atol=1e-6)
    np.testing.assert_allclose(
        wrapped.similarity_pairwise(found, found[::-1]), np.diag(cosines[:, [2, 1, 0]]), atol=1e-6
    )
    with pytest.raises(AuricleError, match="hear audio only, but MTEB sent text"):
        wrapped.encode([{"text": ["a dog"]}])


@pytest.mark.real
def test_yamnet_in_hear(real_data: Path) -> None:
    model = hear.load_model("yamnet")
    frames, times = hear.get_timestamp_embeddings(noise(1, 4.0), model)
    assert frames.shape == (1, 8, 1024)
    np.testing.assert_allclose(times[0, :2], [487.5, 967.5])
