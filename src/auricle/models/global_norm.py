"""Batch-norm over the global batch of all processes, on any device.

`torch.nn.SyncBatchNorm` refuses CPU tensors. Here the count, the sum and the sum of squares of every channel are summed
over processes by a differentiable all-reduce, so that forward and backward equal those of one process with all samples.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class _SumOverProcesses(torch.autograd.Function):
    """All-reduce by summation; the gradient of a sum over processes is again one."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:  # noqa: ARG004
        return sum_over_processes(value)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # noqa: ARG004
        return sum_over_processes(grad_outputs[0])


def world_size() -> int:
    """Number of processes that train together; 1 without torch.distributed."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def sum_over_processes(value: Tensor) -> Tensor:
    """A new tensor: `value` summed over all processes, without gradient."""
    total = value.detach().clone(memory_format=torch.contiguous_format)
    if world_size() > 1:
        dist.all_reduce(total)
    return total


def differentiable_sum_over_processes(value: Tensor) -> Tensor:
    """`value` summed over all processes, with gradient."""
    if world_size() == 1:
        return value
    total: Tensor = _SumOverProcesses.apply(value)  # type: ignore[no-untyped-call]
    return total


def sum_over_batch(value: Tensor, norm: _BatchNorm) -> Tensor:
    """`value` summed over what `norm` calls the batch, with gradient: all processes for :class:`GlobalBatchNorm`."""
    return differentiable_sum_over_processes(value) if isinstance(norm, GlobalBatchNorm) else value


class GlobalBatchNorm(_BatchNorm):
    """Batch-norm whose training statistics are those of the batch over all processes; any ``(batch, channels, …)``.

    Same parameters and buffers as `nn.BatchNorm1d` and `nn.BatchNorm2d`. With one process it is exactly those.
    Statistics are kept in float32 whatever the precision of the input.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"expected (batch, channels, ...), got {tuple(input.shape)}")

    def forward(self, input: Tensor) -> Tensor:
        """Normalised input of the same shape and precision."""
        if not self.training or world_size() == 1:
            return super().forward(input)
        assert self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None
        axes = [0, *range(2, input.ndim)]
        shape = [1, -1] + [1] * (input.ndim - 2)
        x = input.float()
        count = x.new_full((1,), float(x.numel() // x.shape[1]))
        sums = sum_over_batch(torch.cat([x.sum(axes), x.square().sum(axes), count]), self)
        channels = x.shape[1]
        total = sums[-1].detach()
        mean = sums[:channels] / total
        variance = sums[channels : 2 * channels] / total - mean.square()
        with torch.no_grad():
            momentum = self.momentum if self.momentum is not None else 0.1
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, momentum)
            self.running_var.lerp_(variance * (total / (total - 1)), momentum)
        scale = torch.rsqrt(variance + self.eps) * self.weight
        out = (x - mean.view(shape)) * scale.view(shape) + self.bias.view(shape)
        return out.to(input.dtype)


def use_global_batch_norm(module: nn.Module) -> nn.Module:
    """Replace every batch-norm in `module` by :class:`GlobalBatchNorm` with the same weights and buffers, in place."""
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm) and not isinstance(child, GlobalBatchNorm):
            replacement = GlobalBatchNorm(child.num_features, eps=child.eps, momentum=child.momentum)
            replacement.load_state_dict(child.state_dict())
            replacement.train(child.training)
            for mine, theirs in zip(replacement.parameters(), child.parameters(), strict=True):
                mine.requires_grad_(theirs.requires_grad)
            setattr(module, name, replacement)
        else:
            use_global_batch_norm(child)
    return module
