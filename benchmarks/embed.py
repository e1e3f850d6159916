"""Speed of bulk embedding, from FLAC files on disk to Parquet: Auricle's against a plain loop, and against its stages.

    python benchmarks/embed.py [--quick]

*Plain* takes one file at a time, as scripts usually do: read, resample, log-mel, BYOL-A 2022 in plain torch (float32),
and at the end one Parquet file. *Auricle* is `embed_manifest` in bfloat16: files are decoded by a process of their own
and embedded in batches. Both embed 5-s clips from files at 16 kHz and at 44.1 kHz, half of them noise, which compresses
least and so decodes slowest. That they come to the same embeddings is checked first. *Stages* are Auricle's own, each
alone: `decode` (and resample) in its process, `encode` (log-mel and encoder, from memory), `write`.

The sides take turns, each in a process of its own with one thread and the command line's settings. Processor seconds
are counted, of decoding processes too, and not the clock, since other processes on the machine would change the latter;
the clock is printed beside them. Every side does two clips before it is timed; what is timed starts its decoding
process anew. Medians are compared.

The last line is JSON, for `flac_16k` and `flac_44k`: `ratio`, processor seconds of the plain loop over Auricle's for
the same clips; and `share`: as decoding and encoding each have a processor, the rate is that of the busier of the two;
this is it over the rate of the slowest stage alone.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
import soxr
import torch

import pretrain  # the benchmark beside this one
from auricle.embedding import embed_manifest, read_embeddings
from auricle.embedding.batches import Embedder, Rows
from auricle.embedding.bulk import BATCH_SECONDS, POOL_BATCHES
from auricle.embedding.pools import Clip
from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.mel import MelRecipe, mel_filter_bank
from auricle.models.byola import BYOLA2022
from auricle.reading import Readers, Request
from auricle.threads import wait_politely
from auricle.training import keep_freed_memory

RATE = 16_000
CLIP_SECONDS = 5.0
RATES = {"flac_16k": 16_000, "flac_44k": 44_100}
AGREEMENT = 0.02  # of bfloat16 with float32, relative to the largest number
WARM_UP_CLIPS = 2
PLAIN_CLIPS_OF = 6  # of so many clips the slow plain loop takes one


def write_files(folder: Path, rate: int, count: int) -> None:
    folder.mkdir()
    random = np.random.default_rng(0)
    time_axis = np.arange(round(CLIP_SECONDS * rate)) / rate
    for number in range(count):
        sound = 0.1 * random.standard_normal(len(time_axis))
        if number % 2:
            sound = 0.3 * np.sin(2 * np.pi * random.uniform(100, 5000) * time_axis) + 0.001 * sound
        soundfile.write(folder / f"{number:05d}.flac", sound, rate)


def encoder() -> BYOLA2022:
    torch.manual_seed(0)
    return BYOLA2022().eval()


# --- the plain loop ---------------------------------------------------------------------------------------------------


def plain(own: BYOLA2022, folder: Path, out: Path, clips: int) -> None:
    network = pretrain.TextbookEncoder().eval()
    network.load_state_dict(own.trunk.state_dict())
    recipe = MelRecipe()
    bank = torch.from_numpy(mel_filter_bank(recipe)).float()
    window = torch.hann_window(recipe.win_length)
    mean, std = own.statistics["mean"], own.statistics["std"]
    paths = sorted(folder.iterdir())[:clips]
    vectors = []
    with torch.no_grad():
        for path in paths:
            samples, rate = soundfile.read(path, dtype="float32")
            if rate != RATE:
                samples = soxr.resample(samples, rate, RATE)
            spectrum = torch.stft(
                torch.from_numpy(samples), recipe.n_fft, recipe.hop_length, window=window, return_complex=True
            )
            log_mel = torch.log(bank @ spectrum.abs() ** 2 + recipe.log_floor)
            vectors.append(network(((log_mel - mean) / std)[None, None])[0].numpy())
    table = {"path": [path.name for path in paths], "embedding": vectors}
    pq.write_table(pa.table(table), out)


# --- Auricle's --------------------------------------------------------------------------------------------------------


def auricle(own: BYOLA2022, folder: Path, out: Path, clips: int) -> None:
    manifest = Manifest.from_folder(folder).select(range(clips))
    embed_manifest(own, manifest, out=out, workers=1, precision="bfloat16")


def decode(folder: Path, clips: int) -> None:
    with Readers(sample_rate=RATE, workers=1) as readers:
        for _ in readers.read(Request(path) for path in sorted(folder.iterdir())[:clips]):
            pass


def encode(own: BYOLA2022, clips: int) -> list[Rows | AuricleError]:
    """Clips whose samples are in memory."""
    embedder = Embedder(own, batch_samples=round(BATCH_SECONDS * RATE), precision="bfloat16", frames=False)
    sound = 0.1 * np.random.default_rng(0).standard_normal(round(CLIP_SECONDS * RATE)).astype(np.float32)
    pool = round(POOL_BATCHES * BATCH_SECONDS / CLIP_SECONDS)
    found: list[Rows | AuricleError] = []
    for first in range(0, clips, pool):
        rows = range(first, min(first + pool, clips))
        found += embedder.clips([Clip(row, 0.0, CLIP_SECONDS, sound) for row in rows], lambda _: None)
    return found


def write(own: BYOLA2022, out: Path, clips: int) -> None:
    vectors = np.zeros((clips, own.embedding_dim), dtype=np.float32)
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
    pq.write_table(pa.table({"path": [str(n) for n in range(clips)], "embedding": column}), out, compression="none")


# --- measuring --------------------------------------------------------------------------------------------------------


def seconds_of(work: Callable[[], object]) -> dict[str, float]:
    """Processor seconds of this process and of those that it started, and the clock's."""

    def now() -> tuple[float, float, float]:
        times = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        own, children = (used.ru_utime + used.ru_stime for used in times)
        return own, children, time.perf_counter()

    before = now()
    work()
    own, children, clock = (after - start for after, start in zip(now(), before, strict=True))
    return {"own": own, "children": children, "clock": clock}


