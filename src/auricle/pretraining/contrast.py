"""The contrastive task of wav2vec 2.0 over the hidden frames of a batch, and what a score in it is to be held against.

Baevski et al. 2020 (arXiv 2006.11477), equation 3, as Srivastava et al. 2022 (arXiv 2110.07313) use it. Sound is
smooth: a hidden frame mostly resembles the frames beside it, so that an accuracy says something only beside that of
interpolation (:func:`interpolated`) and beside a guess among *different* candidates (:func:`chance`).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from auricle.pretraining.masking import Masked, has_negatives


@dataclass(frozen=True)
class Contrast:
    """How well hidden frames were told apart, clip by clip.

    Attributes
    ----------
    loss
        ``(batch,)`` sum over a clip's hidden frames of the cross-entropy, nats.
    correct
        ``(batch,)`` hidden frames whose own target is more similar than every negative.
    distinct
        ``(batch,)`` sum over hidden frames of the number of different negatives.
    frames
        ``(batch,)`` hidden frames that have a negative.
    apart
        ``(batch, most, count)``: which negatives counted. A frame whose target is the same code as the hidden frame's
        own is none, as in wav2vec 2.0's published code; it would be a tie that rounding decides.
    """

    loss: Tensor
    correct: Tensor
    distinct: Tensor
    frames: Tensor
    apart: Tensor


def contrast(
    predictions: Tensor,
    targets: Tensor,
    masked: Masked,
    negatives: Tensor,
    *,
    temperature: float,
    centre: bool = False,
    codes: Tensor | None = None,
) -> Contrast:
    """The contrastive task over the masked frames of a batch.

    Parameters
    ----------
    predictions, targets
        ``(batch, most, dim)``: what the context says of each masked frame, and what it is.
    masked
        Which of them are there.
    negatives
        ``(batch, most, count)`` from :func:`auricle.pretraining.masking.draw_negatives`.
    temperature
        Of the cosine similarities.
    centre
        Whether the means over a clip's masked frames are taken off first, of predictions and of targets.
    codes
        ``(batch, most, groups)``: which codes the targets are, where they are quantised.
    """
    logits = _similarity(predictions, targets, masked, centre) / temperature
    own = logits.diagonal(dim1=1, dim2=2)
    apart = has_negatives(masked)[:, :, None].expand_as(negatives)
    if codes is not None:
        differ = (codes[:, :, None] != codes[:, None, :]).any(dim=3)
        apart = apart & differ.gather(2, negatives)
    others = logits.gather(2, negatives).masked_fill(~apart, -math.inf)
    counted = apart.any(dim=2)
    loss = torch.logsumexp(torch.cat([own[:, :, None], others], dim=2), dim=2) - own
    drawn = torch.zeros_like(logits).scatter_add_(2, negatives, apart.to(logits.dtype)) > 0
    return Contrast(
        loss=loss.masked_fill(~counted, 0.0).sum(dim=1),
        correct=((own > others.amax(dim=2)) & counted).sum(dim=1),
        distinct=drawn.sum(dim=2).masked_fill(~counted, 0).sum(dim=1),
        frames=counted.sum(dim=1),
        apart=apart,
    )


def correct_by_interpolation(
    latents: Tensor,
    lengths: Tensor,
    mask: Tensor,
    masked: Masked,
    negatives: Tensor,
    apart: Tensor,
    *,
    centre: bool = False,
) -> Tensor:
    """``(batch,)`` hidden frames that :func:`interpolated` latents tell from the same negatives, centred or not.

    Negatives are those of `negatives` that are `apart`, as :class:`Contrast` has them.
    """
    guesses = masked.gather(interpolated(latents, lengths, mask))
    similarity = _similarity(guesses, masked.gather(latents), masked, centre)
    own = similarity.diagonal(dim1=1, dim2=2)
    others = similarity.gather(2, negatives).masked_fill(~apart, -math.inf)
    return ((own > others.amax(dim=2)) & apart.any(dim=2)).sum(dim=1)


def interpolated(latents: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
    """Hidden latents as the straight line between the nearest visible ones on both sides says they are.

    Parameters
    ----------
    latents
        ``(batch, time, dim)``.
    lengths
        ``(batch,)`` true frames of each clip.
    mask
        ``(batch, time)``, True where hidden.

    Returns
    -------
    Tensor
        ``(batch, time, dim)``; the nearest visible latent where there is one on one side only, 0 where there is none.
    """
    position = torch.arange(latents.shape[1], device=latents.device).expand_as(mask)
    visible = ~mask & (position < lengths[:, None])
    beyond = latents.shape[1]
    before = torch.where(visible, position, -1).cummax(dim=1).values
    after = torch.where(visible, position, beyond).flip(1).cummin(dim=1).values.flip(1)
    nothing = (before < 0) & (after == beyond)
    left = torch.where(before < 0, after, before).masked_fill(nothing, 0)
    right = torch.where(after == beyond, before, after).masked_fill(nothing, 0)
    weight = (position - left).to(latents.dtype).div((right - left).clamp_min(1)).clamp(0, 1)[:, :, None]
    first, last = (latents.gather(1, side[:, :, None].expand_as(latents)) for side in (left, right))
    return torch.lerp(first, last, weight).masked_fill(nothing[:, :, None], 0.0)


def target_variance(targets: Tensor, masked: Masked) -> Tensor:
    """Variance over a clip's hidden frames of L2-normalised targets, summed over dimensions: 0 collapsed, 1 spread."""
    unit = functional.normalize(targets.float(), dim=-1).masked_fill(~masked.valid[:, :, None], 0.0)
    centre = unit.sum(dim=1) / masked.counts.clamp_min(1)[:, None]
    return 1.0 - centre.square().sum(dim=1)


def chance(distinct: float) -> float:
    """Accuracy of a guess among a frame's own target and so many different negatives."""
    return 1.0 / (1.0 + distinct) if not math.isnan(distinct) else math.nan


def _similarity(predictions: Tensor, targets: Tensor, masked: Masked, centre: bool) -> Tensor:
    """Cosine of every prediction with every target of its clip: negatives are frames of the same clip."""
    with torch.autocast(predictions.device.type, enabled=False):
        first, second = (
            functional.normalize(_centred(x, masked) if centre else x, dim=-1)
            for x in (y.to(torch.promote_types(y.dtype, torch.float32)) for y in (predictions, targets))
        )
        return torch.bmm(first, second.mT)


def _centred(x: Tensor, masked: Masked) -> Tensor:
    """`x` without its mean over a clip's masked frames."""
    there = x.masked_fill(~masked.valid[:, :, None], 0.0)
    return x - there.sum(dim=1, keepdim=True) / masked.counts.clamp_min(1)[:, None, None]
