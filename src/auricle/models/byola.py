"""BYOL-A's encoders: a small convolutional network over log-mel, one embedding per 40 or 80 ms.

Niizumi, Takeuchi, Ohishi, Harada & Kashino, "BYOL for Audio: Self-supervised learning for general-purpose audio
representation" (IJCNN 2021, arXiv 2103.06695; here *2020*, as the authors call its network) and "BYOL for Audio:
exploring pre-trained general-purpose audio representations" (TASLP 2023, arXiv 2204.07402, Table I; here *2022*).
Written from the papers. Submodules bear the names and numbers of the published weight files.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from auricle.errors import AuricleError
from auricle.models.configuration import LATER, EncoderConfig
from auricle.models.convolution import pooled_block
from auricle.models.pooling import FrameStatistics, Pooling
from auricle.models.spectrogram import DEFAULT_MEAN, DEFAULT_STD, NormalisedEncoder, SpectrogramConfig
from auricle.randomness import keyed_dropout

Parts = Literal["both", "convolution", "mlp"]

MODULES_PER_BLOCK = 4  # convolution, batch-norm, ReLU, pooling


@dataclass(frozen=True, kw_only=True)
class BYOLAConfig(SpectrogramConfig):
    """What both generations have in common.

    Attributes
    ----------
    channels
        Of every convolution.
    blocks
        Convolution blocks; each halves time and frequency.
    mlp_hidden
        Width of both linear layers.
    dropout
        Between the linear layers.
    parts
        What a frame embedding is: ``convolution`` features, ``mlp`` features, or ``both`` side by side.
    pooling
        Of a clip's frame embeddings over time; ``mean+max`` is their sum.
    """

    channels: int = 64
    blocks: int = 2
    mlp_hidden: int = 2048
    dropout: float = 0.3
    parts: Parts = field(default="both", metadata=LATER)
    pooling: Pooling = field(default="mean+max", metadata=LATER)

    def __post_init__(self) -> None:
        for name in ("channels", "blocks", "mlp_hidden"):
            if getattr(self, name) < 1:
                raise AuricleError(f"encoder: {name} must be at least 1, got {getattr(self, name)}")
        if self.mel.n_mels >> self.blocks < 1:
            raise AuricleError(f"encoder: {self.blocks} blocks leave nothing of {self.mel.n_mels} mel bands")
        if not 0 <= self.dropout < 1:
            raise AuricleError(f"encoder: dropout must be in [0, 1), got {self.dropout}")
        for name, known in (("parts", get_args(Parts)), ("pooling", get_args(Pooling))):
            if getattr(self, name) not in known:
                raise AuricleError(f"encoder: {name} is one of {', '.join(known)}, not {getattr(self, name)}")

    @property
    def convolution_dim(self) -> int:
        """Features per frame after the last block: bands × channels."""
        return (self.mel.n_mels >> self.blocks) * self.channels

    @property
    def frame_dim(self) -> int:
        """Dimensions of a frame embedding."""
        return (self.parts != "mlp") * self.convolution_dim + (self.parts != "convolution") * self.mlp_hidden


@dataclass(frozen=True, kw_only=True)
class BYOLA2022Config(BYOLAConfig):
    """Two blocks; the embedding is [convolution features; MLP features], 1024 + 2048 by default."""


@dataclass(frozen=True, kw_only=True)
class BYOLA2020Config(BYOLAConfig):
    """Three blocks; the embedding is the MLP's output, `mlp_hidden` wide (512, 1024 or 2048 in the paper)."""

    blocks: int = 3
    parts: Parts = field(default="mlp", metadata=LATER)


