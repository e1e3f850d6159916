"""What the embeddings look like: similarity analysis against acoustic descriptors, t-SNE pictures, the map's sound.

Clips are drawn at random, with the study's seed, from the part of a task that selects probes, as in Ogg (2025), or from
all of it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from auricle import audio, randomness
from auricle.explain import descriptors
from auricle.explain.descriptors import COLUMNS, SAMPLE_RATE
from auricle.explain.rsa import rsa
from auricle.files import atomic_write
from auricle.projection import tsne
from auricle.stages import Finished, Stage, Stages
from auricle.study.diets import Part, Rsa
from auricle.study.encoders import StudyEncoder
from auricle.transfer.clip_sets import Embedded, Rows
from auricle.transfer.splits import of_clips, partitions
from auricle.transfer.task import Task, clips_of

DESCRIPTION_VERSION = 3
RSA_VERSION = 3
TSNE_VERSION = 1

PERMUTATIONS = 1000


def choose_clips(task: Task, *, part: Part, clips: int, seed: int) -> Rows:
    """Numbers of a task's clips, ascending: a random choice of at most `clips` of a part."""
    rows = np.arange(len(task))
    if part == "valid":
        chosen = partitions(task.manifest)[0]
        rows = (chosen if task.rows is None else of_clips(chosen, task.rows)).valid
    if len(rows) > clips:
        rows = np.sort(randomness.generator(seed, f"clips of {task.short_name}").choice(rows, clips, replace=False))
    return rows


@dataclass(frozen=True)
class Described:
    """Descriptors of some clips of a task: name → ``(clips,)``, NaN where a clip has none."""

    task: Task
    rows: Rows
    values: dict[str, NDArray[np.float64]]
    stage: Finished
    key: str


def describe(stages: Stages, task: Task, settings: Rsa, *, seed: int) -> Described:
    """Compute the descriptors of the clips that the analysis uses, unless it is done."""
    names = [
        name
        for name in settings.descriptors
        if not COLUMNS[name].pitch or settings.pitched is None or task.short_name in settings.pitched
    ]
    rows = choose_clips(task, part=settings.part, clips=settings.clips, seed=seed)

    def work(folder: Path) -> dict[str, Any]:
        found = {name: np.full(len(rows), np.nan) for name in names}
        for position, (path, start, end) in enumerate(clips_of(task.select(rows))):
            try:
                waveform = audio.read(
                    Path(path), sample_rate=SAMPLE_RATE, offset=start, duration=None if end is None else end - start
                )
            except audio.AudioError:
                continue
            for name, value in descriptors.describe(torch.from_numpy(waveform)[None], names=names).items():
                found[name][position] = float(value[0])
        with atomic_write(folder / "descriptors.parquet") as temporary:
            pq.write_table(pa.table({"row": rows, **found}), temporary)
        return {}

    inputs = {"sound": task.sound, "rows": rows.tolist(), "descriptors": names}
    stage = Stage("description", task.name, DESCRIPTION_VERSION, inputs)
    finished = stages.run(stage, work)
    table = pq.read_table(finished.folder / "descriptors.parquet")
    values = {name: table.column(name).to_numpy() for name in names}
    return Described(task, rows, values, finished, stage.key)


@dataclass(frozen=True)
class Similarity:
    """How well one encoder orders the clips of one task as one descriptor does.

    Attributes
    ----------
    task, descriptor
        Names.
    encoder
        One of the study's.
    r_s
        Spearman's correlation of their distances; None where they cannot be compared.
    p_mantel, q
        Of Mantel's permutation test, and its false discovery rate over the task's tests.
    clips
        How many were compared.
    """

    task: str
    descriptor: str
    encoder: StudyEncoder
    r_s: float | None
    p_mantel: float | None
    q: float | None
    clips: int


@dataclass(frozen=True)
class Likeness:
    """How alike two encoders order the clips of one task: Spearman's correlation of their distances, None if none."""

    task: str
    one: StudyEncoder
    other: StudyEncoder
    r_s: float | None


