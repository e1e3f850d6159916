"""The conformer against published sizes, a plain form of its layers and its own definition of long recordings."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import auricle
from auricle import randomness
from auricle.errors import AuricleError
from auricle.models import registry
from auricle.models.conformer import Conformer, ConformerConfig, ConformerLarge
from auricle.models.conformer_layers import ConformerLayer, GlobalNorm, attend

from .signals import chirps


@pytest.mark.parametrize(
    ("family", "parameters", "dim"), [(Conformer, 18_362_368, 256), (ConformerLarge, 87_935_488, 768)]
)
def test_published_sizes(family: type[Conformer], parameters: int, dim: int) -> None:
    with torch.device("meta"):
        encoder = family()
    assert encoder.parameters_count == parameters
    assert encoder.embedding_dim == dim
    entry = registry.entry(family.architecture)
    assert (entry.parameters, entry.embedding_dim, entry.frame_rate) == (parameters, dim, encoder.frame_rate)
    assert encoder.frame_rate == 25.0  # four log-mel frames of 10 ms


def test_global_norm_without_padding_is_group_norm_of_one_group() -> None:
    norm = GlobalNorm(6)
    with torch.no_grad():
        norm.weight.copy_(torch.linspace(0.5, 2, 6))
        norm.bias.copy_(torch.linspace(-1, 1, 6))
    x = torch.randn(3, 11, 6)
    expected = functional.group_norm(x.mT, 1, norm.weight, norm.bias).mT
    torch.testing.assert_close(norm(x, None), expected)
    torch.testing.assert_close(norm(x, torch.ones(3, 11, dtype=torch.bool)), expected, rtol=1e-5, atol=1e-5)


def test_a_layer_is_its_modules_one_after_the_other() -> None:
    """Against torch's own modules put together as the paper's figure has them."""
    torch.manual_seed(0)
    dim, heads = 16, 4
    layer = ConformerLayer(dim, heads=heads, feed_forward=32, kernel=5, dropout=0.3).eval()
    attention = nn.MultiheadAttention(dim, heads, batch_first=True)
    attention.load_state_dict(
        {
            "in_proj_weight": layer.attention.project.weight,
            "in_proj_bias": layer.attention.project.bias,
            "out_proj.weight": layer.attention.out.weight,
            "out_proj.bias": layer.attention.out.bias,
        }
    )
    x = torch.randn(2, 9, dim)

    def feed_forward(module: nn.Module, y: torch.Tensor) -> torch.Tensor:
        return module.narrow(functional.silu(module.widen(module.norm(y))))

    y = x + feed_forward(layer.before, x) / 2
    conv = layer.convolution
    inside = conv.depthwise(functional.glu(conv.gate(conv.norm(y)), dim=-1).mT)
    inside = functional.group_norm(inside, 1, conv.global_norm.weight, conv.global_norm.bias)
    y = y + conv.out(functional.silu(inside.mT))
    normal = layer.attention.norm(y)
    y = y + attention(normal, normal, normal, need_weights=False)[0]
    y = y + feed_forward(layer.after, y) / 2
    torch.testing.assert_close(layer(x, None, None, 0), layer.norm(y), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("padded", [False, True])
def test_attention_written_out_is_torchs_own_in_double_precision(padded: bool) -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, 4, 21, 8).to(torch.bfloat16)
    mask = (torch.arange(21) < torch.tensor([21, 13])[:, None])[:, None, None, :] if padded else None
    exact = [x.double().requires_grad_() for x in (query, key, value)]
    functional.scaled_dot_product_attention(*exact, attn_mask=mask).square().sum().backward()
    found = [x.clone().requires_grad_() for x in (query, key, value)]
    out = attend(found[0], found[1], found[2], mask)
    out.double().square().sum().backward()
    for mine, theirs in zip(found, exact, strict=True):
        assert mine.grad is not None and theirs.grad is not None
        error = (mine.grad - theirs.grad).norm() / theirs.grad.norm()
        assert float(error) < 0.02  # bfloat16 has eight bits
    if mask is not None:
        assert not found[1].grad[1, :, 13:].any()


def test_padding_influences_no_gradient() -> None:
    torch.manual_seed(0)
    encoder = Conformer(ConformerConfig(layers=2))
    waveform = chirps(2, 32_000).requires_grad_()
    encoder(waveform, torch.tensor([32_000, 20_000])).sum().backward()
    assert waveform.grad is not None
    assert waveform.grad[1, :19_000].abs().sum() > 0
    assert (waveform.grad[1, 20_000:] == 0).all()


def test_beyond_its_longest_a_recording_is_embedded_in_overlapping_windows() -> None:
    encoder = Conformer(ConformerConfig(layers=2, max_seconds=5.0)).eval()
    waveform = chirps(1, 12 * 16_000)
    second, step = 25, encoder.samples_per_frame
    kept = encoder._windowing.kept
    with torch.no_grad():
        found, _ = encoder.frames(waveform)
        frames, first = [], 0
        while first < found.shape[1]:
            before = min(first, second)
            rest = 12 * 16_000 - (first + kept) * step < max(second * step, encoder.min_samples) + second * step
            until = None if rest else (first + kept + second) * step
            window, _ = encoder.frames(waveform[:, (first - before) * step : until])
            frames.append(window[:, before:] if rest else window[:, before : before + kept])
            assert window.shape[1] * step <= 5.0 * 16_000
            first += frames[-1].shape[1]
    torch.testing.assert_close(torch.cat(frames, dim=1), found, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(encoder(waveform), found.mean(dim=1), rtol=1e-4, atol=1e-4)


def test_dropout_of_a_clip_depends_on_its_key_alone() -> None:
    torch.manual_seed(0)
    trunk = Conformer(ConformerConfig(layers=2)).train().trunk
    latents = torch.randn(3, 20, 256)
    key = randomness.keys(0, "test", torch.arange(3))
    together = trunk.context(latents, None, key)
    alone = trunk.context(latents[1:2], None, key[1:2])
    torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(together, trunk.context(latents, None, key + 1))


def test_layers_end_with_the_frames() -> None:
    encoder = auricle.load("conformer-small")
    with torch.no_grad():
        layers = encoder.layers(chirps(2, 16_000))
        frames, _ = encoder.frames(chirps(2, 16_000))
    assert list(layers) == ["latents", *(f"layer{number}" for number in range(1, 13))]
    torch.testing.assert_close(layers["layer12"], frames)


@pytest.mark.parametrize("wrong", [{"kernel": 4}, {"heads": 7}, {"layers": 0}, {"dropout": 1.0}, {"max_seconds": 1.0}])
def test_impossible_sizes_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(AuricleError, match=next(iter(wrong))):
        ConformerConfig(**wrong)


def test_a_shortened_one_says_what_that_layer_says() -> None:
    torch.manual_seed(0)
    encoder = Conformer(ConformerConfig(dim=32, layers=4, heads=4, feed_forward=64, latent_dim=24), mean=-7.0).eval()
    shorter = encoder.shortened(3)
    waveform = chirps(2, 16_000)
    torch.testing.assert_close(shorter.frames(waveform)[0], encoder.layers(waveform)["layer3"])
    assert shorter.layer_names == encoder.layer_names[:-1]
    assert shorter.statistics == encoder.statistics
    with pytest.raises(AuricleError, match="has 4 conformer layers: cannot keep the first 5"):
        encoder.shortened(5)
