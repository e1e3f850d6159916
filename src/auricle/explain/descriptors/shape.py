"""Spectral shape: where the energy of a frame lies and how it is spread, on linear and on ERB spectra.

Moments weigh places by amplitude, roll-off and flatness are of power, as in the Timbre Toolbox (Peeters et al. 2011,
section III-D); places are Hz on linear spectra, numbers of ERBs on ERB spectra. The slope is that of the level in dB
over octaves: the Toolbox's own, a regression of amplitude over Hz, is the centroid in another unit.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from auricle.explain.descriptors import gammatone
from auricle.explain.descriptors.entry import OVER_TIME, Descriptor
from auricle.explain.descriptors.sound import SAMPLE_RATE, Sound
from auricle.explain.descriptors.spectrum import Spectrum, erb_spectrum, linear_spectrum

ROLL_OFF = 0.95  # of the power lies below it

_NARROWEST = 1e-8  # variance, of places of which the largest is 1: no frame's spectrum is that narrow
_DB_PER_NEPER = 4.342944819  # 10 / ln 10, of a natural logarithm of power


class Moments(NamedTuple):
    """Moments of the places of channels, weighted by amplitude; each ``(batch, frames)``."""

    centroid: Tensor
    spread: Tensor
    skewness: Tensor
    kurtosis: Tensor


def moments(spectrum: Spectrum) -> Moments:
    """Centroid, standard deviation, skewness and kurtosis (3 for a Gaussian shape) of every frame."""
    # Raw moments by one matrix product; in float64 what is left of them about the centroid is still exact.
    scale = float(spectrum.places[-1])
    powers = (spectrum.places.double() / scale)[:, None] ** torch.arange(5, device=spectrum.places.device)
    raw = spectrum.amplitude.double() @ powers
    mean, second, third, fourth = (raw[:, :, 1:] / raw[:, :, :1]).unbind(dim=2)
    variance = (second - mean**2).clamp(min=_NARROWEST)
    cubed = third - 3 * mean * second + 2 * mean**3
    squared = fourth - 4 * mean * third + 6 * mean**2 * second - 3 * mean**4
    found = (mean * scale, variance.sqrt() * scale, cubed / variance**1.5, squared / variance**2)
    return Moments(*(value.to(spectrum.amplitude.dtype) for value in found))


def flatness(spectrum: Spectrum) -> Tensor:
    """Geometric over arithmetic mean of the power of channels: ``(batch, frames)``, 0 to 1."""
    mean = spectrum.power.mean(dim=2).clamp(min=torch.finfo(spectrum.power.dtype).tiny)
    return (spectrum.log_power.mean(dim=2).exp() / mean).clamp(max=1.0)


def roll_off(spectrum: Spectrum) -> Tensor:
    """Place below which 95 % of the power lie, linear between channels: ``(batch, frames)``."""
    total = spectrum.power.cumsum(dim=2)
    wanted = (ROLL_OFF * total[:, :, -1:]).contiguous()
    above = torch.searchsorted(total, wanted).clamp(max=total.shape[2] - 1)
    below = (above - 1).clamp(min=0)
    high, low = total.gather(2, above), total.gather(2, below)
    between = ((wanted - low) / (high - low).clamp(min=torch.finfo(total.dtype).tiny)).clamp(0, 1)
    places = spectrum.places
    return (places[below] + between * (places[above] - places[below]))[:, :, 0]


def slope(spectrum: Spectrum) -> Tensor:
    """Least-squares slope of the level per Hz over octaves from 50 Hz up: ``(batch, frames)`` dB per octave.

    Levels more than 100 dB below the frame's strongest channel count as that.
    """
    octaves = spectrum.frequencies.clamp(min=1.0).log2()
    weights = spectrum.weights / spectrum.weights.sum()
    away = octaves - weights @ octaves
    regression = weights * away / (weights @ away.square())
    return _DB_PER_NEPER * (spectrum.log_power @ regression - spectrum.bandwidths.log() @ regression)


def linear_moments(sound: Sound) -> Moments:
    """Moments of linear spectra, in Hz."""
    return moments(sound.of(linear_spectrum))


def erb_moments(sound: Sound) -> Moments:
    """Moments of ERB spectra, in numbers of ERBs."""
    return moments(sound.of(erb_spectrum))


def moment(sound: Sound, *, of: Callable[[Sound], Moments], spectra: Callable[[Sound], Spectrum], index: int) -> Tensor:
    """One of the moments of audible frames: ``(batch, frames)``."""
    return sound.of(spectra).of_audible(sound.of(of)[index])


def shape(sound: Sound, *, of: Callable[[Spectrum], Tensor], spectra: Callable[[Sound], Spectrum]) -> Tensor:
    """Another property of spectra, of audible frames: ``(batch, frames)``."""
    spectrum = sound.of(spectra)
    return spectrum.of_audible(of(spectrum))


def _entries(
    prefix: str,
    what: str,
    unit: str,
    places: tuple[float, float],
    spectra: Callable[[Sound], Spectrum],
    of: Callable[[Sound], Moments],
) -> list[Descriptor]:
    width = places[1] - places[0]
    toolbox = "Peeters et al. 2011, III-D"
    weighted = f"of the amplitudes of the {what}"
    rows: list[tuple[str, str, tuple[float, float], str, str, Callable[[Sound], Tensor]]] = []
    for index, (name, moment_unit, bounds, definition) in enumerate(
        (
            ("centroid", unit, places, f"centre of gravity {weighted}"),
            ("spread", unit, (0.0, width / 2), f"standard deviation {weighted} about the centroid"),
            ("skewness", "", (-2000.0, 2000.0), f"third standardised moment {weighted}"),
            ("kurtosis", "", (0.0, 2e6), f"fourth standardised moment {weighted}, 3 for a Gaussian shape"),
        )
    ):
        rows.append(
            (name, moment_unit, bounds, definition, toolbox, partial(moment, of=of, spectra=spectra, index=index))
        )
    rows += [
        (
            "flatness",
            "",
            (0.0, 1.0),
            f"geometric over arithmetic mean of the power of the {what}",
            toolbox,
            partial(shape, of=flatness, spectra=spectra),
        ),
        (
            "roll_off",
            unit,
            places,
            f"place below which 95 % of the power of the {what} lie",
            toolbox,
            partial(shape, of=roll_off, spectra=spectra),
        ),
        (
            "slope",
            "dB per octave",
            (-60.0, 60.0),
            f"regression of the level per Hz of the {what} over octaves from 50 Hz up",
            "ours; the Toolbox's slope is the centroid in another unit",
            partial(shape, of=slope, spectra=spectra),
        ),
    ]
    return [
        Descriptor(
            name=f"{prefix}_{name}",
            family="spectral shape",
            unit=row_unit,
            range=bounds,
            definition=definition,
            source=source,
            compute=compute,
            statistics=OVER_TIME,
        )
        for name, row_unit, bounds, definition, source, compute in rows
    ]


DESCRIPTORS = (
    *_entries("spectral", "linear spectrum", "Hz", (0.0, SAMPLE_RATE / 2), linear_spectrum, linear_moments),
    *_entries(
        "erb",
        "ERB spectrum",
        "ERB",
        (gammatone.place(gammatone.LOWEST), gammatone.place(gammatone.HIGHEST)),
        erb_spectrum,
        erb_moments,
    ),
)
