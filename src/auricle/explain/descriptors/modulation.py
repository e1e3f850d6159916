"""The modulation power spectrum: which ripples, over time and over frequency, a spectrogram is made of.

Singh & Theunissen 2003; Elliott & Theunissen 2009: the squared magnitude of the two-dimensional Fourier transform of
the log spectrogram, in dB down to 80 below the clip's strongest bin. Rates are in Hz, scales in cycles per kHz. Here
the transform over frequency is a cosine transform (the spectrum has ends that do not meet), the one over time is of
Hann windows of two seconds, and what is stored are shares of power: of octaves of rate, of octaves of scale, and of the
region that speech needs most, 1 to 7 Hz and below 1 cycle per kHz.
"""

import itertools
import math
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from auricle.explain.descriptors.entry import Descriptor
from auricle.explain.descriptors.sound import SAMPLE_RATE, Sound
from auricle.explain.descriptors.spectrum import BINS, HOP, WINDOW, linear_spectrum

DYNAMIC_RANGE = 80.0  # dB
RATES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)  # Hz, edges of octaves
SCALES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)  # cycles per kHz
SPEECH_RATES, SPEECH_SCALE = (1.0, 7.0), 1.0

_STRETCH = round(2 * SAMPLE_RATE / HOP)  # frames: 2 s
_SHORTEST = round(0.25 * SAMPLE_RATE / HOP)  # frames that a clip must have
_N_FFT = 256
_STEADY = 1e-6  # of the power of all ripples; a sound that changes less has no rates
_SCALE_STEP = 0.5 / (SAMPLE_RATE / 2 / 1000)  # cycles per kHz, of the cosine transform


class Shares(NamedTuple):
    """Shares of modulation power: ``(batch, 5)`` of octaves of rate and of scale, ``(batch,)`` of the speech region."""

    rate: Tensor
    scale: Tensor
    speech: Tensor


