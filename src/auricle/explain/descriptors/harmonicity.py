"""Harmonicity: the pitch of a sound, how it moves, and how far the sound is periodic at all.

All from YIN's periods (:mod:`.yin`). A frame has a pitch when it is nearly periodic, a clip when one frame in ten has.
The harmonic-to-noise ratio is Boersma's (1993): a window's correlation with itself a period later is the harmonic share
of its energy.
"""

import torch
from torch import Tensor

from auricle.explain.descriptors.entry import OVER_TIME, Descriptor
from auricle.explain.descriptors.sound import SAMPLE_RATE, Sound
from auricle.explain.descriptors.statistics import MEDIAN, quantiles
from auricle.explain.descriptors.yin import HIGHEST, HOP, LOWEST, periods

APERIODIC = 0.3  # a frame whose aperiodicity is not below this has no pitch
VOICED_SHARE = 0.1  # of the audible frames that must have a pitch, or else the clip has none
RANGE = (0.05, 0.95)  # quantiles of the pitch between which its range lies
HNR_LIMIT = 60.0  # dB, what a frame that repeats to rounding comes to


def f0(sound: Sound) -> Tensor:
    """Fundamental frequency of the frames that have a pitch: ``(batch, frames)`` Hz."""
    found = sound.of(periods)
    voiced = found.aperiodicity < APERIODIC
    enough = voiced.sum(dim=1) >= VOICED_SHARE * found.audible.sum(dim=1)
    return found.fundamental.where(voiced & enough[:, None], torch.nan)


def f0_range(sound: Sound) -> Tensor:
    """From the 5th to the 95th percentile of the pitch: ``(batch,)`` semitones."""
    low, high = quantiles(_semitones(sound), RANGE)
    return high - low


def f0_slope(sound: Sound) -> Tensor:
    """Least-squares slope of the pitch over time: ``(batch,)`` semitones per second; NaN with fewer than two frames."""
    pitch = _semitones(sound)
    voiced = ~pitch.isnan()
    time = torch.arange(pitch.shape[1], dtype=pitch.dtype, device=pitch.device) * (HOP / SAMPLE_RATE)
    mean = (time * voiced).sum(dim=1, keepdim=True) / voiced.sum(dim=1, keepdim=True)
    away = (time - mean).where(voiced, 0.0)
    # The mean of the pitch must go first: what is left is small, and so is what rounding does to it.
    level = pitch.nanmean(dim=1, keepdim=True)
    slope = (away * (pitch - level).where(voiced, 0.0)).sum(dim=1) / away.square().sum(dim=1)
    return slope.where(voiced.sum(dim=1) > 1, torch.nan)


def aperiodicity(sound: Sound) -> Tensor:
    """YIN's normalised difference at the period: ``(batch, frames)``, 0 for a periodic frame, about 1 for noise."""
    return sound.of(periods).aperiodicity


def harmonic_to_noise_ratio(sound: Sound) -> Tensor:
    """Energy that repeats after a period over energy that does not: ``(batch, frames)`` dB, within ±60."""
    harmonic = sound.of(periods).likeness
    least = 10 ** (-HNR_LIMIT / 10)
    ratio = harmonic.clamp(min=0.0) / (1 - harmonic).clamp(min=least)
    return (10 * torch.log10(ratio.clamp(min=least))).clamp(max=HNR_LIMIT)


def _semitones(sound: Sound) -> Tensor:
    return 12 * f0(sound).log2()


_YIN = "de Cheveigné & Kawahara 2002"

DESCRIPTORS = (
    Descriptor(
        name="f0",
        family="harmonicity",
        unit="Hz",
        range=(LOWEST - 1, HIGHEST + 300),  # a period is placed between lags
        definition=f"YIN's fundamental frequency, {LOWEST:.0f} to {HIGHEST:.0f} Hz, of frames that have a pitch",
        source=_YIN,
        compute=f0,
        statistics=(MEDIAN,),
        pitch=True,
        logarithmic=True,
    ),
    Descriptor(
        name="f0_range",
        family="harmonicity",
        unit="semitones",
        range=(0.0, 66.0),
        definition="from the 5th to the 95th percentile of the fundamental frequency",
        source=_YIN,
        compute=f0_range,
        pitch=True,
    ),
    Descriptor(
        name="f0_slope",
        family="harmonicity",
        unit="semitones per second",
        range=(-6600.0, 6600.0),
        definition="least-squares slope of the fundamental frequency over time",
        source=_YIN,
        compute=f0_slope,
        pitch=True,
    ),
    Descriptor(
        name="aperiodicity",
        family="harmonicity",
        unit="",
        range=(0.0, 3.0),
        definition="YIN's normalised difference at the period: 0 for a periodic frame, about 1 for noise",
        source=_YIN,
        compute=aperiodicity,
        statistics=OVER_TIME,
    ),
    Descriptor(
        name="harmonic_to_noise_ratio",
        family="harmonicity",
        unit="dB",
        range=(-HNR_LIMIT, HNR_LIMIT),
        definition="energy that repeats after a period over energy that does not",
        source="Boersma 1993",
        compute=harmonic_to_noise_ratio,
        statistics=OVER_TIME,
    ),
)
