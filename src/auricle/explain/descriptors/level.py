"""Level: how strong the sound is, as a whole and in each band of the ear's analysis.

Absolute levels, dB re full scale: unlike in the Timbre Toolbox nothing is normalised first, for a model may well hear
level. ERB energies are powers of gammatone bands (:mod:`.gammatone`), in frames of 20 ms.
"""

from functools import partial

import torch
from torch import Tensor

from auricle.explain.descriptors import gammatone
from auricle.explain.descriptors.entry import OVER_TIME, Descriptor
from auricle.explain.descriptors.sound import LEVEL_FLOOR, Sound, decibels
from auricle.explain.descriptors.spectrum import HOP, WINDOW, erb_spectrum

_RANGE = (LEVEL_FLOOR, 60.0)  # float samples may exceed full scale


def rms_level(sound: Sound) -> Tensor:
    """Root mean square of the whole clip: ``(batch,)`` dB re full scale."""
    power = sound.waveform.square().sum(dim=1, dtype=torch.float64) / sound.lengths
    return decibels(power).to(sound.waveform.dtype)


def frame_level(sound: Sound) -> Tensor:
    """Root mean square of frames of 46 ms: ``(batch, frames)`` dB re full scale."""
    power = sound.energies(WINDOW, WINDOW)[:, ::HOP] / WINDOW
    return decibels(power).where(sound.audible(power, hop=HOP, span=WINDOW), torch.nan)


def erb_energy(sound: Sound) -> Tensor:
    """Power of all gammatone bands together: ``(batch, frames)`` dB re full scale."""
    spectrum = sound.of(erb_spectrum)
    return spectrum.of_audible(decibels(spectrum.power.sum(dim=2)))


def erb_band_energy(sound: Sound, *, band: int) -> Tensor:
    """Power of one gammatone band, 0 being the lowest: ``(batch, frames)`` dB re full scale."""
    spectrum = sound.of(erb_spectrum)
    return spectrum.of_audible(decibels(spectrum.power[:, :, band]))


def _bands() -> list[Descriptor]:
    centres = gammatone.frequency(gammatone.centre_places(torch.device("cpu"))).tolist()
    return [
        Descriptor(
            name=f"erb_energy_band_{number:02d}",
            family="level",
            unit="dB re full scale",
            range=_RANGE,
            definition=f"power of the gammatone band at {centre:.0f} Hz",
            source="Slaney 1993; Peeters et al. 2011, III-C",
            compute=partial(erb_band_energy, band=number - 1),
            statistics=OVER_TIME,
        )
        for number, centre in enumerate(centres, start=1)
    ]


DESCRIPTORS = (
    Descriptor(
        name="rms_level",
        family="level",
        unit="dB re full scale",
        range=_RANGE,
        definition="root mean square of the whole clip",
        source="by definition",
        compute=rms_level,
    ),
    Descriptor(
        name="frame_level",
        family="level",
        unit="dB re full scale",
        range=_RANGE,
        definition="root mean square of frames of 46 ms",
        source="Peeters et al. 2011, III-E",
        compute=frame_level,
        statistics=OVER_TIME,
    ),
    Descriptor(
        name="erb_energy",
        family="level",
        unit="dB re full scale",
        range=_RANGE,
        definition="power of all gammatone bands together",
        source="Slaney 1993; Peeters et al. 2011, III-C",
        compute=erb_energy,
        statistics=OVER_TIME,
    ),
    *_bands(),
)
