"""Controls: what plain spectrogram statistics achieve, without any learning.

Every table needs them: a pre-trained encoder that does not beat mean, deviation and maximum of its own input has learnt
nothing that a probe could not have read off. They are encoders like all others, whose frames are those of the
spectrogram.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from auricle.errors import AuricleError
from auricle.models.configuration import EncoderConfig
from auricle.models.pooling import FrameStatistics
from auricle.models.spectrogram import SpectrogramConfig, SpectrogramEncoder


class SpectrogramStatistics(SpectrogramEncoder):
    """Mean, standard deviation and maximum over time of some frames of the log-mel spectrogram."""

    min_seconds: ClassVar[float] = 0.0  # zeros at the tail would only blur the statistics

    @property
    def embedding_dim(self) -> int:
        """Dimensions of a clip's embedding."""
        return 3 * self.frame_dim

    @property
    def _with_deviations(self) -> bool:
        return True

    @property
    def stride(self) -> int:
        """Every log-mel frame is a frame."""
        return 1

    @property
    def receptive_margin(self) -> int:
        """A frame sees only itself."""
        return 0

    def _summarise(self, statistics: FrameStatistics) -> Tensor:
        assert statistics.deviations is not None
        # The square root has no gradient at 0, where a constant band stands.
        variance = (statistics.deviations / statistics.count).clamp_min(torch.finfo(torch.float32).tiny)
        return torch.cat([statistics.mean, variance.sqrt(), statistics.maximum], dim=1)


class LogMelStats(SpectrogramStatistics):
    """``logmel-stats``: mean, standard deviation and maximum over time of every mel band (natural-log units)."""

    architecture: ClassVar[str] = "logmel-stats"

    def __init__(self, config: SpectrogramConfig | None = None) -> None:
        super().__init__(config or SpectrogramConfig())

    @property
    def frame_dim(self) -> int:
        """Number of mel bands."""
        return self.config.mel.n_mels

    def _encode(self, waveform: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        log_mel, frame_lengths = self.log_mel(waveform, lengths)
        return log_mel.transpose(1, 2), None if lengths is None else frame_lengths


@dataclass(frozen=True, kw_only=True)
class MFCCStatsConfig(SpectrogramConfig):
    """Configuration of :class:`MFCCStats`.

    Attributes
    ----------
    coefficients
        Number of cepstral coefficients, from the 0th (level) on.
    """

    coefficients: int = 20

    def __post_init__(self) -> None:
        if not 1 <= self.coefficients <= self.mel.n_mels:
            raise AuricleError(f"mfcc-stats: coefficients must be in 1 … {self.mel.n_mels}, got {self.coefficients}")


class MFCCStats(SpectrogramStatistics):
    """``mfcc-stats``: mean, standard deviation and maximum over time of mel-frequency cepstral coefficients.

    The coefficients are the orthonormal DCT-II of the natural-log mel spectrum (Davis & Mermelstein 1980).
    """

    architecture: ClassVar[str] = "mfcc-stats"
    config_class: ClassVar[type[EncoderConfig]] = MFCCStatsConfig
    config: MFCCStatsConfig
    cosines: Tensor

    def __init__(self, config: MFCCStatsConfig | None = None) -> None:
        super().__init__(config or MFCCStatsConfig())
        bands = self.config.mel.n_mels
        phase = np.outer(np.arange(bands) + 0.5, np.arange(self.config.coefficients)) * np.pi / bands
        cosines = np.cos(phase) * np.sqrt(2.0 / bands)
        cosines[:, 0] /= np.sqrt(2.0)
        self.register_buffer("cosines", torch.from_numpy(cosines).float(), persistent=False)

    @property
    def frame_dim(self) -> int:
        """Number of coefficients."""
        return self.config.coefficients

    def _encode(self, waveform: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        log_mel, frame_lengths = self.log_mel(waveform, lengths)
        with torch.autocast(waveform.device.type, enabled=False):
            cepstrum = log_mel.transpose(1, 2) @ self.cosines
        return cepstrum, None if lengths is None else frame_lengths
