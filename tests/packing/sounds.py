"""Recordings for the packing tests: several formats and rates, long and short, one that is no sound."""

from pathlib import Path

import numpy as np
import soundfile

FILES = {  # name: seconds, rate, channels
    "a/short.wav": (0.5, 8000, 1),
    "a/plain.wav": (3.0, 16000, 1),
    "b/stereo.flac": (12.3, 44100, 2),
    "b/long.flac": (75.0, 16000, 1),
    "c/lossy.ogg": (4.0, 48000, 1),
    "c/lossy.mp3": (25.0, 22050, 1),
}


def noise(seconds: float, rate: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    samples = 0.1 * np.random.default_rng(seed).standard_normal((round(seconds * rate), channels))
    return samples.clip(-1, 1).astype(np.float32)


def write(path: Path, samples: np.ndarray, rate: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with soundfile.SoundFile(path, "w", rate, samples.shape[1] if samples.ndim > 1 else 1) as file:
        for start in range(0, len(samples), rate):
            file.write(samples[start : start + rate])
    return path


def recordings(root: Path) -> Path:
    for seed, (name, (seconds, rate, channels)) in enumerate(FILES.items()):
        write(root / name, noise(seconds, rate, channels, seed), rate)
    (root / "b" / "broken.wav").write_bytes(b"no sound at all")
    return root


def content(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
