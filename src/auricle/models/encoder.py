"""What every encoder is: waveform in, frame embeddings and one embedding per clip out.

The contract (DESIGN.md, *Encoder*) is kept here once, for all families: a clip's embedding does not depend on its
batch or on padding; a clip shorter than `min_seconds` is zero-padded at its tail to it; a long recording is encoded in
overlapping chunks whose frames are those of the whole, in flat memory. A family says how a padded batch becomes frames
and how frame statistics become an embedding.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from auricle import audio
from auricle.errors import AuricleError
from auricle.mel import MelRecipe
from auricle.models.pooling import FrameStatistics

CHUNK_SECONDS = 10.0  # of a long recording, encoded at a time

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """Everything but weights and normalisation statistics that decides what an encoder computes.

    Attributes
    ----------
    mel
        The front end.
    """

    mel: MelRecipe = field(default_factory=MelRecipe)

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The configuration that :meth:`to_dict` wrote; an unknown key is an :class:`AuricleError`."""
        known = [item.name for item in fields(cls)]
        for key in values:
            if key not in known:
                raise AuricleError(f"encoder configuration: unknown key {key!r} (known: {', '.join(known)})")
        mel = values.get("mel", {})
        return cls(**{**values, "mel": mel if isinstance(mel, MelRecipe) else MelRecipe.from_dict(mel)})


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
    """

    licence: str = "Apache-2.0"
    source: str = "random weights"
    data: str = "none"
    recipe: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)


class Encoder(nn.Module, ABC):
    """Base of all encoders.

    Attributes
    ----------
    architecture
        Name of the family's member, for instance ``"byola-2022"``; what config.json says.
    name
        Name of this very model, for instance ``"byola-2022.base"``; the architecture's where it has none.
    min_seconds
        Shorter clips are zero-padded at the tail to this.
    """

    architecture: ClassVar[str]
    config_class: ClassVar[type[EncoderConfig]]
    min_seconds: ClassVar[float]

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.name = self.architecture
        self.card = ModelCard()

    @classmethod
    def from_config(cls, values: dict[str, Any]) -> Self:
        """A new encoder with random weights from plain configuration values."""
        return cls(cls.config_class.from_dict(values))

    @property
    def statistics(self) -> dict[str, float]:
        """Normalisation statistics in natural-log units (``mean`` and ``std``); empty where there are none."""
        return {}

    # --- what a family says -----------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def frame_dim(self) -> int:
        """Dimensions of a frame embedding."""

    @property
    @abstractmethod
    def embedding_dim(self) -> int:
        """Dimensions of a clip's embedding."""

    @property
    @abstractmethod
    def stride(self) -> int:
        """Log-mel frames per frame embedding (the pooling stride)."""

    @property
    @abstractmethod
    def receptive_margin(self) -> int:
        """Log-mel frames that a frame embedding sees on either side beyond its own `stride`."""

    @abstractmethod
    def _encode(self, waveform: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Frames ``(batch, time, frame_dim)``, 0 beyond each clip's true frames, and those frames' numbers.

        Clips are at least `min_seconds` long here; without `lengths` all are as long as the waveform.
        """

    @abstractmethod
    def _summarise(self, statistics: FrameStatistics) -> Tensor:
        """Frame statistics → ``(batch, embedding_dim)``."""

    _with_deviations: ClassVar[bool] = False  # whether _summarise needs the deviations

    # --- what follows from it ---------------------------------------------------------------------------------------

    @property
    def sample_rate(self) -> int:
        """Hz; what waveforms must come at."""
        return self.config.mel.sample_rate

    @property
    def samples_per_frame(self) -> int:
        """Samples between two frame embeddings."""
        return self.stride * self.config.mel.hop_length

    @property
    def frame_rate(self) -> float:
        """Frame embeddings per second."""
        return self.sample_rate / self.samples_per_frame

    @property
    def min_samples(self) -> int:
        """`min_seconds` in samples."""
        return round(self.min_seconds * self.sample_rate)

    @property
    def parameters_count(self) -> int:
        """Number of trainable parameters."""
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad)

    @property
    def weights_fingerprint(self) -> str:
        """16 hexadecimal digits (SHA-256) of all that decides an embedding: architecture, configuration and tensors."""
        digest = hashlib.sha256(self.architecture.encode())
        digest.update(json.dumps(self.config.to_dict(), sort_keys=True).encode())
        for name, tensor in sorted(self.state_dict().items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()[:16]

    def frame_lengths(self, lengths: Tensor) -> Tensor:
        """True frame embeddings of clips of `lengths` ``(batch,)`` samples, the padding to `min_seconds` included."""
        log_mel_frames = lengths.clamp_min(self.min_samples).div(self.config.mel.hop_length, rounding_mode="floor")
        return (log_mel_frames + 1).div(self.stride, rounding_mode="floor")

    def frame_times(self, count: int, *, first: int = 0) -> Tensor:
        """Centres of `count` frame embeddings from the `first` on, in seconds: ``(count,)`` float64."""
        frame = torch.arange(first, first + count, dtype=torch.float64)
        centre = frame * self.stride + (self.stride - 1) / 2
        return centre / self.config.mel.frame_rate

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
        frames, _ = self._encode(*self._checked(waveform, lengths))
        return (frames[0] if waveform.ndim == 1 else frames), self.frame_times(frames.shape[1]).to(frames.device)

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Embeddings ``(batch, embedding_dim)`` of a batch of clips; parameters as in :meth:`frames`."""
        frames, frame_lengths = self._encode(*self._checked(waveform, lengths))
        embedding = self.pool(frames, frame_lengths)
        return embedding[0] if waveform.ndim == 1 else embedding

    def pool(self, frames: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Frame embeddings ``(batch, time, frame_dim)``, `lengths` of them true → ``(batch, embedding_dim)``."""
        return self._summarise(FrameStatistics.of(frames, lengths, with_deviations=self._with_deviations))

    def _checked(self, waveform: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The batch as `_encode` takes it, short clips padded to `min_seconds`, or an :class:`AuricleError`."""
        waveform = waveform[None] if waveform.ndim == 1 else waveform
        if waveform.ndim != 2 or not waveform.is_floating_point():
            raise AuricleError(
                f"expected a floating-point waveform of shape (batch, samples) in [-1, 1], "
                f"got {tuple(waveform.shape)} of {waveform.dtype}"
            )
        if waveform.numel() == 0:
            raise AuricleError(f"the waveform is empty (shape {tuple(waveform.shape)}): give at least one sample")
        if not bool(torch.isfinite(waveform.sum())):
            raise AuricleError("the waveform holds NaN or infinity: clean it before embedding it")
        if lengths is not None:
            if lengths.shape != waveform.shape[:1] or not 1 <= int(lengths.min()) <= int(lengths.max()):
                raise AuricleError(
                    f"expected a length of at least 1 sample for each of {len(waveform)} clips, got {lengths.tolist()}"
                )
            if int(lengths.max()) > waveform.shape[1]:
                raise AuricleError(
                    f"a length of {int(lengths.max())} samples exceeds the waveform's {waveform.shape[1]}"
                )
            if int(lengths.min()) < self.min_samples:
                beyond = torch.arange(waveform.shape[1], device=waveform.device) >= lengths[:, None]
                waveform = waveform.masked_fill(beyond, 0.0)
                lengths = lengths.clamp_min(self.min_samples)
        missing = self.min_samples - waveform.shape[1]
        return (functional.pad(waveform, (0, missing)) if missing > 0 else waveform), lengths

    # --- for people -------------------------------------------------------------------------------------------------

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
        waveform = _mono(source)
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
        """Frame embeddings of a recording that comes in blocks ``(samples,)``, chunk by chunk.

        Chunks overlap by more than the receptive field and start at multiples of the pooling stride, so that the frames
        are those of the whole recording.

        Yields
        ------
        frame_embeddings, times
            ``(time, frame_dim)`` and ``(time,)`` seconds from the recording's start.
        """
        step, hop = self.samples_per_frame, self.config.mel.hop_length
        # Log-mel frames within half a window of a chunk's cut see the padding instead of the recording.
        half_window = -(-(self.config.mel.n_fft // 2) // hop)
        margin = -(-(half_window + self.receptive_margin) // self.stride)
        chunk = max(1, round(CHUNK_SECONDS * self.frame_rate))
        # What is left for the last chunk is never so short that it would be padded.
        ahead = max(margin * step, self.min_samples)
        device = next(chain(self.parameters(), self.buffers())).device
        buffered: list[FloatArray] = []
        samples = 0
        first = done = 0  # frame at which the buffer starts; frames already given
        was_training = self.training
        self.eval()
        try:
            for block in blocks:
                buffered.append(block)
                samples += len(block)
                while samples >= (done - first + chunk) * step + ahead + margin * step:
                    waveform = np.concatenate(buffered)
                    until = done - first + chunk
                    frames, _ = self.frames(torch.from_numpy(waveform[: (until + margin) * step]).to(device))
                    yield frames[done - first : until], self.frame_times(chunk, first=done)
                    done += chunk
                    waveform = waveform[(done - margin - first) * step :]
                    first, buffered, samples = done - margin, [waveform], len(waveform)
            if samples:
                frames, _ = self.frames(torch.from_numpy(np.concatenate(buffered)).to(device))
                frames = frames[done - first :]
                yield frames, self.frame_times(len(frames), first=done)
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


def _mono(samples: FloatArray | Tensor) -> FloatArray:
    """Samples as people hold them → float32 ``(samples,)``."""
    array = samples.detach().cpu().numpy() if isinstance(samples, Tensor) else np.asarray(samples)
    if not np.issubdtype(array.dtype, np.floating):
        raise AuricleError(f"expected floating-point samples in [-1, 1], got {array.dtype}: divide by its full scale")
    if array.ndim == 2:
        if array.shape[0] > array.shape[1]:
            raise AuricleError(f"expected (samples,) or (channels, samples), got {array.shape}: transpose the array")
        array = array.mean(axis=0)
    if array.ndim != 1:
        raise AuricleError(f"expected (samples,) or (channels, samples), got an array of shape {array.shape}")
    if not np.isfinite(array).all():
        raise AuricleError("the samples hold NaN or infinity: clean them before embedding them")
    return np.ascontiguousarray(array, dtype=np.float32)
