"""The long jobs that chaos is let loose on: how each is started and gone on with, and what it leaves when done."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import soundfile
from safetensors.numpy import load_file

from auricle import results
from auricle.manifest import Manifest
from auricle.models.registry import load
from auricle.packing.layout import PackError
from auricle.packing.reader import open_pack
from auricle.packing.verify import verify
from auricle.training import MetricsFile, list_states, load_state

RATE = 16_000
PITCHES = {"low": 300.0, "middle": 400.0, "high": 520.0}


@dataclass(frozen=True)
class Job:
    """A command that makes `out`.

    Attributes
    ----------
    name
        Of the command.
    arguments
        Of the command that makes `out` from a folder of sounds, or goes on with what was begun there.
    result
        What it has made, for comparison with an undisturbed job; fails where that is not whole.
    begun
        What is there of a job that was not finished can be used: fails where it is not so.
    patches
        Values to put into modules, so that a small job has as many steps as a large one.
    """

    name: str
    arguments: Callable[[Path, Path], list[object]]
    result: Callable[[Path], Any]
    begun: Callable[[Path], None]
    patches: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


def sounds(folder: Path, count: int = 24) -> Path:
    """Tones in noise of three pitches by eight singers in three formats, with a table of their labels."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    rows = []
    for number in range(count):
        pitch, singer = list(PITCHES)[number % 3], number // 3 % 8
        time = np.arange(round(RATE * generator.uniform(0.4, 1.2))) / RATE
        tone = 0.3 * np.sin(2 * np.pi * PITCHES[pitch] * (1 + 0.02 * generator.standard_normal()) * time)
        noise = 0.1 * generator.standard_normal(len(time))
        name = f"{number:02d}.{('wav', 'flac', 'ogg')[number % 3]}"
        soundfile.write(folder / name, (tone + noise).clip(-1, 1), RATE)
        rows.append({"path": name, "label": pitch, "singer": f"s{singer}"})
    Manifest.from_rows(rows, root=folder).write(folder / "pitch.csv")
    return folder


# --- pack


def pack(given: Path, out: Path) -> list[object]:
    return ["pack", given, "--out", out, "--workers", "1"]


def packed(out: Path) -> dict[str, bytes]:
    assert verify(out).is_whole
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def pack_begun(out: Path) -> None:
    try:
        open_pack(out)
    except PackError as error:
        assert "is not finished" in str(error) or "is not a pack" in str(error)
    else:
        assert verify(out).is_whole


# --- pretrain

SMALL = (
    "encoder.channels=4",
    "encoder.mlp_hidden=16",
    "projection_hidden=32",
    "projection_dim=16",
    "views.memory=32",
    "batch_size=8",
    "log_every=1",
    "workers=1",
    "device=cpu",
    "steps=10",
    "checkpoint_every=1",
    "statistics_crops=8",
    "precision=float32",
)


def pretrain(given: Path, out: Path) -> list[object]:
    if (out / "recipe.yaml").exists():
        return ["pretrain", "--resume", out]
    return ["pretrain", "byola-2022-small", *SMALL, f"data={given}", "--out", out]


def pretrain_from_files(given: Path, out: Path) -> list[object]:
    arguments = pretrain(given, out)
    return arguments if "--resume" in arguments else [*arguments, "cache_gib=0"]


def pretrained(out: Path) -> tuple[dict[str, bytes], list[int]]:
    steps = [row["step"] for row in MetricsFile(out / "metrics.jsonl").read()]
    tensors = load_file(out / "model" / "model.safetensors")
    return {name: tensor.tobytes() for name, tensor in tensors.items()}, steps


def pretrain_begun(out: Path) -> None:
    if (out / "model" / "config.json").exists():
        load(out / "model")
    for path in list_states(out / "checkpoints"):
        load_state(path)


# --- embed, evaluate, study


def embed(given: Path, out: Path) -> list[object]:
    return ["embed", "logmel-stats", given, "--window", "0.1", "--workers", "1", "--out", out / "o.parquet"]


def embed_begun(out: Path) -> None:
    if (out / "o.parquet").exists():  # put in its place in one step, at the end
        pq.read_table(out / "o.parquet")
    for part in (out / "o.parquet.parts").glob("part-*.parquet"):
        pq.read_table(part)


def evaluate(given: Path, out: Path) -> list[object]:
    labels = ["--manifest", given / "pitch.csv", "--group", "singer"]
    how = ["--protocol", "ogg2025", "--seeds", "1", "--workers", "1"]
    return ["evaluate", "logmel-stats", "mfcc-stats", *labels, *how, "--out", out / "o.parquet"]


def evaluate_begun(out: Path) -> None:
    if (out / "o.parquet").exists():
        results.read(out / "o.parquet")


STUDY = (
    "world.clips=120",
    "pretraining.overrides={steps: 4, batch_size: 8, log_every: 1, checkpoint_every: 1, workers: 1, "
    "statistics_crops: 8, precision: float32, views: {memory: 16}, encoder: {architecture: byola-2022, channels: 4, "
    "mlp_hidden: 16}, projection_hidden: 32, projection_dim: 16}",
    "random_seeds=[0]",
    "models=[random, logmel-stats]",
    "tasks=[event]",
    "probe={seeds: [0], overrides: {epochs: 3, learning_rate: 0.01, standardise: true}}",
    "map.clips=20",
)


def study(given: Path, out: Path) -> list[object]:
    return ["study", "run", "demo", *STUDY, "--out", out]


def studied(out: Path) -> Any:
    assert (out / "report.html").read_text(encoding="utf-8").rstrip().endswith("</html>")
    return pq.read_table(out / "results.parquet")


def study_begun(out: Path) -> None:
    for path in out.rglob("model"):
        pretrain_begun(path.parent)


PACK = Job("pack", pack, packed, pack_begun)
PRETRAIN = Job("pretrain", pretrain, pretrained, pretrain_begun)
EMBED = Job(
    "embed",
    embed,
    lambda out: pq.read_table(out / "o.parquet"),
    embed_begun,
    {"auricle.embedding.parts.PART_SECONDS": 0.0, "auricle.embedding.bulk.BATCH_SECONDS": 1.0},
)
EVALUATE = Job("evaluate", evaluate, lambda out: results.read(out / "o.parquet"), evaluate_begun)
STUDY_RUN = Job("study", study, studied, study_begun)
JOBS = [PACK, PRETRAIN, EMBED, EVALUATE, STUDY_RUN]
