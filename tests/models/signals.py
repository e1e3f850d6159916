"""Small signals and models for the tests of the encoders."""

import torch
from torch import Tensor, nn

import auricle
from auricle.models.encoder import Encoder
from auricle.models.yamnet import YAMNet


def chirps(count: int, samples: int, *, seed: int = 0) -> Tensor:
    """`count` different sounds ``(count, samples)``: sweeps in noise, fading in or out."""
    random = torch.Generator().manual_seed(seed)
    time = torch.arange(samples) / 16_000
    start, slope, fade = torch.rand(3, count, 1, generator=random) * torch.tensor([3000.0, 800.0, 2.0])[:, None, None]
    sweep = torch.sin(2 * torch.pi * (start * time + slope * time**2 / 2)) * torch.exp(-fade * time)
    return 0.4 * sweep + 0.02 * torch.randn(count, samples, generator=random)


def untrained(name: str) -> Encoder:
    """A registered model with random weights, which need no files."""
    if name != "yamnet":
        return auricle.load(name)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return YAMNet().eval()


def with_lively_batch_norm(encoder: Encoder, *, seed: int = 0) -> Encoder:
    """Batch-norm as after training; that of a new encoder is the identity, which hides padding that leaks."""
    random = torch.Generator().manual_seed(seed)
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.running_mean, -0.5, 0.5),
                (module.running_var, 0.5, 2.0),
                (module.weight, 0.5, 1.5),
                (module.bias, 0.2, 1.0),
            ):
                assert tensor is not None
                values = torch.rand(tensor.shape, generator=random) * (high - low) + low
                tensor.data.copy_(values)
    return encoder
