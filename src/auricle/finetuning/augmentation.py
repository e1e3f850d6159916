"""What training clips go through besides a random crop: mixup of sounds with their labels, masks on their spectrograms.

Mixup (Zhang et al. 2018) adds waveforms, so that it serves every encoder. SpecAugment (Park et al. 2019) masks the
log-mel spectrogram that the encoder itself computes. All draws depend on (seed, purpose, global sample index) alone.
"""

from types import TracebackType
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from auricle import randomness
from auricle.errors import AuricleError
from auricle.finetuning.recipe import SpecAugment
from auricle.mel import LogMel
from auricle.models.encoder import Encoder


def mixup(waveform: Tensor, targets: Tensor, index: Tensor, *, alpha: float, seed: int) -> tuple[Tensor, Tensor]:
    """Mix every clip of a batch with another one by a share of Beta(α, α): λ x + (1 - λ) x′, and targets likewise.

    Parameters
    ----------
    waveform, targets
        ``(batch, samples)`` and ``(batch, outputs)`` of the *global* batch.
    index
        ``(batch,)`` global sample indices.
    alpha
        Parameter of the distribution; small values mix little.
    seed
        The run's.
    """
    shares = [randomness.generator(seed, "mixup share", int(i)).beta(alpha, alpha) for i in index]
    share = torch.from_numpy(np.array(shares, dtype=np.float32))[:, None].to(waveform.device)
    other = randomness.permutation(seed, "mixup partner", int(index[0]), len(index)).to(waveform.device)
    return share * waveform + (1 - share) * waveform[other], share * targets + (1 - share) * targets[other]


def mask_log_mel(log_mel: Tensor, key: Tensor, settings: SpecAugment) -> Tensor:
    """Put the mean of each clip in random bands and stretches of time of its spectrogram.

    Parameters
    ----------
    log_mel
        ``(batch, bands, frames)``.
    key
        ``(batch,)`` of :func:`auricle.randomness.keys`.
    settings
        How many masks, and how wide.
    """
    batch, bands, frames = log_mel.shape
    masks = settings.frequency_masks + settings.time_masks
    draws = randomness.uniform(key, 2 * masks).view(batch, masks, 2)
    masked = torch.zeros(batch, bands, frames, dtype=torch.bool, device=log_mel.device)
    for number in range(masks):
        along_bands = number < settings.frequency_masks
        limit = settings.frequency_width if along_bands else settings.time_width
        length = bands if along_bands else frames
        width = (draws[:, number, :1] * limit * length).round()
        first = (draws[:, number, 1:] * (length - width + 1)).floor()
        position = torch.arange(length, device=log_mel.device)
        inside = (position >= first) & (position < first + width)
        masked |= inside[:, :, None] if along_bands else inside[:, None, :]
    return torch.where(masked, log_mel.mean(dim=(1, 2), keepdim=True), log_mel)


class MaskedFrontEnd:
    """SpecAugment within an encoder, on the output of its front end; a context manager, without effect when off.

    Parameters
    ----------
    encoder
        Any whose front end is :class:`auricle.mel.LogMel`.
    settings, seed
        What is drawn.

    Raises
    ------
    AuricleError
        When the encoder has no such front end.
    """

    def __init__(self, encoder: Encoder, settings: SpecAugment, *, seed: int) -> None:
        self._settings, self._seed = settings, seed
        self._index: Tensor | None = None
        self._front_ends = [module for module in encoder.modules() if isinstance(module, LogMel)]
        self._hooks: list[Any] = []
        if settings.is_on and not self._front_ends:
            raise AuricleError(f"{encoder.name} has no log-mel front end for SpecAugment to mask: leave its masks at 0")

    def __enter__(self) -> Self:
        if self._settings.is_on:
            self._hooks = [module.register_forward_hook(self._mask) for module in self._front_ends]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    def next(self, index: Tensor) -> None:
        """The global sample indices ``(batch,)`` of the batch that comes next."""
        self._index = index

    def _mask(self, module: LogMel, inputs: Any, output: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor] | None:  # noqa: ARG002
        if self._index is None:  # nothing is masked outside training
            return None
        log_mel, lengths = output
        key = randomness.keys(self._seed, "specaugment", self._index.to(log_mel.device))
        self._index = None
        return mask_log_mel(log_mel, key, self._settings), lengths