def similarity(
    stages: Stages, described: Described, embedded: Sequence[Embedded[StudyEncoder]], *, seed: int
) -> tuple[list[Similarity], list[Likeness]]:
    """Similarity analysis of all encoders on one task, with descriptors and with each other, unless it is done."""
    task = described.task

    def work(folder: Path) -> dict[str, Any]:
        usable, vectors = _common(embedded, task, described.rows)
        values = {name: COLUMNS[name].comparable(column[usable]) for name, column in described.values.items()}
        names = {str(index): matrix for index, matrix in enumerate(vectors)}
        table = rsa(names, values, permutations=PERMUTATIONS, draws=0, seed=seed).to_pylist()
        rows = [
            {
                "task": task.name,
                "descriptor": row["other"],
                "encoder": int(row["model"]),
                "r_s": row["r_s"],
                "p_mantel": row["p_mantel"],
                "q": row["q"],
                "clips": row["n"],
            }
            for row in table
            if row["kind"] == "descriptor"
        ]
        pairs = [
            {"task": task.name, "one": int(row["model"]), "other": int(row["other"]), "r_s": row["r_s"]}
            for row in table
            if row["kind"] == "model"
        ]
        with atomic_write(folder / "similarity.json") as temporary:
            temporary.write_text(json.dumps({"descriptors": rows, "encoders": pairs}, indent=1))
        return {}

    inputs = {
        "description": described.key,
        "weights": [entry.encoder.fingerprint for entry in embedded],
        "permutations": PERMUTATIONS,
        "seed": seed,
    }
    finished = stages.run(Stage("similarity", task.name, RSA_VERSION, inputs), work)
    found = json.loads((finished.folder / "similarity.json").read_text())
    encoders = [entry.encoder for entry in embedded]
    return (
        [Similarity(**{**row, "encoder": encoders[row["encoder"]]}) for row in found["descriptors"]],
        [Likeness(row["task"], encoders[row["one"]], encoders[row["other"]], row["r_s"]) for row in found["encoders"]],
    )


def _common(
    embedded: Sequence[Embedded[StudyEncoder]], task: Task, wanted: Rows
) -> tuple[Rows, list[NDArray[np.float32]]]:
    """Positions in `wanted` of the clips that every encoder could embed, and their embeddings by each."""
    found = [entry.of(task) for entry in embedded]
    everywhere = wanted
    for rows, _ in found:
        everywhere = np.intersect1d(everywhere, rows)
    vectors = [vectors[np.searchsorted(rows, everywhere)] for rows, vectors in found]
    return np.searchsorted(wanted, everywhere), vectors


@dataclass(frozen=True)
class Picture:
    """The clips of one task as one encoder lays them out: rows of the manifest and positions ``(rows, 2)``."""

    task: Task
    encoder: StudyEncoder
    rows: Rows
    points: NDArray[np.float64]


def picture(stages: Stages, embedded: Embedded[StudyEncoder], task: Task, rows: Rows, *, seed: int) -> Picture:
    """The t-SNE of some clips of a task, unless it is done."""

    def work(folder: Path) -> dict[str, Any]:
        usable, vectors = _common([embedded], task, rows)
        points = tsne(vectors[0], seed=seed)
        with atomic_write(folder / "points.parquet") as temporary:
            pq.write_table(pa.table({"row": rows[usable], "x": points[:, 0], "y": points[:, 1]}), temporary)
        return {}

    inputs = {
        "weights": embedded.encoder.fingerprint,
        "sound": task.sound,
        "rows": rows.tolist(),
        "seed": seed,
    }
    finished = stages.run(Stage("tsne", f"{task.name}-{embedded.encoder.label}", TSNE_VERSION, inputs), work)
    table = pq.read_table(finished.folder / "points.parquet")
    points = np.stack([table.column("x").to_numpy(), table.column("y").to_numpy()], axis=1)
    return Picture(task, embedded.encoder, table.column("row").to_numpy(), points)
