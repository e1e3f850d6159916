from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.signal import correlate2d

from auricle import randomness
from auricle.errors import AuricleError
from auricle.mel import MelRecipe
from auricle.models.byola import BYOLA, BYOLA2020, BYOLA2022, BYOLA2020Config, BYOLA2022Config

from .signals import chirps, with_lively_batch_norm

SMALL_MEL = MelRecipe(n_mels=16)


def small(generation: int = 2022) -> BYOLA:
    """An encoder of a few thousand parameters."""
    torch.manual_seed(0)
    if generation == 2020:
        encoder: BYOLA = BYOLA2020(BYOLA2020Config(mel=SMALL_MEL, channels=4, mlp_hidden=32))
    else:
        encoder = BYOLA2022(BYOLA2022Config(mel=SMALL_MEL, channels=4, mlp_hidden=32))
    return with_lively_batch_norm(encoder).eval()  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("encoder", "parameters", "dim", "frame_rate"),
    [
        # Papers: 2022's Table I (as arithmetic: 640 + 128 + 36,928 + 128 + 2,099,200 + 4,196,352), 2021's section V-A.
        (BYOLA2022(), 6_333_376, 3072, 25.0),
        (BYOLA2020(BYOLA2020Config(mlp_hidden=512)), 600_192, 512, 12.5),
        (BYOLA2020(BYOLA2020Config(mlp_hidden=1024)), 1_649_792, 1024, 12.5),
        (BYOLA2020(), 5_321_856, 2048, 12.5),
    ],
)
def test_sizes_are_the_papers(encoder: BYOLA, parameters: int, dim: int, frame_rate: float) -> None:
    assert sum(parameter.numel() for parameter in encoder.parameters()) == parameters
    assert encoder.embedding_dim == dim
    assert encoder.frame_rate == frame_rate


@pytest.mark.parametrize(("generation", "first"), [(2022, 0.015), (2020, 0.035)])
def test_a_frame_lies_at_the_middle_of_the_log_mel_frames_it_pools(generation: int, first: float) -> None:
    # Four frames at 0, 10, 20 and 30 ms; eight at 0 … 70 ms.
    _, times = small(generation).frames(torch.zeros(1, 16_000))
    assert times[0].item() == pytest.approx(first)


@pytest.mark.parametrize(("encoder", "blocks"), [(BYOLA2022(), (0, 4)), (BYOLA2020(), (0, 4, 8))])
def test_trunk_bears_the_names_of_the_published_files(encoder: BYOLA, blocks: tuple[int, ...]) -> None:
    expected = {f"fc.{layer}.{kind}" for layer in (0, 3) for kind in ("weight", "bias")}
    for block in blocks:
        expected |= {f"features.{block}.{kind}" for kind in ("weight", "bias")}
        norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
        expected |= {f"features.{block + 1}.{kind}" for kind in norm}
    assert set(encoder.trunk.state_dict()) == expected