def measure(side: str, folder: Path, clips: int) -> dict[str, float]:
    """Seconds per clip of one side, in this process."""
    torch.set_num_threads(1)
    if side != "plain":
        keep_freed_memory()  # as the command line does
    own = encoder()
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        sides: dict[str, Callable[[Path, int], object]] = {
            "plain": lambda out, count: plain(own, folder, out, count),
            "auricle": lambda out, count: auricle(own, folder, out, count),
            "decode": lambda _, count: decode(folder, count),
            "encode": lambda _, count: encode(own, count),
            "write": lambda out, count: write(own, out, count),
        }
        sides[side](work / "warm.parquet", WARM_UP_CLIPS)
        count = max(2, clips // PLAIN_CLIPS_OF) if side == "plain" else clips
        found = seconds_of(lambda: sides[side](work / "o.parquet", count))
    return {name: seconds / count for name, seconds in found.items()}


SIDES = ("plain", "auricle", "decode", "encode", "write")


def check_that_both_agree(folder: Path, work: Path) -> float:
    """Largest difference between both, relative to the largest number."""
    plain(encoder(), folder, work / "plain.parquet", 4)
    embed_manifest(
        encoder(),
        Manifest.from_folder(folder).select(range(4)),
        out=work / "auricle.parquet",
        workers=1,
        precision="bfloat16",
    )
    theirs, mine = (read_embeddings(work / f"{name}.parquet")[1] for name in ("plain", "auricle"))
    difference = float(np.abs(theirs - mine).max() / np.abs(theirs).max())
    assert difference < AGREEMENT, f"embeddings differ by {difference:.3f}"
    return difference


def rounds_of(folder: Path, clips: int, rounds: int) -> dict[str, dict[str, float]]:
    """Median seconds per clip of every side."""
    found: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for _ in range(rounds):
        for side in SIDES:
            command = [sys.executable, __file__, "--side", side, "--folder", str(folder), "--clips", str(clips)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found[side].append(json.loads(done.stdout.splitlines()[-1]))
    return {
        side: {name: statistics.median(one[name] for one in all_rounds) for name in all_rounds[0]}
        for side, all_rounds in found.items()
    }


def compared(median: dict[str, dict[str, float]]) -> dict[str, float]:
    """The ratio and the share."""
    used = {side: seconds["own"] + seconds["children"] for side, seconds in median.items()}
    busier = max(median["auricle"]["own"], median["auricle"]["children"])
    slowest = max(median["decode"]["children"], used["encode"], used["write"])
    return {"ratio": round(used["plain"] / used["auricle"], 2), "share": round(slowest / busier, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few clips, one round: a smoke test, no figure")
    parser.add_argument("--clips", type=int, default=960)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(measure(arguments.side, arguments.folder, arguments.clips)))
        return
    clips, rounds = (8, 1) if arguments.quick else (arguments.clips, arguments.rounds)
    results = {}
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        for name, rate in RATES.items():
            write_files(work / name, rate, clips)
            if not results:
                difference = check_that_both_agree(work / name, work)
                print(f"embeddings differ by {difference:.4f} of the largest number at most (bfloat16)")
            median = rounds_of(work / name, clips, rounds)
            for side, seconds in median.items():
                own, children, clock = (1000 * seconds[key] for key in ("own", "children", "clock"))
                print(
                    f"{name}  {side:8s} {own:6.2f} ms of processor time per clip, {children:6.2f} ms in decoders "
                    f"({clock:6.2f} ms by the clock)",
                    flush=True,
                )
            results[name] = compared(median)
    print(json.dumps(results))


if __name__ == "__main__":
    wait_politely()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
