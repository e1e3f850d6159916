"""Whether two clips are the same recording: laid over each other where they fit best, do they agree?

Two clips of the same thing (rain and rain, a word said twice) have like spectra but not the same course in time, and
their waveforms do not correlate; two copies of one recording do both, also after a codec, a change of level or polarity
or a shift. Both are asked: the log-mel spectrograms, which find the shift, and the waveforms at that shift, octave by
octave, since a vowel on one pitch, or hum, correlates by its strongest partials alone.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from auricle.audio import Waveform
from auricle.mel import LogMel, MelRecipe

RECIPE = MelRecipe()  # of the spectrograms; clips come at its sample rate
RANGE = 9.2  # natural-log units below the loudest point of a spectrogram that count: 40 dB
SLACK_SECONDS = 0.02  # that the waveforms may lie otherwise than the spectrograms say

OCTAVES = (60.0, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0)  # Hz
OCTAVE_RANGE = 0.01  # of the strongest octave's energy, below which an octave is not asked: 20 dB

SPECTRUM = 0.8  # least correlation of the spectrograms of one recording
# … and of its waveforms. Copies that were coded at 24 kbit/s, resampled, made softer or noisy are at 0.93 and above,
# steady notes less. Among spoken digits of 0.3 s one pair of 180,000 different takes came to 0.91: it looks the same.
WAVEFORM = 0.9

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Match:
    """How well two clips agree where they fit best.

    Attributes
    ----------
    shift
        Seconds by which the common sound comes later in the first clip than in the second.
    spectrum
        Correlation of the log-mel spectrograms, the lower of two: as they are, and without each band's mean.
    waveform
        Correlation of the waveforms, whatever the polarity: the mean over octaves.
    """

    shift: float
    spectrum: float
    waveform: float

    @property
    def is_same(self) -> bool:
        """Whether they are one recording."""
        return self.spectrum >= SPECTRUM and self.waveform >= WAVEFORM


class Aligner:
    """Compares clips that come as waveforms at `sample_rate`."""

    sample_rate = RECIPE.sample_rate

    def __init__(self) -> None:
        self._log_mel = LogMel(RECIPE)

    def spectrogram(self, waveform: Waveform) -> FloatArray:
        """The log-mel spectrogram ``(mels, frames)``, what is too quiet raised to the floor."""
        with torch.inference_mode():
            log_mel = self._log_mel(torch.from_numpy(np.ascontiguousarray(waveform))[None])[0][0]
        spectrogram: FloatArray = log_mel.numpy().astype(np.float64)
        return spectrogram.clip(min=spectrogram.max() - RANGE)

    def match(self, first: Waveform, second: Waveform) -> Match:
        """Lay two clips ``(samples,)`` over each other; at least half of the shorter one has to be covered."""
        if not (first.any() and second.any()):  # silence is no recording of anything
            return Match(0.0, 0.0, 0.0)
        lag, spectrum = overlaid(self.spectrogram(first), self.spectrogram(second))
        return self.match_at(lag, spectrum, first, second)

    def match_at(self, lag: int, spectrum: float, first: Waveform, second: Waveform) -> Match:
        """The match of two clips whose spectrograms lie over each other as :func:`overlaid` says."""
        samples = lag * RECIPE.hop_length
        waveform, rest = _waveform_correlation(first[max(0, samples) :], second[max(0, -samples) :])
        shift = (samples + rest) / self.sample_rate
        return Match(shift, spectrum, waveform)


def overlaid(one: FloatArray, other: FloatArray) -> tuple[int, float]:
    """Frames by which spectrogram `one` lags behind `other` where they fit best, and how well they correlate there."""
    lag = _best_lag(one, other)
    start, end = max(0, lag), min(one.shape[1], other.shape[1] + lag)
    one, other = one[:, start:end], other[:, start - lag : end - lag]
    return lag, min(_correlation(one, other), _correlation(_centred(one), _centred(other)))


def _best_lag(one: FloatArray, other: FloatArray) -> int:
    """Frames by which `one` lags behind `other` where their bands' courses correlate best."""
    one, other = _centred(one), _centred(other)
    size = 1 << (one.shape[1] + other.shape[1]).bit_length()
    products = np.fft.irfft((np.fft.rfft(one, size) * np.fft.rfft(other, size).conj()).sum(axis=0), size)
    energy, other_energy = (np.concatenate([[0.0], np.cumsum((x * x).sum(axis=0))]) for x in (one, other))
    frames, other_frames = one.shape[1], other.shape[1]
    covered = max(1, min(frames, other_frames) // 2)
    lags = np.arange(covered - other_frames, frames - covered + 1)
    starts, ends = np.maximum(lags, 0), np.minimum(frames, other_frames + lags)
    power = (energy[ends] - energy[starts]) * (other_energy[ends - lags] - other_energy[starts - lags])
    norm = np.sqrt(np.maximum(power, 0.0))
    enough = norm > 1e-9 * norm.max()
    return int(lags[np.argmax(np.where(enough, products[lags % size] / np.where(enough, norm, 1.0), -1.0))])


def _waveform_correlation(first: Waveform, second: Waveform) -> tuple[float, int]:
    """Correlation at the lag near 0, in samples, at which it is greatest, whatever its sign."""
    length = min(len(first), len(second))
    if length < 2:  # the spectrograms overlap by less than a frame
        return 0.0, 0
    slack = min(round(SLACK_SECONDS * RECIPE.sample_rate), length - 1)
    size = 1 << (length + slack).bit_length()
    one, other = np.fft.rfft(first[:length], size), np.fft.rfft(second[:length], size)
    products = one * other.conj()
    lags = np.arange(-slack, slack + 1)
    lag = int(lags[np.argmax(np.abs(np.fft.irfft(products, size)[lags % size]))])
    frequency = np.fft.rfftfreq(size, 1 / RECIPE.sample_rate)
    octave = np.searchsorted(OCTAVES, frequency, side="right")
    aligned = (products * np.exp(2j * np.pi * frequency / RECIPE.sample_rate * lag)).real

    def by_octave(values: FloatArray) -> FloatArray:
        return np.bincount(octave, values, len(OCTAVES) + 1)[1:-1].astype(np.float64)

    power, other_power, common = by_octave(np.abs(one) ** 2), by_octave(np.abs(other) ** 2), by_octave(aligned)
    asked = (power > OCTAVE_RANGE * power.max()) & (other_power > OCTAVE_RANGE * other_power.max())
    if not asked.any():
        return 0.0, lag
    correlations = common[asked] / np.sqrt(power[asked] * other_power[asked])
    return float(correlations.mean() * np.sign(common.sum())), lag


def _centred(spectrogram: FloatArray) -> FloatArray:
    centred: FloatArray = spectrogram - spectrogram.mean(axis=1, keepdims=True)
    return centred


def _correlation(one: FloatArray, other: FloatArray) -> float:
    one, other = one - one.mean(), other - other.mean()
    norm = np.sqrt((one * one).sum() * (other * other).sum())
    return float((one * other).sum() / norm) if norm > 0 else 0.0
