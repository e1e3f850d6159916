"""Any encoder for X-ARES, the extensive audio representation and evaluation suite (Zhang et al. 2025).

X-ARES is given a Python file in which one name ends in ``Encoder`` and makes an encoder when it is called::

    from auricle.integrations.xares import xares_encoder

    AuricleEncoder = xares_encoder("byola-2022")

and run with ``python -m xares.run my_encoder.py tasks/*.py``. It pools frames by their mean, whatever the encoder's own
pooling, and hands over up to ten minutes at a time.
"""

from pathlib import Path

from torch import Tensor, nn

from auricle.integrations.long_clips import frames_of_any_length
from auricle.models.registry import load


class XaresEncoder(nn.Module):
    """An encoder with the attributes that X-ARES asks for.

    Attributes
    ----------
    sampling_rate
        Hz.
    output_dim
        Dimensions of a frame embedding.
    hop_size_in_ms
        Milliseconds between two frame embeddings.
    """

    def __init__(self, model: str | Path) -> None:
        super().__init__()
        self.encoder = load(model)
        self.sampling_rate = self.encoder.sample_rate
        self.output_dim = self.encoder.frame_dim
        self.hop_size_in_ms = 1000.0 / self.encoder.frame_rate

    def forward(self, audio: Tensor) -> Tensor:
        """Waveforms ``(batch, samples)`` or ``(samples,)`` → frame embeddings ``(batch, time, output_dim)``."""
        frames, _ = frames_of_any_length(self.encoder, audio if audio.ndim > 1 else audio[None])
        return frames


def xares_encoder(model: str | Path) -> type[XaresEncoder]:
    """A class that makes an X-ARES encoder of `model`, which is whatever :func:`auricle.load` takes."""

    class AuricleEncoder(XaresEncoder):
        def __init__(self) -> None:
            super().__init__(model)

    return AuricleEncoder
