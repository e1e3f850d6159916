"""Sounds whose descriptors are known by arithmetic, at 16 kHz."""

from collections.abc import Sequence

import numpy as np
import torch

from auricle.explain.descriptors import describe

RATE = 16_000


def times(seconds: float = 1.0) -> np.ndarray:
    return np.arange(round(seconds * RATE)) / RATE


def tone(hertz: float, *, seconds: float = 1.0, amplitude: float = 0.5) -> np.ndarray:
    return amplitude * np.sin(2 * np.pi * hertz * times(seconds))


def harmonic(hertz: float, *, partials: int = 10, octave: float = -6.02, seconds: float = 1.0) -> np.ndarray:
    """A harmonic tone whose partials fall by `octave` dB per octave."""
    numbers = [number for number in range(1, partials + 1) if number * hertz < 7900]
    return sum(
        0.2 * number ** (octave / 6.0206) * np.sin(2 * np.pi * number * hertz * times(seconds) + number**2)
        for number in numbers
    )


def noise(*, seconds: float = 1.0, seed: int = 0, octave: float = 0.0, rms: float = 0.1) -> np.ndarray:
    """Noise whose power per Hz falls by `octave` dB per octave; 0 is white, -3.01 pink."""
    samples = round(seconds * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=samples))
    spectrum *= np.maximum(np.arange(len(spectrum)) / seconds, 20.0) ** (octave / 6.0206)
    waveform = np.fft.irfft(spectrum, samples)
    return rms * waveform / np.sqrt(np.mean(waveform**2))


def swinging(waveform: np.ndarray, hertz: float, depth: float) -> np.ndarray:
    return (1 + depth * np.cos(2 * np.pi * hertz * np.arange(len(waveform)) / RATE)) * waveform


def silence(seconds: float = 1.0) -> np.ndarray:
    return np.zeros(round(seconds * RATE))


def click(seconds: float = 1.0, *, at: float = 0.2) -> np.ndarray:
    waveform = silence(seconds)
    waveform[round(at * RATE)] = 1.0
    return waveform


def padded(waveforms: Sequence[np.ndarray], *, fill: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch of clips and their lengths; beyond its end a clip goes on with `fill`."""
    lengths = [len(waveform) for waveform in waveforms]
    batch = np.full((len(waveforms), max(lengths)), fill, dtype=np.float32)
    for row, waveform in zip(batch, waveforms, strict=True):
        row[: len(waveform)] = waveform
    return torch.from_numpy(batch), torch.tensor(lengths)


def described(waveform: np.ndarray, *names: str) -> dict[str, float]:
    """Columns of one clip; all of them unless some are named."""
    batch, lengths = padded([waveform])
    return {name: value.item() for name, value in describe(batch, lengths, names=names or None).items()}
