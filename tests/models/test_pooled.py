"""Layers and poolings as explicit choices."""

import numpy as np
import pytest
import torch

import auricle
from auricle.errors import AuricleError
from auricle.models.encoder import Encoder
from auricle.models.pooled import pooled

from .signals import chirps, untrained

POOL = {
    "mean": lambda frames: frames.mean(axis=0),
    "max": lambda frames: frames.max(axis=0),
    "mean+max": lambda frames: frames.mean(axis=0) + frames.max(axis=0),
}


@pytest.fixture(scope="module", params=["byola-2020-512", "yamnet"])
def encoder(request: pytest.FixtureRequest) -> Encoder:
    return untrained(request.param)


@pytest.mark.parametrize("pooling", POOL)
def test_each_layer_is_pooled_as_numpy_does(encoder: Encoder, pooling: str) -> None:
    waveform = chirps(1, 40_000)[0]
    with torch.inference_mode():
        layers = {name: frames.numpy() for name, frames in encoder.layers(waveform).items()}
        for name, frames in layers.items():
            chosen = pooled(encoder, layer=name, pooling=pooling)
            np.testing.assert_allclose(chosen(waveform).numpy(), POOL[pooling](frames), rtol=1e-4, atol=1e-5)
        together = pooled(encoder, layer="all", pooling=pooling)
        expected = np.concatenate([POOL[pooling](frames) for frames in layers.values()])
        np.testing.assert_allclose(together(waveform).numpy(), expected, rtol=1e-4, atol=1e-5)
        frames = encoder.frames(waveform)[0].numpy()
        whole = pooled(encoder, pooling=pooling)
        np.testing.assert_allclose(whole(waveform).numpy(), POOL[pooling](frames), rtol=1e-4, atol=1e-5)


def test_the_last_layer_with_the_encoders_own_pooling_is_the_encoder(encoder: Encoder) -> None:
    waveform = chirps(1, 40_000)
    last = pooled(encoder, layer=encoder.layer_names[-1])
    with torch.inference_mode():
        torch.testing.assert_close(last(waveform), encoder(waveform))


def test_all_layers_say_where_each_lies(encoder: Encoder) -> None:
    together = pooled(encoder, layer="all", pooling="mean")
    assert list(together.embedding_parts) == list(encoder.layer_names)  # type: ignore[attr-defined]
    assert sum(together.embedding_parts.values()) == together.embedding_dim  # type: ignore[attr-defined]
    with torch.inference_mode():
        embedding = together(chirps(1, 30_000))[0]
        parts = embedding.split(list(together.embedding_parts.values()))  # type: ignore[attr-defined]
        for name, part in zip(encoder.layer_names, parts, strict=True):
            one = pooled(encoder, layer=name, pooling="mean")
            torch.testing.assert_close(part, one(chirps(1, 30_000))[0])


def test_controls_can_be_pooled_otherwise_too() -> None:
    waveform = chirps(1, 20_000)
    control = auricle.load("logmel-stats")
    with torch.inference_mode():
        torch.testing.assert_close(pooled(control, pooling="mean")(waveform), control(waveform)[:, :64])
        torch.testing.assert_close(pooled(control, pooling="max")(waveform), control(waveform)[:, 128:])


def test_names_and_fingerprints_tell_choices_apart() -> None:
    encoder = auricle.load("byola-2020-512")
    assert pooled(encoder) is encoder
    chosen = [
        pooled(encoder, layer="conv2"),
        pooled(encoder, layer="conv2", pooling="max"),
        pooled(encoder, pooling="max"),
    ]
    assert [model.name for model in chosen] == [
        "byola-2020-512 (conv2)",
        "byola-2020-512 (conv2, max)",
        "byola-2020-512 (max)",
    ]
    assert len({encoder.weights_fingerprint, *(model.weights_fingerprint for model in chosen)}) == 4
    assert not any(model.training for model in chosen)


@pytest.mark.parametrize(
    ("name", "choice", "message"),
    [
        ("byola-2020-512", {"layer": "conv9"}, "has no layer 'conv9': choose conv1, .*, fc2, all or weighted"),
        ("byola-2020-512", {"pooling": "median"}, "pooling is 'median': expected mean, max, mean\\+max"),
        ("mfcc-stats", {"layer": "all"}, "mfcc-stats has no layers to choose from"),
    ],
)
def test_what_is_not_there_is_one_sentence(name: str, choice: dict[str, str], message: str) -> None:
    with pytest.raises(AuricleError, match=message):
        pooled(auricle.load(name), **choice)
