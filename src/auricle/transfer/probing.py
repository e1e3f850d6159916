"""Scores as finished stages: an encoder probed on a task once, and encoders compared pair by pair on its test clips."""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, reduce
from pathlib import Path
from typing import Any, Generic

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from auricle import results
from auricle.comparisons import Comparison
from auricle.errors import AuricleError
from auricle.files import atomic_write
from auricle.manifest import Manifest
from auricle.results import Result
from auricle.stages import Finished, Stage, Stages
from auricle.transfer.clip_sets import CandidateT, Embedded, Rows
from auricle.transfer.evaluation import Evaluation, evaluate
from auricle.transfer.few_shot import shots
from auricle.transfer.frames import evaluate_frames, refuse_unfit
from auricle.transfer.paired import answers_of, compared_by, paired_answers, permutations_for
from auricle.transfer.probe import ProbeSettings, Progress, say_nothing
from auricle.transfer.protocols import protocol as protocol_named
from auricle.transfer.splits import of_clips, partitions
from auricle.transfer.targets import refuse_unlearnable, targets_of
from auricle.transfer.task import Task

PROBING_VERSION = 3
COMPARISON_VERSION = 3
COMPARISON_SEED = 0

_FEW_NUMBERS = 4_000_000  # clips × dimensions
_RESULTS = "results.parquet"
_PREDICTIONS = "predictions.parquet"
PER_CLASS = "per_class.parquet"
CONFUSION = "confusion.parquet"


@dataclass(frozen=True)
class ProbePlan:
    """How tasks are scored.

    Attributes
    ----------
    protocol
        A name in `auricle.transfer.protocols.PROTOCOLS`.
    settings
        Those of the protocol when None, or others; results then say in what they depart.
    seeds
        One probe per seed and fold; those of the protocol when None.
    k
        Clips of each class to learn from, where there shall be few.
    """

    protocol: str
    settings: ProbeSettings | None = None
    seeds: tuple[int, ...] | None = None
    k: int | None = None

    def inputs(self, task: str) -> list[Any]:
        """All that decides a task's scores, as a stage's input."""
        chosen = protocol_named(self.protocol)
        settings = chosen.settings_for(task) if self.settings in (None, chosen.settings) else self.settings
        seeds = chosen.seeds if self.seeds is None else self.seeds
        return [self.protocol, dataclasses.asdict(settings), list(seeds), self.k]


@dataclass(frozen=True)
class Probed(Generic[CandidateT]):
    """The scores of one encoder on one task."""

    encoder: CandidateT
    task: Task
    stage: Finished
    key: str

    @cached_property
    def results(self) -> list[Result]:
        """All scores, under the names that encoder and task have here."""
        names: dict[str, Any] = dict(self.encoder.names)
        return [
            dataclasses.replace(row, task=self.task.name, **names) for row in results.read(self.stage.folder / _RESULTS)
        ]

    def predictions(self) -> pa.Table:
        """One row per test clip and seed."""
        return pq.read_table(self.stage.folder / _PREDICTIONS)

    def table(self, name: str) -> pa.Table:
        """:data:`PER_CLASS` or :data:`CONFUSION`, with columns ahead that say of what."""
        table = pq.read_table(self.stage.folder / name)
        of = {"model": self.encoder.label, "task": self.task.name, "protocol": self.summary.protocol}
        for position, (column, value) in enumerate(of.items()):
            table = table.add_column(position, column, pa.array([value] * len(table), pa.string()))
        return table

    def evaluation(self) -> Evaluation:
        """Scores and predictions."""
        return read_evaluation(self.stage.folder)

    @property
    def summary(self) -> Result:
        """The one score that stands for the task."""
        return next(row for row in self.results if row.is_summary and row.metric == self.task.metric)


def read_evaluation(folder: Path) -> Evaluation:
    """What :func:`probe` wrote."""
    return Evaluation(results.read(folder / _RESULTS), pq.read_table(folder / _PREDICTIONS))


