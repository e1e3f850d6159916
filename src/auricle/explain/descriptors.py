"""Acoustic descriptors: one number per clip for a property of its sound that has a name and a unit.

Level, spectral centroid and pitch, as batched functions of waveforms. Frame-wise ones follow the Timbre Toolbox
(Peeters et al. 2011) in that a clip is summarised by the median over its frames; frames that are all but silent do not
count. The pitch is YIN's (de Cheveigné & Kawahara 2002).
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from scipy.fft import next_fast_len
from torch import Tensor
from torch.nn.functional import avg_pool1d, pad

LEVEL_FLOOR = -120.0  # dB re full scale, of silence; the noise of 16-bit samples lies at -98
AUDIBLE = 60.0  # dB below the loudest frame of a clip, under which a frame does not count

CENTROID_WINDOW = 0.04645  # s, the Timbre Toolbox's
CENTROID_OVERLAP = 4  # windows that hold any one sample

PITCH_RANGE = (50.0, 2000.0)  # Hz
PITCH_WINDOW = 0.05  # s, over which a frame is compared with itself
PITCH_HOP = 0.01  # s
PITCH_THRESHOLD = 0.1  # the first dip of the normalised difference below this is the period (YIN, step 4)
PITCH_APERIODIC = 0.3  # a frame whose dip is not below this has no pitch
PITCH_SHARE = 0.1  # of the audible frames that must have a pitch, or else the clip has none

_TINY = 1e-12
_FRAMES = 256  # frames compared at a time: their spectra then stay in the processor's cache


class Compute(Protocol):
    """From waveforms ``(batch, samples)`` to one value per clip ``(batch,)``; NaN where a clip has no such property."""

    def __call__(self, waveform: Tensor, sample_rate: int, lengths: Tensor | None = None) -> Tensor:
        """`sample_rate` in Hz; `lengths`, ``(batch,)`` samples, where clips are padded."""
        ...


@dataclass(frozen=True)
class Descriptor:
    """One named acoustic feature.

    Attributes
    ----------
    name : str
    unit : str
    definition : str
    source : str
    compute : Compute
    """

    name: str
    unit: str
    definition: str
    source: str
    compute: Compute


def level(waveform: Tensor, sample_rate: int, lengths: Tensor | None = None) -> Tensor:
    """Root mean square of the whole clip in dB re full scale; -120 dB for silence.

    Parameters
    ----------
    waveform
        ``(batch, samples)``.
    sample_rate
        Hz.
    lengths
        ``(batch,)`` samples of each clip; by default all of them.

    Returns
    -------
    Tensor
        ``(batch,)``.
    """
    del sample_rate  # of no consequence here; descriptors share one signature
    inside, count = _inside(waveform, lengths)
    power = (waveform.square() * inside).sum(dim=1, dtype=torch.float64) / count
    return (10 * torch.log10(power)).clamp(min=LEVEL_FLOOR).to(waveform.dtype)


def spectral_centroid(waveform: Tensor, sample_rate: int, lengths: Tensor | None = None) -> Tensor:
    """Centre of gravity of the magnitude spectrum, Hz, median over audible frames; NaN for silence.

    Arguments as for :func:`level`. Frames lie wholly inside their clip; a clip shorter than one is padded with zeros.
    """
    window = round(CENTROID_WINDOW * sample_rate)
    n_fft = 1 << (window - 1).bit_length()
    inside, count = _inside(waveform, lengths)
    waveform = pad(waveform * inside, (0, n_fft - window))
    waveform = _at_least(waveform, n_fft)
    spectrum = torch.stft(
        waveform,
        n_fft,
        hop_length=window // CENTROID_OVERLAP,
        window=pad(torch.hann_window(window, dtype=waveform.dtype, device=waveform.device), (0, n_fft - window)),
        center=False,
        return_complex=True,
    ).abs()
    frequency = torch.arange(n_fft // 2 + 1, dtype=waveform.dtype, device=waveform.device) * sample_rate / n_fft
    gravity = torch.einsum("bft,f->bt", spectrum, frequency) / spectrum.sum(dim=1).clamp(min=_TINY)
    starts = torch.arange(spectrum.shape[2], device=waveform.device) * (window // CENTROID_OVERLAP)
    counts = _audible(spectrum.square().sum(dim=1), starts, window, count)
    return _median(gravity, counts)


def pitch(waveform: Tensor, sample_rate: int, lengths: Tensor | None = None) -> Tensor:
    """Fundamental frequency by YIN, Hz, median over the frames that have one; NaN where too few of a clip's do.

    Arguments as for :func:`level`.
    """
    fundamental, aperiodicity, audible = yin(waveform, sample_rate, lengths)
    voiced = audible & (aperiodicity < PITCH_APERIODIC)
    enough = voiced.sum(dim=1) >= PITCH_SHARE * audible.sum(dim=1)
    return torch.where(enough, _median(fundamental, voiced), torch.nan)


def yin(waveform: Tensor, sample_rate: int, lengths: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """YIN's fundamental frequency and aperiodicity of frames 10 ms apart (de Cheveigné & Kawahara 2002, steps 1 to 5).

    Arguments as for :func:`level`.

    Returns
    -------
    fundamental
        ``(batch, frames)``, Hz, between 50 and 2000.
    aperiodicity
        ``(batch, frames)``: the normalised difference at the period, 0 for a periodic frame and about 1 for noise.
    audible
        ``(batch, frames)``: frames that lie inside their clip and are not all but silent; in others there is no pitch.
    """
    window, hop = round(PITCH_WINDOW * sample_rate), round(PITCH_HOP * sample_rate)
    span = window + int(sample_rate / PITCH_RANGE[0]) + 1
    inside, count = _inside(waveform, lengths)
    waveform = _at_least(waveform * inside, span)
    frames = waveform.unfold(1, span, hop)
    batch, steps, _ = frames.shape
    energy = avg_pool1d(waveform.square()[:, None], window, hop)[:, 0, :steps]
    audible = _audible(energy, torch.arange(steps, device=waveform.device) * hop, span, count)
    fundamental = torch.full((batch, steps), torch.nan, dtype=waveform.dtype, device=waveform.device)
    aperiodicity = torch.ones_like(fundamental)
    for some in torch.split(audible.nonzero(), _FRAMES):
        clip, step = some.unbind(dim=1)
        fundamental[clip, step], aperiodicity[clip, step] = _yin(frames[clip, step], window, sample_rate)
    return fundamental, aperiodicity, audible


DESCRIPTORS: dict[str, Descriptor] = {
    entry.name: entry
    for entry in (
        Descriptor("level", "dB re full scale", "root mean square of the clip", "by definition", level),
        Descriptor(
            "spectral centroid",
            "Hz",
            "centre of gravity of the magnitude spectrum, median over frames of 46 ms",
            "Peeters et al. 2011",
            spectral_centroid,
        ),
        Descriptor(
            "pitch",
            "Hz",
            "YIN's fundamental frequency, 50 to 2000 Hz, median over frames that have one",
            "de Cheveigné & Kawahara 2002",
            pitch,
        ),
    )
}


def _inside(waveform: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
    """Mask ``(batch, samples)`` of what belongs to each clip, and its length."""
    samples = waveform.shape[1]
    if lengths is None:
        lengths = torch.full((len(waveform),), samples, device=waveform.device)
    return torch.arange(samples, device=waveform.device) < lengths[:, None], lengths


def _at_least(waveform: Tensor, samples: int) -> Tensor:
    return pad(waveform, (0, max(0, samples - waveform.shape[1])))


def _audible(energy: Tensor, starts: Tensor, span: int, lengths: Tensor) -> Tensor:
    """Frames ``(batch, frames)`` that lie in their clip (the first always does) and are not all but silent."""
    whole = (starts + span <= lengths[:, None]) | (starts == 0)
    energy = energy * whole
    loudest = energy.amax(dim=1, keepdim=True)
    return (energy > 10 ** (-AUDIBLE / 10) * loudest) & (loudest > _TINY)


def _median(values: Tensor, counts: Tensor) -> Tensor:
    """Median over the frames that count, ``(batch,)``; NaN where none does. Of two middle ones, the lower."""
    return torch.where(counts, values, torch.nan).nanmedian(dim=1).values


def _yin(frames: Tensor, window: int, sample_rate: int) -> tuple[Tensor, Tensor]:
    """Frequency, Hz, and aperiodicity of each frame ``(frames, window + longest period + 1)``."""
    span = frames.shape[1]
    lag_count = span - window
    size = next_fast_len(span, real=True)  # no lag reaches round its end
    head = torch.fft.rfft(frames[:, :window], size)
    correlation = torch.fft.irfft(torch.fft.rfft(frames, size) * head.conj(), size)[:, :lag_count]
    # Energy of the window at each lag: what enters at its end less what leaves at its start.
    square = frames.square()
    change = (square[:, window:] - square[:, :lag_count]).cumsum(dim=1)[:, :-1]
    start = square[:, :window].sum(dim=1, keepdim=True)
    energy = torch.cat([start, start + change], dim=1)
    difference = (energy[:, :1] + energy - 2 * correlation).clamp_(min=0.0)[:, 1:]
    lags = torch.arange(1, difference.shape[1] + 1, dtype=frames.dtype, device=frames.device)
    normalised = difference * lags / difference.cumsum(dim=1).clamp(min=_TINY)

    shortest = int(sample_rate / PITCH_RANGE[1])
    left, centre, right = normalised[:, :-2], normalised[:, 1:-1], normalised[:, 2:]
    # A dip lies between lags: its place and depth are those of the parabola through three of them (YIN, step 5).
    # Without this the period of a high tone, a few lags long, would seem less exact than its multiples.
    shift = 0.5 * (left - right) / (left - 2 * centre + right).clamp(min=_TINY)
    depth = centre - 0.25 * (left - right) * shift
    dip = (centre <= left) & (centre < right) & (lags[1:-1] >= shortest)
    deep = dip & (depth < PITCH_THRESHOLD)
    deepest = torch.where(dip, depth, torch.inf).argmin(dim=1)
    chosen = torch.where(deep.any(dim=1), deep.to(torch.int8).argmax(dim=1), deepest)[:, None]
    lag = chosen[:, 0] + 2 + shift.gather(1, chosen)[:, 0]
    # A curve without a dip falls or rises all the way: there is no period in range.
    aperiodicity = torch.where(dip.any(dim=1), depth.gather(1, chosen)[:, 0], 1.0)
    return sample_rate / lag, aperiodicity.clamp_(min=0.0)
