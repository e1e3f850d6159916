"""BYOL-A's convolution block (convolution, batch-norm, ReLU, maximum over 2 × 2) with little memory traffic.

The block is bound by memory, not by arithmetic. Normalising by a positive scale and ReLU keep the order of numbers, so
the maximum may be taken first and both act on a quarter of the numbers; where batch-norm's weight is negative, the
filter's sign is turned. A block whose input has one channel needs no pass over its output for batch-norm's statistics
either: the convolution is linear, so mean and variance follow from the moments of the input's 3 × 3 patches.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from auricle.models.global_norm import sum_over_batch

POOL = 2  # bands and frames that become one


def pooled_block(x: Tensor, convolution: nn.Conv2d, norm: _BatchNorm) -> Tensor:
    """Maximum over 2 × 2 of ReLU of batch-norm of the convolution of `x`, in whatever order is fastest.

    In training mode `norm` normalises by the batch's statistics and its running ones follow, as in torch.

    Parameters
    ----------
    x
        ``(batch, channels, bands, time)``.
    convolution, norm
        Their parameters and buffers count; they are not called.

    Returns
    -------
    Tensor
        ``(batch, convolution.out_channels, bands // 2, time // 2)``.
    """
    if not norm.training:
        return _with_folded_norm(x, convolution, norm)
    if convolution.in_channels > 1:
        return torch.relu(functional.max_pool2d(norm(convolution(x)), POOL))
    return _with_norm_of_moments(x, convolution, norm)


def _with_folded_norm(x: Tensor, convolution: nn.Conv2d, norm: _BatchNorm) -> Tensor:
    """With fixed statistics, batch-norm is another filter."""
    assert convolution.bias is not None and norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    bias = (convolution.bias - norm.running_mean) * scale + norm.bias
    convolved = functional.conv2d(x, convolution.weight * scale[:, None, None, None], bias, padding=1)
    return torch.relu(functional.max_pool2d(convolved, POOL))


def _with_norm_of_moments(x: Tensor, convolution: nn.Conv2d, norm: _BatchNorm) -> Tensor:
    assert convolution.bias is not None
    mean, variance, count = _moments(x, convolution, norm)
    _let_running_statistics_follow(norm, mean.detach(), variance.detach(), count)
    sign = torch.where(norm.weight < 0, -1.0, 1.0).to(norm.weight.dtype)
    weight, bias = convolution.weight * sign[:, None, None, None], convolution.bias * sign
    largest = functional.max_pool2d(functional.conv2d(x, weight, bias, padding=1), POOL)
    scale = norm.weight * torch.rsqrt(variance + norm.eps)
    return torch.relu(_affine(largest, scale * sign, norm.bias - mean * scale))


def _moments(x: Tensor, convolution: nn.Conv2d, norm: _BatchNorm) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and (biased) variance of every channel of the convolution's output, and how many numbers each has."""
    assert convolution.bias is not None
    with torch.autocast(x.device.type, enabled=False):
        weight = convolution.weight.flatten(1)
        patches = _patches(x[:, 0].to(weight.dtype))
        size = patches.shape[1]
        products = torch.bmm(patches, patches.mT).sum(dim=0)
        count = patches.new_full((1,), float(patches.shape[0] * patches.shape[2]))
        sums = sum_over_batch(torch.cat([patches.sum(dim=(0, 2)), products.flatten(), count]), norm)
        count = sums[-1]
        patch_mean = sums[:size] / count
        covariance = sums[size:-1].view(size, size) / count - torch.outer(patch_mean, patch_mean)
        variance = ((weight @ covariance) * weight).sum(dim=1).clamp_min(0.0)
        return weight @ patch_mean + convolution.bias, variance, count


def _patches(x: Tensor) -> Tensor:
    """The 3 × 3 patch around every number of zero-padded ``(batch, bands, time)``: ``(batch, 9, bands * time)``."""
    bands, time = x.shape[1:]
    padded = functional.pad(x, (1, 1, 1, 1))
    columns = torch.stack([padded[:, :, shift : shift + time] for shift in range(3)], dim=1).flatten(2)
    return torch.stack([columns[:, :, shift * time : (shift + bands) * time] for shift in range(3)], dim=1).flatten(
        1, 2
    )


def _let_running_statistics_follow(norm: _BatchNorm, mean: Tensor, variance: Tensor, count: Tensor) -> None:
    assert norm.running_mean is not None and norm.running_var is not None and norm.num_batches_tracked is not None
    with torch.no_grad():
        momentum = 0.1 if norm.momentum is None else norm.momentum
        norm.num_batches_tracked += 1
        norm.running_mean.lerp_(mean, momentum)
        norm.running_var.lerp_(variance * (count / (count - 1)), momentum)


def _affine(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """``x * scale + shift`` by channel: torch's own kernel for it, which sums gradients in float32, is batch-norm's."""
    zeros, ones = torch.zeros_like(shift), torch.ones_like(shift)
    return functional.batch_norm(x, zeros, ones, scale, shift, training=False, eps=0.0)
