"""An embedding that holds halves and layers: each part is what the encoder itself gives."""

import numpy as np
import pytest
import torch

from auricle.explain.dissected import Dissected
from auricle.models.pooled import pooled
from auricle.models.registry import load

RATE = 16_000
CLIPS = 0.1 * torch.randn(3, 2 * RATE, generator=torch.Generator().manual_seed(0))
LENGTHS = torch.tensor([2 * RATE, RATE, RATE // 8])


@pytest.fixture(scope="module", params=["byola-2020-512", "logmel-stats", "conformer-small"])
def encoder(request: pytest.FixtureRequest):
    return load(request.param)


def split(encoder: Dissected, embeddings: np.ndarray) -> dict[str, np.ndarray]:
    ends = np.cumsum(list(encoder.parts.values()))[:-1]
    return dict(zip(encoder.parts, np.split(embeddings, ends, axis=-1), strict=True))


@torch.no_grad()
def test_parts_are_the_encoders_own(encoder) -> None:
    dissected = Dissected(encoder, encoder.layer_names).eval()
    parts = split(dissected, dissected(CLIPS, LENGTHS).numpy())
    assert np.allclose(parts["whole"], encoder(CLIPS, LENGTHS), atol=1e-5)
    lengths = encoder.frame_lengths(LENGTHS)
    for name, frames in encoder.layers(CLIPS, LENGTHS).items():
        for row, length in enumerate(lengths):
            assert np.allclose(parts[f"layer {name}"][row], frames[row, :length].mean(dim=0), atol=1e-5)


@torch.no_grad()
def test_halves_are_every_other_quarter_of_a_second(encoder) -> None:
    dissected = Dissected(encoder).eval()
    frames, _ = encoder.frames(CLIPS[:1])
    quarter = round(0.25 * encoder.frame_rate)
    first = np.concatenate([np.arange(start, start + quarter) for start in range(0, frames.shape[1], 2 * quarter)])
    first = first[first < frames.shape[1]]
    second = np.setdiff1d(np.arange(frames.shape[1]), first)
    parts = split(dissected, dissected(CLIPS[:1]).numpy())
    assert np.allclose(parts["first half"], encoder.pool(frames[:, first]), atol=1e-5)
    assert np.allclose(parts["second half"], encoder.pool(frames[:, second]), atol=1e-5)


@torch.no_grad()
def test_a_clip_does_not_depend_on_its_batch_and_a_very_short_one_has_no_second_half() -> None:
    encoder = load("logmel-stats")
    dissected = Dissected(encoder).eval()
    together = dissected(CLIPS, LENGTHS)
    for row, length in enumerate(LENGTHS):
        assert torch.allclose(together[row], dissected(CLIPS[row : row + 1, :length])[0], atol=1e-4)
    parts = split(dissected, together.numpy())
    assert (parts["second half"][2] == 0).all() and (parts["second half"][1] != 0).any()


def test_a_long_recording_in_blocks_is_the_same() -> None:
    encoder = load("byola-2020-512")
    dissected = Dissected(encoder, encoder.layer_names).eval()
    sound = CLIPS.reshape(-1).numpy()
    with torch.no_grad():
        whole = dissected(torch.from_numpy(sound)[None])[0].numpy()
    blocks = dissected.embed_stream(iter(np.split(sound, [5000, 50_000])))
    assert np.abs(blocks - whole).max() < 1e-3 * np.abs(whole).max()


@torch.no_grad()
def test_another_pooling_is_of_the_clip_and_its_halves() -> None:
    encoder = load("byola-2020-512")
    dissected = Dissected(encoder, ("conv1",), pooling="mean").eval()
    parts = split(dissected, dissected(CLIPS, LENGTHS).numpy())
    assert np.allclose(parts["whole"], pooled(encoder, pooling="mean")(CLIPS, LENGTHS), atol=1e-5)
    assert dissected.weights_fingerprint != Dissected(encoder, ("conv1",)).weights_fingerprint
    assert dissected.weights_fingerprint != Dissected(encoder, pooling="mean").weights_fingerprint
