"""The cost model of docs/scaling.md: what 10,000 and 1,000,000 hours cost, from what was measured and what is assumed.

    python benchmarks/scaling.py
    python benchmarks/scaling.py --manifest 1000000

Nothing is timed here; `--manifest` measures the memory of a manifest of so many excerpts. Figures that were measured
stand first, with the command that printed them; then what is assumed, which nobody has measured; then the arithmetic.
The tables are printed as they stand in the page, and a test compares the two: whoever measures anew changes the number
here and pastes the tables there.
"""

import argparse
import resource
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from auricle.embedding.shares import Blocks
from auricle.manifest import Manifest

HOUR = 3600.0  # s

# --- measured, on one core of an AMD EPYC (Zen 4) machine of two that was shared with other work: a quiet one is faster

PACK_SECONDS = {"16 kHz": 0.0046, "44.1 kHz": 0.0083}  # of a processor per 5-s FLAC clip: decode, resample, write
DECODE_SECONDS = {"16 kHz": 0.0025, "44.1 kHz": 0.0057}  # python benchmarks/embed.py, `decode`
EMBED_SECONDS = 0.0171  # python benchmarks/embed.py, `auricle`, own processor: BYOL-A 2022 in bfloat16, per 5-s clip
CLIP_SECONDS = 5.0
TRAIN_CROPS = 48_700 / 1_300  # python benchmarks/loader.py: crops of 0.95 s a second that one core trains on
MANIFEST_BYTES = 52.0  # of a row in memory, --manifest
FINGERPRINT_BYTES = 345.0  # for a moment, of a row, --manifest
INDEX_BYTES_PER_CLIP = 8  # python benchmarks/loader.py: kept in memory of a packed 10-s clip, by each process

# --- counted

GFLOP_PER_CROP = 3.63  # of training, as in benchmarks/pretrain.py
GFLOP_PER_SECOND = 0.44  # of embedding: convolutions 0.63 and linear layers 1.57 GFLOP for 5 s
PACK_BYTES = 16_000 * 2 * HOUR  # 16-bit samples
VECTOR_BYTES = 3072 * 4  # of a clip

# --- assumed, and measured by nobody here

PACKED_CLIP_SECONDS = 10.0  # what long recordings are cut to; one crop of each is an epoch
EPOCHS = 100  # BYOL-A's
GPU_PEAK_TFLOPS = 989.0  # NVIDIA's published dense bfloat16 peak of an H200 (and H100 SXM)
GPU_SHARE = 0.20  # of that peak that training and embedding reach
CORES_PER_GPU = 16  # of the machine that a GPU stands in
EFFICIENCY = {1: 1.0, 8: 0.9, 64: 0.8}  # of so many GPUs, over as many single ones
FLAC_SHARE = 0.6  # of 16-bit samples that a FLAC file takes

CORPORA = (10_000, 1_000_000)  # h
GPUS = (1, 8, 64)


def per_core() -> dict[str, float]:
    """Hours of sound per core-second."""
    clip = CLIP_SECONDS / HOUR
    return {
        "pack, FLAC at 16 kHz": clip / PACK_SECONDS["16 kHz"],
        "pack, FLAC at 44.1 kHz": clip / PACK_SECONDS["44.1 kHz"],
        "train, one pass over crops of 0.95 s": TRAIN_CROPS * 0.95 / HOUR,
        "embed: decode FLAC at 16 kHz": clip / DECODE_SECONDS["16 kHz"],
        "embed: decode FLAC at 44.1 kHz": clip / DECODE_SECONDS["44.1 kHz"],
        "embed: log-mel, encoder, write": clip / EMBED_SECONDS,
    }


def per_gpu() -> dict[str, float]:
    """Hours of sound per GPU-second, as assumed."""
    gflops = 1000.0 * GPU_PEAK_TFLOPS * GPU_SHARE
    return {
        "train, one pass over crops of 0.95 s": gflops / GFLOP_PER_CROP * 0.95 / HOUR,
        "embed: log-mel, encoder, write": gflops / GFLOP_PER_SECOND / HOUR,
    }


