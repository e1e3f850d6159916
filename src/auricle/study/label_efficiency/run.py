"""Run a label-efficiency study: weights → learning rates and seeds at every share of the labels → curves."""

import hashlib
import json
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from auricle.files import atomic_write
from auricle.finetuning import events as finetuning_events
from auricle.finetuning.labelled_clips import learnable, partition_of
from auricle.models import registry
from auricle.stages import Finished
from auricle.study import encoders, events
from auricle.study.encoders import Wanted
from auricle.study.label_efficiency.definition import SCRATCH, STARTS, LabelEfficiency
from auricle.study.label_efficiency.figures import write_figure
from auricle.study.label_efficiency.outcome import Curves, Outcome, chosen, curves_of, percent
from auricle.study.label_efficiency.report import write_report
from auricle.study.label_efficiency.training import Trained, as_table, train, training_stage
from auricle.study.session import Findings, Session
from auricle.study.sources import Diet
from auricle.transfer.splits import Partition
from auricle.transfer.task import Task
from auricle.words import counted

FIGURE, TRAININGS = "label-efficiency.png", "trainings.json"


def run_label_efficiency(study: LabelEfficiency, session: Session) -> Findings:
    """Do all of a label-efficiency study that is not done yet."""
    return _Run(study, session).all()


@dataclass(frozen=True)
class _Weights:
    """A model to start from: what :func:`auricle.load` takes, and its fingerprint."""

    source: str
    fingerprint: str


