"""Acoustic descriptors: named numbers that say how a clip sounds, computed in batches.

For now the three that the study's analysis leads with: level, spectral centroid and pitch (Ogg 2025, section II-D;
names after the Timbre Toolbox, Peeters et al. 2011). Each is a pure function of ``(batch, samples)`` with an entry that
says its unit, definition and source.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

LEVEL_FLOOR = -120.0  # dB re full scale; digital silence
FRAME = 1024  # samples of a centroid's frame
YIN_FRAME = 2048  # samples of a pitch frame; two periods of the lowest pitch at 16 kHz
HOP = 512
YIN_THRESHOLD = 0.1  # of the cumulative mean normalised difference (de Cheveigné & Kawahara 2002, section II-D)
PITCH_MIN, PITCH_MAX = 50.0, 2000.0  # Hz
VOICED = 0.3  # aperiodicity above which a frame has no pitch


@dataclass(frozen=True)
class Descriptor:
    """One named acoustic feature.

    Attributes
    ----------
    name, unit, definition, source
        For people.
    compute
        ``(waveform (batch, samples), sample_rate)`` → ``(batch,)``; NaN where a clip has no such property.
    """

    name: str
    unit: str
    definition: str
    source: str
    compute: Callable[[Tensor, int], Tensor]


def level(waveform: Tensor, sample_rate: int) -> Tensor:  # noqa: ARG001 (all descriptors are called alike)
    """Root-mean-square level in dB re full scale, at least -120: ``(batch, samples)`` → ``(batch,)``."""
    power = waveform.double().square().mean(dim=1)
    return (10 * torch.log10(power.clamp_min(10 ** (LEVEL_FLOOR / 10)))).float()


def spectral_centroid(waveform: Tensor, sample_rate: int) -> Tensor:
    """Median over frames of the magnitude spectrum's centre of gravity in Hz: ``(batch, samples)`` → ``(batch,)``.

    Frames within 60 dB of the clip's loudest count; NaN for a silent clip.
    """
    frames = _frames(waveform, FRAME, FRAME // 4)
    magnitude = torch.fft.rfft(frames * torch.hann_window(FRAME, device=waveform.device)).abs()
    frequency = torch.fft.rfftfreq(FRAME, 1 / sample_rate, device=waveform.device)
    total = magnitude.sum(dim=-1)
    centroid = (magnitude * frequency).sum(dim=-1) / total
    heard = total > 1e-3 * total.amax(dim=1, keepdim=True)
    median: Tensor = centroid.masked_fill(~heard, torch.nan).nanmedian(dim=1).values
    return median


def pitch(waveform: Tensor, sample_rate: int) -> Tensor:
    """Median over voiced frames of YIN's fundamental frequency in Hz: ``(batch, samples)`` → ``(batch,)``.

    De Cheveigné & Kawahara 2002, steps 1 to 5, between 50 and 2,000 Hz; NaN for a clip without a periodic frame.
    """
    fundamental, aperiodicity = yin(waveform, sample_rate)
    median: Tensor = fundamental.masked_fill(aperiodicity > VOICED, torch.nan).nanmedian(dim=1).values
    return median


def yin(waveform: Tensor, sample_rate: int) -> tuple[Tensor, Tensor]:
    """YIN's fundamental frequency and aperiodicity of every frame.

    Returns
    -------
    fundamental
        ``(batch, frames)`` Hz.
    aperiodicity
        ``(batch, frames)``: the normalised difference at the period found, 0 for a periodic frame, around 1 for noise;
        1 for silence.
    """
    frame = max(YIN_FRAME, 2 * int(sample_rate / PITCH_MIN))
    frames = _frames(waveform, frame, HOP).double()
    window = frame // 2
    shortest, longest = int(sample_rate / PITCH_MAX), min(window - 2, int(sample_rate / PITCH_MIN))
    # d(lag) = Σ (x_j - x_{j+lag})² over the window = energy at 0 + energy at lag - 2 · correlation, by FFT.
    size = 2 * frame
    spectrum = torch.fft.rfft(frames, size)
    correlation = torch.fft.irfft(spectrum * torch.fft.rfft(frames[..., :window], size).conj(), size)[
        ..., : longest + 2
    ]
    energy = torch.nn.functional.pad(frames.square().cumsum(dim=-1), (1, 0))
    lag = torch.arange(longest + 2, device=waveform.device)
    energy = energy[..., window + lag] - energy[..., lag]
    difference = (energy[..., :1] + energy - 2 * correlation).clamp_min(0)
    mean = difference[..., 1:].cumsum(dim=-1) / lag[1:]
    normalised = torch.where(mean > 1e-12, difference[..., 1:] / mean.clamp_min(1e-12), 1.0)  # of lags 1, 2, …
    inside = normalised[..., shortest - 1 : longest]
    # The first lag below the threshold where the curve turns up again; else the lowest point of all.
    following = normalised[..., shortest : longest + 1]
    turning = (inside < YIN_THRESHOLD) & (inside <= following)
    found = torch.where(turning.any(dim=-1), turning.int().argmax(dim=-1), inside.argmin(dim=-1))
    at = found + shortest - 1  # index in `normalised`
    before, here, after = (normalised.gather(-1, (at + step)[..., None])[..., 0] for step in (-1, 0, 1))
    curvature = before - 2 * here + after
    shift = torch.where(curvature > 1e-12, 0.5 * (before - after) / curvature.clamp_min(1e-12), 0.0).clamp(-1, 1)
    return (sample_rate / (at + 1 + shift)).float(), here.float()


def _frames(waveform: Tensor, length: int, hop: int) -> Tensor:
    """``(batch, samples)`` → ``(batch, frames, length)``; a shorter clip is zero-padded to one frame."""
    missing = length - waveform.shape[1]
    if missing > 0:
        waveform = torch.nn.functional.pad(waveform, (0, missing))
    return waveform.unfold(1, length, hop)


DESCRIPTORS: dict[str, Descriptor] = {
    entry.name: entry
    for entry in (
        Descriptor("level", "dB re full scale", "root-mean-square level of the clip", "by definition", level),
        Descriptor(
            "spectral centroid",
            "Hz",
            "centre of gravity of the magnitude spectrum, median over frames",
            "Peeters et al. 2011",
            spectral_centroid,
        ),
        Descriptor(
            "pitch",
            "Hz",
            "YIN's fundamental frequency, median over voiced frames",
            "de Cheveigné & Kawahara 2002",
            pitch,
        ),
    )
}
