"""YAMNet: MobileNet v1 over log-mel patches of 0.96 s, trained on AudioSet's labels; the study's supervised reference.

Plakal & Ellis 2019 (tensorflow/models, research/audioset/yamnet, Apache-2.0); depthwise separable convolutions: Howard
et al. 2017, arXiv 1704.04861. Written from the layer table; what a port gets wrong easily is kept exact: TensorFlow's
"SAME" padding, which is asymmetric at stride 2, batch-norm without scale at epsilon 1e-4, mel triangles that are drawn
in mels. Weights come from the published files (:mod:`auricle.models.yamnet_files`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from auricle.errors import AuricleError
from auricle.models.configuration import EncoderConfig
from auricle.models.encoder import Encoder
from auricle.models.waveforms import checked_batch, silent_beyond

SAMPLE_RATE = 16_000  # Hz
WINDOW, HOP, FFT = 400, 160, 512  # samples: 25 ms windows every 10 ms, zero-padded to the transform
BANDS, LOWEST, HIGHEST = 64, 125.0, 7500.0  # mel bands, Hz
LOG_OFFSET = 1e-3
PATCH_FRAMES, PATCH_HOP_FRAMES = 96, 48  # of the spectrogram
PATCH_SAMPLES = (PATCH_FRAMES - 1) * HOP + WINDOW  # 15,600: what one patch sees
PATCH_HOP = PATCH_HOP_FRAMES * HOP  # 7,680
LAYERS = (  # stride and channels: a full convolution, then depthwise separable ones
    (2, 32),
    (1, 64),
    (2, 128),
    (1, 128),
    (2, 256),
    (1, 256),
    (2, 512),
    *((1, 512),) * 5,
    (2, 1024),
    (1, 1024),
)
EPSILON = 1e-4  # of batch-norm
CLASSES = 521  # of AudioSet's 527
HTK_CORNER_HZ, HTK_NEPERS = 700.0, 1127.0  # O'Shaughnessy's formula, as TensorFlow writes it


@dataclass(frozen=True, kw_only=True)
class YAMNetConfig(EncoderConfig):
    """What differs between published files.

    Attributes
    ----------
    ceiling
        Of every activation; None for plain rectifiers (the Keras file), 6 for the quantised file.
    classes
        Of the classifier; 0 where there is none any more.
    """

    ceiling: float | None = None
    classes: int = CLASSES

    def __post_init__(self) -> None:
        if self.ceiling is not None and not self.ceiling > 0:
            raise AuricleError(f"yamnet: ceiling must be above 0, got {self.ceiling}")
        if self.classes < 0:
            raise AuricleError(f"yamnet: classes must be at least 0, got {self.classes}")


def mel_matrix() -> NDArray[np.float64]:
    """TensorFlow's ``linear_to_mel_weight_matrix``: ``(257, 64)``, triangles drawn in mels, nothing of 0 Hz."""
    mels = HTK_NEPERS * np.log1p(np.arange(FFT // 2 + 1) * (SAMPLE_RATE / FFT) / HTK_CORNER_HZ)[:, None]
    low, high = HTK_NEPERS * np.log1p(np.array([LOWEST, HIGHEST]) / HTK_CORNER_HZ)
    edges = np.linspace(low, high, BANDS + 2)
    rising = (mels - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - mels) / (edges[2:] - edges[1:-1])
    matrix: NDArray[np.float64] = np.maximum(0.0, np.minimum(rising, falling))
    matrix[0] = 0.0
    return matrix


class Patches(nn.Module):
    """Waveform → log-mel patches; always in full precision, also inside ``torch.autocast``."""

    window: Tensor
    mel_matrix: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(WINDOW, dtype=torch.float64).float(), persistent=False)
        self.register_buffer("mel_matrix", torch.from_numpy(mel_matrix()).float(), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Patches ``(batch, patches, 96 frames, 64 bands)`` of waveforms ``(batch, samples)`` of at least 15,600.

        A last patch is completed with zeros.
        """
        with torch.autocast(waveform.device.type, enabled=False):
            waveform = waveform.to(self.window.dtype)
            beyond = (waveform.shape[1] - PATCH_SAMPLES) % PATCH_HOP
            waveform = functional.pad(waveform, (0, (PATCH_HOP - beyond) % PATCH_HOP))
            frames = waveform.unfold(1, WINDOW, HOP) * self.window
            magnitude = torch.fft.rfft(frames, FFT).abs()
            log_mel = torch.log(magnitude @ self.mel_matrix + LOG_OFFSET)
            return log_mel.unfold(1, PATCH_FRAMES, PATCH_HOP_FRAMES).transpose(2, 3)


class CentredNorm(nn.BatchNorm2d):
    """Batch-norm that learns where the centre is and leaves the scale to the next layer."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=EPSILON)
        self.weight.requires_grad_(False)


class SameConvolution(nn.Module):
    """Convolution without bias, batch-norm, rectifier; padded as TensorFlow's "SAME": the odd zero comes last."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int, stride: int, groups: int, ceiling: float | None):
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
        nn.init.kaiming_normal_(self.convolution.weight, nonlinearity="relu")  # or 27 layers of it fade to nothing
        self.norm = CentredNorm(outputs)
        self.kernel, self.stride, self.ceiling = kernel, stride, ceiling

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, inputs, frames, bands)`` → ``(batch, outputs, ⌈frames / stride⌉, ⌈bands / stride⌉)``."""
        if self.kernel > 1:
            pads: list[int] = []
            for size in (x.shape[3], x.shape[2]):
                missing = max(0, (-(-size // self.stride) - 1) * self.stride + self.kernel - size)
                pads += [missing // 2, missing - missing // 2]
            x = functional.pad(x, pads)
        out: Tensor = self.norm(self.convolution(x))
        return out.clamp_min(0.0) if self.ceiling is None else out.clamp(0.0, self.ceiling)


class YAMNet(Encoder):
    """3,729,481 trainable parameters, the classifier's included; a 1,024-d frame every 0.48 s that sees 0.975 s."""

    architecture: ClassVar[str] = "yamnet"
    config_class: ClassVar[type[EncoderConfig]] = YAMNetConfig
    config: YAMNetConfig
    sample_rate = SAMPLE_RATE
    min_seconds = PATCH_SAMPLES / SAMPLE_RATE
    samples_per_frame = PATCH_HOP
    first_centre = PATCH_SAMPLES / 2
    context_frames = -(-PATCH_SAMPLES // PATCH_HOP) - 1

    def __init__(self, config: YAMNetConfig | None = None) -> None:
        super().__init__(config)
        self.patches = Patches()
        self.blocks = nn.ModuleList()
        ceiling, inputs = self.config.ceiling, 1
        for number, (stride, channels) in enumerate(LAYERS):
            if number == 0:
                parts = [SameConvolution(1, channels, kernel=3, stride=stride, groups=1, ceiling=ceiling)]
            else:
                parts = [
                    SameConvolution(inputs, inputs, kernel=3, stride=stride, groups=inputs, ceiling=ceiling),
                    SameConvolution(inputs, channels, kernel=1, stride=1, groups=1, ceiling=ceiling),
                ]
            self.blocks.append(nn.Sequential(*parts))
            inputs = channels
        self.classifier = nn.Linear(inputs, self.config.classes) if self.config.classes else None
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def frame_dim(self) -> int:
        """Channels of the last layer."""
        return LAYERS[-1][1]

    @property
    def layer_dims(self) -> Mapping[str, int]:
        """``layer1`` … ``layer14``: channels, each averaged over its map; the last is the frame embedding."""
        return {f"layer{number}": channels for number, (_, channels) in enumerate(LAYERS, start=1)}

    @property
    def front_end(self) -> str:
        """The mel bands."""
        return f"{BANDS} mel bands (htk scale, no norm) from {LOWEST:g} to {HIGHEST:g} Hz, in patches of 0.96 s"

    def convolutions(self) -> list[SameConvolution]:
        """All 27 of them, from input to output."""
        return [module for module in self.blocks.modules() if isinstance(module, SameConvolution)]

    def without_classifier(self) -> Self:
        """This encoder without its 521 classes."""
        self.config, self.classifier = replace(self.config, classes=0), None
        return super().without_classifier()

    def scores(self, waveform: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Scores of the classes that YAMNet was trained on, the mean over patches.

        Parameters
        ----------
        waveform, lengths
            As of :meth:`auricle.models.encoder.Encoder.frames`.

        Returns
        -------
        Tensor
            ``(batch, 521)`` in [0, 1]: independent, not adding up to 1; their names are in `classes`.

        Raises
        ------
        AuricleError
            When the waveform is refused, or the classifier was left behind in fine-tuning.
        """
        if self.classifier is None:
            raise AuricleError(f"{self.name} was trained on without its classifier: it has no scores, only embeddings")
        checked, true = checked_batch(waveform, lengths, min_samples=self.min_samples)
        frames, patches = self._encode(checked, true)
        scores = torch.sigmoid(self.classifier(frames)).float()
        if patches is None:
            mean = scores.mean(dim=1)
        else:
            beyond = torch.arange(scores.shape[1], device=scores.device) >= patches[:, None]
            mean = scores.masked_fill(beyond[:, :, None], 0.0).sum(dim=1) / patches[:, None]
        return mean[0] if waveform.ndim == 1 else mean

    def _frames_of(self, samples: Tensor) -> Tensor:
        # Rounded up: TensorFlow's port completes the last patch with zeros.
        return (samples - PATCH_SAMPLES + PATCH_HOP - 1).div(PATCH_HOP, rounding_mode="floor") + 1

    def _encode(self, waveform: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
        return self._encode_layers(waveform, lengths, self.layer_names[-1:])

    def _encode_layers(
        self, waveform: Tensor, lengths: Tensor | None, names: Sequence[str]
    ) -> tuple[Tensor, Tensor | None]:
        patches = self.patches(waveform if lengths is None else silent_beyond(waveform, lengths))
        shape, true = patches.shape[:2], None
        inside = torch.ones(shape, dtype=torch.bool, device=patches.device)
        if lengths is not None:
            true = self._frames_of(lengths)
            inside = torch.arange(shape[1], device=true.device) < true[:, None]
        x = patches[inside][:, None].contiguous(memory_format=torch.channels_last)
        found = {}
        for name, block in zip(self.layer_names, self.blocks, strict=True):
            x = block(x)
            if name in names:
                found[name] = x.mean(dim=(2, 3))
        joined = torch.cat([found[name] for name in names], dim=1)
        frames = joined.new_zeros(*shape, joined.shape[1])
        return frames.masked_scatter(inside[:, :, None], joined), true
