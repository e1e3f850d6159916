"""Small probes on a small encoder, for tests of what is done with them."""

from pathlib import Path
from typing import Any

import numpy as np

from auricle import audio
from auricle.manifest import Manifest
from auricle.models import registry
from auricle.transfer.calibration import Calibration
from auricle.transfer.fitted import FittedProbe

RATE = 16_000
ENCODER = "logmel-stats"


def tone(seconds: float, hertz: float, *, level: float = 0.3) -> np.ndarray:
    """A sine: float32 (samples,)."""
    return (level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def planted(path: Path, seconds: float, events: list[tuple[float, float, float]]) -> Path:
    """A recording of soft noise with tones in it, each of start and end in seconds and Hz."""
    sound = 0.001 * np.random.default_rng(0).standard_normal(round(seconds * RATE)).astype(np.float32)
    for start, end, hertz in events:
        at = round(start * RATE)
        sound[at : at + round((end - start) * RATE)] += tone(end - start, hertz)
    audio.write(path, sound, sample_rate=RATE)
    return path


def pitch_probe(**changes: Any) -> FittedProbe:
    """A probe that knows silence, a tone of 500 Hz (low) and one of 4 kHz (high), by the nearest of the three."""
    encoder = registry.load(ENCODER)
    noise = 0.001 * np.random.default_rng(1).standard_normal(RATE).astype(np.float32)
    examples = {"high": noise + tone(1.0, 4000.0), "low": noise + tone(1.0, 500.0), "silence": noise}
    centres = np.stack([encoder.embed(sound) for sound in examples.values()])
    # The nearest centre: |x - c|² is a linear function of x but for |x|², which all classes share.
    fitted: dict[str, Any] = {
        "weight": 2 * centres,
        "bias": -(centres**2).sum(axis=1),
        "classes": tuple(examples),
        "kind": "multi-class",
        "seed": 3,
        "fold": None,
        "learning_rate": 1e-3,
        "weight_decay": 0.0,
        "calibration": Calibration((0.001,) * 3, (0.0,) * 3),
        "thresholds": (0.5, 0.5, 0.5),
    }
    return FittedProbe(**fitted | changes)


def folder_of(path: Path, seconds: list[float]) -> Manifest:
    """Recordings of noise, `seconds` long."""
    for number, length in enumerate(seconds):
        audio.write(path / f"{number}.wav", tone(length, 100.0), sample_rate=RATE)
    return Manifest.from_folder(path)
