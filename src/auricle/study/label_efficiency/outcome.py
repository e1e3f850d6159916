"""What a label-efficiency study found: scores over shares of the labels, and what pre-training is worth in labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from auricle.finetuning.scoring import answers
from auricle.results import Result
from auricle.stages import Finished
from auricle.study.intervals import Floats, Value, with_interval
from auricle.study.label_efficiency.curve import Point, Worth, replicates, worth
from auricle.study.label_efficiency.definition import PRETRAINED, SCRATCH, STARTS, LabelEfficiency
from auricle.study.label_efficiency.training import Trained
from auricle.transfer.bootstrap import REPLICATES
from auricle.transfer.targets import targets_of
from auricle.transfer.task import Task
from auricle.words import listed


@dataclass(frozen=True)
class Curves:
    """What was found on one task.

    Attributes
    ----------
    task
        Which.
    shares
        Ascending, the last is 1.
    trained
        Every training, those included that only a learning rate was chosen by.
    values
        Metric → (start, share) → value and bootstrap replicates, means over seeds; of one cluster no replicates.
    test_clips, clusters
        How many were scored, and how many units of the bootstrap they make.
    """

    task: Task
    shares: tuple[float, ...]
    trained: list[Trained]
    values: dict[str, dict[Point, Floats]]
    test_clips: int
    clusters: int

    @property
    def _main(self) -> dict[Point, Floats]:
        return self.values[self.task.metric]

    def score(self, start: str, share: float) -> Value:
        """The task's metric."""
        return valued(self._main[start, share])

    def difference(self, share: float, other: float) -> Value:
        """Pre-trained on a share of the labels, minus from scratch on another one."""
        return valued(self._main[PRETRAINED, share] - self._main[SCRATCH, other])

    @property
    def worth(self) -> Worth:
        """The share at which the pre-trained model equals the one from scratch with all labels."""
        pretrained = [self._main[PRETRAINED, share] for share in self.shares]
        return worth(self.shares, pretrained, self._main[SCRATCH, 1.0])

    def chosen(self, start: str, share: float) -> list[Trained]:
        """The trainings at the learning rate that the first seed chose, seed by seed."""
        return chosen([one for one in self.trained if (one.start, one.share) == (start, share)])

    def clips(self, share: float) -> int:
        """Labelled clips of a share."""
        return next(one.clips for one in self.trained if one.share == share)


def valued(values: Floats) -> Value:
    """A value, with its interval where it has replicates."""
    return with_interval(values) if len(values) > 1 else Value(float(values[0]), None, None)


def chosen(trained: Sequence[Trained]) -> list[Trained]:
    """Of the trainings at one point, those at the rate with which the first seed has the best validation score."""
    first = trained[0].seed
    best = max((one for one in trained if one.seed == first), key=lambda one: one.valid)
    return [one for one in trained if one.rate == best.rate]


def curves_of(study: LabelEfficiency, task: Task, trained: list[Trained]) -> Curves:
    """Scores with intervals of a task's trainings."""
    targets = targets_of(task.manifest, kind=task.kind, positive=task.positive)
    given = {}
    for start in STARTS:
        for share in study.shares:
            logits = [
                one.logits() for one in chosen([one for one in trained if (one.start, one.share) == (start, share)])
            ]
            rows = logits[0][0]
            given[start, share] = [answers(targets.kind, of_seed) for _, of_seed in logits]
    manifest = task.manifest
    clusters = next((manifest.column(name) for name in ("cluster", "group") if manifest.has(name)), None)
    of_clip = [clusters[row] if clusters else None for row in rows]
    named = len(set(of_clip) - {None}) + of_clip.count(None)
    draws = REPLICATES if named > 1 else 0  # one cluster says nothing about another
    values = replicates(targets.kind, targets.values[rows], given, of_clip, draws=draws, seed=study.seed)
    return Curves(task, study.shares, trained, values, len(rows), named)


