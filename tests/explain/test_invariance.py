"""Alterations alter what they say and nothing else; an embedding without a property does not move with it."""

import builtins
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from auricle.errors import AuricleError
from auricle.explain.invariance import Alteration, Invariance, invariance
from auricle.models.registry import load

RATE = 16_000


def tone(hertz: float, seconds: float = 1.0) -> NDArray[np.float32]:
    time = np.arange(round(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def pitch_of(waveform: NDArray[np.float32]) -> float:
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform)), 8 * len(waveform)))
    return float(spectrum.argmax() * RATE / (8 * len(waveform)))


def altered(what: Any, amount: float, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    return Alteration(what, amount).applied(waveform, sample_rate=RATE, clip=0)


def test_each_alteration_changes_its_own_property() -> None:
    clip = tone(440.0)
    assert np.allclose(altered("level", -20, clip), 0.1 * clip, atol=1e-6)
    noise = altered("noise", 10, clip) - clip
    assert math.isclose(10 * math.log10(np.mean(clip**2) / np.mean(noise**2)), 10, abs_tol=0.1)
    higher = altered("pitch", 4, clip)
    assert len(higher) == len(clip) and math.isclose(pitch_of(higher), 440 * 2 ** (4 / 12), rel_tol=0.005)
    faster = altered("speed", 1.25, clip)
    assert len(faster) == len(clip) / 1.25 and math.isclose(pitch_of(faster), 440, rel_tol=0.005)
    again = altered("pitch", 0, clip)
    assert len(again) == len(clip) and math.isclose(pitch_of(again), 440, rel_tol=0.005)


class Spectrum:
    """Embeds the shape of a spectrum, by which level is not heard and all else is."""

    sample_rate, embedding_dim = RATE, 257

    def embed(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        frames = np.lib.stride_tricks.sliding_window_view(waveform, 512)[::256]
        power = (np.abs(np.fft.rfft(frames * np.hanning(512))) ** 2).mean(axis=0)
        return (power / power.sum()).astype(np.float32)


def measured(*alterations: Alteration, clips: int = 30) -> list[Invariance]:
    waveforms = [tone(200 * 1.12**number) for number in range(clips)]
    return invariance(Spectrum(), waveforms, alterations=alterations)  # type: ignore[arg-type]


def test_what_is_not_heard_does_not_move_the_embedding_and_what_is_heard_does() -> None:
    level, pitch, noise, less = measured(
        Alteration("level", -20), Alteration("pitch", 4), Alteration("noise", 0), Alteration("noise", 20)
    )
    assert level.moved < 1e-3 and level.found == 1
    assert pitch.moved > 0.5 and pitch.found < 0.2
    assert noise.moved > less.moved > level.moved
    for one in (level, pitch, noise, less):
        assert one.ci_low <= one.moved <= one.ci_high and one.clips == 30


def test_a_shift_to_the_pitch_of_the_next_clip_becomes_the_next_clip() -> None:
    waveforms = [tone(300 * 2 ** (number / 12 * 2)) for number in range(20)]  # two semitones apart
    (found,) = invariance(Spectrum(), waveforms, alterations=[Alteration("pitch", 2)])  # type: ignore[arg-type]
    assert found.found <= 0.1  # the highest tone has no next one


def test_an_encoder_with_the_level_in_it_moves_with_the_level() -> None:
    waveforms = [tone(200 * 1.12**number) for number in range(12)]
    louder, softer = (
        invariance(load("logmel-stats"), waveforms, alterations=[Alteration("level", amount)])[0]
        for amount in (6.0, -20.0)
    )
    assert 0 < louder.moved < softer.moved


def test_what_cannot_be_measured_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AuricleError, match="give 10 or more"):
        measured(Alteration("level", 6), clips=9)
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "librosa":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(AuricleError, match="invariance"):
        altered("speed", 1.25, tone(440.0))
