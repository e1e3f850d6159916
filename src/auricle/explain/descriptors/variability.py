"""Spectral variability: how much the spectrum changes from frame to frame, overall and in groups of ERB bands.

Variation is 1 less the normalised correlation of the amplitudes of successive frames, flux the length of their
difference (Peeters et al. 2011, section III-D). The Timbre Toolbox has no variation by band; ours is that of eight
groups of four gammatone bands each, a choice.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import normalize, pad

from auricle.explain.descriptors import gammatone
from auricle.explain.descriptors.entry import OVER_TIME, Descriptor
from auricle.explain.descriptors.sound import Sound
from auricle.explain.descriptors.spectrum import Spectrum, erb_spectrum, linear_spectrum

GROUP = 4  # gammatone bands
GROUPS = gammatone.BANDS // GROUP


def variation(sound: Sound, *, spectra: Callable[[Sound], Spectrum], channels: slice = slice(None)) -> Tensor:
    """1 less the normalised correlation of a frame's amplitudes with those of the frame before: ``(batch, frames)``."""
    spectrum = sound.of(spectra)
    # Half the squared distance of vectors of length 1: exact also for a sound that hardly changes.
    unit = normalize(spectrum.amplitude[:, :, channels], dim=2, eps=1e-20)
    return _successive(spectrum, 0.5 * unit.diff(dim=1).square().sum(dim=2))


def flux(sound: Sound, *, spectra: Callable[[Sound], Spectrum]) -> Tensor:
    """Euclidean length of the change of amplitudes since the frame before, per channel: ``(batch, frames)``."""
    spectrum = sound.of(spectra)
    change = spectrum.amplitude.diff(dim=1).square().sum(dim=2).sqrt()
    return _successive(spectrum, change / spectrum.amplitude.shape[2])


def _successive(spectrum: Spectrum, values: Tensor) -> Tensor:
    """Values of pairs of frames that both count, at the later one."""
    both = spectrum.audible[:, 1:] & spectrum.audible[:, :-1]
    return pad(values.where(both, torch.nan), (1, 0), value=torch.nan)


def _entry(
    name: str,
    unit: str,
    bounds: tuple[float, float],
    definition: str,
    compute: Callable[[Sound], Tensor],
    source: str = "Peeters et al. 2011, III-D",
) -> Descriptor:
    return Descriptor(
        name=name,
        family="spectral variability",
        unit=unit,
        range=bounds,
        definition=definition,
        source=source,
        compute=compute,
        statistics=OVER_TIME,
    )


def _groups() -> list[Descriptor]:
    centres = gammatone.frequency(gammatone.centre_places(torch.device("cpu"))).tolist()
    entries = []
    for number in range(1, GROUPS + 1):
        first, last = GROUP * (number - 1), GROUP * number - 1
        span = f"bands {first + 1} to {last + 1} ({centres[first]:.0f} to {centres[last]:.0f} Hz)"
        entries.append(
            _entry(
                f"erb_variation_group_{number}",
                "",
                (0.0, 1.0),
                f"1 less the normalised correlation of successive ERB spectra within {span}",
                partial(variation, spectra=erb_spectrum, channels=slice(first, last + 1)),
                "ours, after Peeters et al. 2011, III-D",
            )
        )
    return entries


DESCRIPTORS = (
    _entry(
        "spectral_variation",
        "",
        (0.0, 1.0),
        "1 less the normalised correlation of successive linear spectra, 12 ms apart",
        partial(variation, spectra=linear_spectrum),
    ),
    _entry(
        "spectral_flux",
        "full scale",
        (0.0, 1.0),
        "Euclidean length of the difference of successive linear spectra, over their 513 bins",
        partial(flux, spectra=linear_spectrum),
    ),
    _entry(
        "erb_variation",
        "",
        (0.0, 1.0),
        "1 less the normalised correlation of successive ERB spectra, 10 ms apart",
        partial(variation, spectra=erb_spectrum),
    ),
    _entry(
        "erb_flux",
        "full scale",
        (0.0, 1.0),
        "Euclidean length of the difference of successive ERB spectra, over their 32 bands",
        partial(flux, spectra=erb_spectrum),
    ),
    *_groups(),
)
