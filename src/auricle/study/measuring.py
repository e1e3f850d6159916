"""From encoders and tasks to scores: every clip embedded once, every task probed, encoders compared pair by pair.

A clip's embedding does not depend on its label, so that tasks over the same clips share their embeddings.
"""

import dataclasses
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from auricle import results
from auricle.embedding import EmbedProgress, embed_manifest, read_embeddings
from auricle.files import atomic_write
from auricle.manifest import Manifest
from auricle.results import Result
from auricle.stages import Finished, Stage, Stages, fingerprint_of_sound
from auricle.study.definition import Probe
from auricle.study.encoders import StudyEncoder
from auricle.study.sources import Task, clips_of
from auricle.transfer import Evaluation, evaluate, paired_difference

EMBEDDING_VERSION = 1
PROBING_VERSION = 1
COMPARISON_VERSION = 1

Rows = NDArray[np.int64]
_CLIP = "clip"  # column of a clip set: its own row number, carried through embedding
_FEW_NUMBERS = 4_000_000  # clips × dimensions
_EMBEDDINGS = "embeddings.parquet"
_RESULTS = "results.parquet"
_PREDICTIONS = "predictions.parquet"


@dataclass(frozen=True)
class ClipSet:
    """Clips that are embedded together.

    Attributes
    ----------
    name
        Of the task with the most of them.
    manifest
        The clips without any labels.
    rows
        For each task over these clips the row of each of its clips.
    """

    name: str
    manifest: Manifest
    rows: Mapping[str, Rows]

    @cached_property
    def sound(self) -> str:
        """Fingerprint of what is heard."""
        return fingerprint_of_sound(self.manifest)


@dataclass(frozen=True)
class Embedded:
    """The embeddings of a clip set by one encoder."""

    encoder: StudyEncoder
    clips: ClipSet
    stage: Finished

    def of(self, task: Task) -> tuple[Rows, NDArray[np.float32]]:
        """The rows of a task's manifest that could be embedded, and their embeddings ``(rows, dim)``."""
        table, vectors = read_embeddings(self.stage.folder / _EMBEDDINGS)
        place = np.full(len(self.clips.manifest), -1, dtype=np.int64)
        place[table.column(_CLIP).to_numpy()] = np.arange(len(vectors))
        places = place[self.clips.rows[task.name]]
        rows = np.flatnonzero(places >= 0)
        return rows, vectors[places[rows]]


def clip_sets(tasks: Sequence[Task]) -> list[ClipSet]:
    """The clips of all tasks; a task whose clips are all among another's is embedded with it."""
    clips = {task.name: clips_of(task.manifest) for task in tasks}
    hosts: list[tuple[Task, dict[Any, int], dict[str, Rows]]] = []
    for task in sorted(tasks, key=lambda task: -len(task.manifest)):
        own = clips[task.name]
        for _, index, rows in hosts:
            if all(clip in index for clip in own):
                rows[task.name] = np.array([index[clip] for clip in own])
                break
        else:
            index = {clip: row for row, clip in enumerate(own)}
            hosts.append((task, index, {task.name: np.arange(len(own))}))
    found = []
    for task, _, rows in hosts:
        names = [name for name in ("path", "start", "end") if task.manifest.has(name)]
        plain = Manifest(task.manifest.table.select(names), task.manifest.root, task.manifest.source)
        found.append(ClipSet(task.name, plain.with_column(_CLIP, list(range(len(plain)))), rows))
    return found


def embed(
    stages: Stages,
    encoder: StudyEncoder,
    clips: ClipSet,
    *,
    device: torch.device,
    progress: Callable[[EmbedProgress], None],
) -> Embedded:
    """Embed a clip set, or go on with it; nothing if it is finished."""

    def work(folder: Path) -> dict[str, Any]:
        done = embed_manifest(encoder.load(device), clips.manifest, out=folder / _EMBEDDINGS, progress=progress)
        return {"rows": done.rows, "rejected": done.rejected, "audio_seconds": round(done.seconds, 2)}

    inputs = {"weights": encoder.fingerprint, "sound": clips.sound}
    stage = Stage("embedding", f"{clips.name}-{encoder.label}", EMBEDDING_VERSION, inputs)
    return Embedded(encoder, clips, stages.run(stage, work, resumable=True, outputs=[_EMBEDDINGS]))


@dataclass(frozen=True)
class Probed:
    """The scores of one encoder on one task."""

    encoder: StudyEncoder
    task: Task
    stage: Finished
    key: str

    @cached_property
    def results(self) -> list[Result]:
        """All scores, under the names of this study."""
        trained_on = self.encoder.diet if self.encoder.kind == "trained" else None
        return [
            dataclasses.replace(row, model=self.encoder.model, diet=trained_on, task=self.task.name)
            for row in results.read(self.stage.folder / _RESULTS)
        ]

    def predictions(self) -> pa.Table:
        """One row per test clip and seed."""
        return pq.read_table(self.stage.folder / _PREDICTIONS)

    @property
    def summary(self) -> Result:
        """The one score that stands for the task."""
        return next(row for row in self.results if row.is_summary and row.metric == self.task.metric)


