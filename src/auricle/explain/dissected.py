"""An encoder whose embedding holds all that an explanation needs of a clip, so that each clip is heard once.

Side by side stand the clip's own embedding; the embeddings of two halves of its frames, which tell how far the first
depends on which moments were heard; and the mean over time of every layer. The halves are every other quarter of a
second: both cover the whole clip, and frames of one have few neighbours in the other.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from auricle.errors import AuricleError
from auricle.models.around import EncoderAround
from auricle.models.encoder import Encoder, FloatArray
from auricle.models.pooled import pooled
from auricle.models.pooling import FrameStatistics

RUN_SECONDS = 0.25  # of frames that belong to one half
WHOLE, HALVES = "whole", ("first half", "second half")
VERSION = 1


class Dissected(EncoderAround):
    """What an encoder says of a clip, of two halves of its frames, and at every layer.

    Parameters
    ----------
    encoder
        The encoder.
    layers
        Which of its layers; none by default.
    pooling
        How the clip's embedding and those of the halves are made of frames, as of :func:`auricle.models.pooled.pooled`;
        the encoder's own way by default.
    """

    architecture: ClassVar[str] = "dissected"

    def __init__(self, encoder: Encoder, layers: Sequence[str] = (), *, pooling: str | None = None) -> None:
        super().__init__(encoder)
        self.layers_heard = tuple(layers)
        self.whole = pooled(encoder, pooling=pooling)

    @property
    def parts(self) -> Mapping[str, int]:
        """Name and dimensions of each part of the embedding, in order."""
        own = dict.fromkeys((WHOLE, *HALVES), self.whole.embedding_dim)
        return own | {f"layer {name}": self.encoder.layer_dims[name] for name in self.layers_heard}

    @property
    def frame_dim(self) -> int:
        """Dimensions of a frame embedding and all layers."""
        return self.encoder.frame_dim + sum(self.encoder.layer_dims[name] for name in self.layers_heard)

    @property
    def embedding_dim(self) -> int:
        """Dimensions of all parts."""
        return sum(self.parts.values())

    @property
    def layer_dims(self) -> Mapping[str, int]:
        """None: they are part of the embedding."""
        return {}

    @property
    def weights_fingerprint(self) -> str:
        """16 hexadecimal digits (SHA-256) of all that decides an embedding."""
        content = f"{self.whole.weights_fingerprint} dissected {VERSION} {' '.join(self.layers_heard)}"
        return hashlib.sha256(content.encode()).hexdigest()[:16]

    @property
    def _with_deviations(self) -> bool:
        return self.whole._with_deviations

    def _encode(self, waveform: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        frames, counts = self.encoder._encode(waveform, lengths)
        if not self.layers_heard:
            return frames, counts
        layers, _ = self.encoder._encode_layers(waveform, lengths, self.layers_heard)
        return torch.cat([frames, layers], dim=2), counts

    def pool(self, frames: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Frames and layers ``(batch, time, frame_dim)``, `lengths` of them true → ``(batch, embedding_dim)``."""
        own, layers = self._apart(frames)
        half_of = self._half_of(frames.shape[1], first=0).to(frames.device)
        found = [self.whole.pool(own, lengths)]
        for half in range(len(HALVES)):
            places = half_of == half
            counts = places.cumsum(0)
            true = counts[-1].expand(len(frames)) if lengths is None else counts[lengths - 1]
            if not bool(places.any()):
                found.append(torch.zeros_like(found[0]))
                continue
            of_half = self.whole.pool(own[:, places], true.clamp_min(1))
            found.append(of_half * (true > 0)[:, None])  # a clip of a single run has no second half
        if self.layers_heard:
            found.append(FrameStatistics.of(layers, lengths).mean)
        return torch.cat([part.to(found[0].dtype) for part in found], dim=1)

    @torch.inference_mode()
    def embed_stream(self, blocks: Iterable[FloatArray]) -> FloatArray:
        """Embedding ``(embedding_dim,)`` of a recording that comes in blocks ``(samples,)`` at `sample_rate`."""
        totals: dict[str, FrameStatistics] = {}
        first = 0
        for frames, _ in self.stream_frames(blocks):
            own, layers = self._apart(frames[None])
            half_of = self._half_of(frames.shape[0], first=first).to(frames.device)
            first += frames.shape[0]
            parts = {WHOLE: own, "layers": layers}
            parts |= {name: own[:, half_of == half] for half, name in enumerate(HALVES)}
            for name, part in parts.items():
                if part.shape[1]:
                    now = FrameStatistics.of(part, with_deviations=self._with_deviations)
                    totals[name] = totals[name].merged(now) if name in totals else now
        if WHOLE not in totals:
            raise AuricleError("the recording is empty: there is nothing to embed")
        found = [self.whole._summarise(totals[name]) for name in (WHOLE, *HALVES) if name in totals]
        missing = 1 + len(HALVES) - len(found)
        found += [torch.zeros_like(found[0])] * missing
        if self.layers_heard:
            found.append(totals["layers"].mean)
        return torch.cat([part.float() for part in found], dim=1)[0].cpu().numpy()

    def _apart(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        return frames[..., : self.encoder.frame_dim], frames[..., self.encoder.frame_dim :]

    def _half_of(self, count: int, *, first: int) -> Tensor:
        """Which half ``(count,)`` each frame from the `first` on belongs to."""
        run = max(1, round(RUN_SECONDS * self.frame_rate))
        return torch.arange(first, first + count).div(run, rounding_mode="floor").remainder(len(HALVES))
