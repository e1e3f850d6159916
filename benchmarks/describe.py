"""Speed of acoustic descriptors: Auricle's batch against librosa, side by side in one process.

    python benchmarks/describe.py [--quick] [--data FOLDER]

Both describe the same clips by what librosa has under the same definition: spectral centroid, spread, flatness and
roll-off, level, and YIN's fundamental frequency every 10 ms between 50 and 2000 Hz, each with its quartiles over time.
librosa gets what is best for it: one short-time Fourier transform per clip serves all spectral features, and its YIN
runs with frames of its default length; clips go one by one, which is faster for it than a batch. That both say the same
is checked first. Auricle then describes the clips by everything it has, which librosa has not.

Clips are tones with noise, as long as NSynth's, or every audio file below --data. The two take turns; medians are
compared. The last line is JSON: `ratio` (librosa's time over Auricle's for the same descriptors), `all` (librosa's time
for those few over Auricle's for all descriptors) and `seconds_per_second` (of sound, described by all).
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import torch
from numpy.typing import NDArray

from auricle import audio
from auricle.explain.descriptors import COLUMNS, SAMPLE_RATE, describe
from auricle.threads import wait_politely
from auricle.training import keep_freed_memory

Waveform = NDArray[np.float32]

FRAMES = {"n_fft": 1024, "win_length": 743, "hop_length": 185, "center": False}
YIN = {"fmin": 50, "fmax": 2000, "frame_length": 2048, "hop_length": 160}
SAME = ("spectral_centroid", "spectral_spread", "spectral_flatness", "spectral_roll_off", "frame_level", "f0")
TOLERANCES = {"spectral_roll_off_median": 16.0, "frame_level_median": 0.1}  # librosa's bins are 15.6 Hz wide


def by_librosa(waveform: Waveform) -> dict[str, float]:
    """Medians of the descriptors that librosa has; quartiles are taken as well."""
    magnitude = np.abs(librosa.stft(waveform, **FRAMES))
    level = librosa.feature.rms(y=waveform, frame_length=743, hop_length=185, center=False)
    series = {
        "spectral_centroid": librosa.feature.spectral_centroid(S=magnitude, sr=SAMPLE_RATE),
        "spectral_spread": librosa.feature.spectral_bandwidth(S=magnitude, sr=SAMPLE_RATE),
        "spectral_flatness": librosa.feature.spectral_flatness(S=magnitude),
        "spectral_roll_off": librosa.feature.spectral_rolloff(S=magnitude**2, sr=SAMPLE_RATE, roll_percent=0.95),
        "frame_level": librosa.amplitude_to_db(level, amin=1e-6, top_db=None),
        "f0": librosa.yin(waveform, sr=SAMPLE_RATE, **YIN),
    }
    return {f"{name}_median": float(np.percentile(values, [25, 50, 75])[1]) for name, values in series.items()}


def tones(count: int, seconds: float) -> list[Waveform]:
    """Harmonic tones of many pitches and slopes in some noise."""
    generator = np.random.default_rng(0)
    clock = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    clips = []
    for _ in range(count):
        hertz, fall = 65 * 2 ** generator.uniform(0, 4), generator.uniform(0.5, 2)
        partials = range(1, min(40, int(7500 / hertz)) + 1)
        clip = sum(number**-fall * np.sin(2 * np.pi * number * hertz * clock + number**2) for number in partials)
        clips.append((0.1 * clip + 0.003 * generator.normal(size=len(clock))).astype(np.float32))
    return clips


def batches(clips: list[Waveform], size: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Clips of nearly one length, padded."""
    ordered = sorted(clips, key=len)
    made = []
    for first in range(0, len(ordered), size):
        group = ordered[first : first + size]
        batch = np.zeros((len(group), len(group[-1])), np.float32)
        for row, clip in zip(batch, group, strict=True):
            row[: len(clip)] = clip
        made.append((torch.from_numpy(batch), torch.tensor([len(clip) for clip in group])))
    return made


def check_same(clips: list[Waveform]) -> None:
    """What both say about steady tones is the same."""
    found = {
        name: torch.cat([describe(batch, lengths, names=[name])[name] for batch, lengths in batches(clips, len(clips))])
        for name in (f"{name}_median" for name in SAME)
    }
    for index, clip in enumerate(sorted(clips, key=len)):
        for name, expected in by_librosa(clip).items():
            allowed = max(TOLERANCES.get(name, 0.0), 0.02 * abs(expected))
            if abs(found[name][index].item() - expected) > allowed:
                raise SystemExit(f"{name} of tone {index}: Auricle {found[name][index].item()}, librosa {expected}")


def seconds_of(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    wait_politely()
    keep_freed_memory()
    count, rounds = (4, 1) if options.quick else (64, 5)
    if options.data is None:
        clips = tones(count, 0.5 if options.quick else 2.4)
    else:
        files = sorted(path for path in options.data.rglob("*") if path.suffix in (".wav", ".flac", ".ogg"))
        clips = [audio.read(file, sample_rate=SAMPLE_RATE) for file in files[:: max(1, len(files) // count)][:count]]
    check_same(tones(8, 1.0))
    prepared = batches(clips, 32)
    works: dict[str, Callable[[], object]] = {
        "librosa": lambda: [by_librosa(clip) for clip in clips],
        "same": lambda: [describe(batch, lengths, names=SAME) for batch, lengths in prepared],
        "all": lambda: [describe(batch, lengths) for batch, lengths in prepared],
    }
    for work in works.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(seconds_of(work))
    sound = sum(map(len, clips)) / SAMPLE_RATE
    print(f"{len(clips)} clips, {sound:.0f} s of sound, {torch.get_num_threads()} threads")
    for name, text in (
        ("librosa", f"librosa, {len(SAME)} descriptors"),
        ("same", "Auricle, the same"),
        ("all", f"Auricle, all {len(COLUMNS)} values"),
    ):
        middle = statistics.median(times[name])
        print(f"{text:>28}: {1e3 * middle / sound:7.3f} ms per second of sound")
    medians = {name: statistics.median(values) for name, values in times.items()}
    report = {
        "ratio": round(medians["librosa"] / medians["same"], 2),
        "all": round(medians["librosa"] / medians["all"], 2),
        "seconds_per_second": round(sound / medians["all"], 1),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
