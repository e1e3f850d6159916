"""An encoder for finding the same recording again, whatever was done to it: statistics of the levelled log-mel.

Level does not count, for every clip is brought to one first, nor what lies far below it, for the logarithm has a high
floor: noise of quantisation and of coding, and what a codec cut off. Against a set's own directions (whitened) the
statistics of two recordings of the same thing differ, and those of two copies of one recording do not.
"""

from typing import ClassVar

import torch
from torch import Tensor

from auricle.mel import MelRecipe
from auricle.models.controls import LogMelStats
from auricle.models.spectrogram import SpectrogramConfig

LEVEL = 0.1  # root mean square that every clip is brought to, 20 dB below full scale
LOG_FLOOR = 3e-3  # power of a mel band, about 40 dB below the loudest bands of such a clip


class SoundPrint(LogMelStats):
    """Mean, deviation and maximum over time of every mel band of the levelled clip: ``(batch, 192)``."""

    architecture: ClassVar[str] = "sound-print"

    def __init__(self, config: SpectrogramConfig | None = None) -> None:
        super().__init__(config or SpectrogramConfig(mel=MelRecipe(log_floor=LOG_FLOOR)))

    def _encode(self, waveform: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        samples = waveform.shape[1] if lengths is None else lengths[:, None]
        level = (waveform.square().sum(dim=1, keepdim=True) / samples).sqrt()
        return super()._encode(waveform * (LEVEL / level.clamp_min(torch.finfo(torch.float32).tiny)), lengths)