def modulation_shares(sound: Sound) -> Shares:
    """Marginals of the modulation power spectrum; NaN for silence and for clips shorter than a quarter of a second.

    What does not change over time counts for scales alone, what is alike at all frequencies for rates alone.
    """
    spectrum = sound.of(linear_spectrum)
    frames = spectrum.power.shape[1]
    strongest = (spectrum.power.amax(dim=2) * spectrum.audible).amax(dim=1)[:, None, None]
    floor = strongest * 10 ** (-DYNAMIC_RANGE / 10)
    level = spectrum.power.maximum(floor).clamp(min=torch.finfo(floor.dtype).tiny).log()
    ripples = (level @ _cosines(level.device)).transpose(1, 2)  # (batch, scales, frames)

    count = ((sound.lengths - WINDOW).div(HOP, rounding_mode="floor") + 1).clamp(min=0)
    stretches = pad(ripples, (0, max(0, _STRETCH - frames))).unfold(2, _STRETCH, _STRETCH // 2)
    start = torch.arange(stretches.shape[2], device=level.device) * (_STRETCH // 2)
    whole = (start + _STRETCH <= count[:, None]) | (start == 0)
    place = (torch.arange(_STRETCH, device=level.device) + 0.5) / count.clamp(min=1, max=_STRETCH)[:, None]
    window = torch.where(place < 1, 0.5 - 0.5 * (2 * math.pi * place).cos(), 0.0)[:, None, None]
    window = window * whole[:, None, :, None]
    mean = (stretches * window).sum(dim=3, keepdim=True) / window.sum(dim=3, keepdim=True).clamp(min=1e-9)
    swinging = torch.fft.rfft((stretches - mean) * window, _N_FFT)
    power = (swinging.real.square() + swinging.imag.square()).sum(dim=2)  # (batch, scales, rates)
    # By Parseval's theorem, what stands still included.
    energy = (stretches * window).square().sum(dim=(2, 3))

    rates = torch.arange(power.shape[2], device=level.device) * (SAMPLE_RATE / HOP / _N_FFT)
    scales = torch.arange(power.shape[1], device=level.device) * _SCALE_STEP
    by_rate = _octaves(power.sum(dim=1), rates, RATES)
    by_scale = _octaves(energy, scales, SCALES)
    in_time = (rates >= RATES[0]) & (rates < RATES[-1])
    critical = (rates >= SPEECH_RATES[0]) & (rates < SPEECH_RATES[1])
    changing = power[:, :, in_time].sum(dim=(1, 2))
    speech = power[:, scales < SPEECH_SCALE][:, :, critical].sum(dim=(1, 2)) / changing
    undefined = (count < _SHORTEST) | (strongest[:, 0, 0] <= 0)
    steady = undefined | (changing < _STEADY * _N_FFT / 2 * energy[:, 1:].sum(dim=1))
    return Shares(
        by_rate.masked_fill(steady[:, None], torch.nan),
        by_scale.masked_fill(undefined[:, None], torch.nan),
        speech.masked_fill(steady, torch.nan),
    )


def _octaves(power: Tensor, places: Tensor, edges: tuple[float, ...]) -> Tensor:
    """Shares of power ``(batch, places)`` between successive edges: ``(batch, octaves)``."""
    parts = [power[:, (places >= low) & (places < high)].sum(dim=1) for low, high in itertools.pairwise(edges)]
    bands = torch.stack(parts, dim=1)
    return bands / bands.sum(dim=1, keepdim=True)


@cache
def _cosines(device: torch.device) -> Tensor:
    """Cosine transform over frequency up to the largest scale: ``(bins, scales)``; each wave has length 1."""
    count = round(SCALES[-1] / _SCALE_STEP)
    bins = torch.arange(BINS, dtype=torch.float64) + 0.5
    waves = torch.cos(math.pi / BINS * bins[:, None] * torch.arange(count, dtype=torch.float64))
    return waves.div(waves.square().sum(dim=0).sqrt()).to(device, torch.float32)


def rate_share(sound: Sound, *, octave: int) -> Tensor:
    """Share of modulation power of one octave of rate: ``(batch,)``."""
    return sound.of(modulation_shares).rate[:, octave]


def scale_share(sound: Sound, *, octave: int) -> Tensor:
    """Share of modulation power of one octave of scale: ``(batch,)``."""
    return sound.of(modulation_shares).scale[:, octave]


def speech_share(sound: Sound) -> Tensor:
    """Share of modulation power in the region that speech needs most: ``(batch,)``."""
    return sound.of(modulation_shares).speech


_SOURCE = "Elliott & Theunissen 2009"


def _entry(name: str, definition: str, compute: Callable[[Sound], Tensor]) -> Descriptor:
    return Descriptor(
        name=name,
        family="modulation",
        unit="",
        range=(0.0, 1.0),
        definition=definition,
        source=_SOURCE,
        compute=compute,
    )


DESCRIPTORS = (
    *(
        _entry(
            f"modulation_rate_octave_{octave + 1}",
            f"share of the power of modulations of {RATES[octave]:g} to {RATES[octave + 1]:g} Hz in that of "
            f"{RATES[0]:g} to {RATES[-1]:g} Hz",
            partial(rate_share, octave=octave),
        )
        for octave in range(len(RATES) - 1)
    ),
    *(
        _entry(
            f"modulation_scale_octave_{octave + 1}",
            f"share of the power of ripples of {SCALES[octave]:g} to {SCALES[octave + 1]:g} cycles per kHz in that of "
            f"{SCALES[0]:g} to {SCALES[-1]:g}",
            partial(scale_share, octave=octave),
        )
        for octave in range(len(SCALES) - 1)
    ),
    _entry(
        "modulation_speech_share",
        f"share of the power of modulations of {SPEECH_RATES[0]:g} to {SPEECH_RATES[1]:g} Hz and below "
        f"{SPEECH_SCALE:g} cycle per kHz in that of {RATES[0]:g} to {RATES[-1]:g} Hz",
        speech_share,
    ),
)
