"""Acoustic descriptors as an encoder: its embedding of a sound is the sound's descriptors.

So everything that embeds sound in bulk, flat in memory and resumable, describes it just as well.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from auricle.embedding.pools import Windows
from auricle.errors import AuricleError
from auricle.explain.descriptors import SAMPLE_RATE, VERSION, columns_of, describe
from auricle.models.encoder import Encoder, FloatArray

STRETCH_SECONDS = 60.0  # a longer recording is described stretch by stretch

_NO_FRAMES = "descriptors are of clips: give windows instead of frames"


class Describer(Encoder):
    """Waveform in, descriptors ``(batch, columns)`` out; NaN where a clip has no such property.

    A clip of up to a minute is described as a whole; each value of a longer one is the median over its minutes.

    Parameters
    ----------
    names
        Descriptors, families or columns; all by default.

    Attributes
    ----------
    columns : tuple of str
        What the entries are.

    Raises
    ------
    AuricleError
        When a name is unknown.
    """

    architecture: ClassVar[str] = "acoustic descriptors"
    anchor: Tensor

    def __init__(self, names: Sequence[str] | None = None) -> None:
        super().__init__()
        self.columns = columns_of(names)
        self.register_buffer("anchor", torch.empty(0), persistent=False)  # is where the work shall be done

    @property
    def sample_rate(self) -> int:
        """Hz; what waveforms must come at."""
        return SAMPLE_RATE

    @property
    def min_seconds(self) -> float:
        """A clip has at least one sample."""
        return 0.0

    @property
    def samples_per_frame(self) -> int:
        """There are no frame embeddings; descriptors' own frames differ."""
        raise AuricleError(_NO_FRAMES)

    @property
    def first_centre(self) -> float:
        """As `samples_per_frame`."""
        raise AuricleError(_NO_FRAMES)

    @property
    def context_frames(self) -> int:
        """As `samples_per_frame`."""
        raise AuricleError(_NO_FRAMES)

    @property
    def frame_dim(self) -> int:
        """Number of columns."""
        return len(self.columns)

    @property
    def weights_fingerprint(self) -> str:
        """16 hexadecimal digits (SHA-256) of all that decides a value."""
        return hashlib.sha256(f"{VERSION} {' '.join(self.columns)}".encode()).hexdigest()[:16]

    def _frames_of(self, samples: Tensor) -> Tensor:  # noqa: ARG002
        raise AuricleError(_NO_FRAMES)

    def _encode(self, waveform: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:  # noqa: ARG002
        raise AuricleError(_NO_FRAMES)

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Descriptors ``(batch, columns)``; parameters and errors as of :meth:`Encoder.frames`."""
        batch, lengths = self._checked(waveform, lengths)
        values = describe(batch.float(), lengths, names=self.columns)
        found = torch.stack([values[column] for column in self.columns], dim=1)
        return found[0] if waveform.ndim == 1 else found

    @torch.inference_mode()
    def embed_stream(self, blocks: Iterable[FloatArray]) -> FloatArray:
        """Descriptors ``(columns,)`` of a recording that comes in blocks ``(samples,)``."""
        stretches = Windows(STRETCH_SECONDS, STRETCH_SECONDS).cut(blocks, SAMPLE_RATE)
        found = [self(torch.from_numpy(waveform).to(self.anchor.device)).cpu() for _, waveform in stretches]
        return torch.stack(found).nanmedian(dim=0).values.numpy().astype(np.float32)