class Trunk(nn.Module):
    """Normalised log-mel → frame embeddings: what is pre-trained.

    Parameters
    ----------
    config
        Sizes.
    """

    def __init__(self, config: BYOLAConfig) -> None:
        super().__init__()
        self.config, self.frame_dim = config, config.frame_dim
        modules: list[nn.Module] = []
        for block in range(config.blocks):
            modules += [
                nn.Conv2d(1 if block == 0 else config.channels, config.channels, 3, padding=1),
                nn.BatchNorm2d(config.channels),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
        self.features = nn.Sequential(*modules)
        linear = [
            nn.Linear(config.convolution_dim, config.mlp_hidden),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.mlp_hidden, config.mlp_hidden),
            nn.ReLU(),
        ]
        self.fc = nn.Sequential(*(linear if config.parts != "convolution" else []))
        # Channels last, convolutions and pooling walk memory in order: 1.3 to 1.7 times as fast on CPUs.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(
        self, log_mel: Tensor, frame_lengths: Tensor | None = None, dropout_keys: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Frame embeddings of normalised log-mel spectrograms.

        Parameters
        ----------
        log_mel
            ``(batch, n_mels, frames)``, normalised.
        frame_lengths
            ``(batch,)`` true frames of each; all of them when not given. In evaluation mode padding beyond them has no
            influence; in training mode batch-norm's statistics would count it, so train on equal lengths.
        dropout_keys
            ``(batch,)`` keys of :func:`auricle.randomness.keys`: a sample's dropout mask then depends on its key alone.

        Returns
        -------
        frame_embeddings
            ``(batch, time, frame_dim)``; 0 beyond each clip's true frames.
        lengths
            ``(batch,)`` true frame embeddings of each, or None when `frame_lengths` is.
        """
        frames, lengths = self.parts(log_mel, frame_lengths, dropout_keys)
        joined = torch.cat(frames, dim=2) if len(frames) > 1 else frames[0]
        return mask_frames(joined, lengths, dim=1), lengths

    def parts(
        self, log_mel: Tensor, frame_lengths: Tensor | None = None, dropout_keys: Tensor | None = None
    ) -> tuple[list[Tensor], Tensor | None]:
        """What a frame embedding is the concatenation of, each ``(batch, time, dim)`` and not masked, and the lengths.

        Whoever pools over time needs them one by one only: joining them costs a pass over memory. Parameters are those
        of :meth:`forward`.
        """
        convolved, lengths = log_mel, frame_lengths
        for convolved, lengths in self.convolve(log_mel, frame_lengths):  # noqa: B007
            pass
        features = frames_of(convolved)
        if self.config.parts == "convolution":
            return [features], lengths
        hidden = torch.relu(self.fc[0](features))
        if self.training and self.config.dropout > 0:
            if dropout_keys is None:
                hidden = functional.dropout(hidden, self.config.dropout)
            else:
                hidden = keyed_dropout(hidden, self.config.dropout, dropout_keys)
        frames = torch.relu(self.fc[3](hidden))
        return ([frames] if self.config.parts == "mlp" else [features, frames]), lengths

    def convolve(self, log_mel: Tensor, frame_lengths: Tensor | None) -> Iterator[tuple[Tensor, Tensor | None]]:
        """After each block: ``(batch, channels, bands, time)`` and the true frames of each clip."""
        x, lengths = mask_frames(log_mel, frame_lengths, dim=2)[:, None], frame_lengths
        for start in range(0, len(self.features), MODULES_PER_BLOCK):
            convolution, norm = self.features[start], self.features[start + 1]
            assert isinstance(convolution, nn.Conv2d) and isinstance(norm, _BatchNorm)
            x = pooled_block(x, convolution, norm)
            if lengths is not None:
                # A pooled frame is true if all that it pools is; this is what the unpadded clip would give.
                lengths = lengths.div(2, rounding_mode="floor")
            x = mask_frames(x, lengths, dim=3)
            yield x, lengths


class BYOLA(NormalisedEncoder):
    """What both generations have in common: front end, normalisation, trunk, pooling over time."""

    min_seconds: ClassVar[float] = 0.95  # the unit of pre-training
    config: BYOLAConfig

    def __init__(self, config: BYOLAConfig, *, mean: float = DEFAULT_MEAN, std: float = DEFAULT_STD) -> None:
        super().__init__(config, mean=mean, std=std)
        self.trunk = Trunk(config)

    @property
    def frame_dim(self) -> int:
        """Dimensions of a frame embedding."""
        return self.trunk.frame_dim

    @property
    def embedding_dim(self) -> int:
        """Dimensions of a clip's embedding."""
        return self.trunk.frame_dim

    @property
    def stride(self) -> int:
        """Log-mel frames per frame embedding."""
        return int(2**self.config.blocks)

    @property
    def receptive_margin(self) -> int:
        """Log-mel frames seen beyond a frame embedding's own: one on either side at every block's input rate."""
        return int(2**self.config.blocks) - 1

    @property
    def layer_dims(self) -> Mapping[str, int]:
        """``conv1`` … (after each block, bands × channels), ``fc1`` and ``fc2`` where the encoder has them."""
        config = self.config
        blocks = {f"conv{n}": (config.mel.n_mels >> n) * config.channels for n in range(1, config.blocks + 1)}
        linear = () if config.parts == "convolution" else ("fc1", "fc2")
        return {**blocks, **dict.fromkeys(linear, config.mlp_hidden)}

    def _encode_layers(
        self, waveform: Tensor, lengths: Tensor | None, names: Sequence[str]
    ) -> tuple[Tensor, Tensor | None]:
        log_mel, frame_lengths = self.normalised_log_mel(waveform, lengths)
        found, frames = {}, log_mel
        true = None if lengths is None else frame_lengths
        for block, (convolved, inside) in enumerate(self.trunk.convolve(log_mel, true), start=1):
            frames, true = frames_of(convolved), inside
            found[f"conv{block}"] = joined_frames(frames, 2 ** (self.config.blocks - block))
        if "fc1" in names or "fc2" in names:
            found["fc1"] = torch.relu(self.trunk.fc[0](frames))
        if "fc2" in names:
            found["fc2"] = torch.relu(self.trunk.fc[3](found["fc1"]))
        return mask_frames(torch.cat([found[name] for name in names], dim=2), true, dim=1), true

    def _encode(self, waveform: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        log_mel, frame_lengths = self.normalised_log_mel(waveform, lengths)
        frames, true = self.trunk(log_mel, None if lengths is None else frame_lengths)
        return frames, true

    def _summarise(self, statistics: FrameStatistics) -> Tensor:
        return statistics.pooled(self.config.pooling)


class BYOLA2022(BYOLA):
    """The encoder of 2022: 6,333,376 parameters, 3,072 dimensions, a frame every 40 ms (default sizes)."""

    architecture: ClassVar[str] = "byola-2022"
    config_class: ClassVar[type[EncoderConfig]] = BYOLA2022Config
    config: BYOLA2022Config

    def __init__(
        self, config: BYOLA2022Config | None = None, *, mean: float = DEFAULT_MEAN, std: float = DEFAULT_STD
    ) -> None:
        super().__init__(config or BYOLA2022Config(), mean=mean, std=std)


class BYOLA2020(BYOLA):
    """The encoder of 2020: 5,321,856 parameters, 2,048 dimensions, a frame every 80 ms (default sizes)."""

    architecture: ClassVar[str] = "byola-2020"
    config_class: ClassVar[type[EncoderConfig]] = BYOLA2020Config
    config: BYOLA2020Config

    def __init__(
        self, config: BYOLA2020Config | None = None, *, mean: float = DEFAULT_MEAN, std: float = DEFAULT_STD
    ) -> None:
        super().__init__(config or BYOLA2020Config(), mean=mean, std=std)


def frames_of(convolved: Tensor) -> Tensor:
    """``(batch, channels, bands, time)`` → ``(batch, time, bands * channels)``, channels varying fastest."""
    return convolved.permute(0, 3, 2, 1).flatten(2)


def joined_frames(frames: Tensor, count: int) -> Tensor:
    """The mean of every `count` frames: ``(batch, time, dim)`` → ``(batch, time // count, dim)``."""
    batch, time, dim = frames.shape
    whole = time // count
    return frames[:, : whole * count].reshape(batch, whole, count, dim).mean(dim=2) if count > 1 else frames


def mask_frames(x: Tensor, lengths: Tensor | None, *, dim: int) -> Tensor:
    """Zeros in `x` beyond each clip's first `lengths` frames, time being axis `dim`; `x` itself without lengths."""
    if lengths is None:
        return x
    beyond = torch.arange(x.shape[dim], device=x.device) >= lengths[:, None]
    shape = [x.shape[0]] + [1] * (x.ndim - 1)
    shape[dim] = x.shape[dim]
    return x.masked_fill(beyond.view(shape), 0.0)