def probe(stages: Stages, settings: Probe, embedded: Embedded, task: Task, *, device: torch.device) -> Probed:
    """Score one encoder on one task, unless it is done."""
    encoder = embedded.encoder

    def work(folder: Path) -> dict[str, Any]:
        rows, vectors = embedded.of(task)
        manifest = task.manifest if len(rows) == len(task.manifest) else task.manifest.select(rows)
        with _as_many_threads_as_it_takes(vectors.size):
            found = evaluate(
                vectors,
                manifest,
                task=task.name,
                model=encoder.model,
                weights_fingerprint=encoder.fingerprint,
                protocol=settings.protocol,
                settings=settings.settings(),
                kind=task.kind,
                positive=task.positive,
                seeds=settings.seeds,
                device=device,
            )
        results.write(folder / _RESULTS, found.results)
        with atomic_write(folder / _PREDICTIONS) as temporary:
            pq.write_table(found.predictions, temporary)
        return {"clips": len(rows), "left_out": len(task.manifest) - len(rows)}

    inputs = {
        "weights": encoder.fingerprint,
        "sound": task.sound,
        "labels": task.manifest.fingerprint,
        "kind": [task.kind, task.positive],
        "protocol": [settings.protocol, dataclasses.asdict(settings.settings()), list(settings.seeds)],
    }
    stage = Stage("probing", f"{task.name}-{encoder.label}", PROBING_VERSION, inputs)
    return Probed(encoder, task, stages.run(stage, work), stage.key)


@contextmanager
def _as_many_threads_as_it_takes(numbers: int) -> Iterator[None]:
    """One thread for few embeddings: on a busy machine many threads then wait for each other most of the time."""
    before = torch.get_num_threads()
    if numbers < _FEW_NUMBERS:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class Comparison:
    """One encoder against another on the same test clips; several seeds of an encoder count by their mean.

    Attributes
    ----------
    task, a, b
        Names of the task and titles of the encoders.
    difference
        Accuracy of a minus that of b, with its 95 % interval, None where there is a single cluster.
    p
        Of a two-sided paired permutation test within clusters.
    """

    task: str
    a: str
    b: str
    difference: float
    ci_low: float | None
    ci_high: float | None
    p: float

    def reversed(self) -> "Comparison":
        """The same with a and b exchanged."""
        low, high = (None if end is None else -end for end in (self.ci_high, self.ci_low))
        return Comparison(self.task, self.b, self.a, -self.difference, low, high, self.p)


def compare(stages: Stages, probed: Sequence[Probed], *, seed: int) -> list[Comparison]:
    """The comparisons that a report needs of one task.

    The best encoder with every other one, each trained encoder with its random self, and trained encoders with each
    other.
    """
    task = probed[0].task

    def work(folder: Path) -> dict[str, Any]:
        groups = {title: list(members) for title, members in _by_title(probed)}
        correct = {}
        for title, members in groups.items():
            found = [Evaluation(member.results, member.predictions()).correctness() for member in members]
            cluster = found[0][2]
            correct[title] = np.mean([share for _, share, _ in found], axis=0)
        compared = [
            Comparison(task.name, a, b, paired.difference, paired.ci_low, paired.ci_high, paired.p)
            for a, b in _pairs(groups)
            for paired in [paired_difference(correct[a], correct[b], cluster, seed=seed)]
        ]
        with atomic_write(folder / "comparisons.json") as temporary:
            temporary.write_text(json.dumps([dataclasses.asdict(entry) for entry in compared], indent=1))
        return {}

    inputs = {"probes": [[member.encoder.title, member.key] for member in probed], "task": task.name, "seed": seed}
    finished = stages.run(Stage("comparison", task.name, COMPARISON_VERSION, inputs), work)
    return [Comparison(**entry) for entry in json.loads((finished.folder / "comparisons.json").read_text())]


def mean_score(members: Iterable[Probed]) -> float:
    """Mean over encoders of the task's metric."""
    return float(np.mean([member.summary.value for member in members]))


def _by_title(probed: Sequence[Probed]) -> Iterable[tuple[str, Iterable[Probed]]]:
    return itertools.groupby(probed, key=lambda member: member.encoder.title)


def _pairs(groups: Mapping[str, list[Probed]]) -> list[tuple[str, str]]:
    """Titles of the encoders to compare, each pair once."""
    best = max(groups, key=lambda title: mean_score(groups[title]))
    pairs = [(best, other) for other in groups if other != best]
    kinds = {title: (members[0].encoder.kind, members[0].encoder.diet) for title, members in groups.items()}
    trained = [title for title, (kind, _) in kinds.items() if kind == "trained"]
    pairs += [(a, b) for a in trained for b, kind in kinds.items() if kind == ("random", kinds[a][1])]
    pairs += list(itertools.combinations(trained, 2))
    known: dict[frozenset[str], tuple[str, str]] = {}
    for pair in pairs:
        known.setdefault(frozenset(pair), pair)
    return list(known.values())
