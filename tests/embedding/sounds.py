"""Small sounds, small encoders, and a process of its own that embeds them."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from auricle import audio
from auricle.manifest import Manifest
from auricle.mel import MelRecipe
from auricle.models.byola import BYOLA2022, BYOLA2022Config

RATE = 16_000


def noise(seconds: float, *, seed: int = 0, rate: int = RATE) -> np.ndarray:
    """A tone in noise, different for every seed."""
    random = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    tone = np.sin(2 * np.pi * random.uniform(100, 3000) * time)
    return (0.3 * tone + 0.05 * random.standard_normal(len(time))).clip(-1, 1).astype(np.float32)


def folder_of_sounds(folder: Path, count: int, *, shortest: float = 0.2, longest: float = 1.0) -> Path:
    """`count` WAV files of different lengths between `shortest` and `longest` seconds."""
    random = np.random.default_rng(1)
    for number in range(count):
        seconds = random.uniform(shortest, longest)
        audio.write(folder / f"{number:04d}.wav", noise(seconds, seed=number), sample_rate=RATE)
    return folder


def small_byola() -> BYOLA2022:
    """BYOL-A's 2022 encoder with few channels."""
    torch.manual_seed(0)
    return BYOLA2022(BYOLA2022Config(mel=MelRecipe(n_mels=16), channels=4, mlp_hidden=24)).eval()


# Arguments: a JSON object of inputs, out, options, every pool's seconds, and how long each pool is made to last.
_PROCESS = """
import json, resource, sys, time
from auricle import load
from auricle.embedding import bulk, parts
from auricle.errors import Interrupted
from auricle.inputs import manifest_of
from auricle.training import keep_freed_memory

given = json.loads(sys.argv[1])
parts.PART_SECONDS = given["part_seconds"]
keep_freed_memory()
first = None

def progress(now):
    global first
    first = now.done if first is None else first
    time.sleep(given["pause"])

manifest = manifest_of(given["inputs"])
if "shard" in given["options"]:
    from auricle.embedding.shares import Shard
    given["options"]["shard"] = Shard(*given["options"]["shard"])
try:
    summary = bulk.embed_manifest(
        load(given["model"]), manifest, out=given["out"], workers=2, progress=progress, **given["options"]
    )
except Interrupted as stop:
    print(stop)
    raise SystemExit(130)
peak = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
print(json.dumps({"first": first, "rows": summary.rows, "rejected": summary.rejected, "peak_megabytes": peak}))
"""


def embedding_process(
    inputs: list[Path],
    out: Path,
    *,
    model: Path | str = "logmel-stats",
    part_seconds: float = 20.0,
    pause: float = 0.0,
    **options: Any,
) -> "subprocess.Popen[str]":
    """A started process that embeds `inputs` into `out` and then prints what it did, as JSON."""
    given = {
        "inputs": [str(path) for path in inputs],
        "out": str(out),
        "model": str(model),
        "part_seconds": part_seconds,
        "pause": pause,
        "options": options,
    }
    command = [sys.executable, "-c", _PROCESS, json.dumps(given)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result_of(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """What a process of :func:`embedding_process` printed."""
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    printed: dict[str, Any] = json.loads(output)
    return printed


def excerpts(path: Path, count: int, seconds: float, *, root: Path) -> Manifest:
    """`count` clips of `seconds`, one after the other, of one long file."""
    starts = [number * seconds for number in range(count)]
    rows = [{"path": path.name, "start": start, "end": start + seconds} for start in starts]
    return Manifest.from_rows(rows, root=root)


def actors(kind: str) -> list[psutil.Process]:
    """The processes, of a Ray cluster that this one started, in which such an actor is."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error, IndexError):
            if process.cmdline()[0].startswith(f"ray::{kind}"):
                found.append(process)
    return found
