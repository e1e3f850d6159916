"""Short-time spectra: what spectral shape, variability and modulations are read from.

Frames and overlap are those of the Timbre Toolbox (Peeters et al. 2011, section III-A): Hann windows of 46.45 ms, a
quarter of that apart. A linear spectrum holds amplitudes at frequencies in Hz, an ERB spectrum those of gammatone
filters (:mod:`.gammatone`) at places on the ERB-rate scale; descriptors of spectral shape are the same on both.
"""

from dataclasses import dataclass
from functools import cache, cached_property

import torch
from torch import Tensor
from torch.nn.functional import pad

from auricle.explain.descriptors import gammatone
from auricle.explain.descriptors.sound import SAMPLE_RATE, Sound

WINDOW = 743  # samples: 46.45 ms
HOP = WINDOW // 4
N_FFT = 1024
BINS = N_FFT // 2 + 1
DYNAMIC_RANGE = 100.0  # dB below a frame's strongest channel, under which channels are taken to lie there


@dataclass
class Spectrum:
    """Spectra of the frames of a batch, of one kind.

    Attributes
    ----------
    power
        ``(batch, frames, channels)``; a sine of full scale comes to 1/2 where it peaks.
    audible
        ``(batch, frames)``: those that count.
    places
        ``(channels,)`` ascending: where channels lie, in the unit of centroid and spread.
    bandwidths
        ``(channels,)`` Hz.
    frequencies
        ``(channels,)`` Hz.
    weights
        ``(channels,)``: of each in a regression over octaves.
    """

    power: Tensor
    audible: Tensor
    places: Tensor
    bandwidths: Tensor
    frequencies: Tensor
    weights: Tensor

    @cached_property
    def amplitude(self) -> Tensor:
        """``(batch, frames, channels)``."""
        return self.power.sqrt()

    @cached_property
    def log_power(self) -> Tensor:
        """Natural logarithm of the power, at most 100 dB below the frame's strongest channel."""
        floor = self.power.amax(dim=2, keepdim=True) * 10 ** (-DYNAMIC_RANGE / 10)
        return self.power.clamp(min=floor.clamp(min=torch.finfo(floor.dtype).tiny)).log()

    def of_audible(self, values: Tensor) -> Tensor:
        """``(batch, frames)`` with NaN in frames that do not count."""
        return values.where(self.audible, torch.nan)


def linear_spectrum(sound: Sound) -> Spectrum:
    """Power of the short-time Fourier transform, 0 to 8 kHz."""
    waveform = pad(sound.at_least(WINDOW), (0, N_FFT - WINDOW))
    window = _window(waveform.device)
    spectrum = torch.stft(waveform, N_FFT, hop_length=HOP, window=window, center=False, return_complex=True).transpose(
        1, 2
    )  # as it lies in memory
    power = spectrum.real.square().addcmul_(spectrum.imag, spectrum.imag)
    power *= 2 / window.sum().square()
    frequencies = torch.arange(BINS, device=waveform.device) * (SAMPLE_RATE / N_FFT)
    # Every octave from 50 Hz up counts alike, however many bins lie in it.
    weights = torch.where(frequencies >= gammatone.LOWEST, 1 / frequencies.clamp(min=1.0), 0.0)
    return Spectrum(
        power=power,
        audible=sound.audible(power.mean(dim=2), hop=HOP, span=WINDOW),
        places=frequencies,
        bandwidths=torch.ones_like(frequencies),
        frequencies=frequencies,
        weights=weights,
    )


def erb_spectrum(sound: Sound) -> Spectrum:
    """Power of gammatone bands, 50 to 8000 Hz, at their places on the ERB-rate scale."""
    power = sound.of(gammatone.erb_spectrogram)
    places = gammatone.centre_places(power.device)
    frequencies = gammatone.frequency(places)
    return Spectrum(
        power=power,
        audible=sound.audible(power.sum(dim=2), hop=gammatone.HOP, span=gammatone.FRAME),
        places=places,
        bandwidths=gammatone.bandwidth(frequencies),
        frequencies=frequencies,
        weights=gammatone.bandwidth(frequencies) / frequencies,
    )


@cache
def _window(device: torch.device) -> Tensor:
    return pad(torch.hann_window(WINDOW, device=device), (0, N_FFT - WINDOW))
