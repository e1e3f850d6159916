"""The conformer encoder of wav2vec 2.0 for non-speech audio: log-mel frames, four at a time, in the context of a clip.

Srivastava, Wang, Tjandra, Kumar, Liu, Singh & Saraf, "Conformer-based self-supervised learning for non-speech audio
tasks" (ICASSP 2022, arXiv 2110.07313). The paper gives the structure; sizes, kernels and the order of modules are those
of its company's later open prototype, which cites it. `max_seconds`, the mel recipe and pooling by the mean are ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from auricle.errors import AuricleError
from auricle.models.configuration import EncoderConfig
from auricle.models.conformer_layers import Context, frame_mask
from auricle.models.spectrogram import DEFAULT_MEAN, DEFAULT_STD, NormalisedEncoder, SpectrogramConfig

CONTEXT_SECONDS = 1.0  # on either side of a long recording's windows, beyond which nothing is promised


@dataclass(frozen=True, kw_only=True)
class ConformerConfig(SpectrogramConfig):
    """Sizes of a conformer; the defaults are the small one's.

    Attributes
    ----------
    stack
        Log-mel frames that become one latent.
    latent_dim
        Dimensions of a latent.
    dim, layers, heads, feed_forward
        Of the conformer layers.
    first_kernel, kernel
        Latents that the depthwise convolution of the first and of the other layers sees; odd.
    dropout
        Probability.
    max_seconds
        Longer recordings are embedded in overlapping windows.
    """

    stack: int = 4
    latent_dim: int = 256
    dim: int = 256
    layers: int = 12
    heads: int = 8
    feed_forward: int = 1024
    first_kernel: int = 31
    kernel: int = 15
    dropout: float = 0.1
    max_seconds: float = 10.0

    def __post_init__(self) -> None:
        for name in ("stack", "latent_dim", "dim", "layers", "heads", "feed_forward", "first_kernel", "kernel"):
            if getattr(self, name) < 1:
                raise AuricleError(f"encoder: {name} must be at least 1, got {getattr(self, name)}")
        for name in ("first_kernel", "kernel"):
            if getattr(self, name) % 2 == 0:
                raise AuricleError(f"encoder: {name} must be odd, got {getattr(self, name)}")
        if self.dim % self.heads:
            raise AuricleError(f"encoder: {self.heads} heads do not divide a dim of {self.dim}")
        if not 0 <= self.dropout < 1:
            raise AuricleError(f"encoder: dropout must be in [0, 1), got {self.dropout}")
        if not self.max_seconds >= 4 * CONTEXT_SECONDS:
            raise AuricleError(f"encoder: max_seconds must be at least {4 * CONTEXT_SECONDS:g}, got {self.max_seconds}")


@dataclass(frozen=True, kw_only=True)
class ConformerLargeConfig(ConformerConfig):
    """Sizes of the large one."""

    dim: int = 768
    heads: int = 12


class ConformerTrunk(nn.Module):
    """Normalised log-mel → latents → frame embeddings: what is pre-trained."""

    def __init__(self, config: ConformerConfig) -> None:
        super().__init__()
        self.stack, self.latent_dim, self.dim = config.stack, config.latent_dim, config.dim
        self.to_latent = nn.Linear(config.stack * config.mel.n_mels, config.latent_dim)
        self.latent_norm = nn.LayerNorm(config.latent_dim)
        self.context = Context(
            config.latent_dim,
            config.dim,
            layers=config.layers,
            heads=config.heads,
            feed_forward=config.feed_forward,
            first_kernel=config.first_kernel,
            kernel=config.kernel,
            dropout=config.dropout,
        )

    def latents(self, log_mel: Tensor, frame_lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Latents, each of `stack` successive frames; a rest of fewer frames is left out.

        Parameters
        ----------
        log_mel
            ``(batch, n_mels, frames)``, normalised.
        frame_lengths
            ``(batch,)`` true frames of each.

        Returns
        -------
        latents
            ``(batch, time, latent_dim)``; what stands beyond a clip's true ones means nothing.
        lengths
            ``(batch,)`` true latents of each.
        """
        count = log_mel.shape[2] // self.stack
        frames = log_mel[:, :, : count * self.stack].transpose(1, 2)
        latents = self.latent_norm(self.to_latent(frames.reshape(frames.shape[0], count, -1)))
        return latents, frame_lengths.div(self.stack, rounding_mode="floor")


