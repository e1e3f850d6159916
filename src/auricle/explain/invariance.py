"""What an embedding does not change with: clips are altered as recordings differ, and found again or not.

An encoder that learns from two views of a clip is meant not to hear what tells the views apart. How far that goes is
measured on whole clips: level, noise, pitch and speed are altered by known amounts, and the way that an embedding moves
is held against the distance between clips. Pitch and speed are altered by librosa's phase vocoder, which is heard, so
that an unaltered clip is sent through it as well (0 semitones).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from auricle import randomness
from auricle.audio import Waveform
from auricle.errors import AuricleError
from auricle.models.encoder import Encoder
from auricle.neighbours import Scaling, Vectors

FEWEST_CLIPS = 10
DRAWS = 500
CONFIDENCE = 95.0  # per cent

Property = Literal["level", "noise", "pitch", "speed"]


@dataclass(frozen=True)
class Alteration:
    """One way in which a recording may differ from another of the same event.

    Attributes
    ----------
    what
        Which property is altered: ``level`` (dB), ``noise`` (dB that the clip is above white noise), ``pitch``
        (semitones, at the same speed), ``speed`` (factor, at the same pitch).
    amount
        By how much.
    """

    what: Property
    amount: float

    @property
    def measure(self) -> str:
        """The amount with its unit; semitones are `st`."""
        signed = f"{self.amount:+g}" if self.amount else "±0"
        measure = {
            "level": f"{signed} dB",
            "noise": f"{self.amount:g} dB SNR",
            "pitch": f"{signed} st",
            "speed": f"× {self.amount:g}",
        }[self.what]
        return measure.replace("-", "−")

    def applied(self, waveform: Waveform, *, sample_rate: int, clip: int, seed: int = 0) -> Waveform:
        """An altered waveform; noise follows from the number of the clip and the seed."""
        match self.what:
            case "level":
                return _as_float32(waveform * np.float32(10 ** (self.amount / 20)))
            case "noise":
                noise = randomness.generator(seed, f"noise of clip {clip}").standard_normal(len(waveform))
                level = np.sqrt(np.mean(np.square(waveform, dtype=np.float64))) * 10 ** (-self.amount / 20)
                return _as_float32(waveform + level * noise)
            case "pitch":
                return _as_float32(
                    _librosa().effects.pitch_shift(
                        waveform, sr=sample_rate, n_steps=self.amount or 1e-9, res_type="soxr_hq"
                    )
                )
            case "speed":
                return _as_float32(_librosa().effects.time_stretch(waveform, rate=self.amount))


ALTERATIONS: tuple[Alteration, ...] = (
    *(Alteration("level", amount) for amount in (-20.0, -6.0, 6.0)),
    *(Alteration("noise", amount) for amount in (20.0, 10.0, 0.0)),
    *(Alteration("pitch", amount) for amount in (0.0, 1.0, 4.0)),
    *(Alteration("speed", amount) for amount in (0.8, 1.25)),
)


@dataclass(frozen=True)
class Invariance:
    """How an encoder's embeddings take one alteration.

    Attributes
    ----------
    alteration
        What was altered.
    moved
        Median distance of an altered clip's embedding to the clip's own, in units of the median distance between
        embeddings of different clips: 0 where nothing changes, 1 where it becomes another clip.
    ci_low, ci_high
        95 % bootstrap interval of `moved` over clips.
    found
        Share of altered clips whose nearest unaltered clip is their own.
    clips
        How many there were.
    """

    alteration: Alteration
    moved: float
    ci_low: float
    ci_high: float
    found: float
    clips: int


def invariance(
    encoder: Encoder,
    waveforms: Sequence[Waveform],
    *,
    alterations: Sequence[Alteration] = ALTERATIONS,
    seed: int = 0,
) -> list[Invariance]:
    """Measure what an encoder's embeddings do not change with.

    Parameters
    ----------
    encoder
        Any.
    waveforms
        Clips, ``(samples,)`` each, at the encoder's sample rate.
    alterations
        What is done to them.
    seed
        Of the noise and of the bootstrap.

    Returns
    -------
    list of Invariance
        One per alteration. Distances are those between unit vectors of embeddings that are centred and scaled over the
        unaltered clips (:class:`auricle.neighbours.Scaling`).

    Raises
    ------
    AuricleError
        When there are fewer than ten clips, or librosa is not installed.
    """
    if len(waveforms) < FEWEST_CLIPS:
        raise AuricleError(f"invariance is measured against other clips: give {FEWEST_CLIPS} or more")
    own = np.empty((len(waveforms), encoder.embedding_dim), dtype=np.float32)
    altered = np.empty((len(alterations), *own.shape), dtype=np.float32)
    rate = encoder.sample_rate
    for clip, waveform in enumerate(waveforms):
        own[clip] = encoder.embed(waveform)
        for row, alteration in zip(altered, alterations, strict=True):
            row[clip] = encoder.embed(alteration.applied(waveform, sample_rate=rate, clip=clip, seed=seed))
    scaling = Scaling.of(own)
    units = scaling.units(own)
    between = _distances(units, units)
    picks = randomness.generator(seed, "bootstrap of invariance").integers(len(own), size=(DRAWS, len(own)))
    return [
        _invariance(alteration, _distances(scaling.units(row), units), between, picks)
        for alteration, row in zip(alterations, altered, strict=True)
    ]


def _invariance(
    alteration: Alteration, distances: NDArray[np.float64], between: NDArray[np.float64], picks: NDArray[np.int64]
) -> Invariance:
    moved = distances.diagonal()
    drawn = [_ratio(moved[pick], between[np.ix_(pick, pick)], pick) for pick in picks]
    low, high = np.percentile(drawn, [(100 - CONFIDENCE) / 2, (100 + CONFIDENCE) / 2])
    clips = np.arange(len(moved))
    return Invariance(
        alteration=alteration,
        moved=_ratio(moved, between, clips),
        ci_low=float(low),
        ci_high=float(high),
        found=float(np.mean(distances.argmin(axis=1) == clips)),
        clips=len(moved),
    )


def _ratio(moved: NDArray[np.float64], between: NDArray[np.float64], clips: NDArray[np.int64]) -> float:
    """Median way moved over median distance between different clips."""
    different = between[clips[:, None] != clips[None, :]]
    typical = float(np.median(different)) if len(different) else 0.0
    return float(np.median(moved)) / typical if typical > 0 else float("nan")


def _distances(first: Vectors, second: Vectors) -> NDArray[np.float64]:
    """Euclidean distances ``(n, m)`` of unit vectors."""
    cosine = np.asarray(first, dtype=np.float64) @ np.asarray(second, dtype=np.float64).T
    distances: NDArray[np.float64] = np.sqrt(np.maximum(0.0, 2.0 - 2.0 * cosine))
    return distances


def _as_float32(waveform: NDArray[Any]) -> Waveform:
    return np.ascontiguousarray(waveform, dtype=np.float32)


def _librosa() -> ModuleType:
    try:
        import librosa
    except ImportError as error:
        raise AuricleError(
            'altering pitch and speed needs the `invariance` extra: pip install "auricle[invariance]"'
        ) from error
    return librosa
