"""Gammatone filters on the ERB scale: how strongly a sound drives each place of the ear's analysis over time.

Fourth-order gammatone filters as Slaney (1993) makes them digital: four second-order sections of one pole pair each,
bandwidth 1.019 ERB, gain 1 at the centre; ERB(f) = f / 9.26449 + 24.7 Hz (Glasberg & Moore 1990). The power of a band
is the mean square of its filter's output in frames of 20 ms, 10 ms apart, as in the Timbre Toolbox; 32 bands, about one
ERB from each to the next. The recursive filters' exact frequency response is applied block by block to the Fourier
transform of the waveform, so that what comes out is what the recursion gives, to the precision of float32.
"""

import math
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from auricle.explain.descriptors.sound import SAMPLE_RATE, Sound

BANDS = 32
LOWEST, HIGHEST = 50.0, 8000.0  # Hz
EAR_Q, MIN_BANDWIDTH = 9.26449, 24.7  # Glasberg & Moore 1990
WIDTH = 1.019  # of a filter of order four, in ERB
HOP = 160  # samples: 10 ms
FRAME = 2 * HOP

_MEMORY = 2048  # samples after which the slowest filter's response to an impulse is 140 dB below its peak
_N_FFT = 8192
_BLOCK = (_N_FFT - _MEMORY) // HOP * HOP  # samples that one transform filters


def bandwidth(frequency: Tensor) -> Tensor:
    """Equivalent rectangular bandwidth, Hz, of the auditory filter at a frequency, Hz."""
    return frequency / EAR_Q + MIN_BANDWIDTH


def place(frequency: float) -> float:
    """Number of ERBs below a frequency, Hz: its place on the ERB-rate scale."""
    return EAR_Q * math.log1p(frequency / (EAR_Q * MIN_BANDWIDTH))


def frequency(place: Tensor) -> Tensor:
    """Frequency, Hz, at a place on the ERB-rate scale."""
    return EAR_Q * MIN_BANDWIDTH * torch.expm1(place / EAR_Q)


@cache
def centre_places(device: torch.device) -> Tensor:
    """Places of the bands' centres, ``(bands,)`` ascending: equal steps from 50 Hz to one step below 8 kHz."""
    low, high = place(LOWEST), place(HIGHEST)
    return torch.arange(BANDS, device=device) * ((high - low) / BANDS) + low


def erb_spectrogram(sound: Sound) -> Tensor:
    """Mean square of each band in frames of 20 ms, 10 ms apart: ``(batch, frames, bands)``."""
    waveform = sound.at_least(FRAME)
    batch, samples = waveform.shape
    blocks = -(-samples // _BLOCK)
    padded = pad(waveform, (_MEMORY, blocks * _BLOCK - samples))
    pieces = padded.unfold(1, _MEMORY + _BLOCK, _BLOCK).reshape(batch * blocks, -1)
    spectra = torch.fft.rfft(pieces, _N_FFT)
    filters = responses(waveform.device)
    energies = torch.empty(batch * blocks, BANDS, _BLOCK // HOP, dtype=waveform.dtype, device=waveform.device)
    # One block at a time: what comes out of 32 filters then stays in the processor's cache.
    for spectrum, energy in zip(spectra, energies, strict=True):
        filtered = torch.fft.irfft(spectrum * filters, _N_FFT)[:, _MEMORY : _MEMORY + _BLOCK]
        torch.sum(filtered.square().view(BANDS, -1, HOP), dim=2, out=energy)
    hops = energies.view(batch, blocks, BANDS, -1).transpose(2, 3).reshape(batch, -1, BANDS)[:, : samples // HOP]
    return (hops[:, :-1] + hops[:, 1:]) / FRAME


@cache
def responses(device: torch.device) -> Tensor:
    """Frequency responses of the filters: ``(bands, bins)`` complex64."""
    centres = frequency(centre_places(torch.device("cpu")).double()).numpy()
    bins = np.arange(_N_FFT // 2 + 1, dtype=np.float64) * (SAMPLE_RATE / _N_FFT)
    return torch.from_numpy(np.stack([response(float(centre), bins) for centre in centres])).to(device, torch.complex64)


def response(centre: float, frequencies: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Frequency response of Slaney's digital filter with its centre at `centre` Hz.

    Parameters
    ----------
    centre
        Hz.
    frequencies
        ``(n,)`` Hz.

    Returns
    -------
    ndarray
        ``(n,)``; magnitude 1 at the centre.
    """
    width = 2 * np.pi * WIDTH * (centre / EAR_Q + MIN_BANDWIDTH) / SAMPLE_RATE
    angle = 2 * np.pi * centre / SAMPLE_RATE
    decay = np.exp(-width)

    def unscaled(z: NDArray[np.complex128]) -> NDArray[np.complex128]:
        poles = 1 - 2 * decay * np.cos(angle) / z + decay**2 / z**2
        found = np.ones_like(z)
        for outer in (1, -1):
            for inner in (1, -1):
                zero = np.cos(angle) + outer * np.sqrt(3 + inner * 2**1.5) * np.sin(angle)
                found *= (1 - zero * decay / z) / poles
        return found

    gain = np.abs(unscaled(np.exp(1j * np.array([angle]))))
    found: NDArray[np.complex128] = unscaled(np.exp(2j * np.pi * frequencies / SAMPLE_RATE)) / gain
    return found
