"""Another layer than the last, another way from frames to a clip: choices that are made explicitly, as an encoder.

``pooled(encoder, layer="conv2", pooling="mean")`` hears what the encoder hears and gives what that layer says. Which
layer transfers best differs by task (Pasad, Chou & Livescu 2021, arXiv 2107.04734), and so does the pooling (Niizumi et
al. 2022, section IV-E). Padding, windows and frame times are the encoder's own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, TypeGuard, cast

from torch import Tensor

from auricle.errors import AuricleError
from auricle.models.around import EncoderAround
from auricle.models.configuration import EncoderConfig
from auricle.models.encoder import Encoder
from auricle.models.pooling import POOLINGS, FrameStatistics, Pooling

ALL_LAYERS = "all"
WEIGHTED_LAYERS = "weighted"


@dataclass(frozen=True, kw_only=True)
class PooledConfig(EncoderConfig):
    """What is made of which encoder.

    Attributes
    ----------
    architecture, encoder
        The inner encoder and its configuration.
    layer
        One of its `layer_names`, ``"all"`` for every layer side by side, ``"weighted"`` for those as wide as the last,
        or None for its frame embeddings.
    pooling
        ``"mean"`` or ``"max"`` over time, ``"mean+max"`` for their sum as in BYOL-A, or None for the encoder's own.
    """

    architecture: str = "byola-2022"
    encoder: dict[str, Any] = field(default_factory=dict)
    layer: str | None = None
    pooling: Pooling | None = None


class Pooled(EncoderAround):
    """An encoder whose layer and pooling were chosen; made by :func:`pooled`."""

    architecture: ClassVar[str] = "pooled"
    config_class: ClassVar[type[EncoderConfig]] = PooledConfig
    config: PooledConfig

    def __init__(self, encoder: Encoder, config: PooledConfig) -> None:
        super().__init__(encoder, config)
        self.layer, self.pooling = config.layer, config.pooling
        self._names = _names_of(encoder, config.layer)
        choices = ", ".join(choice for choice in (config.layer, config.pooling) if choice is not None)
        self.name = f"{encoder.name} ({choices})" if choices else encoder.name

    @classmethod
    def from_config(cls, values: dict[str, Any]) -> Self:
        """A new encoder with random weights from plain configuration values."""
        from auricle.models.architectures import ARCHITECTURES

        config = PooledConfig.from_dict(values)
        family = ARCHITECTURES.get(config.architecture)
        if family is None:
            raise AuricleError(f"unknown architecture {config.architecture!r} (known: {', '.join(ARCHITECTURES)})")
        encoder = family.from_config(config.encoder)
        _refuse_unknown(encoder, config.layer, config.pooling)
        return cls(encoder, config)

    @property
    def frame_dim(self) -> int:
        """Dimensions of the layer, or of all together."""
        return sum(self.embedding_parts.values())

    @property
    def embedding_dim(self) -> int:
        """Dimensions of a clip's embedding."""
        if self.pooling is not None:
            return self.frame_dim
        return self.frame_dim * (self.encoder.embedding_dim // self.encoder.frame_dim)

    @property
    def layer_dims(self) -> Mapping[str, int]:
        """None: the choice is made."""
        return {}

    @property
    def embedding_parts(self) -> Mapping[str, int]:
        """Name and dimensions of each layer that a frame is made of, in order.

        With ``layer="weighted"`` they are equally wide: embeddings ``(n, embedding_dim)`` are ``(n, layers, dim)``,
        what a learnt weighted sum of layers takes.
        """
        if not self._names:
            return {"frames": self.encoder.frame_dim}
        return {name: self.encoder.layer_dims[name] for name in self._names}

    @property
    def _with_deviations(self) -> bool:
        return self.pooling is None and self.encoder._with_deviations

    def _encode(self, waveform: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        if not self._names:
            return self.encoder._encode(waveform, lengths)
        return self.encoder._encode_layers(waveform, lengths, self._names)

    def _encode_layers(
        self, waveform: Tensor, lengths: Tensor | None, names: Sequence[str]
    ) -> tuple[Tensor, Tensor | None]:
        raise NotImplementedError

    def _summarise(self, statistics: FrameStatistics) -> Tensor:
        if self.pooling is None:
            return self.encoder._summarise(statistics)
        return statistics.pooled(self.pooling)


def pooled(encoder: Encoder, *, layer: str | None = None, pooling: str | None = None) -> Encoder:
    """The encoder with another layer or pooling; the encoder itself where neither is given.

    Parameters
    ----------
    encoder
        Any.
    layer
        One of its `layer_names`, ``"all"`` for every layer side by side, or ``"weighted"`` for all that are as wide as
        the last, side by side for a probe to weigh.
    pooling
        ``"mean"``, ``"max"`` or ``"mean+max"`` (their sum); the encoder's own when not given.

    Returns
    -------
    Encoder
        In the encoder's mode and on its device; name and fingerprint tell it from the encoder.

    Raises
    ------
    AuricleError
        When the encoder has no such layer, or there is no such pooling.
    """
    if layer is None and pooling is None:
        return encoder
    _refuse_unknown(encoder, layer, pooling)
    config = PooledConfig(
        architecture=encoder.architecture,
        encoder=encoder.config.to_dict(),
        layer=layer,
        pooling=cast("Pooling | None", pooling),
    )
    return Pooled(encoder, config).train(encoder.training)


def is_weighed(encoder: Encoder) -> TypeGuard[Pooled]:
    """Whether embeddings are layers side by side that a probe is to weigh."""
    return isinstance(encoder, Pooled) and encoder.layer == WEIGHTED_LAYERS


def _refuse_unknown(encoder: Encoder, layer: str | None, pooling: str | None) -> None:
    if pooling is not None and pooling not in POOLINGS:
        raise AuricleError(f"pooling is {pooling!r}: expected {', '.join(POOLINGS)}")
    if layer is None or layer in encoder.layer_names or (layer == ALL_LAYERS and encoder.layer_names):
        return
    if layer == WEIGHTED_LAYERS and encoder.layer_names:
        names = _names_of(encoder, layer)
        if len(names) == 1 or encoder.embedding_dim != encoder.frame_dim:
            raise AuricleError(f"{encoder.name} has no layers to weigh: none but {names[0]} is as wide as its last")
        return
    if not encoder.layer_names:
        raise AuricleError(f"{encoder.name} has no layers to choose from, but {layer!r} was asked for")
    raise AuricleError(
        f"{encoder.name} has no layer {layer!r}: choose {', '.join(encoder.layer_names)}, {ALL_LAYERS} "
        f"or {WEIGHTED_LAYERS}"
    )


def _names_of(encoder: Encoder, layer: str | None) -> tuple[str, ...]:
    """The layers that a choice is of."""
    if layer is None:
        return ()
    if layer == ALL_LAYERS:
        return encoder.layer_names
    if layer == WEIGHTED_LAYERS:
        widest = encoder.layer_dims[encoder.layer_names[-1]]
        return tuple(name for name, dim in encoder.layer_dims.items() if dim == widest)
    return (layer,)
