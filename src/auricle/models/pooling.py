"""What is kept of a clip's frames when they become one vector, in a form that adds up over chunks.

Whole clips and hour-long streams go through the same numbers: count, mean, sum of squared deviations and maximum over
time, merged by the update of Chan, Golub & LeVeque (1983), which does not cancel where sums of squares would.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor

Pooling = Literal["mean", "max", "mean+max"]
POOLINGS: tuple[Pooling, ...] = get_args(Pooling)


@dataclass(frozen=True)
class FrameStatistics:
    """Statistics over time of a batch of clips' frames.

    Attributes
    ----------
    count
        ``(batch, 1)`` frames seen.
    mean, maximum
        ``(batch, dim)``, float32 or float64.
    deviations
        ``(batch, dim)`` sum of squared deviations from the mean; None where it was not asked for.
    """

    count: Tensor
    mean: Tensor
    maximum: Tensor
    deviations: Tensor | None = None

    @classmethod
    def of(cls, frames: Tensor, lengths: Tensor | None = None, *, with_deviations: bool = False) -> "FrameStatistics":
        """Statistics of ``(batch, time, dim)`` frames, of which `lengths` ``(batch,)`` are true in each clip.

        Rows beyond a clip's true frames must be 0, as :meth:`auricle.models.encoder.Encoder.frames` returns them.
        """
        dtype = torch.promote_types(frames.dtype, torch.float32)
        if lengths is None:
            count = torch.full((len(frames), 1), frames.shape[1], dtype=dtype, device=frames.device)
            mean = frames.mean(dim=1, dtype=dtype)
            maximum = frames.amax(dim=1).to(dtype)
            beyond = None
        else:
            beyond = (torch.arange(frames.shape[1], device=frames.device) >= lengths[:, None])[:, :, None]
            count = lengths[:, None].to(dtype)
            mean = frames.sum(dim=1, dtype=dtype) / count
            maximum = frames.masked_fill(beyond, -torch.inf).amax(dim=1).to(dtype)
        if not with_deviations:
            return cls(count, mean, maximum)
        squares = (frames - mean[:, None]).square()
        if beyond is not None:
            squares = squares.masked_fill(beyond, 0.0)
        return cls(count, mean, maximum, squares.sum(dim=1))

    def pooled(self, how: Pooling) -> Tensor:
        """``(batch, dim)``: the maximum, the mean, or the sum of both."""
        match how:
            case "max":
                return self.maximum
            case "mean":
                return self.mean
            case "mean+max":
                return self.maximum + self.mean

    def merged(self, other: "FrameStatistics") -> "FrameStatistics":
        """Statistics of the frames of both, in float64 so that a day of chunks loses nothing."""
        count = self.count.double() + other.count.double()
        difference = other.mean.double() - self.mean.double()
        mean = self.mean.double() + difference * (other.count / count)
        deviations = None
        if self.deviations is not None and other.deviations is not None:
            between = difference.square() * (self.count.double() * other.count.double() / count)
            deviations = self.deviations.double() + other.deviations.double() + between
        return FrameStatistics(count, mean, torch.maximum(self.maximum, other.maximum), deviations)


class _MaximumPlusMean(torch.autograd.Function):
    """The sum of two reductions over one axis, whose gradient is made in three passes; torch's takes eight."""

    @staticmethod
    def forward(ctx: Any, frames: Tensor) -> Tensor:
        maximum = frames.amax(dim=1)
        ctx.save_for_backward(frames, maximum)
        return maximum + frames.sum(dim=1) / frames.shape[1]

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        frames, maximum = ctx.saved_tensors
        gradient = grad_outputs[0].to(frames.dtype)[:, None]
        largest = torch.eq(frames, maximum[:, None], out=torch.empty_like(frames))
        # Equal maxima share the gradient, as in torch.amax.
        share = gradient / largest.sum(dim=1, keepdim=True)
        return torch.addcmul(gradient / frames.shape[1], largest, share)


def pooled(frames: Tensor, how: Pooling) -> Tensor:
    """The same in training: ``(batch, time, dim)`` → ``(batch, dim)``, differentiable once."""
    match how:
        case "max":
            return frames.amax(dim=1)
        case "mean":
            return frames.mean(dim=1)
        case "mean+max":
            both: Tensor = _MaximumPlusMean.apply(frames)  # type: ignore[no-untyped-call]
            return both