def seconds(hours: float, gpus: int) -> dict[str, float]:
    """Of the clock, for a corpus in FLAC at 44.1 kHz on so many GPUs and their machines' cores."""
    cores = gpus * CORES_PER_GPU
    core, gpu = per_core(), per_gpu()
    many = gpus * EFFICIENCY[gpus]
    crops = hours * HOUR / PACKED_CLIP_SECONDS * EPOCHS
    decoding = hours / core["embed: decode FLAC at 44.1 kHz"] / cores
    encoding = hours / gpu["embed: log-mel, encoder, write"] / many
    return {
        "pack": hours / core["pack, FLAC at 44.1 kHz"] / cores,
        "train": crops * GFLOP_PER_CROP / (1000.0 * GPU_PEAK_TFLOPS * GPU_SHARE) / many,
        "embed": max(decoding, encoding),
    }


def on_cores(hours: float, cores: int) -> dict[str, float]:
    """Of the clock without a GPU, for a corpus in FLAC at 44.1 kHz, as measured on one core."""
    core = per_core()
    embedding = 1 / core["embed: decode FLAC at 44.1 kHz"] + 1 / core["embed: log-mel, encoder, write"]
    return {
        "pack": hours / core["pack, FLAC at 44.1 kHz"] / cores,
        "train": hours * HOUR / PACKED_CLIP_SECONDS * EPOCHS / TRAIN_CROPS / cores,
        "embed": hours * embedding / cores,
    }


def duration(value: float) -> str:
    """Seconds as people say them."""
    for unit, size in (("years", 365 * 24 * HOUR), ("days", 24 * HOUR), ("h", HOUR), ("min", 60.0)):
        if value >= 2 * size:
            return f"{value / size:,.0f} {unit}"
    return f"{value:.0f} s"


def size(value: float) -> str:
    """Bytes as people say them."""
    for unit, exponent in (("TB", 12), ("GB", 9), ("MB", 6)):
        if value >= 10**exponent:
            return f"{value / 10**exponent:,.1f} {unit}"
    return f"{value:.0f} bytes"


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(titles) + " |", "|" + "---|" * len(titles)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def rates() -> str:
    gpu = per_gpu()
    rows = [
        (name, f"{rate:.4f}", f"{gpu[name]:,.1f} (assumed)" if name in gpu else "on cores")
        for name, rate in per_core().items()
    ]
    return table(("step", "hours of sound per core-second", "per GPU-second"), rows)


def times() -> str:
    rows = []
    for hours in CORPORA:
        rows.append((f"{hours:,} h", "64 cores, no GPU", *map(duration, on_cores(hours, 64).values())))
        for gpus in GPUS:
            machine = f"{gpus} GPU{'' if gpus == 1 else 's'}, {gpus * CORES_PER_GPU:,} cores"
            rows.append((f"{hours:,} h", machine, *map(duration, seconds(hours, gpus).values())))
    return table(("sound", "on", "pack", f"train, {EPOCHS} epochs", "embed"), rows)


def disks() -> str:
    titles = (
        "sound",
        "FLAC at 44.1 kHz",
        "pack",
        "embeddings",
        "disk while they are joined",
        "memory: a pack's index",
        "a manifest of its clips",
        "while embedding begins",
    )
    rows = []
    for hours in CORPORA:
        clips = hours * HOUR / PACKED_CLIP_SECONDS
        flac = hours * HOUR * 44_100 * 2 * FLAC_SHARE
        on_disk = (flac, hours * PACK_BYTES, clips * VECTOR_BYTES, 2 * clips * VECTOR_BYTES)
        in_memory = (clips * INDEX_BYTES_PER_CLIP, clips * MANIFEST_BYTES, clips * FINGERPRINT_BYTES)
        rows.append((f"{hours:,} h", *map(size, (*on_disk, *in_memory))))
    return table(titles, rows)


TABLES = (rates, times, disks)


def manifest_bytes(rows: int) -> tuple[float, float]:
    """Of a row: in the table, and at most while a job that embeds it begins."""

    def peak() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    before = peak()
    paths = pa.array([f"corpus/speaker{row % 1000:04d}/{row:08d}.flac" for row in range(rows)])
    table = pa.table({"path": paths, "start": pa.array([0.0] * rows), "end": pa.array([10.0] * rows)})
    manifest = Manifest(table, Path("/data"))
    assert manifest.fingerprint and Blocks.of(manifest).borders
    return manifest.table.nbytes / rows, (peak() - before) / rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--manifest", type=int, metavar="ROWS", help="measure the memory of a manifest")
    rows = parser.parse_args().manifest
    if rows is None:
        print("\n\n".join(make() for make in TABLES))
    else:
        held, most = manifest_bytes(rows)
        print(f"{held:.0f} bytes of a row in memory, {most:.0f} while a job begins")


if __name__ == "__main__":
    main()
