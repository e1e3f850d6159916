"""An encoder built around another one: it hears the same sound at the same times and makes something else of it."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from auricle.models.configuration import EncoderConfig
from auricle.models.encoder import Encoder
from auricle.models.pooling import FrameStatistics


class EncoderAround(Encoder):
    """Everything is the inner encoder's until a subclass says otherwise.

    Parameters
    ----------
    encoder
        The inner encoder.
    config
        Of the outer one; the inner one's when not given.
    """

    def __init__(self, encoder: Encoder, config: EncoderConfig | None = None) -> None:
        super().__init__(config or encoder.config)
        self.encoder = encoder
        self.name, self.card = encoder.name, encoder.card

    @property
    def sample_rate(self) -> int:
        """Hz; what waveforms must come at."""
        return self.encoder.sample_rate

    @property
    def min_seconds(self) -> float:
        """Shorter clips are zero-padded at the tail to this."""
        return self.encoder.min_seconds

    @property
    def max_seconds(self) -> float:
        """Beyond this the embedding is defined by windows."""
        return self.encoder.max_seconds

    @property
    def samples_per_frame(self) -> int:
        """Samples between two frame embeddings."""
        return self.encoder.samples_per_frame

    @property
    def first_centre(self) -> float:
        """Sample on which the first frame embedding is centred."""
        return self.encoder.first_centre

    @property
    def context_frames(self) -> int:
        """Frame embeddings near the cut end of a window that are not those of the recording."""
        return self.encoder.context_frames

    @property
    def frame_dim(self) -> int:
        """Dimensions of a frame embedding."""
        return self.encoder.frame_dim

    @property
    def embedding_dim(self) -> int:
        """Dimensions of a clip's embedding."""
        return self.encoder.embedding_dim

    @property
    def layer_dims(self) -> Mapping[str, int]:
        """Dimensions of each layer that can be had, from input to output."""
        return self.encoder.layer_dims

    @property
    def statistics(self) -> dict[str, float]:
        """Normalisation statistics in natural-log units; empty where there are none."""
        return self.encoder.statistics

    @property
    def front_end(self) -> str:
        """What becomes of the waveform before the first layer, in words."""
        return self.encoder.front_end

    @property
    def _with_deviations(self) -> bool:
        return self.encoder._with_deviations

    def _frames_of(self, samples: Tensor) -> Tensor:
        return self.encoder._frames_of(samples)

    def _encode(self, waveform: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        return self.encoder._encode(waveform, lengths)

    def _encode_layers(
        self, waveform: Tensor, lengths: Tensor | None, names: Sequence[str]
    ) -> tuple[Tensor, Tensor | None]:
        return self.encoder._encode_layers(waveform, lengths, names)

    def _summarise(self, statistics: FrameStatistics) -> Tensor:
        return self.encoder._summarise(statistics)
