"""Sounds from factors: events of a given kind, pitch and brightness, and syllables spoken by a given voice.

Sources follow the source-filter view of speech (Fant 1960): a wave table or noise, a spectral slope, resonances. Noises
are rippled, so that they too have a pitch (Yost 1996). `auricle.synth` makes a labelled world of these.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len

Sound = NDArray[np.float64]
Gain = Callable[[Sound], Sound]
"""From frequencies in Hz to amplitudes."""

SAMPLE_RATE = 16_000  # Hz
EVENTS = ("tone", "noise", "chirp", "clicks", "flutter", "hum")
VOWELS = {  # formants of an average voice, Hz
    "a": (750.0, 1250.0, 2550.0),
    "e": (450.0, 1900.0, 2600.0),
    "i": (280.0, 2250.0, 2950.0),
    "o": (480.0, 850.0, 2400.0),
    "u": (320.0, 800.0, 2250.0),
}

_TOP = 7600.0  # Hz, highest partial
_TABLE = 4096  # points in a period of a wave table
_CREST = 5.5  # peak over root mean square, so that a loud clip does not overshoot full scale


def event(rng: np.random.Generator, kind: str, *, pitch: float, brightness: float, seconds: float) -> Sound:
    """One event, without background and of no particular level.

    Parameters
    ----------
    rng
        Draws everything that is not given: onset, length and what else the kind has.
    kind
        ``tone`` (harmonic), ``noise``, ``chirp`` (a glide around the pitch), ``clicks`` (a train of short tones),
        ``flutter`` (a noise whose amplitude beats) or ``hum`` (harmonic, with two resonances).
    pitch
        Hz; of a chirp its middle, of a noise the spacing of its ripples.
    brightness
        Slope of the spectrum, dB per octave.
    seconds
        Length; the event fills 60 % of it or more.

    Returns
    -------
    Sound
        ``(samples,)`` at 16 kHz.
    """
    samples = round(seconds * SAMPLE_RATE)
    time = np.arange(samples) / SAMPLE_RATE
    tilt = _slope(brightness)
    steady = np.full(samples, pitch)
    if kind == "tone":
        sound = _harmonics(steady, tilt)
    elif kind == "noise":
        sound = _noise(rng, samples, tilt, ripple=pitch)
    elif kind == "chirp":
        octaves = rng.choice([-1.0, 1.0]) * rng.uniform(0.7, 1.4)
        sound = _harmonics(pitch * 2 ** (octaves * (time / seconds - 0.5)), tilt)
    elif kind == "clicks":
        since_click = time % (1 / rng.uniform(6.0, 18.0))
        sound = _harmonics(steady, tilt) * np.exp(-since_click / rng.uniform(0.012, 0.03))
    elif kind == "flutter":
        beat = np.sin(2 * np.pi * (rng.uniform(5.0, 25.0) * time + rng.random()))
        sound = _noise(rng, samples, tilt, ripple=pitch) * (1 + rng.uniform(0.8, 1.0) * beat)
    elif kind == "hum":
        peaks = (rng.uniform(300.0, 900.0), rng.uniform(1000.0, 3000.0))
        sound = _harmonics(steady, lambda f: tilt(f) * _resonances(f, peaks))
    else:
        raise ValueError(f"no event {kind!r}")
    length = round(samples * rng.uniform(0.6, 1.0))
    first = int(rng.integers(samples - length + 1))
    shaped = np.zeros(samples)
    shaped[first : first + length] = sound[first : first + length] * _fades(length, *rng.uniform(0.005, 0.08, size=2))
    return shaped


@dataclass(frozen=True)
class Voice:
    """What stays the same when a speaker speaks.

    Attributes
    ----------
    tract : float
        Factor on all formants: above 1 for a vocal tract shorter than average.
    pitch : float
        Hz, around which its utterances lie.
    tilt : float
        Slope of the source's spectrum, dB per octave.
    upper : tuple of float
        Fourth and fifth formant of an average voice, Hz.
    """

    tract: float
    pitch: float
    tilt: float
    upper: tuple[float, float]


def draw_voice(rng: np.random.Generator, *, tract: float) -> Voice:
    """A voice of the given vocal tract, all else drawn."""
    return Voice(
        tract=tract,
        pitch=float(np.exp(rng.uniform(*np.log([95.0, 240.0])))),
        tilt=rng.uniform(-10.0, -5.0),
        upper=(rng.uniform(3300.0, 3800.0), rng.uniform(4300.0, 5000.0)),
    )


def speech(rng: np.random.Generator, voice: Voice, *, seconds: float, vowels: tuple[str, ...]) -> tuple[Sound, float]:
    """Syllables of a consonant-like burst and a vowel, with pauses, without background.

    Parameters
    ----------
    rng
        Draws rhythm, melody, consonants and the order of vowels.
    voice
        Who speaks.
    seconds
        Length.
    vowels
        Keys of `VOWELS` to choose from.

    Returns
    -------
    Sound
        ``(samples,)`` at 16 kHz.
    float
        Median pitch of the voiced samples, Hz.
    """
    samples = round(seconds * SAMPLE_RATE)
    sound = np.zeros(samples)
    melody = voice.pitch * 2 ** rng.uniform(-0.3, 0.3)
    effort = rng.uniform(-3.0, 3.0)  # dB per octave on top of the voice's own tilt
    voiced: list[Sound] = []
    start = round(rng.uniform(0.0, 0.08) * SAMPLE_RATE)
    while start < samples - SAMPLE_RATE // 20:
        burst = _noise(rng, round(rng.uniform(0.02, 0.07) * SAMPLE_RATE), _consonant(rng, voice))
        burst *= rng.uniform(0.05, 0.4) / rms(burst) * _fades(len(burst), 0.005, 0.01)
        length = round(rng.uniform(0.1, 0.28) * SAMPLE_RATE)
        contour: Sound = melody * 2 ** (
            rng.uniform(-0.15, 0.15) + rng.uniform(-0.2, 0.1) * np.linspace(-0.5, 0.5, length)
        )
        vowel = _harmonics(contour, _vowel(rng, voice, vowels[rng.integers(len(vowels))], effort))
        vowel *= rng.uniform(0.5, 1.0) / rms(vowel) * _fades(length, 0.02, 0.05)
        for part in (burst, vowel):
            part = part[: max(0, samples - start)]
            sound[start : start + len(part)] += part
            start += len(part)
        voiced.append(contour[: len(part)])
        pause = rng.uniform(0.15, 0.5) if rng.random() < 0.12 else rng.uniform(0.0, 0.06)
        start += round(pause * SAMPLE_RATE)
    return sound, float(np.median(np.concatenate(voiced)))


def _vowel(rng: np.random.Generator, voice: Voice, vowel: str, effort: float) -> Gain:
    """A vowel of this voice, its lower formants a little off; `effort` in dB per octave."""
    formants = (*(np.array(VOWELS[vowel]) * rng.uniform(0.97, 1.03, size=3)).tolist(), *voice.upper)
    tilt, peaks = _slope(voice.tilt + effort), tuple(voice.tract * formant for formant in formants)
    return lambda f: tilt(f) * _resonances(f, peaks)


def _consonant(rng: np.random.Generator, voice: Voice) -> Gain:
    centre = voice.tract * rng.uniform(1500.0, 5500.0)
    return lambda f: 1 / (1 + ((f - centre) / 900.0) ** 2)


def noise(rng: np.random.Generator, seconds: float, *, slope: float) -> Sound:
    """Gaussian noise whose spectrum falls by `slope` dB per octave, ``(samples,)``."""
    return _noise(rng, round(seconds * SAMPLE_RATE), _slope(slope))


def mix(sound: Sound, background: Sound, *, snr: float) -> Sound:
    """Sound and a background that lies `snr` dB below it, of no particular level."""
    return sound / rms(sound) + 10 ** (-snr / 20) * background / rms(background)


def at_level(sound: Sound, level: float) -> Sound:
    """Bring a sound to a root mean square of `level` dB re full scale; rare peaks that overshoot are rounded off."""
    while np.abs(sound).max() > _CREST * rms(sound):
        ceiling = 0.9 * _CREST * rms(sound)
        sound = ceiling * np.tanh(sound / ceiling)
    return sound * (10 ** (level / 20) / rms(sound))


def rms(sound: Sound) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(sound))))


def _harmonics(pitch: Sound, gain: Gain) -> Sound:
    """Partials of a pitch that may glide, by a wave table; `gain` holds at the median pitch. Phases are Schroeder's."""
    number = np.arange(1, max(1, int(_TOP / pitch.max())) + 1)
    spectrum = np.zeros(_TABLE // 2 + 1, dtype=np.complex128)
    spectrum[number] = gain(number.astype(np.float64) * np.median(pitch)) * np.exp(1j * np.pi * number**2 / len(number))
    table = np.fft.irfft(spectrum) * _TABLE
    table = np.append(table, table[0])  # the point after the last
    position = np.cumsum(pitch / SAMPLE_RATE) % 1.0 * _TABLE
    index = position.astype(np.int64)
    low = table[index]
    return low + (position - index) * (table[index + 1] - low)


def _noise(rng: np.random.Generator, samples: int, gain: Gain, *, ripple: float | None = None) -> Sound:
    """Gaussian noise of the spectrum `gain`; with `ripple`, through a comb whose teeth are that many Hz apart."""
    length = next_fast_len(samples, real=True)  # a prime number of samples would take ten times as long
    frequency = np.fft.rfftfreq(length, 1 / SAMPLE_RATE)
    spectrum = np.fft.rfft(rng.standard_normal(length)) * gain(np.maximum(frequency, 50.0))
    spectrum[0] = 0.0
    if ripple is not None:
        spectrum /= 1 - 0.9 * np.exp(-2j * np.pi * frequency / ripple)
    return np.fft.irfft(spectrum, length)[:samples]


def _slope(decibels_per_octave: float) -> Gain:
    exponent = decibels_per_octave / (20 * np.log10(2.0))
    return lambda f: (f / 1000.0) ** exponent


def _resonances(frequency: Sound, peaks: tuple[float, ...]) -> Sound:
    """Product of second-order resonances, each of gain 1 at 0 Hz."""
    product = np.ones_like(frequency)
    for peak in peaks:
        width = 50.0 + 0.04 * peak
        product *= peak**2 / np.hypot(peak**2 - frequency**2, width * frequency)
    return product


def _fades(samples: int, attack: float, release: float) -> Sound:
    """Raised-cosine ends of an envelope; `attack` and `release` in seconds."""
    envelope = np.ones(samples)
    for seconds, ends in ((attack, slice(None)), (release, slice(None, None, -1))):
        length = min(round(seconds * SAMPLE_RATE), samples // 2)
        envelope[ends][:length] *= 0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / max(length, 1))
    return envelope
