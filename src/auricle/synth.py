"""A small world of synthetic sound whose every factor is known: for a first run without data, and to check findings.

There are events (tones, noises, chirps, clicks, flutters, hums) and speech-like syllables. The pitch, loudness,
brightness and kind of an event, the speaker, vowel and loudness of a stretch of speech are independent of each other,
and so is the noise that either lies in. They are columns of the manifests, so that what an analysis finds can be held
against the truth. All draws are stateless: a clip depends on the seed and its own number alone.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import soundfile

from auricle import randomness
from auricle.errors import AuricleError
from auricle.files import refused_writes_are_errors
from auricle.manifest import Manifest
from auricle.synthesis import (
    EVENTS,
    SAMPLE_RATE,
    VOWELS,
    Sound,
    at_level,
    draw_voice,
    event,
    mix,
    noise,
    speech,
)

Row = dict[str, Any]
"""What a manifest says about one clip."""

PITCH_RANGE = (100.0, 800.0)  # Hz, of events
PITCH_BANDS = 6  # of half an octave each
LOUDNESS_RANGE = (-40.0, -15.0)  # dB re full scale, root mean square of a whole clip
BRIGHTNESS_RANGE = (-12.0, 0.0)  # dB per octave, slope of the spectrum of an event
SNR_RANGE = (0.0, 20.0)  # dB, sound over background
SPEAKERS = 8
MIN_CLIPS = 120  # fewer would leave some class without a test clip

_SPLITS = ("train", "valid", "train", "test", "train")  # dealt out in turn


@dataclass(frozen=True)
class WorldTask:
    """A labelled task of the sound world; its manifest is ``<name>.csv``.

    Attributes
    ----------
    name : str
    kind : str
        ``"multi-class"`` or ``"binary"``.
    positive : str or None
        The label that a binary task detects.
    description : str
    """

    name: str
    kind: Literal["multi-class", "binary"]
    positive: str | None
    description: str


TASKS = (
    WorldTask("event", "multi-class", None, "six kinds of event; five folds"),
    WorldTask("pitch", "multi-class", None, "six bands of pitch, across kinds of event; splits"),
    WorldTask("speaker", "multi-class", None, "eight voices, across vowels; splits balanced by voice"),
    WorldTask("vowel", "multi-class", None, "five vowels; four folds of two voices each"),
    WorldTask("voice-activity", "binary", "speech", "speech in noise or among events, or none; splits"),
)
DIETS = ("speech", "non-speech")


@dataclass(frozen=True)
class SoundWorld:
    """Where a sound world lies and how much there is of it.

    Attributes
    ----------
    root : Path
    clips : int
        Labelled clips.
    seconds : float
        Of all audio.
    """

    root: Path
    clips: int
    seconds: float

    @property
    def tasks(self) -> dict[str, Path]:
        """Manifest of each task in `TASKS`."""
        return {task.name: self.root / f"{task.name}.csv" for task in TASKS}

    @property
    def diets(self) -> dict[str, Path]:
        """Manifest of each unlabelled diet."""
        return {name: self.root / f"{name}.csv" for name in DIETS}


def make(out: Path, *, clips: int = 1200, seconds: float = 1.0, seed: int = 0) -> SoundWorld:
    """Write a sound world: labelled clips with five tasks, and two unlabelled diets for pre-training.

    The diets hold other draws than the clips, and their voices are other voices. Equal arguments give equal files.

    Parameters
    ----------
    out
        Folder to write to; it is created.
    clips
        Labelled clips, half of them events and half speech; each diet is half as long as all of them together.
    seconds
        Length of a labelled clip.
    seed
        Of the world.

    Raises
    ------
    AuricleError
        With fewer than 120 clips or clips of less than half a second.
    """
    if clips < MIN_CLIPS or seconds < 0.5:
        raise AuricleError(
            f"a sound world needs at least {MIN_CLIPS} clips of at least 0.5 s, got {clips} of {seconds:g} s"
        )
    recorded = {
        "events": _written(out, (_event_clip(seed, number, seconds) for number in range(clips // 2))),
        "spoken": _written(out, (_speech_clip(seed, number, seconds) for number in range(clips - clips // 2))),
        "speech": _written(out, _diet("speech", _speech_recording, seed, clips * seconds / 2)),
        "non-speech": _written(out, _diet("non-speech", _event_recording, seed, clips * seconds / 2)),
    }
    manifests = {name: recorded[name] for name in DIETS} | _tasks(seed, recorded["events"], recorded["spoken"])
    for name, rows in manifests.items():
        Manifest.from_rows(rows, root=out, source=name).write(out / f"{name}.csv")
    return SoundWorld(out, clips, sum(row["seconds"] for rows in recorded.values() for row in rows))


# Tasks ---------------------------------------------------------------------------------------------------------------


def _tasks(seed: int, events: list[Row], spoken: list[Row]) -> dict[str, list[Row]]:
    """Rows of each task's manifest."""
    voices = sorted({row["speaker"] for row in spoken})
    parts: dict[str, tuple[str, list[Row], Sequence[object]]] = {
        "event": ("fold", [{**row, "label": row["event"]} for row in events], (1, 2, 3, 4, 5)),
        "pitch": ("split", [{**row, "label": _band(row["pitch"])} for row in events], _SPLITS),
        "speaker": ("split", [{**row, "label": row["speaker"]} for row in spoken], _SPLITS),
        "voice-activity": (
            "split",
            [{**row, "label": "no speech"} for row in events] + [{**row, "label": "speech"} for row in spoken],
            _SPLITS,
        ),
    }
    tasks = {name: _dealt(seed, name, *task) for name, task in parts.items()}
    tasks["vowel"] = [
        {**row, "label": row["vowel"], "fold": voices.index(row["speaker"]) // 2 + 1, "group": row["speaker"]}
        for row in spoken
    ]
    return tasks


def _dealt(seed: int, task: str, column: str, rows: list[Row], parts: Sequence[object]) -> list[Row]:
    """Shuffle the clips of every label and deal them out to the parts in turn, so that each part has its share."""
    shuffled = randomness.permutation(seed, f"sound world, parts of {task}", 0, len(rows)).tolist()
    by_label = sorted(shuffled, key=lambda index: rows[index]["label"])
    part = {index: parts[place % len(parts)] for place, index in enumerate(by_label)}
    return [{**row, column: part[index]} for index, row in enumerate(rows)]


def _band(pitch: float) -> str:
    low, high = PITCH_RANGE
    step = (high / low) ** (1 / PITCH_BANDS)
    index = min(int(np.log(pitch / low) / np.log(step)), PITCH_BANDS - 1)
    return f"{low * step**index:.0f}-{low * step ** (index + 1):.0f} Hz"


# Clips and recordings ------------------------------------------------------------------------------------------------


def _event_clip(seed: int, number: int, seconds: float) -> tuple[Row, Sound]:
    """Row and samples of one labelled event. Kind and pitch band are crossed, all else is drawn."""
    rng = randomness.generator(seed, "sound world, event", number)
    kind = EVENTS[number % len(EVENTS)]
    band = (number // len(EVENTS) + rng.random()) % PITCH_BANDS
    pitch = PITCH_RANGE[0] * (PITCH_RANGE[1] / PITCH_RANGE[0]) ** (band / PITCH_BANDS)
    brightness = rng.uniform(*BRIGHTNESS_RANGE)
    sound = event(rng, kind, pitch=pitch, brightness=brightness, seconds=seconds)
    factors = {"event": kind, "pitch": pitch, "brightness": brightness}
    return _finished(rng, f"clips/event-{number:04d}.wav", factors, sound, _background(rng, seconds))


def _speech_clip(seed: int, number: int, seconds: float) -> tuple[Row, Sound]:
    """Row and samples of one labelled stretch of speech: one voice, one vowel; half of them over another event."""
    rng = randomness.generator(seed, "sound world, speech", number)
    speaker = number % SPEAKERS
    vowel = sorted(VOWELS)[number // SPEAKERS % len(VOWELS)]
    voice = draw_voice(
        randomness.generator(seed, "sound world, voice", speaker), tract=0.84 + 0.36 * speaker / (SPEAKERS - 1)
    )
    sound, pitch = speech(rng, voice, seconds=seconds, vowels=(vowel,))
    among_events = rng.random() < 0.5
    background = _any_event(rng, seconds) if among_events else _background(rng, seconds)
    factors = {"speaker": f"speaker {speaker + 1}", "vowel": vowel, "pitch": pitch}
    return _finished(rng, f"clips/speech-{number:04d}.wav", factors, sound, background)


def _finished(
    rng: np.random.Generator, path: str, factors: dict[str, Any], sound: Sound, background: Sound
) -> tuple[Row, Sound]:
    """Add the background, bring the clip to its loudness, and name all factors."""
    snr, loudness = rng.uniform(*SNR_RANGE), rng.uniform(*LOUDNESS_RANGE)
    mixed = at_level(mix(sound, background, snr=snr), loudness)
    return {"path": path, **factors, "loudness": loudness, "snr": snr}, mixed


def _diet(
    name: str, recording: Callable[[np.random.Generator, float], Sound], seed: int, seconds: float
) -> Iterator[tuple[Row, Sound]]:
    """Recordings of 4 to 10 s, every fifth of them a short one of under a second, `seconds` or a little more in all."""
    number, made = 0, 0.0
    while made < seconds:
        rng = randomness.generator(seed, f"sound world, diet {name}", number)
        length = rng.uniform(0.3, 0.9) if number % 5 == 4 else rng.uniform(4.0, 10.0)
        sound = recording(rng, length)
        mixed = mix(sound, _background(rng, length), snr=rng.uniform(*SNR_RANGE))
        yield {"path": f"{name}/{number:04d}.wav"}, at_level(mixed, rng.uniform(*LOUDNESS_RANGE))
        number, made = number + 1, made + length


def _speech_recording(rng: np.random.Generator, seconds: float) -> Sound:
    return speech(rng, draw_voice(rng, tract=rng.uniform(0.8, 1.25)), seconds=seconds, vowels=tuple(sorted(VOWELS)))[0]


def _event_recording(rng: np.random.Generator, seconds: float) -> Sound:
    """Events of varied length and level, one after the other and at times two at once."""
    samples = round(seconds * SAMPLE_RATE)
    recording = np.zeros(samples)
    start = 0
    while start < samples:
        length = rng.uniform(0.3, min(2.0, seconds))
        sound = at_level(_any_event(rng, length), rng.uniform(-26.0, -14.0))[: samples - start]
        recording[start : start + len(sound)] += sound
        start += round(length * SAMPLE_RATE * rng.uniform(0.6, 1.2))
    return recording


def _any_event(rng: np.random.Generator, seconds: float) -> Sound:
    low, high = np.log(PITCH_RANGE)
    kind = EVENTS[rng.integers(len(EVENTS))]
    pitch, brightness = float(np.exp(rng.uniform(low, high))), rng.uniform(*BRIGHTNESS_RANGE)
    return event(rng, kind, pitch=pitch, brightness=brightness, seconds=seconds)


def _background(rng: np.random.Generator, seconds: float) -> Sound:
    return noise(rng, seconds, slope=rng.uniform(-9.0, 0.0))


def _written(out: Path, clips: Iterator[tuple[Row, Sound]]) -> list[Row]:
    """Write clips as 16-bit WAV; their rows with their lengths, ``seconds``.

    Files are not written atomically one by one: the world is whole once its manifests are there, which come last.
    """
    rows = []
    for row, sound in clips:
        path = out / row["path"]
        content = io.BytesIO()  # libsndfile does not say why it cannot write to a disk
        soundfile.write(content, np.round(sound * 32767).astype(np.int16), SAMPLE_RATE, format="WAV", subtype="PCM_16")
        with refused_writes_are_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.getvalue())
        rows.append({**row, "seconds": len(sound) / SAMPLE_RATE})
    return rows