def refuse_hopeless(plan: ProbePlan, task: Task) -> None:
    """Make sure, before anything is embedded, that a task can be learnt, selected and scored as planned.

    Raises
    ------
    AuricleError
        When none of a user's own files is there, there is one class only, a class has no training clips or fewer than
        shots, and so on.
    """
    if task.is_own and not any(file.is_file() for file in task.manifest.files):
        raise AuricleError(
            f"{task.manifest.source}: none of its {len(task.manifest):,} files is there, expected "
            f"{task.manifest.files[0]} and so on; give --root FOLDER if paths start from there"
        )
    if task.kind == "frames":
        _refuse_shots_over_time(plan, task)
        refuse_unfit(task.manifest, positive=task.positive, protocol=plan.protocol)
        return
    chosen = protocol_named(plan.protocol)
    seeds = chosen.seeds if plan.seeds is None else plan.seeds
    if not seeds:
        raise AuricleError("a score needs at least one seed: give one or more")
    seed = seeds[0] if plan.k is None else 0
    targets = targets_of(task.manifest, kind=task.kind, positive=task.positive)
    parts = partitions(task.manifest, division=chosen.division, seed=seed)
    if task.rows is not None:
        targets, parts = targets.of_clips(task.rows), [of_clips(part, task.rows) for part in parts]
    refuse_unlearnable(targets, parts, task.manifest.source)
    if plan.k is not None:
        for part in parts:
            shots(targets, part, k=plan.k, draw=0, source=task.manifest.source)


def _refuse_shots_over_time(plan: ProbePlan, task: Task) -> None:
    if plan.k is not None:
        raise AuricleError(f"{task.name} is a task of frames, which has no few-shot variant: leave it or --k-shot out")


def probe(
    stages: Stages,
    plan: ProbePlan,
    embedded: Embedded[CandidateT],
    task: Task,
    *,
    device: torch.device,
    progress: Progress = say_nothing,
) -> Probed[CandidateT]:
    """Score one encoder on one task, unless it is done; `progress` is told how much of the training is over."""
    encoder = embedded.encoder

    def work(folder: Path) -> dict[str, Any]:
        found, left_out = (_over_time if task.kind == "frames" else _by_clip)(plan, embedded, task, device, progress)
        predictions = found.predictions
        fingerprint = task.fingerprint
        results.write(
            folder / _RESULTS, [dataclasses.replace(row, dataset_fingerprint=fingerprint) for row in found.results]
        )
        for name, table in ((_PREDICTIONS, predictions), (PER_CLASS, found.per_class), (CONFUSION, found.confusion)):
            with atomic_write(folder / name) as temporary:
                pq.write_table(table, temporary)
        return {"clips": len(task) - left_out, "left_out": left_out}

    inputs = {
        "weights": encoder.fingerprint,
        "sound": task.sound,
        "labels": task.fingerprint,
        "kind": [task.kind, task.positive],
        "protocol": plan.inputs(task.name),
    }
    stage = Stage("probing", f"{task.name}-{encoder.label}", PROBING_VERSION, inputs)
    return Probed(encoder, task, stages.run(stage, work), stage.key)


def _by_clip(
    plan: ProbePlan, embedded: Embedded[Any], task: Task, device: torch.device, progress: Progress
) -> tuple[Evaluation, int]:
    """Score a task of clips; how many of its clips could not be embedded."""
    assert task.kind != "frames"
    clips, vectors, manifest, rows = learnt_from(embedded, task)
    with as_many_threads_as_it_takes(vectors.size):
        found = evaluate(
            vectors,
            manifest,
            kind=task.kind,
            k=plan.k,
            rows=rows,
            layers=embedded.weighed_layers,
            progress=progress,
            **_asked(plan, embedded, task, device),
        )
    # Clips that could not be embedded are missing, but what is there keeps its number.
    numbers = clips[found.predictions.column("row").to_numpy()]
    at = found.predictions.column_names.index("row")
    predictions = found.predictions.set_column(at, "row", pa.array(numbers))
    if task.excerpts is not None:
        starts = task.excerpts.starts(numbers)
        ends = np.round(starts + task.excerpts.windows.seconds, 6)
        at = predictions.column_names.index("path") + 1
        predictions = predictions.add_column(at, "end", pa.array(ends)).add_column(at, "start", pa.array(starts))
    return dataclasses.replace(found, predictions=predictions), len(task) - int(np.count_nonzero(clips >= 0))


