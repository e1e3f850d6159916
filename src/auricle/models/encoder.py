"""What every encoder is: waveform in, frame embeddings and one embedding per clip out.

The contract is kept here once, for all families: a clip's embedding does not depend on its batch or on padding; a clip
shorter than `min_seconds` is zero-padded at its tail to it; a long recording is encoded in overlapping windows, in flat
memory. A family says how a padded batch becomes frames, where these lie, and how their statistics become an embedding.
"""

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from auricle import audio
from auricle.errors import AuricleError
from auricle.models.configuration import EncoderConfig
from auricle.models.described import Described
from auricle.models.pooling import FrameStatistics
from auricle.models.waveforms import checked_batch, mono
from auricle.models.windows import Windowing

KEPT_SECONDS = 10.0  # of a long recording, encoded at a time by whoever could take it whole

FloatArray = NDArray[np.float32]
Encode = Callable[[Tensor, Tensor | None], tuple[Tensor, Tensor | None]]


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """What a user must know of a model besides how to call it; becomes the README.md of a saved model.

    Attributes
    ----------
    licence
        SPDX identifier of the weights' licence, or a sentence.
    source
        Where the weights come from.
    data
        What they were trained on, with its licences.
    recipe
        How they were trained: the resolved recipe, as plain values.
    scores
        Measured scores, for instance ``{"ESC-50 accuracy": 0.61}``.
    about
        Whatever else is to be said, as Markdown.
    """

    licence: str = "Apache-2.0"
    source: str = "random weights"
    data: str = "none"
    recipe: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    about: str = ""


