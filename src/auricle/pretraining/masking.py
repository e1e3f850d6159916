"""Which frames a contrastive objective hides, and which other hidden frames it must not be mistaken for.

wav2vec 2.0 (Baevski et al. 2020, section 3.2) as Srivastava et al. 2022 use it. Everything is drawn for whole batches
by stateless generators: what is drawn for a clip depends on its key and length, not on the batch around it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from auricle import randomness


@dataclass(frozen=True)
class Masked:
    """The masked frames of a batch, each clip's in ascending order.

    Attributes
    ----------
    frame
        ``(batch, most)`` int64: positions in time; 0 where a clip has fewer.
    valid
        ``(batch, most)``: whether there is one.
    """

    frame: Tensor
    valid: Tensor

    @property
    def counts(self) -> Tensor:
        """``(batch,)`` masked frames of each clip."""
        return self.valid.sum(dim=1)

    def gather(self, frames: Tensor) -> Tensor:
        """``(batch, time, dim)`` → ``(batch, most, dim)``."""
        return frames.gather(1, self.frame[:, :, None].expand(-1, -1, frames.shape[2]))


def span_mask(keys: Tensor, lengths: Tensor, frames: int, *, probability: float, span: int) -> Tensor:
    """Frames to hide: spans of `span` frames that start at different random frames and may overlap.

    A clip of T true frames has ``probability * T / span`` spans (rounded up or down at random so that their expected
    number is that), at least one, so that at most about `probability` of it is hidden; none reaches into padding. A
    clip shorter than a span is hidden as a whole.

    Parameters
    ----------
    keys
        ``(batch,)`` keys of :func:`auricle.randomness.keys`.
    lengths
        ``(batch,)`` true frames of each clip.
    frames
        Frames of the padded batch.
    probability, span
        Share of frames, and frames of a span.

    Returns
    -------
    Tensor
        ``(batch, frames)`` booleans.
    """
    draws = randomness.uniform(keys, frames + 1)
    wanted = (lengths * probability / span + draws[:, 0]).floor().long().clamp_min(1)
    starts_there_are = (lengths - span + 1).clamp_min(1)
    wanted = torch.minimum(wanted, starts_there_are)
    position = torch.arange(frames, device=keys.device)
    score = draws[:, 1:].masked_fill(position >= starts_there_are[:, None], 2.0)
    rank = score.argsort(dim=1, stable=True).argsort(dim=1)
    starts = rank < wanted[:, None]
    hidden = starts.clone()
    for later in range(1, min(span, frames)):
        hidden[:, later:] |= starts[:, :-later]
    return hidden & (position < lengths[:, None])


def masked_frames(mask: Tensor) -> Masked:
    """The positions that are true in ``(batch, frames)``."""
    counts = mask.sum(dim=1)
    most = max(1, int(counts.max()))
    # True sorts first in descending order, and a stable sort keeps frames in time.
    frame = mask.int().argsort(dim=1, descending=True, stable=True)[:, :most]
    valid = torch.arange(most, device=mask.device) < counts[:, None]
    return Masked(frame.masked_fill(~valid, 0), valid)


def draw_negatives(keys: Tensor, masked: Masked, count: int) -> Tensor:
    """For every masked frame, `count` other masked frames of its clip, drawn uniformly and with repetition.

    Returns
    -------
    Tensor
        ``(batch, most, count)`` int64: positions among the clip's masked frames, never the frame's own. Where a clip
        has a single masked frame, or none is there, what stands means nothing: see :func:`has_negatives`.
    """
    batch, most = masked.valid.shape
    draws = randomness.uniform(keys, most * count).view(batch, most, count)
    others = (masked.counts - 1).clamp_min(1)[:, None, None]
    drawn = torch.minimum((draws * others).long(), others - 1)
    own = torch.arange(most, device=keys.device)[None, :, None]
    return (drawn + (drawn >= own)).clamp_max(most - 1)


def has_negatives(masked: Masked) -> Tensor:
    """Which masked frames have another one in their clip: ``(batch, most)``."""
    return masked.valid & (masked.counts > 1)[:, None]
