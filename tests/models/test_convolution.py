"""The rearranged convolution block computes what its plain form does, forward and backward."""

import copy

import pytest
import torch
from torch import Tensor, nn

from auricle.models.convolution import pooled_block
from auricle.models.pooling import pooled


def plain_block(x: Tensor, convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> Tensor:
    return nn.functional.max_pool2d(torch.relu(norm(convolution(x))), 2)


def block(channels: int, *, training: bool) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    """A block whose batch-norm has weights of either sign and statistics of its own."""
    torch.manual_seed(0)
    convolution, norm = nn.Conv2d(channels, 6, 3, padding=1).double(), nn.BatchNorm2d(6).double()
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.5, -0.7, 0.3, -1.2, 2.0, 0.9]))
        norm.bias.copy_(torch.linspace(-1, 1, 6))
        norm.running_mean.copy_(torch.linspace(-0.5, 0.5, 6))
        norm.running_var.copy_(torch.linspace(0.5, 2.0, 6))
    return convolution, norm.train(training)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("channels", [1, 3])
def test_block_equals_its_plain_form(channels: int, training: bool) -> None:
    mine = block(channels, training=training)
    theirs = copy.deepcopy(mine)
    inputs = [torch.randn(5, channels, 8, 11, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    inputs[1].data.copy_(inputs[0].data)
    weights = torch.randn(5, 6, 4, 5, dtype=torch.float64)
    results = [f(x, *b) for f, x, b in zip((pooled_block, plain_block), inputs, (mine, theirs), strict=True)]
    for result in results:
        (result * weights).sum().backward()
    torch.testing.assert_close(results[0], results[1])
    torch.testing.assert_close(inputs[0].grad, inputs[1].grad)
    for module, other in zip(mine, theirs, strict=True):
        for parameter, expected in zip(module.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(parameter.grad, expected.grad, atol=1e-10, rtol=1e-7)
        for buffer, expected in zip(module.buffers(), other.buffers(), strict=True):
            torch.testing.assert_close(buffer, expected)


def test_block_in_bfloat16_is_as_close_as_bfloat16_is() -> None:
    convolution, norm = (module.float() for module in block(1, training=True))
    x = torch.randn(8, 1, 16, 20)
    expected = plain_block(x, convolution, copy.deepcopy(norm))
    with torch.autocast("cpu", torch.bfloat16):
        found = pooled_block(x, convolution, norm)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, atol=0.05, rtol=0.02)


def test_pooling_by_maximum_plus_mean_and_its_gradient() -> None:
    frames = torch.randn(3, 7, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda frames: pooled(frames, "mean+max"), frames)
    torch.testing.assert_close(pooled(frames, "mean+max"), frames.max(dim=1).values + frames.mean(dim=1))


def test_equal_maxima_share_the_gradient() -> None:
    frames = torch.tensor([[[1.0], [1.0], [0.0], [0.0]]], requires_grad=True)
    pooled(frames, "mean+max").backward()
    assert frames.grad is not None
    assert frames.grad.flatten().tolist() == [0.75, 0.75, 0.25, 0.25]
