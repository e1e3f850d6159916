"""What happens to a recording on its way through programs and archives, and leaves it the same recording."""

import io
from collections.abc import Callable

import numpy as np
import soundfile
import soxr

RATE = 16_000


def coded(samples: np.ndarray, *, format: str, subtype: str, **options: float) -> np.ndarray:
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", RATE, 1, format=format, subtype=subtype, **options) as writer:
        for start in range(0, len(samples), RATE):
            writer.write(samples[start : start + RATE])
    file.seek(0)
    return soundfile.read(file, dtype="float32")[0]


ALTERED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mp3": lambda x: coded(x, format="MP3", subtype="MPEG_LAYER_III"),
    "opus": lambda x: coded(x, format="OGG", subtype="OPUS"),
    "poor vorbis": lambda x: coded(x, format="OGG", subtype="VORBIS", compression_level=0.9),
    "20 dB softer": lambda x: np.round(0.1 * x * 32767) / 32767,
    "half as loud, upside down": lambda x: -0.5 * x,
    "begun 50 ms later": lambda x: x[800:],
    "100 ms of silence before": lambda x: np.concatenate([np.zeros(1600), x]),
    "with noise 30 dB below": lambda x: (
        x + np.random.default_rng(0).normal(0, 10**-1.5 * np.sqrt(np.mean(x**2)), len(x))
    ),
    "by way of 22,050 Hz": lambda x: soxr.resample(soxr.resample(x, RATE, 22_050), 22_050, RATE),
}