def learnt_from(
    embedded: Embedded[Any], task: Task
) -> tuple[Rows, NDArray[np.float32], Manifest, NDArray[np.integer[Any]] | None]:
    """What a task of clips has to learn from.

    Returns
    -------
    clips
        ``(n,)`` numbers of the clips that could be embedded; -1 where an embedding is of another task's.
    embeddings
        ``(n, dim)``.
    manifest
        What is known of them: a row for each, or of the segments that they are excerpts of.
    rows
        ``(n,)``: row of each where they are excerpts, -1 for another task's; None otherwise.
    """
    if task.rows is None:
        clips, vectors = embedded.of(task)
        return clips, vectors, task.manifest if len(clips) == len(task) else task.manifest.select(clips), None
    clips, vectors = embedded.whole(task)  # a part of millions would have to be taken into memory
    return clips, vectors, task.manifest, np.where(clips >= 0, task.rows[clips], -1)


def _over_time(
    plan: ProbePlan, embedded: Embedded[Any], task: Task, device: torch.device, progress: Progress
) -> tuple[Evaluation, int]:
    """Score a task of frames; how many annotated segments are in recordings that could not be embedded."""
    _refuse_shots_over_time(plan, task)
    frames, there = embedded.frames_of(task)
    rows = [row for row, path in enumerate(task.manifest.column("path")) if path in there]
    manifest = task.manifest if len(rows) == len(task.manifest) else task.manifest.select(rows)
    found = evaluate_frames(frames, manifest, progress=progress, **_asked(plan, embedded, task, device))
    return found, len(task.manifest) - len(rows)


def _asked(plan: ProbePlan, embedded: Embedded[Any], task: Task, device: torch.device) -> dict[str, Any]:
    """What clips and frames are scored by alike."""
    return {
        "task": task.name,
        "model": embedded.encoder.names["model"] or "",
        "weights_fingerprint": embedded.encoder.fingerprint,
        "protocol": plan.protocol,
        "settings": plan.settings,
        "positive": task.positive,
        "seeds": plan.seeds,
        "device": device,
    }


@contextmanager
def as_many_threads_as_it_takes(numbers: int) -> Iterator[None]:
    """One thread for few embeddings: on a busy machine many threads then wait for each other most of the time."""
    before = torch.get_num_threads()
    if numbers < _FEW_NUMBERS:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def compare_evaluations(
    task: str,
    scored: Mapping[str, Sequence[Evaluation]],
    pairs: Sequence[tuple[str, str]],
    *,
    metric: str,
    seed: int,
) -> list[Comparison]:
    """Comparisons of models on the test clips of one task that all of them were scored on.

    Parameters
    ----------
    task
        What the comparisons call the task.
    scored
        For each model its evaluation; of several, which differ in nothing but a seed, the mean counts.
    pairs
        Models to compare.
    metric
        By which; there are no comparisons by one that cannot be taken apart clip by clip.
    seed
        Of the resamples.
    """
    if not pairs:
        return []
    metric = compared_by(metric, next(iter(scored.values()))[0])
    answers = {title: answers_of(evaluations, metric) for title, evaluations in scored.items()}
    known = {title: found for title, found in answers.items() if found is not None}
    if len(known) < len(answers):
        return []
    common = reduce(np.intersect1d, [found.rows for found in known.values()])
    same = {title: found.at(common) for title, found in known.items()}
    permutations = permutations_for(len(pairs))
    return [
        Comparison(task, a, b, paired.difference, paired.ci_low, paired.ci_high, paired.p, paired.clusters)
        for a, b in pairs
        for paired in [paired_answers(metric, same[a], same[b], permutations=permutations, seed=seed)]
    ]


def compare_pairs(
    stages: Stages,
    task: str,
    probed: Mapping[str, Sequence[Probed[Any]]],
    pairs: Sequence[tuple[str, str]],
    *,
    metric: str,
    seed: int,
) -> list[Comparison]:
    """What :func:`compare_evaluations` finds, unless it is done."""

    def work(folder: Path) -> dict[str, Any]:
        scored = {title: [member.evaluation() for member in members] for title, members in probed.items()}
        compared = compare_evaluations(task, scored, pairs, metric=metric, seed=seed)
        with atomic_write(folder / "comparisons.json") as temporary:
            temporary.write_text(json.dumps([dataclasses.asdict(entry) for entry in compared], indent=1))
        return {}

    inputs = {
        "probes": [[title, member.key] for title, members in probed.items() for member in members],
        "pairs": [list(pair) for pair in pairs],
        "task": task,
        "metric": metric,
        "seed": seed,
    }
    finished = stages.run(Stage("comparison", task, COMPARISON_VERSION, inputs), work)
    return [Comparison(**entry) for entry in json.loads((finished.folder / "comparisons.json").read_text())]
