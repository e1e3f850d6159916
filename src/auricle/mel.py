"""Log-mel spectrograms: the one front end of every spectrogram encoder here.

A frozen :class:`MelRecipe` says how, :class:`LogMel` does it on any device. The default recipe is that of BYOL-A
(Niizumi et al. 2021, section IV; 2022, section IV-A): 16 kHz, 64 ms windows every 10 ms, 64 bands from 60 to 7,800 Hz,
natural logarithm. Scales and area normalisation are those of librosa, with which the tests compare them. Frames are
centred: frame ``i`` looks at the samples around ``i * hop_length``, and a clip's edges are padded at its own true
ends, so that a spectrogram does not depend on what a clip is batched with.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from auricle.errors import AuricleError

CPU_FRAMES_AT_ONCE = 1024  # 4 MB of spectrum stay in the cache and out of the page-fault handler: twice as fast
FLOAT32_EPSILON = 2.0**-23  # added to the power before the logarithm; log is about -15.94 in digital silence
HTK_CORNER_HZ = 700.0
HTK_MELS_PER_DECADE = 2595.0
SLANEY_HZ_PER_MEL = 200.0 / 3.0  # linear below the corner
SLANEY_CORNER_HZ = 1000.0
SLANEY_LOG_STEP = np.log(6.4) / 27.0  # logarithmic above: 27 mels from 1 to 6.4 kHz


@dataclass(frozen=True, kw_only=True)
class MelRecipe:
    """How a waveform becomes a log-mel spectrogram.

    Attributes
    ----------
    sample_rate
        Hz.
    n_fft, win_length, hop_length
        Samples. A window shorter than `n_fft` is centred in it; the window is a periodic Hann window.
    n_mels
        Number of bands.
    f_min, f_max
        Hz; lower end of the first and upper end of the last band.
    power
        Exponent of the magnitude: 2 for power, 1 for magnitude.
    mel_scale
        ``"slaney"`` (Auditory Toolbox: linear below 1 kHz) or ``"htk"`` (O'Shaughnessy's formula).
    norm
        ``"slaney"``: every filter has the same area; ``None``: every filter has peak 1.
    log_floor
        Added to the band's power before the natural logarithm.
    padding
        What lies beyond a clip's ends: its mirror image (``"reflect"``) or zeros (``"constant"``).

    Raises
    ------
    AuricleError
        When the values contradict each other.
    """

    sample_rate: int = 16_000
    n_fft: int = 1024
    win_length: int = 1024
    hop_length: int = 160
    n_mels: int = 64
    f_min: float = 60.0
    f_max: float = 7800.0
    power: float = 2.0
    mel_scale: Literal["slaney", "htk"] = "slaney"
    norm: Literal["slaney"] | None = "slaney"
    log_floor: float = FLOAT32_EPSILON
    padding: Literal["reflect", "constant"] = "reflect"

    def __post_init__(self) -> None:
        for name in ("sample_rate", "n_fft", "win_length", "hop_length", "n_mels", "power", "log_floor"):
            if not getattr(self, name) > 0:
                raise AuricleError(f"mel recipe: {name} must be above 0, got {getattr(self, name)}")
        if self.win_length > self.n_fft:
            raise AuricleError(f"mel recipe: win_length ({self.win_length}) must not exceed n_fft ({self.n_fft})")
        if not 0 <= self.f_min < self.f_max <= self.sample_rate / 2:
            raise AuricleError(
                f"mel recipe: need 0 <= f_min < f_max <= {self.sample_rate / 2:g} Hz (half the sample rate), "
                f"got f_min {self.f_min:g} and f_max {self.f_max:g}"
            )
        for name, known in (
            ("mel_scale", ("slaney", "htk")),
            ("norm", ("slaney", None)),
            ("padding", ("reflect", "constant")),
        ):
            if getattr(self, name) not in known:
                choices = " or ".join(str(value) for value in known)
                raise AuricleError(f"mel recipe: {name} must be {choices}, got {getattr(self, name)!r}")

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop_length

    def frames_of(self, samples: int) -> int:
        """Number of frames of a clip of `samples` samples."""
        return samples // self.hop_length + 1 if samples > 0 else 0

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "MelRecipe":
        """The recipe that :meth:`to_dict` wrote; an unknown key is an :class:`AuricleError`."""
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise AuricleError(f"mel recipe: unknown key {unknown[0]!r}")
        return cls(**values)


def hz_to_mel(frequency: NDArray[np.float64], *, scale: str) -> NDArray[np.float64]:
    """Frequency in Hz → mels on the ``"slaney"`` or ``"htk"`` scale."""
    if scale == "htk":
        return HTK_MELS_PER_DECADE * np.log10(1.0 + frequency / HTK_CORNER_HZ)
    linear = frequency / SLANEY_HZ_PER_MEL
    above = SLANEY_CORNER_HZ / SLANEY_HZ_PER_MEL + (
        np.log(np.maximum(frequency, SLANEY_CORNER_HZ) / SLANEY_CORNER_HZ) / SLANEY_LOG_STEP
    )
    return np.where(frequency < SLANEY_CORNER_HZ, linear, above)


def mel_to_hz(mel: NDArray[np.float64], *, scale: str) -> NDArray[np.float64]:
    """Inverse of :func:`hz_to_mel`."""
    if scale == "htk":
        return HTK_CORNER_HZ * (10.0 ** (mel / HTK_MELS_PER_DECADE) - 1.0)
    corner = SLANEY_CORNER_HZ / SLANEY_HZ_PER_MEL
    above = SLANEY_CORNER_HZ * np.exp(SLANEY_LOG_STEP * (np.maximum(mel, corner) - corner))
    return np.where(mel < corner, mel * SLANEY_HZ_PER_MEL, above)


def mel_filter_bank(recipe: MelRecipe) -> NDArray[np.float64]:
    """Triangular filters of `recipe`: ``(n_mels, n_fft // 2 + 1)`` float64.

    Triangles are drawn in Hz between band edges that are equally spaced in mels, as in librosa and the Auditory
    Toolbox.
    """
    bins = np.arange(recipe.n_fft // 2 + 1) * (recipe.sample_rate / recipe.n_fft)
    low, high = hz_to_mel(np.array([recipe.f_min, recipe.f_max]), scale=recipe.mel_scale)
    edges = mel_to_hz(np.linspace(low, high, recipe.n_mels + 2), scale=recipe.mel_scale)[:, None]
    widths = np.diff(edges, axis=0)
    rising = (bins - edges[:-2]) / widths[:-1]
    falling = (edges[2:] - bins) / widths[1:]
    bank = np.maximum(0.0, np.minimum(rising, falling))
    return bank * (2.0 / (edges[2:] - edges[:-2])) if recipe.norm == "slaney" else bank


class LogMel(nn.Module):
    """Waveform → log-mel spectrogram, on the device and in the dtype (float32 or float64) of the module.

    Always computed in full precision, also inside ``torch.autocast``: a logarithm of bfloat16 power is noise.
    """

    window: Tensor
    filter_bank: Tensor

    def __init__(self, recipe: MelRecipe | None = None) -> None:
        super().__init__()
        self.recipe = recipe or MelRecipe()
        window = torch.hann_window(self.recipe.win_length, dtype=torch.float64)
        self.register_buffer("window", window.float(), persistent=False)
        bank = torch.from_numpy(mel_filter_bank(self.recipe))
        self.register_buffer("filter_bank", bank.float(), persistent=False)

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Log-mel spectrogram of a batch of clips.

        Parameters
        ----------
        waveform
            ``(batch, samples)`` at the recipe's sample rate.
        lengths
            ``(batch,)`` true samples of each clip, at least 1; what lies beyond them is ignored. All of them when
            not given.

        Returns
        -------
        log_mel
            ``(batch, n_mels, frames)``: natural log of (power + floor), 0 in frames beyond a clip's true length.
        frame_lengths
            ``(batch,)`` int64: true frames of each clip.
        """
        with torch.autocast(waveform.device.type, enabled=False):
            padded = self._pad(waveform.to(self.window.dtype), lengths)
            rows = len(padded)
            if padded.device.type == "cpu":
                rows = max(1, CPU_FRAMES_AT_ONCE * self.recipe.hop_length // padded.shape[-1])
            parts = [self._transform(padded[row : row + rows]) for row in range(0, len(padded), rows)]
            log_mel = torch.cat(parts).transpose(1, 2).contiguous()
        frames = log_mel.shape[-1]
        if lengths is None:
            return log_mel, torch.full((len(log_mel),), frames, device=log_mel.device)
        frame_lengths = lengths.div(self.recipe.hop_length, rounding_mode="floor") + 1
        beyond = torch.arange(frames, device=log_mel.device) >= frame_lengths[:, None]
        return log_mel.masked_fill_(beyond[:, None, :], 0.0), frame_lengths

    def _transform(self, padded: Tensor) -> Tensor:
        """Padded waveform → log-mel, time first: ``(batch, frames, n_mels)``."""
        recipe = self.recipe
        spectrum = torch.stft(
            padded,
            recipe.n_fft,
            recipe.hop_length,
            recipe.win_length,
            self.window,
            center=False,
            return_complex=True,
        )
        spectrum = spectrum.transpose(1, 2)  # as it lies in memory: one matrix product for the whole batch
        power = spectrum.real.square().addcmul_(spectrum.imag, spectrum.imag)
        if recipe.power != 2.0:
            power = power.pow(recipe.power / 2.0)
        return (power @ self.filter_bank.T).add_(recipe.log_floor).log()

    def _pad(self, waveform: Tensor, lengths: Tensor | None) -> Tensor:
        """Half a window more on both sides of every clip, at its true ends."""
        samples = waveform.shape[-1]
        half = self.recipe.n_fft // 2
        if self.recipe.padding == "constant":
            if lengths is not None:
                beyond = torch.arange(samples, device=waveform.device) >= lengths[:, None]
                waveform = waveform.masked_fill(beyond, 0.0)
            return functional.pad(waveform, (half, half))
        if lengths is None:
            if samples > half:
                return functional.pad(waveform, (half, half), mode="reflect")
            lengths = torch.full((len(waveform),), samples, device=waveform.device)
        # Only the edges are gathered: the middle of a clip is where it was, whatever its length.
        length = lengths[:, None]
        before = torch.arange(-half, 0, device=waveform.device).expand(waveform.shape[0], -1)
        after = length + torch.arange(half, device=waveform.device)
        padded = functional.pad(waveform, (half, half))
        padded.scatter_(1, before + half, waveform.gather(1, _reflected(before, length)))
        return padded.scatter_(1, after + half, waveform.gather(1, _reflected(after, length)))


def _reflected(index: Tensor, length: Tensor) -> Tensor:
    """Where a mirror at both ends of a clip sends `index`; bounces as often as a very short clip needs."""
    period = (2 * (length - 1)).clamp_min(1)
    index = index.remainder(period)
    return torch.minimum(index, period - index).clamp_(max=length - 1)
