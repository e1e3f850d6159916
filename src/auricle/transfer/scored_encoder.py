"""An encoder under a probe, as an encoder: its embedding of a sound is the probe's calibrated scores.

So everything that embeds sound in bulk, flat in memory and resumable, scores it just as well, and no embedding is kept.
"""

import hashlib
from collections.abc import Iterable
from typing import ClassVar

import torch
from torch import Tensor

from auricle.errors import AuricleError
from auricle.models.around import EncoderAround
from auricle.models.encoder import Encoder, FloatArray
from auricle.models.pooling import FrameStatistics
from auricle.transfer.fitted import FittedProbe


class ScoredEncoder(EncoderAround):
    """Waveform in, calibrated scores ``(batch, outputs)`` out.

    Parameters
    ----------
    encoder
        The encoder that the probe was trained on.
    probe
        The probe.

    Raises
    ------
    AuricleError
        When the probe takes embeddings of another width.
    """

    architecture: ClassVar[str] = "probe"
    weight: Tensor
    bias: Tensor
    slope: Tensor
    offset: Tensor

    def __init__(self, encoder: Encoder, probe: FittedProbe) -> None:
        if encoder.embedding_dim != probe.weight.shape[1]:
            raise AuricleError(
                f"the probe takes embeddings of {probe.weight.shape[1]} dimensions, "
                f"those of {encoder.name} have {encoder.embedding_dim}"
            )
        super().__init__(encoder)
        self.kind = probe.kind
        self.name = f"a probe on {encoder.name}"
        for name, values in (
            ("weight", probe.weight),
            ("bias", probe.bias),
            ("slope", probe.calibration.slope),
            ("offset", probe.calibration.offset),
        ):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32))

    @property
    def embedding_dim(self) -> int:
        """Number of scores."""
        return len(self.bias)

    @property
    def weights_fingerprint(self) -> str:
        """16 hexadecimal digits (SHA-256) of all that decides a score."""
        digest = hashlib.sha256(f"{self.encoder.weights_fingerprint} {self.kind}".encode())
        for tensor in (self.weight, self.bias, self.slope, self.offset):
            digest.update(tensor.cpu().numpy().tobytes())
        return digest.hexdigest()[:16]

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Scores ``(batch, outputs)``; parameters as in :meth:`auricle.models.encoder.Encoder.frames`."""
        return self._scores(self.encoder(waveform, lengths))

    @torch.inference_mode()
    def embed_stream(self, blocks: Iterable[FloatArray]) -> FloatArray:
        """Scores ``(outputs,)`` of a recording that comes in blocks ``(samples,)``."""
        embedding = torch.from_numpy(self.encoder.embed_stream(blocks)).to(self.bias.device)
        return self._scores(embedding).cpu().numpy()

    def _scores(self, embedding: Tensor) -> Tensor:
        with torch.autocast(embedding.device.type, enabled=False):
            logits = torch.nn.functional.linear(embedding.float(), self.weight, self.bias)
            steady = logits * self.slope + self.offset
            if self.kind == "multi-class":
                return torch.softmax(steady, dim=-1)
            return steady if self.kind == "regression" else torch.sigmoid(steady)

    def _summarise(self, statistics: FrameStatistics) -> Tensor:
        return self._scores(self.encoder._summarise(statistics))
