"""Evaluate models on tasks: every clip embedded once, every probe and every comparison done once, to one results file.

::

    auricle evaluate byola-2022 logmel-stats --task esc50,nsynth --root /data --out results.parquet

Beside ``results.parquet`` lies ``results.work/`` with finished stages (:mod:`auricle.stages`): the same command goes on
where a stopped one was, and another model or task adds to what is there. Paired tests find the predictions there.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from auricle import results
from auricle.comparisons import Comparison
from auricle.embedding import choose_device
from auricle.embedding.file import write_rejected
from auricle.errors import AuricleError, Interrupted
from auricle.files import FolderLock
from auricle.models.pooled import WEIGHTED_LAYERS
from auricle.results import Result
from auricle.score_tables import ScoreTable, score_tables
from auricle.stages import Stages
from auricle.transfer import clip_sets
from auricle.transfer.clip_sets import Embedded
from auricle.transfer.contestants import Contestant, find_contestants
from auricle.transfer.events import Embedding, End, Notice, Plan, Report, Share, Work, say_nothing
from auricle.transfer.fitting import fit_probe
from auricle.transfer.leak_stage import leaks_of
from auricle.transfer.probing import (
    COMPARISON_SEED,
    Probed,
    ProbePlan,
    compare_pairs,
    learnt_from,
    probe,
    refuse_hopeless,
)
from auricle.transfer.protocols import protocol as protocol_named
from auricle.transfer.run_files import rejected_file, rejected_in, work_folder, write_details, write_index, write_leaks
from auricle.transfer.saved_probe import holds_probe, load_probe, refuse_another, save_probe
from auricle.transfer.task import Task, refuse_namesakes

DEFAULT_PROTOCOL = "auricle"

_Piece = TypeVar("_Piece")


@dataclass(frozen=True)
class RunSummary:
    """What an evaluation found.

    Attributes
    ----------
    out
        The results file.
    results
        All its rows.
    tables
        Its summaries for reading, with the paired tests between all models on every task.
    notices
        What whoever reads the scores should know.
    rejected
        Files that could not be read; they stand in `rejected_path`.
    """

    out: Path
    results: list[Result]
    tables: list[ScoreTable]
    notices: list[str]
    rejected: int

    @property
    def rejected_path(self) -> Path:
        """``FILE.rejected.csv``, which exists if anything was rejected."""
        return rejected_file(self.out)


def evaluate_models(
    models: Sequence[str],
    tasks: Sequence[Task],
    *,
    out: Path,
    protocols: Sequence[str] = (DEFAULT_PROTOCOL,),
    seeds: Sequence[int] | None = None,
    k: int | None = None,
    layer: str | None = None,
    pooling: str | None = None,
    probe_folder: Path | None = None,
    check_leaks: bool = True,
    workers: int | None = None,
    device: str = "auto",
    report: Report = say_nothing,
) -> RunSummary:
    """Score every model on every task under every protocol, and compare the models pair by pair.

    Parameters
    ----------
    models
        What :func:`auricle.load` takes.
    tasks
        From :func:`auricle.transfer.task_source.find_task`.
    out
        The results file, ``….parquet`` or ``….csv``; beside it lie ``….work/`` and what could not be read.
    protocols
        Names in `auricle.transfer.protocols.PROTOCOLS`.
    seeds
        Of the probes; those of the protocol when not given.
    k
        Learn from so many clips of each class only, drawn many times.
    layer, pooling
        Of all models that have the layer; see :func:`auricle.models.pooled.pooled`. ``"weighted"`` lets every probe
        learn how to weigh a model's layers.
    probe_folder
        Where to write a probe to be used (:mod:`auricle.transfer.saved_probe`), for one model on one task.
    check_leaks
        Whether to look first what stands on both sides of the splits of a user's own tasks
        (:mod:`auricle.transfer.leaks`), which takes decoding all clips once more.
    workers
        Processes that decode; by default one per available processor.
    device
        ``auto``, ``cpu`` or ``cuda``.
    report
        Is told what happens.

    Raises
    ------
    AuricleError
        When a model cannot be loaded, a task cannot be scored, `out` is there and holds no results, `probe_folder` a
        probe on another encoder or of another task, or another process works on it.
    Interrupted
        After Ctrl-C; the same call goes on.
    """
    if not models or not tasks:
        raise AuricleError("nothing to evaluate: give at least one model and one task")
    results.check_target(out)
    refuse_namesakes(tasks)
    names = list(dict.fromkeys(protocols))
    for name in names:
        protocol_named(name)  # an unknown one is said before anything is done
    plans = [ProbePlan(name, seeds=None if seeds is None else tuple(seeds), k=k) for name in names]
    if probe_folder is not None and (len(models), len(tasks), len(plans)) != (1, 1, 1):
        raise AuricleError("a probe is of one model, one task and one protocol: give one of each to save it")
    if probe_folder is not None and tasks[0].kind == "frames":
        raise AuricleError(f"{tasks[0].name} is a task over time: a probe to be saved is trained on clips")
    for task in tasks:
        if task.kind == "frames" and layer == WEIGHTED_LAYERS:
            raise AuricleError(f"{task.name} is a task over time, whose layers are not weighed: name one, or `all`")
        for plan in plans:
            refuse_hopeless(plan, task)
    contestants, remarks = find_contestants(models, layer=layer, pooling=pooling)
    if probe_folder is not None and holds_probe(probe_folder):
        refuse_another(load_probe(probe_folder), probe_folder, contestants[0].fingerprint, tasks[0].name)
    work = work_folder(out)
    with FolderLock(work):
        try:
            run = _Run(out, list(tasks), plans, device, workers, report)
            return run.all(contestants, remarks, probe_folder, check_leaks=check_leaks)
        except (KeyboardInterrupt, Interrupted):
            raise Interrupted(
                f"stopped; what is done is kept in {work}, and the same command goes on where it was"
            ) from None


class _Run:
    """One call of :func:`evaluate_models`."""

    def __init__(
        self, out: Path, tasks: list[Task], plans: list[ProbePlan], device: str, workers: int | None, report: Report
    ) -> None:
        self.out, self.tasks, self.plans, self.report = out, tasks, plans, report
        self.device = choose_device(device)
        self.workers = workers
        self.stages = Stages(work_folder(out))
        self.notices: list[str] = []

    def all(
        self, contestants: list[Contestant], remarks: Sequence[str], probe_folder: Path | None, *, check_leaks: bool
    ) -> RunSummary:
        classes = {task.name: task.classes for task in self.tasks if task.is_own}
        self.report(Plan(len(contestants), {task.name: len(task) for task in self.tasks}, classes))
        for text in [*remarks, *(text for task in self.tasks for text in task.notices)]:
            self._notice(text)
        if check_leaks:
            self._check_leaks()
        embedded = self._embed(contestants)
        rejected = self._reject(embedded)
        probed = self._probe(contestants, embedded)
        rows = [row for entry in probed for row in entry.results]
        metrics = {task.name: task.metric for task in self.tasks}
        tables = self._compare(score_tables(rows, metrics=metrics), probed)
        if probe_folder is not None:
            self._save_probe(probe_folder, probed[0], embedded[probed[0].encoder.label, probed[0].task.name])
        results.write(self.out, rows)
        write_index(self.out, probed)
        write_details(self.out, probed)
        self.report(End(self.stages.done, self.stages.cached, self.out))
        return RunSummary(self.out, rows, tables, self.notices, rejected)

    def _notice(self, text: str) -> None:
        self.notices.append(text)
        self.report(Notice(text))

    def _each(self, kind: str, pieces: Sequence[_Piece], name: Callable[[_Piece], str]) -> Iterator[_Piece]:
        """The pieces of some work, each of them reported when its turn comes."""
        for done, piece in enumerate(pieces):
            self.report(Work(kind, name(piece), done, len(pieces)))
            yield piece
        self.report(Work(kind, "", len(pieces), len(pieces)))

    def _check_leaks(self) -> None:
        """Say what is wrong with the splits that nobody has looked at yet, or that nothing is."""
        leaks = []
        for task in self.tasks:
            if task.is_own:
                found = leaks_of(self.stages, task, workers=self.workers, report=self.report)
                for sentence in found.facts["sentences"] or ["nothing stands on both sides of its split"]:
                    self._notice(f"{task.name}: {sentence}")
                if found.facts["pairs"]:
                    leaks.append(found.folder)
        if leaks:
            self._notice(f"which clips these are: {write_leaks(self.out, leaks)}")

    def _embed(self, contestants: list[Contestant]) -> dict[tuple[str, str], Embedded[Contestant]]:
        """The embeddings of each model (by its label) for each task (by its name)."""
        pieces = [(model, clips) for clips in clip_sets.clip_sets(self.tasks) for model in contestants]
        found: dict[tuple[str, str], Embedded[Contestant]] = {}
        for model, clips in self._each("embedding", pieces, lambda piece: f"{_short(piece[1].name)}, {piece[0].label}"):
            embedded = clip_sets.embed(
                self.stages,
                model,
                clips,
                device=self.device,
                workers=self.workers,
                progress=lambda now: self.report(Embedding(now)),
            )
            found |= {(model.label, task): embedded for task in clips.rows}
        return found

    def _reject(self, embedded: dict[tuple[str, str], Embedded[Contestant]]) -> int:
        """Say what could not be read, by any model; how many files that are."""
        tables = dict.fromkeys(entry.rejected for entry in embedded.values() if entry.rejected is not None)
        rejected = list({entry.path: entry for table in tables for entry in rejected_in(table)}.values())
        if rejected:
            path = rejected_file(self.out)
            write_rejected(rejected, path)
            count = len(rejected)
            files = "1 file that cannot be read is" if count == 1 else f"{count:,} files that cannot be read are"
            self._notice(f"{files} left out ({path})")
        return len(rejected)

    def _probe(
        self, contestants: list[Contestant], embedded: dict[tuple[str, str], Embedded[Contestant]]
    ) -> list[Probed[Contestant]]:
        pieces = [(plan, model, task) for plan in self.plans for task in self.tasks for model in contestants]
        return [
            probe(
                self.stages,
                plan,
                embedded[model.label, task.name],
                task,
                device=self.device,
                progress=lambda share: self.report(Share(share)),
            )
            for plan, model, task in self._each(
                "probing", pieces, lambda piece: f"{piece[2].short_name}, {piece[1].label}, {piece[0].protocol}"
            )
        ]

    def _save_probe(self, folder: Path, probed: Probed[Contestant], embedded: Embedded[Contestant]) -> None:
        """Train a probe to be used, and write it with what it scored."""
        task, encoder, plan = probed.task, probed.encoder, self.plans[0]
        assert task.kind != "frames"
        clips, vectors, manifest, rows = learnt_from(embedded, task)
        fitted = fit_probe(
            vectors,
            manifest,
            kind=task.kind,
            positive=task.positive,
            protocol=plan.protocol,
            settings=plan.settings,
            seeds=protocol_named(plan.protocol).seeds if plan.seeds is None else plan.seeds,
            rows=rows,
            layers=embedded.weighed_layers,
            device=self.device,
        )
        save_probe(
            folder,
            fitted,
            model=encoder.source,
            weights_fingerprint=encoder.fingerprint,
            manifest=manifest if rows is None else task.select(clips[clips >= 0][:1]),
            layer=encoder.layer,
            pooling=encoder.pooling,
            task=task.name,
            protocol=probed.summary.protocol,
            scores={row.metric: row.value for row in probed.results if row.is_summary},
        )

    def _compare(self, tables: list[ScoreTable], probed: list[Probed[Contestant]]) -> list[ScoreTable]:
        by_row = {results.identity(row): entry for entry in probed for row in entry.results if row.is_summary}
        columns = iter(self._each("comparing", [task for table in tables for task in table.tasks], _short))

        def compare(title: str, scores: Sequence[tuple[str, Result]]) -> list[Comparison]:
            next(columns)
            members = {model: [by_row[results.identity(score)]] for model, score in scores}
            pairs = list(itertools.combinations(members, 2))
            if not pairs:
                return []
            return compare_pairs(self.stages, title, members, pairs, metric=scores[0][1].metric, seed=COMPARISON_SEED)

        compared = [table.compared(compare) for table in tables]
        next(columns, None)
        return compared


def _short(task: str) -> str:
    """A task's name without what stands in brackets, for bars that have little room."""
    return task.partition(" (")[0]