class Encoder(Described, nn.Module, ABC):
    """Base of all encoders.

    Attributes
    ----------
    architecture
        Name of the family's member, for instance ``"byola-2022"``; what config.json says.
    name
        Name of this very model, for instance ``"byola-2022.base"``; the architecture's where it has none.
    classes
        Names of the classes of an encoder that came with a classifier; empty for all others.
    front_end
        What becomes of the waveform first, in words.
    """

    architecture: ClassVar[str]
    config_class: ClassVar[type[EncoderConfig]] = EncoderConfig
    config: EncoderConfig

    def __init__(self, config: EncoderConfig | None = None) -> None:
        super().__init__()
        self.config = config or self.config_class()
        self.name = self.architecture
        self.place = ""  # what `auricle.load` took, from anywhere on this machine; empty where it took nothing
        self.card = ModelCard()
        self.classes: tuple[str, ...] = ()

    @classmethod
    def from_config(cls, values: dict[str, Any]) -> Self:
        """A new encoder with random weights from plain configuration values."""
        return cls(cls.config_class.from_dict(values))

    @property
    @abstractmethod
    def sample_rate(self) -> int:
        """Hz; what waveforms must come at."""

    @property
    @abstractmethod
    def min_seconds(self) -> float:
        """Shorter clips are zero-padded at the tail to this."""

    @property
    def max_seconds(self) -> float:
        """An encoder whose frames see all that it is given *defines* its embedding of longer clips by windows."""
        return math.inf

    @property
    @abstractmethod
    def samples_per_frame(self) -> int:
        """Samples between two frame embeddings."""

    @property
    @abstractmethod
    def first_centre(self) -> float:
        """Sample on which the first frame embedding is centred."""

    @property
    @abstractmethod
    def context_frames(self) -> int:
        """Frame embeddings near a cut that are context only: those that see beyond it; `max_seconds` defines others."""

    @property
    @abstractmethod
    def frame_dim(self) -> int:
        """Dimensions of a frame embedding."""

    @property
    def embedding_dim(self) -> int:
        """Dimensions of a clip's embedding."""
        return self.frame_dim

    @property
    def layer_dims(self) -> Mapping[str, int]:
        """Dimensions of each layer that can be had, from input to output; empty for an encoder without layers."""
        return {}

    @property
    def statistics(self) -> dict[str, float]:
        """Normalisation statistics in natural-log units (``mean`` and ``std``); empty where there are none."""
        return {}

    @property
    def front_end(self) -> str:
        """What becomes of the waveform before the first layer, in words."""
        return "none: the waveform itself"

    def without_classifier(self) -> Self:
        """This encoder, rid of the classifier that it came with: whoever trains it on makes that meaningless."""
        self.classes = ()
        return self

    @abstractmethod
    def _frames_of(self, samples: Tensor) -> Tensor:
        """Number of frame embeddings of clips of at least `min_seconds`: ``(batch,)`` int64 both."""

    @abstractmethod
    def _encode(self, waveform: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Frames ``(batch, time, frame_dim)``, 0 beyond each clip's true frames, and those frames' numbers.

        Clips are between `min_seconds` and `max_seconds` long here; without `lengths` all are as long as the waveform.
        """

    def _encode_layers(
        self, waveform: Tensor, lengths: Tensor | None, names: Sequence[str]
    ) -> tuple[Tensor, Tensor | None]:
        """As `_encode`, of the layers called `names`, side by side, one row per frame embedding."""
        raise NotImplementedError

    def _summarise(self, statistics: FrameStatistics) -> Tensor:
        """Frame statistics → ``(batch, embedding_dim)``."""
        return statistics.mean

    @property
    def _with_deviations(self) -> bool:
        """Whether `_summarise` needs the deviations."""
        return False

    @property
    def frame_rate(self) -> float:
        """Frame embeddings per second."""
        return self.sample_rate / self.samples_per_frame

    @property
    def min_samples(self) -> int:
        """`min_seconds` in samples."""
        return round(self.min_seconds * self.sample_rate)

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Names of the layers that can be had, from input to output."""
        return tuple(self.layer_dims)

    @property
    def parameters_count(self) -> int:
        """Number of trainable parameters."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)

    @property
    def weights_fingerprint(self) -> str:
        """16 hexadecimal digits (SHA-256) of all that decides an embedding: architecture, configuration and tensors."""
        digest = hashlib.sha256(self.architecture.encode())
        digest.update(json.dumps(self.config.identity(), sort_keys=True).encode())
        for name, tensor in sorted(self.state_dict().items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()[:16]

    def frame_lengths(self, lengths: Tensor) -> Tensor:
        """True frame embeddings of clips of `lengths` ``(batch,)`` samples, the padding to `min_seconds` included."""
        return self._frames_of(lengths.clamp_min(self.min_samples))

    def frame_times(self, count: int, *, first: int = 0) -> Tensor:
        """Centres of `count` frame embeddings from the `first` on, in seconds: ``(count,)`` float64."""
        frame = torch.arange(first, first + count, dtype=torch.float64)
        return (frame * self.samples_per_frame + self.first_centre) / self.sample_rate

    def frames(self, waveform: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Frame embeddings and their times.

        Parameters
        ----------
        waveform
            ``(batch, samples)`` in [-1, 1] at `sample_rate`; one clip ``(samples,)`` gives a result without batch axis.
        lengths
            ``(batch,)`` true samples of each clip; all of them when not given.

        Returns
        -------
        frame_embeddings
            ``(batch, time, frame_dim)``; rows beyond a clip's true frames (:meth:`frame_lengths`) are 0.
        times
            ``(time,)`` centres in seconds.

        Raises
        ------
        AuricleError
            When the waveform is empty, not finite or of another shape.
        """
        frames, _ = self._in_windows(self._encode, *self._checked(waveform, lengths))
        return (frames[0] if waveform.ndim == 1 else frames), self.frame_times(frames.shape[1]).to(frames.device)

    def layers(self, waveform: Tensor, lengths: Tensor | None = None) -> dict[str, Tensor]:
        """Every layer's features at the times of the frame embeddings; parameters and errors as in :meth:`frames`.

        Returns
        -------
        dict
            For each of `layer_names` ``(batch, time, dim)``; a layer that is finer in time is averaged over each frame.
        """
        if not self.layer_names:
            return {}
        encode = partial(self._encode_layers, names=self.layer_names)
        joined, _ = self._in_windows(encode, *self._checked(waveform, lengths))
        joined = joined[0] if waveform.ndim == 1 else joined
        parts = torch.split(joined, list(self.layer_dims.values()), dim=-1)
        return dict(zip(self.layer_names, parts, strict=True))

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Embeddings ``(batch, embedding_dim)`` of a batch of clips; parameters as in :meth:`frames`."""
        embedding = self.pool(*self._in_windows(self._encode, *self._checked(waveform, lengths)))
        return embedding[0 if waveform.ndim == 1 else slice(None)]

    def pool(self, frames: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Frame embeddings ``(batch, time, frame_dim)``, `lengths` of them true → ``(batch, embedding_dim)``."""
        return self._summarise(FrameStatistics.of(frames, lengths, with_deviations=self._with_deviations))

    @property
    def _windowing(self) -> Windowing:
        """How recordings are cut that come in blocks, or are longer than `max_seconds`."""
        cut = partial(
            Windowing, step=self.samples_per_frame, margin=self.context_frames, shortest=max(1, self.min_samples)
        )
        if math.isinf(self.max_seconds):
            return cut(kept=max(1, round(KEPT_SECONDS * self.frame_rate)))
        beyond = round(self.max_seconds * self.sample_rate) - cut(kept=0).longest
        return cut(kept=max(1, beyond // self.samples_per_frame))

    def _in_windows(self, encode: Encode, waveform: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        if math.isinf(self.max_seconds) or waveform.shape[1] <= self._windowing.longest:
            return encode(waveform, lengths)
        true = [waveform.shape[1]] * len(waveform) if lengths is None else lengths.tolist()
        parts = [self._stream(encode, [clip[:length]]) for clip, length in zip(waveform, true, strict=True)]
        clips = [torch.cat(list(windows)) for windows in parts]
        return nn.utils.rnn.pad_sequence(clips, batch_first=True), None if lengths is None else self._frames_of(lengths)

    def _stream(self, encode: Encode, blocks: Iterable[Tensor]) -> Iterator[Tensor]:
        """What `encode` makes of a recording: ``(time, dim)``, window by window."""
        for window in self._windowing.cut(blocks):
            frames, _ = encode(*self._checked(window.waveform, None))
            yield frames[0, window.first : window.until]

    def _checked(self, waveform: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        return checked_batch(waveform, lengths, min_samples=self.min_samples)

    @torch.inference_mode()
    def embed(self, source: str | Path | FloatArray | Tensor, *, sample_rate: int | None = None) -> FloatArray:
        """Embedding of a file or of an array, however long, in flat memory.

        Parameters
        ----------
        source
            Path of an audio file, or samples in [-1, 1]: ``(samples,)`` or ``(channels, samples)``, which are averaged.
        sample_rate
            Hz of an array; the encoder's own when not given. A file knows its own.

        Returns
        -------
        ndarray
            ``(embedding_dim,)`` float32.

        Raises
        ------
        AuricleError
            When the file cannot be read or the samples are empty, not finite or of another shape.
        """
        if isinstance(source, str | Path):
            if sample_rate is not None:
                raise AuricleError(f"sample_rate is for arrays; the rate of {source} is read from the file itself")
            return self.embed_stream(audio.stream(Path(source), sample_rate=self.sample_rate))
        waveform = mono(source)
        if sample_rate is not None and sample_rate != self.sample_rate:
            if sample_rate <= 0:
                raise AuricleError(f"sample_rate must be above 0 Hz, got {sample_rate}")
            waveform = audio.resample(waveform, from_rate=sample_rate, to_rate=self.sample_rate)
        return self.embed_stream([waveform])

    @torch.inference_mode()
    def embed_stream(self, blocks: Iterable[FloatArray]) -> FloatArray:
        """Embedding ``(embedding_dim,)`` of a recording that comes in blocks ``(samples,)`` at `sample_rate`."""
        total: FrameStatistics | None = None
        for frames, _ in self.stream_frames(blocks):
            part = FrameStatistics.of(frames[None], with_deviations=self._with_deviations)
            total = part if total is None else total.merged(part)
        if total is None:
            raise AuricleError("the recording is empty: there is nothing to embed")
        return self._summarise(total)[0].float().cpu().numpy()

    @torch.no_grad()
    def stream_frames(self, blocks: Iterable[FloatArray]) -> Iterator[tuple[Tensor, Tensor]]:
        """Frame embeddings of a recording that comes in blocks ``(samples,)``, by :mod:`auricle.models.windows`.

        Yields
        ------
        frame_embeddings, times
            ``(time, frame_dim)`` and ``(time,)`` seconds from the recording's start.
        """
        device = next(chain(self.parameters(), self.buffers())).device
        done = 0
        was_training = self.training
        self.eval()
        try:
            for frames in self._stream(self._encode, (torch.from_numpy(block).to(device) for block in blocks)):
                yield frames, self.frame_times(len(frames), first=done)
                done += len(frames)
        finally:
            self.train(was_training)

    def save_pretrained(self, folder: str | Path) -> Path:
        """Write config.json, model.safetensors and README.md to `folder`; see :mod:`auricle.models.checkpoint`."""
        from auricle.models import checkpoint

        return checkpoint.save_folder(self, Path(folder))

    @classmethod
    def from_pretrained(cls, source: str | Path, *, revision: str | None = None) -> Self:
        """The encoder in a folder or hub repository; an :class:`AuricleError` when it is of another class."""
        from auricle.models import checkpoint

        if Path(source).is_dir():
            encoder = checkpoint.load_folder(Path(source))
        else:
            encoder = checkpoint.load_from_hub(str(source), revision=revision)
        if not isinstance(encoder, cls):
            raise AuricleError(f"{source} holds a {type(encoder).__name__}, not a {cls.__name__}")
        return encoder

    def push_to_hub(self, repo_id: str, *, private: bool = False, token: str | None = None) -> str:
        """Upload the model with its card to the Hugging Face hub; returns the address of the commit."""
        from auricle.models import checkpoint

        return checkpoint.push_to_hub(self, repo_id, private=private, token=token)
