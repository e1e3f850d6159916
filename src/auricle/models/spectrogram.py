"""Encoders that begin with the log-mel spectrogram of :mod:`auricle.mel`, frames of which they join or keep."""

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from auricle.errors import AuricleError
from auricle.mel import LogMel, MelRecipe
from auricle.models.configuration import EncoderConfig
from auricle.models.encoder import Encoder

# Log-mel statistics of Speech Commands v2 with the default recipe, as published with BYOL-A 2022's configuration: what
# an encoder normalises with until it is given its own.
DEFAULT_MEAN = -9.660292
DEFAULT_STD = 4.7219563


@dataclass(frozen=True, kw_only=True)
class SpectrogramConfig(EncoderConfig):
    """What all of them have in common.

    Attributes
    ----------
    mel
        The front end.
    """

    mel: MelRecipe = field(default_factory=MelRecipe)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The configuration that :meth:`to_dict` wrote; an unknown key is an :class:`AuricleError`."""
        mel = values.get("mel", {})
        return super().from_dict({**values, "mel": mel if isinstance(mel, MelRecipe) else MelRecipe.from_dict(mel)})


class SpectrogramEncoder(Encoder):
    """An encoder whose frame embedding comes from `stride` frames of the log-mel spectrogram and their neighbours."""

    config_class: ClassVar[type[EncoderConfig]] = SpectrogramConfig
    config: SpectrogramConfig

    def __init__(self, config: SpectrogramConfig) -> None:
        super().__init__(config)
        self.log_mel = LogMel(config.mel)

    @property
    @abstractmethod
    def stride(self) -> int:
        """Log-mel frames per frame embedding (the pooling stride)."""

    @property
    @abstractmethod
    def receptive_margin(self) -> int:
        """Log-mel frames that a frame embedding sees on either side beyond its own `stride`."""

    @property
    def sample_rate(self) -> int:
        """Hz; what waveforms must come at."""
        return self.config.mel.sample_rate

    @property
    def samples_per_frame(self) -> int:
        """Samples between two frame embeddings."""
        return self.stride * self.config.mel.hop_length

    @property
    def first_centre(self) -> float:
        """Log-mel frames are centred on multiples of the hop."""
        return (self.stride - 1) / 2 * self.config.mel.hop_length

    @property
    def context_frames(self) -> int:
        """Log-mel frames within half a window of a cut see the padding instead of the recording."""
        half_window = -(-(self.config.mel.n_fft // 2) // self.config.mel.hop_length)
        return -(-(half_window + self.receptive_margin) // self.stride)

    @property
    def front_end(self) -> str:
        """The mel bands."""
        mel = self.config.mel
        return (
            f"{mel.n_mels} mel bands ({mel.mel_scale} scale, {mel.norm or 'no'} norm) "
            f"from {mel.f_min:g} to {mel.f_max:g} Hz"
        )

    def _frames_of(self, samples: Tensor) -> Tensor:
        log_mel_frames = samples.div(self.config.mel.hop_length, rounding_mode="floor") + 1
        return log_mel_frames.div(self.stride, rounding_mode="floor")


class NormalisedEncoder(SpectrogramEncoder):
    """One that standardises its log-mel by a mean and a standard deviation of its own, which are stored with it."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: SpectrogramConfig, *, mean: float = DEFAULT_MEAN, std: float = DEFAULT_STD) -> None:
        super().__init__(config)
        self.register_buffer("mean", torch.tensor(0.0))
        self.register_buffer("std", torch.tensor(1.0))
        self.set_statistics(mean=mean, std=std)

    @property
    def statistics(self) -> dict[str, float]:
        """Mean and standard deviation by which log-mel is normalised (natural-log units)."""
        return {"mean": float(self.mean), "std": float(self.std)}

    def set_statistics(self, *, mean: float, std: float) -> None:
        """Normalise log-mel by this mean and standard deviation (natural-log units) from now on."""
        if not std > 0 or not abs(mean) < float("inf") or std == float("inf"):
            raise AuricleError(f"log-mel statistics must be finite with a std above 0, got mean {mean} and std {std}")
        self.mean.fill_(mean)
        self.std.fill_(std)

    def normalised_log_mel(self, waveform: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What the trunk takes: ``(batch, n_mels, frames)`` and the true frames of each clip."""
        log_mel, frame_lengths = self.log_mel(waveform, lengths)
        return (log_mel - self.mean) / self.std, frame_lengths