def reference_frames(encoder: BYOLA, log_mel: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """The network in NumPy and SciPy, one clip, from the papers' words: every layer's frames, time first."""
    weights = {name: value.double().numpy() for name, value in encoder.trunk.state_dict().items()}
    x, found = log_mel[None], []
    for block in range(encoder.config.blocks):
        kernels, norm = weights[f"features.{4 * block}.weight"], f"features.{4 * block + 1}"
        convolved = []
        for output, kernel in enumerate(kernels):
            total = sum(correlate2d(x[i], kernel[i], mode="same") for i in range(len(x)))
            total = total + weights[f"features.{4 * block}.bias"][output]
            centred = total - weights[f"{norm}.running_mean"][output]
            scaled = centred / np.sqrt(weights[f"{norm}.running_var"][output] + 1e-5)
            convolved.append(scaled * weights[f"{norm}.weight"][output] + weights[f"{norm}.bias"][output])
        y = np.maximum(np.stack(convolved), 0)
        channels, bands, frames = y.shape
        y = y[:, : bands // 2 * 2, : frames // 2 * 2]
        x = y.reshape(channels, bands // 2, 2, frames // 2, 2).max(axis=(2, 4))
        # Per frame, mel-major, channels fastest.
        found.append(
            np.stack([[x[c, b, t] for b in range(bands // 2) for c in range(channels)] for t in range(x.shape[2])])
        )
    hidden = found[-1]
    for layer in ("fc.0", "fc.3"):
        hidden = np.maximum(hidden @ weights[f"{layer}.weight"].T + weights[f"{layer}.bias"], 0)
        found.append(hidden)
    return found


@pytest.mark.parametrize("generation", [2020, 2022])
def test_network_agrees_with_numpy(generation: int) -> None:
    encoder = small(generation).double()
    waveform = chirps(1, 16_123).double()
    log_mel, _ = encoder.log_mel(waveform)
    normalised = (log_mel[0] - encoder.mean) / encoder.std
    expected = reference_frames(encoder, normalised.numpy())
    found = encoder.layers(waveform)
    blocks = encoder.config.blocks
    names = [f"conv{block + 1}" for block in range(blocks)] + ["fc1", "fc2"]
    assert list(found) == list(encoder.layer_names) == names
    frames = len(expected[-1])
    for depth, (name, values) in enumerate(zip(names, expected, strict=True), start=1):
        finer = 2 ** max(0, blocks - depth)  # frames of this layer in one frame embedding
        averaged = values[: frames * finer].reshape(frames, finer, -1).mean(axis=1)
        np.testing.assert_allclose(found[name][0].detach().numpy(), averaged, atol=1e-10)
        assert encoder.layer_dims[name] == values.shape[1]
    last = expected[-1] if generation == 2020 else np.concatenate([expected[-3], expected[-1]], axis=1)
    np.testing.assert_allclose(encoder.frames(waveform)[0][0].detach().numpy(), last, atol=1e-10)
    pooled = last.max(axis=0) + last.mean(axis=0)
    np.testing.assert_allclose(encoder(waveform)[0].detach().numpy(), pooled, atol=1e-10)


def test_layers_of_a_padded_clip_are_those_of_the_clip_alone() -> None:
    encoder = small(2020)
    waveform = chirps(2, 32_000)
    lengths = torch.tensor([32_000, 20_001])
    together = encoder.layers(waveform, lengths)
    alone = encoder.layers(waveform[1:, :20_001])
    for name, values in alone.items():
        padded = together[name][1:]
        torch.testing.assert_close(padded[:, : values.shape[1]], values)
        assert (padded[:, values.shape[1] :] == 0).all()


def test_statistics_standardise_the_log_mel() -> None:
    encoder = small()
    encoder.set_statistics(mean=-7.0, std=2.0)
    waveform = chirps(2, 16_000)
    normalised, _ = encoder.normalised_log_mel(waveform)
    torch.testing.assert_close(normalised, (encoder.log_mel(waveform)[0] + 7.0) / 2.0)
    assert encoder.statistics == {"mean": -7.0, "std": 2.0}


@pytest.mark.parametrize(("mean", "std"), [(0.0, 0.0), (0.0, -1.0), (float("nan"), 1.0), (0.0, float("inf"))])
def test_impossible_statistics_are_refused(mean: float, std: float) -> None:
    with pytest.raises(AuricleError, match="std above 0"):
        small().set_statistics(mean=mean, std=std)


def test_keyed_dropout_of_a_sample_depends_on_its_key_alone() -> None:
    encoder = small().train()
    for module in encoder.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()  # batch statistics do depend on the batch
    views = torch.randn(3, 16, 96)
    keys = randomness.keys(0, "dropout", torch.tensor([11, 12, 13]))
    together, _ = encoder.trunk(views, dropout_keys=keys)
    torch.manual_seed(99)
    alone, _ = encoder.trunk(views[1:2], dropout_keys=keys[1:2])
    torch.testing.assert_close(together[1:2], alone)
    other, _ = encoder.trunk(views[1:2], dropout_keys=keys[2:])
    assert not torch.allclose(other, alone)


def test_dropout_is_of_training_only() -> None:
    encoder = small()
    views = torch.randn(2, 16, 96)
    torch.testing.assert_close(encoder.trunk(views)[0], encoder.trunk(views)[0])
    encoder.train()
    for module in encoder.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    torch.manual_seed(0)
    assert not torch.allclose(encoder.trunk(views)[0], encoder.trunk(views)[0])


def test_trunk_takes_any_number_of_frames_and_says_how_many_it_gives() -> None:
    encoder = small()
    for frames in (4, 7, 96, 97, 1001):
        embeddings, lengths = encoder.trunk(torch.randn(2, 16, frames), torch.tensor([frames, 4]))
        assert embeddings.shape == (2, frames // 4, 4 * 4 + 32)
        assert lengths is not None
        assert lengths.tolist() == [frames // 4, 1]


def test_pooling_is_maximum_plus_mean_over_true_frames() -> None:
    frames = torch.tensor([[[1.0], [5.0], [0.0]], [[-2.0], [-4.0], [-6.0]]])
    pooled = small().pool(frames, torch.tensor([2, 3]))
    assert pooled.tolist() == [[5.0 + 3.0], [-2.0 - 4.0]]


def test_parts_of_the_embedding_lie_side_by_side() -> None:
    whole = small()
    waveform = torch.randn(2, 16_000)
    frames, _ = whole.frames(waveform)
    for parts, wanted in (("convolution", slice(0, 4 * 4)), ("mlp", slice(4 * 4, None))):
        one = BYOLA2022(replace(whole.config, parts=parts)).eval()
        one.load_state_dict(whole.state_dict(), strict=parts == "mlp")
        assert torch.allclose(one.frames(waveform)[0], frames[..., wanted], atol=1e-6)
        assert one.embedding_dim == one.frame_dim == frames[..., wanted].shape[-1]
        assert set(one.layer_dims) == set(whole.layer_dims) - ({"fc1", "fc2"} if parts == "convolution" else set())


def test_pooling_is_as_configured() -> None:
    both = small()
    pooled = {}
    for how in ("max", "mean"):
        one = BYOLA2022(replace(both.config, pooling=how)).eval()
        one.load_state_dict(both.state_dict())
        pooled[how] = one.embed(np.ones(16_000, dtype=np.float32))
    expected = pooled["max"] + pooled["mean"]
    np.testing.assert_allclose(both.embed(np.ones(16_000, dtype=np.float32)), expected, rtol=1e-5)


def test_gradient_reaches_every_parameter() -> None:
    encoder = small(2020).train()
    views = torch.randn(4, 16, 96)
    frames, _ = encoder.trunk(views, dropout_keys=torch.arange(4))
    encoder.pool(frames).square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        # A bias before batch-norm is taken out again by it.
        assert parameter.grad.abs().max() > 0 or name.endswith(("0.bias", "4.bias", "8.bias")), name


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"channels": 0}, "channels must be at least 1"),
        ({"blocks": 7}, "leave nothing of 64 mel bands"),
        ({"dropout": 1.0}, "dropout must be in"),
        ({"parts": "conv"}, "parts is one of both, convolution, mlp, not conv"),
        ({"pooling": "median"}, "pooling is one of mean, max, mean\\+max, not median"),
        ({"width": 3}, "unknown key 'width'"),
        ({"mel": {"n_mel": 3}}, "unknown key 'n_mel'"),
    ],
)
def test_impossible_configurations_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(AuricleError, match=message):
        BYOLA2022Config.from_dict(values)


def test_a_choice_that_came_later_leaves_older_models_the_same_encoders() -> None:
    encoder, older = small(), {"mel", "channels", "blocks", "mlp_hidden", "dropout"}  # what 0.1.0's first models held
    assert set(encoder.config.identity()) == older
    assert set(replace(encoder.config, pooling="mean").identity()) == older | {"pooling"}
    assert set(small(2020).config.identity()) == older
    assert replace(small(2020).config, parts="both").identity()["parts"] == "both"


def test_configuration_survives_json_types() -> None:
    config = BYOLA2020Config(mel=SMALL_MEL, channels=8, mlp_hidden=256)
    assert BYOLA2020Config.from_dict(config.to_dict()) == config