@dataclass(frozen=True)
class Outcome:
    """All that a report shows.

    Attributes
    ----------
    study, command
        Its definition, and what repeats it.
    model, fingerprint, parameters
        The pre-trained encoder.
    source
        Where its weights come from, in words.
    pretraining
        Its stage; None for existing weights.
    curves
        Task by task.
    notices, seconds
        What a reader should know; time of all stages together.
    """

    study: LabelEfficiency
    command: str
    model: str
    fingerprint: str
    parameters: int
    source: str
    pretraining: Finished | None
    curves: list[Curves]
    notices: list[str]
    seconds: float

    @property
    def results(self) -> list[Result]:
        """Rows of the results file: every seed, and the means with their intervals."""
        return [row for curves in self.curves for row in _results(self, curves)]

    @property
    def sentences(self) -> list[str]:
        """The summary."""
        return [sentence for curves in self.curves for sentence in _sentences(self.study, curves)]


def _results(outcome: Outcome, curves: Curves) -> list[Result]:
    task, rows = curves.task, []
    for start in STARTS:
        for share in curves.shares:
            row = partial(
                Result,
                model=f"{outcome.model} {start}",
                task=task.name,
                dataset_fingerprint=task.fingerprint,
                protocol=f"label-efficiency, {share:.3g} of the labels",
                k=curves.clips(share),
                n=curves.test_clips,
                diet=", ".join(outcome.study.diet) or None if start == PRETRAINED else None,
            )
            for metric, values in curves.values.items():
                value = valued(values[start, share])
                rows.append(row(metric=metric, value=value.value, ci_low=value.low, ci_high=value.high))
                for one in curves.chosen(start, share):
                    own = next(found for found in one.results() if found.metric == metric)
                    rows.append(row(metric=metric, value=own.value, seed=one.seed))
    return rows


def percent(value: float) -> str:
    """A fraction in per cent."""
    return f"{100 * value:.1f}"


def in_points(value: Value) -> str:
    """A difference of fractions in percentage points, with its interval."""

    def signed(number: float) -> str:
        return f"{100 * number:+.1f}".replace("-", "−")

    if value.low is None or value.high is None:
        return signed(value.value)
    return f"{signed(value.value)} ({signed(value.low)} … {signed(value.high)})"


def _sentences(study: LabelEfficiency, curves: Curves) -> list[str]:
    task, found = curves.task, curves.worth
    metric = task.metric.replace("_", " ")
    scratch = curves.score(SCRATCH, 1.0)
    said = []
    if found.is_reached:
        said.append(
            f"{task.name}: the pre-trained model equals the one from scratch with all {curves.clips(1.0):,} labels "
            f"({percent(scratch.value)} % {metric}) at a share of {found.in_words()} of them."
        )
    else:
        best = percent(curves.score(PRETRAINED, 1.0).value)
        said.append(
            f"{task.name}: with all {curves.clips(1.0):,} labels the pre-trained model does not reach the one from "
            f"scratch, {best} against {percent(scratch.value)} % {metric}; share that equals them: {found.in_words()}."
        )
    difference = curves.difference(study.claim, 1.0)
    said.append(
        f"{task.name}: with {study.claim:.2g} of the labels it is {in_points(difference)} points from the one from "
        "scratch with all of them."
    )
    if curves.clusters == 1:
        said.append(f"{task.name}: the test part is one cluster, clips that belong together: no interval.")
    capped = sum(not one.stage.facts["plateau"] for one in curves.trained)
    if capped:
        said.append(
            f"{task.name}: {capped} of {len(curves.trained)} trainings ended before validation stood still; raise "
            "training.epochs."
        )
    edge = _at_an_end(study, curves)
    if edge:
        said.append(f"{task.name}: the best learning rate was the smallest or largest tried for {edge}; try more.")
    return said


def _at_an_end(study: LabelEfficiency, curves: Curves) -> str:
    """Points whose learning rate may be better beyond those tried."""
    found = []
    for start in STARTS:
        rates = study.start(start).learning_rates
        ends = {min(rates), max(rates)} if len(rates) > 1 else set()
        at = [share for share in curves.shares if curves.chosen(start, share)[0].rate in ends]
        if at:
            found.append(f"{start} at {listed(f'{share:.2g}' for share in at)}")
    return "; ".join(found)
