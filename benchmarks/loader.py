"""Speed of reading training crops: from a pack, from FLAC files, and what a training step consumes, in one process.

    python benchmarks/loader.py [--quick]

FLAC files at 16 and at 44.1 kHz, one of noise, which compresses least and so decodes slowest, and one of tones, are
packed. Then crops of 0.95 s of the same sample indices are read from the files and from the pack by the same code
(:class:`auricle.crops.Crops`), in turns, in one thread; beside that BYOL-A's training step is timed as in
``benchmarks/pretrain.py``. Processor seconds of the reading thread are counted and not the clock, since other processes
on the machine would change the latter.

Memory is that of a process of its own for 10, 100, 1,000 and 10,000 hours of 10-s clips in sparse shards: how much it
grows from the opened library to after some thousand crops, without pages of files, which the system takes back.

The last line is JSON: `flac_16k` and `flac_44k` (crops per second from the pack over those from files), `step` (those
from the pack over the clips that the step consumes in the same time) and `memory_mb` by hours.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import torch

from auricle import clips as clips_module
from auricle.crops import Crops
from auricle.manifest import Manifest
from auricle.packing.layout import SAMPLE_RATE
from auricle.packing.reader import open_packed
from auricle.packing.run import pack
from auricle.packing.sparse import write_sparse_pack
from auricle.training import keep_freed_memory

CROP_SAMPLES = 15_200
BATCH = 256  # crops that are read at a time, as byola-2022 takes them
CUTTING = {"sample_rate": SAMPLE_RATE, "clip_seconds": 10.0, "crop_seconds": 0.95}
HOURS = (10, 100, 1_000, 10_000)


def write_files(folder: Path, rate: int, clips: int) -> None:
    """Two files of so many clips each."""
    folder.mkdir()
    for number in range(2):
        with soundfile.SoundFile(folder / f"{number}.flac", "w", rate, 1) as file:
            for clip in range(clips):
                time_axis = np.arange(10 * rate) / rate
                tone = 0.3 * np.sin(2 * np.pi * (200 + 5 * clip) * time_axis)
                file.write(tone if number else 0.1 * np.random.default_rng(clip).standard_normal(10 * rate))


def crops_from_files(folder: Path) -> Crops:
    stretches = clips_module.find_stretches([str(folder)])
    clips = clips_module.cut(*clips_module.measure(stretches, sample_rate=SAMPLE_RATE, workers=2), **CUTTING)
    return Crops(clips, clips, crop_samples=CROP_SAMPLES, sampling="clip", padding="tail", seed=0)


def crops_from_pack(folder: Path) -> Crops:
    opened = open_packed(folder, **CUTTING)
    return Crops(opened.clips, opened, crop_samples=CROP_SAMPLES, sampling="clip", padding="tail", seed=0)


def crops_per_second(crops: Crops, count: int) -> float:
    """Of processor time of this thread."""
    start = time.thread_time()
    for index in torch.arange(count).split(BATCH):
        crops.read(index)
    return count / (time.thread_time() - start)


def ratio(fast: Callable[[], float], slow: Callable[[], float], rounds: int) -> tuple[float, float, float]:
    """Median of the ratios of rounds, and both medians."""
    pairs = [(fast(), slow()) for _ in range(rounds)]
    fasts, slows = zip(*pairs, strict=True)
    return statistics.median(f / s for f, s in pairs), statistics.median(fasts), statistics.median(slows)


def step_clips_per_second(batch: int, steps: int) -> float:
    """Clips per second of the training step, by processor time: of all threads, as if they had one core each."""
    import pretrain  # the benchmark beside this one

    torch.set_num_threads(1)
    step = pretrain.auricle_step(batch)
    waveform = 0.1 * torch.randn(batch, CROP_SAMPLES)
    step(waveform)
    seconds = []
    for _ in range(steps):
        start = time.process_time()
        step(waveform)
        seconds.append(time.process_time() - start)
    return batch / statistics.median(seconds)


# --- memory


def memory_in_use() -> float:
    """MB of this process that are no pages of files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1e3


def grown_by(folder: Path, count: int) -> float:
    """MB that opening a pack and reading crops of two epochs' beginnings add to a process; run in one of its own."""
    crops_before = torch.zeros(BATCH, CROP_SAMPLES)  # what a batch takes in any case
    before = memory_in_use()
    crops = crops_from_pack(folder)
    for first in (0, len(crops)):
        for index in torch.arange(first, first + min(count, len(crops))).split(BATCH):
            crops.read(index)
    del crops_before
    return memory_in_use() - before


def memory_by_hours(work: Path, hours: tuple[int, ...], count: int) -> dict[str, float]:
    found = {}
    for number in hours:
        folder = work / f"sparse-{number}"
        write_sparse_pack(folder, hours=number)
        command = [sys.executable, __file__, "--memory-of", str(folder), "--count", str(count)]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found[str(number)] = round(float(output), 1)
        print(f"{number:6,} h  {found[str(number)]:7.1f} MB more than before it was opened", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few crops, one round: a smoke test, no figure")
    parser.add_argument("--memory-of", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=2_000, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of:
        print(grown_by(arguments.memory_of, arguments.count))
        return
    keep_freed_memory()  # as training does
    quick = arguments.quick
    rounds, clips, from_files, from_pack = (1, 2, 8, 64) if quick else (5, 64, 256, 8_192)
    results: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        for name, rate in (("flac_16k", 16_000), ("flac_44k", 44_100)):
            write_files(work / name, rate, clips)
            pack(Manifest.from_folder(work / name), work / f"{name}-pack", workers=1)
            fast, slow = crops_from_pack(work / f"{name}-pack"), crops_from_files(work / name)
            found, packed, decoded = ratio(
                lambda fast=fast: crops_per_second(fast, from_pack),
                lambda slow=slow: crops_per_second(slow, from_files),
                rounds,
            )
            results[name] = round(found, 1)
            print(f"{name}: pack {packed:,.0f} crops/s, files {decoded:,.0f} crops/s, ratio {found:.1f}", flush=True)
        consumed = step_clips_per_second(8 if quick else 64, 1 if quick else 5)
        results["step"] = round(packed / consumed, 1)
        print(f"one core trains on {consumed:,.1f} clips/s and reads {packed / consumed:,.0f} times as many")
        results["memory_mb"] = memory_by_hours(work, HOURS[:2] if quick else HOURS, 64 if quick else arguments.count)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