class _Run:
    """One call of :func:`run_label_efficiency`."""

    def __init__(self, study: LabelEfficiency, session: Session) -> None:
        self.study, self.session, self.stages = study, session, session.stages
        self.turn, self.turns = 0, 0  # of the training that goes on, and of how many

    def all(self) -> Findings:
        study, session = self.study, self.session
        diets, tasks = session.find({} if study.weights else {"pre-training": study.diet}, study.tasks)
        for task in tasks:  # refused before anything takes time
            learnable(task, self._part(task))
        self._say_plan(tasks)
        pretraining = self._pretrain(diets[0]) if diets else None
        pretrained = _pretrained(study, pretraining)
        curves = [self._curves(task, pretrained) for task in tasks]
        session.tell(events.Work(self._kind, "", self.turns, self.turns))
        encoder = registry.load(pretrained.source)
        recipe = encoders.recipe_of(study.pretraining, seed=0).name
        outcome = Outcome(
            study=study,
            command=session.command,
            model=encoder.architecture,
            fingerprint=pretrained.fingerprint,
            parameters=encoder.parameters_count,
            source=study.weights or f"pre-trained by the recipe {recipe} on {', '.join(study.diet)}",
            pretraining=pretraining,
            curves=curves,
            notices=session.notices,
            seconds=self.stages.seconds,
        )
        files = {FIGURE: partial(write_figure, curves), TRAININGS: partial(_write_trainings, curves)}
        return Findings(outcome.results, partial(write_report, outcome), files, tuple(outcome.sentences))

    # --- before any label is used -----------------------------------------------------------------------------------

    def _part(self, task: Task) -> Partition:
        return partition_of(task, self.study.fold if task.manifest.has("fold") else None)

    def _pretrain(self, diet: Diet) -> Finished:
        how = self.study.pretraining
        wanted = Wanted(diet.name, how, diet, how.seeds[0])
        if self.stages.find(wanted.stage) is None:
            recipe = encoders.recipe_of(how, seed=wanted.seed)
            length = f"{recipe.epochs:,} epochs" if recipe.steps is None else f"{recipe.steps:,} steps"
            self._say(
                f"  first, pre-training: {length} of {recipe.name} on {', '.join(diet.sources)}, "
                "whose audio is decoded before"
            )
        return self.session.pretrain([wanted])[0].stage

    def _say_plan(self, tasks: list[Task]) -> None:
        study = self.study
        self.turns = len(tasks) * len(study.shares) * study.rates
        rates = ", ".join(f"{len(study.start(start).learning_rates)} {start}" for start in STARTS)
        seeds = len(study.seeds) - 1
        more = f", then {seeds} more seed{'' if seeds == 1 else 's'} at the best of them" if seeds else ""
        self._say(
            f"plan: {self.turns} trainings: {counted(len(tasks), 'task')} × "
            f"{len(study.shares)} shares of the labels × learning rates ({rates}){more}"
        )
        for task in tasks:
            part = self._part(task)
            clips = " · ".join(f"{round(share * len(part.train)):,}" for share in study.shares)
            fold = "" if part.fold is None else f", fold {part.fold} tested"
            self._say(
                f"  {task.name}{fold}: {clips} labelled clips; {len(part.valid):,} select, {len(part.test):,} score"
            )

    def _say(self, line: str) -> None:
        self.session.tell(events.Said(line))

    # --- trainings --------------------------------------------------------------------------------------------------

    @property
    def _kind(self) -> str:
        return f"training {self.turns} models"

    def _curves(self, task: Task, pretrained: _Weights) -> Curves:
        trained = [
            one
            for share in self.study.shares
            for start in STARTS
            for one in self._point(task, start, share, pretrained)
        ]
        shutil.rmtree(self._decoded(task), ignore_errors=True)
        return curves_of(self.study, task, trained)

    def _point(self, task: Task, start: str, share: float, pretrained: _Weights) -> list[Trained]:
        """Every learning rate with the first seed, and the best of them with the others."""
        study = self.study
        before = self.stages.done
        first, *others = study.seeds
        found = [self._train(task, start, share, rate, first, pretrained) for rate in study.start(start).learning_rates]
        best = chosen(found)[0].rate
        found += [self._train(task, start, share, best, seed, pretrained) for seed in others]
        if self.stages.done > before:
            scores = [row.value for one in chosen(found) for row in one.results() if row.metric == task.metric]
            mean = percent(sum(scores) / len(scores))
            self._say(f"{task.short_name}, {share:.2g} of the labels, {start}: {mean} % at a learning rate of {best:g}")
        return found

    def _train(self, task: Task, start: str, share: float, rate: float, seed: int, pretrained: _Weights) -> Trained:
        stages, clips = self.stages, len(self._part(task).train)
        weights = pretrained
        if start == SCRATCH:
            name = Path(pretrained.source).name if self.study.weights else "pre-trained"
            fresh = encoders.random_self(stages, pretrained.source, pretrained.fingerprint, seed, name=name)
            weights = _Weights(str(fresh.folder), fresh.facts["weights_fingerprint"])
        recipe = self.study.recipe(start, task, model=weights.source, share=share, rate=rate, seed=seed, clips=clips)
        stage = training_stage(task, weights.fingerprint, recipe, start=start)
        what = f"{task.short_name}, {share:.2g} of the labels, {start}, rate {rate:g}, seed {seed}"
        self._tell(what)
        tell = partial(self._listen, what)
        finished = train(stages, task, stage, recipe, decoded=self._decoded(task), tell=tell)
        self.turn += 1
        return Trained(start, share, seed, rate, round(share * clips), finished)

    def _listen(self, what: str, event: finetuning_events.Event) -> None:
        match event:
            case finetuning_events.Step():
                best = "" if event.best is None else f", best {percent(event.best)} %"
                self._tell(f"{what}: epoch {event.epoch:.1f}{best}")
            case finetuning_events.Decoding(share):
                self._tell(f"{what}: decoding, {share:.0%}")
            case finetuning_events.Note(text):
                self.session.tell(events.Notice(f"{what}: {text}"))

    def _tell(self, what: str) -> None:
        self.session.tell(events.Work(self._kind, what, self.turn, self.turns))

    def _decoded(self, task: Task) -> Path:
        """Where the task's decoded audio lies while its models are trained."""
        part = self._part(task)
        key = hashlib.sha256(json.dumps([task.sound, part.fold]).encode()).hexdigest()[:12]
        return self.stages.root / "decoded" / f"{task.short_name}-{key}"


def _pretrained(study: LabelEfficiency, pretraining: Finished | None) -> _Weights:
    if pretraining is None:
        source = str(study.weights)
        return _Weights(source, registry.load(source).weights_fingerprint)
    return _Weights(str(pretraining.folder / "model"), pretraining.facts["weights_fingerprint"])


def _write_trainings(curves: list[Curves], path: Path) -> None:
    rows = [row for of_task in curves for row in as_table(of_task.trained, of_task.task)]
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