class Conformer(NormalisedEncoder):
    """``conformer-small``: 18,362,368 parameters, 256 dimensions, a frame every 40 ms (default sizes)."""

    architecture: ClassVar[str] = "conformer-small"
    config_class: ClassVar[type[EncoderConfig]] = ConformerConfig
    min_seconds: ClassVar[float] = 0.1
    config: ConformerConfig

    def __init__(
        self, config: ConformerConfig | None = None, *, mean: float = DEFAULT_MEAN, std: float = DEFAULT_STD
    ) -> None:
        config = config or self.config_class()  # type: ignore[assignment]
        assert isinstance(config, ConformerConfig)
        super().__init__(config, mean=mean, std=std)
        self.trunk = ConformerTrunk(config)

    @property
    def max_seconds(self) -> float:
        """Longer recordings are embedded in overlapping windows."""
        return self.config.max_seconds

    @property
    def context_frames(self) -> int:
        """A second."""
        return round(CONTEXT_SECONDS * self.frame_rate)

    @property
    def frame_dim(self) -> int:
        """Dimensions of a frame embedding."""
        return self.config.dim

    @property
    def stride(self) -> int:
        """Log-mel frames per frame embedding."""
        return self.config.stack

    @property
    def receptive_margin(self) -> int:
        """Frames see the whole clip; what a cut takes from them is defined by `max_seconds`."""
        return self.context_frames * self.stride

    @property
    def layer_dims(self) -> Mapping[str, int]:
        """``latents`` and the output of ``layer1`` … ``layer12``."""
        layers = {f"layer{number}": self.config.dim for number in range(1, self.config.layers + 1)}
        return {"latents": self.config.latent_dim, **layers}

    def shortened(self, layers: int) -> Self:
        """A copy of its first conformer layers alone: the later ones serve the task of pre-training.

        Raises
        ------
        AuricleError
            When it has not as many.
        """
        if not 1 <= layers <= self.config.layers:
            raise AuricleError(f"{self.name} has {self.config.layers} conformer layers: cannot keep the first {layers}")
        shorter = type(self)(replace(self.config, layers=layers), **self.statistics)
        weights = self.state_dict()
        shorter.load_state_dict({key: weights[key] for key in shorter.state_dict()})
        shorter.name, shorter.card = self.name, self.card
        return shorter.to(self.mean.device).train(self.training)

    def _encode(self, waveform: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        latents, true = self.trunk.latents(*self.normalised_log_mel(waveform, lengths))
        inside = None if lengths is None else true
        return self.trunk.context(latents, inside), inside

    def _encode_layers(
        self, waveform: Tensor, lengths: Tensor | None, names: Sequence[str]
    ) -> tuple[Tensor, Tensor | None]:
        latents, true = self.trunk.latents(*self.normalised_log_mel(waveform, lengths))
        inside = None if lengths is None else true
        mask = frame_mask(inside, latents.shape[1])
        found = {"latents": latents if mask is None else latents.masked_fill(~mask[:, :, None], 0.0)}
        for number, layer in enumerate(self.trunk.context.each(latents, inside), start=1):
            found[f"layer{number}"] = layer
        return torch.cat([found[name] for name in names], dim=2), inside


class ConformerLarge(Conformer):
    """``conformer-large``: 87,935,488 parameters, 768 dimensions, a frame every 40 ms (default sizes)."""

    architecture: ClassVar[str] = "conformer-large"
    config_class: ClassVar[type[EncoderConfig]] = ConformerLargeConfig
