"""Encoders that hear clips of one length at a time, which is the way to run a model that cannot be told of padding.

Group-normalised feature extractors (wav2vec 2.0 base, HuBERT base, WavLM base) normalise over the whole padded length,
and of a third party's model nobody knows. A batch of different lengths is therefore run in groups of equal ones, each
without any padding: a clip's embedding cannot depend on its batch. Adding an encoder means one small class here; see
docs/new-encoder.md.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence

from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from auricle.models.encoder import Encoder

CONTEXT_SECONDS = 2.0  # heard on either side of a window's frames that count


class EqualLengthEncoder(Encoder):
    """An encoder of equal lengths, with global context unless `max_seconds` says otherwise.

    Attributes
    ----------
    frame_samples
        What one frame embedding sees at least, in samples; frame ``i`` sees those from ``i * samples_per_frame`` on.
        Shorter clips are padded to it.
    max_seconds
        Longer clips are embedded by windows of at most this, which overlap by twice `CONTEXT_SECONDS`.
    """

    max_seconds = 20.0

    @property
    @abstractmethod
    def frame_samples(self) -> int:
        """Samples that one frame embedding sees at least."""

    @abstractmethod
    def encode(self, waveform: Tensor) -> Tensor:
        """Clips of one length ``(batch, samples)`` → frame embeddings ``(batch, time, frame_dim)``."""

    def encode_layers(self, waveform: Tensor, names: Sequence[str]) -> Tensor:
        """As :meth:`encode`, of the layers called `names`, side by side."""
        raise NotImplementedError

    @property
    def min_seconds(self) -> float:
        """One frame."""
        return self.frame_samples / self.sample_rate

    @property
    def first_centre(self) -> float:
        """The middle of what the first frame sees."""
        return self.frame_samples / 2

    @property
    def context_frames(self) -> int:
        """Frames on either side of a window that are context only."""
        return round(CONTEXT_SECONDS * self.frame_rate)

    def _frames_of(self, samples: Tensor) -> Tensor:
        return (samples - self.frame_samples).div(self.samples_per_frame, rounding_mode="floor") + 1

    def _encode(self, waveform: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        return self._by_length(self.encode, waveform, lengths)

    def _encode_layers(
        self, waveform: Tensor, lengths: Tensor | None, names: Sequence[str]
    ) -> tuple[Tensor, Tensor | None]:
        return self._by_length(lambda clips: self.encode_layers(clips, names), waveform, lengths)

    def _by_length(
        self, encode: Callable[[Tensor], Tensor], waveform: Tensor, lengths: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """What `encode` makes of clips, those of each length together."""
        if lengths is None:
            return encode(waveform), None
        clips: dict[int, Tensor] = {}
        for length in sorted(set(lengths.tolist())):
            rows = (lengths == length).nonzero()[:, 0]
            clips.update(zip(rows.tolist(), encode(waveform[rows, :length]), strict=True))
        return pad_sequence([clips[row] for row in range(len(waveform))], batch_first=True), self._frames_of(lengths)
