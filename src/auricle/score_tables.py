"""Scores arranged for reading: models as rows, tasks as columns, and what paired tests let one say of them.

Every protocol has a table of its own. A score is marked as best only where a paired test tells its model from every
other one on that task, corrected for the number of comparisons (:mod:`auricle.comparisons`).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean

from auricle.comparisons import SIGNIFICANT, Comparison, Verdicts
from auricle.errors import AuricleError
from auricle.results import Result, summary
from auricle.words import listed

PLAIN_METRICS = frozenset({"r2", "spearman", "mean_absolute_error", "d_prime"})
"""Metrics that are not shares and are shown as they are, not in per cent."""
LOWER_IS_BETTER = frozenset({"mean_absolute_error"})
LOCAL_COPY = " (local: "
"""What a task's name holds when its clips are not those of the release."""

# What tells two rows of a score table apart when they bear the same model's name, in the order of mention.
_DISTINCTIONS = ("diet", "layer", "pooling", "weights_fingerprint")

Compare = Callable[[str, Sequence[tuple[str, Result]]], Iterable[Comparison]]
"""From a column's title and its scores by row title to the comparisons of these models."""


@dataclass(frozen=True)
class Tally:
    """How often a model is ahead of another, cannot be told from it, and is behind, over all tasks."""

    won: int
    tied: int
    lost: int


@dataclass(frozen=True)
class ScoreTable:
    """Summary rows of one protocol arranged for reading: one model in each row, one task in each column.

    Attributes
    ----------
    protocol : str
        How the tasks were scored, with the number of shots or neighbours where there is one.
    models : list of str
        Row titles, in the order in which models first appear.
    tasks : list of str
        Column titles, a task, its metric and unit, in the order in which tasks first appear.
    cells : list of list of Result or None
        ``cells[row][column]``; None where a model has no score.
    comparisons : list of Comparison
        Of models on a task, by these titles.
    """

    protocol: str
    models: list[str]
    tasks: list[str]
    cells: list[list[Result | None]]
    comparisons: list[Comparison] = field(default_factory=list)

    def compared(self, compare: Compare) -> "ScoreTable":
        """The same table with the comparisons that `compare` makes of each column."""
        found: list[Comparison] = []
        for column, task in enumerate(self.tasks):
            found += compare(task, self._scores(column))
        return ScoreTable(self.protocol, self.models, self.tasks, self.cells, found)

    def _repr_html_(self) -> str:
        from auricle.score_formats import html_fragment

        return html_fragment([self])

    @cached_property
    def verdicts(self) -> Verdicts:
        """Which models can be told apart on which task."""
        return Verdicts(self.comparisons)

    def is_best(self, row: int, column: int) -> bool:
        """Whether a model is ahead of every other one on a task, as far as the test can tell."""
        task, model = self.tasks[column], self.models[row]
        others = [other for other, _ in self._scores(column) if other != model]
        scored = self.cells[row][column] is not None
        return scored and bool(others) and all(self.verdicts.is_ahead(task, model, other) for other in others)

    def mean_ranks(self) -> list[float] | None:
        """The mean over tasks of each model's rank, 1 for the highest score, equal scores sharing theirs.

        None where a model lacks a score: its rank would be among others.
        """
        if any(cell is None for line in self.cells for cell in line):
            return None
        ranks: list[list[float]] = [[] for _ in self.models]
        for column in range(len(self.tasks)):
            values = [_goodness(score) for _, score in self._scores(column)]
            for row, value in enumerate(values):
                above, equal = sum(other > value for other in values), values.count(value)
                ranks[row].append(above + (equal + 1) / 2)
        return [fmean(of_row) for of_row in ranks]

    def tallies(self) -> list[Tally]:
        """For each model how often the test found it ahead, could not tell, and found it behind."""
        found = []
        for model in self.models:
            pairs = [(task, other) for task in self.tasks for other in self.models if other != model]
            found.append(
                Tally(
                    won=sum(self.verdicts.is_ahead(task, model, other) for task, other in pairs),
                    tied=sum(self.verdicts.is_tie(task, model, other) for task, other in pairs),
                    lost=sum(self.verdicts.is_ahead(task, other, model) for task, other in pairs),
                )
            )
        return found

    def notes(self) -> list[str]:
        """What must stand under the table: which models cannot be told apart, and what no number here may stand by."""
        return [*self._told_apart(), *self._too_few_clusters(), *self._local_copies()]

    def _told_apart(self) -> list[str]:
        if len(self.models) < 2:
            return []
        tested = [task for task in self.tasks if any(found.task == task for found in self.comparisons)]
        if not tested:
            return ["No paired test: the predictions that it needs are not there, so that no score is marked as best."]
        tasks_of: dict[str, list[str]] = {}
        for column, task in enumerate(self.tasks):
            models = [model for model, _ in self._scores(column)]
            groups = self.verdicts.groups(task, models)
            if groups:
                tasks_of.setdefault(" or ".join(listed(group) for group in groups), []).append(self._short(column))
        how = f"paired permutation test, Holm's correction over the models, p ≥ {SIGNIFICANT}"
        if not tasks_of:
            return [f"Every model can be told from every other one on every task ({how.replace('≥', '<')})."]
        parts = [f"{groups} on {listed(tasks)}" for groups, tasks in tasks_of.items()]
        return [f"Cannot be told apart: {'; '.join(parts)} ({how})."]

    def _too_few_clusters(self) -> list[str]:
        """Tasks on which no difference, however large, could be significant: a test of n clusters has 2ⁿ outcomes."""
        few: dict[str, int] = {}
        for column, task in enumerate(self.tasks):
            found = [one for one in self.comparisons if one.task == task]
            clusters = max((one.clusters for one in found), default=0)
            if clusters > 0 and len(found) * 2 / 2**clusters >= SIGNIFICANT:
                few[self._short(column)] = clusters
        if not few:
            return []
        return [
            f"The test part of {task} has only {clusters} independent clusters (speakers, sites, recordings): too few "
            f"for a difference between {len(self.models)} models to be significant, however large."
            for task, clusters in few.items()
        ]

    def _local_copies(self) -> list[str]:
        local = dict.fromkeys(cell.task for line in self.cells for cell in line if cell and LOCAL_COPY in cell.task)
        if not local:
            return []
        one = len(local) == 1
        return [
            f"{listed(local)} {'is no' if one else 'are not'} published {'data set' if one else 'data sets'} but "
            f"{'a local copy' if one else 'local copies'} of other clips: {'its' if one else 'their'} scores must not "
            "be put beside published numbers."
        ]

    def _scores(self, column: int) -> list[tuple[str, Result]]:
        """Row title and score of the models that have one."""
        cells = [line[column] for line in self.cells]
        return [(model, cell) for model, cell in zip(self.models, cells, strict=True) if cell is not None]

    def _short(self, column: int) -> str:
        """The task's name alone where no other column has it."""
        names = [next(cell.task for line in self.cells if (cell := line[at])) for at in range(len(self.tasks))]
        return names[column] if names.count(names[column]) == 1 else self.tasks[column]


def score_tables(results: Iterable[Result], *, metrics: Mapping[str, str] | None = None) -> list[ScoreTable]:
    """Arrange the summary rows of `results`, one metric for each task and one table for each protocol.

    Rows that bear the same model's name are told apart by what differs between them (diet, layer, weights, …), and
    different data under the same task's name stands in different columns.

    Parameters
    ----------
    results
        Any rows; only summaries are used.
    metrics
        The metric to show for a task; for other tasks the one that comes first.

    Raises
    ------
    AuricleError
        When two summaries claim the same cell, or a metric asked for was not measured.
    """
    rows = summary(results)
    shown = dict(metrics or {})
    for row in rows:
        shown.setdefault(row.task, row.metric)
    rows = [row for row in rows if row.metric == shown[row.task]]
    for task, metric in shown.items():
        if not any(row.task == task for row in rows):
            raise AuricleError(f"no summary of {metric} on task {task} is among these results")
    by_protocol: dict[str, list[Result]] = {}
    for row in rows:
        by_protocol.setdefault(_protocol_of(row), []).append(row)
    return [_table(protocol, own) for protocol, own in by_protocol.items()]


def _table(protocol: str, rows: Sequence[Result]) -> ScoreTable:
    models = list(dict.fromkeys(_model_key(row) for row in rows))
    tasks = list(dict.fromkeys(_task_key(row) for row in rows))
    cells: list[list[Result | None]] = [[None] * len(tasks) for _ in models]
    for row in rows:
        at_row, at_column = models.index(_model_key(row)), tasks.index(_task_key(row))
        if cells[at_row][at_column] is not None:
            raise AuricleError(f"model {row.model} has two summaries of {row.metric} on task {row.task}")
        cells[at_row][at_column] = row
    titles = _titles(models, _DISTINCTIONS)
    return ScoreTable(protocol, titles, [_task_title(key, tasks) for key in tasks], cells)


def format_value(result: Result) -> str:
    """A score for reading, ``"62.3"`` in per cent, or ``"0.62"`` where the metric is no share."""
    return _number(result.value, result.metric)


def format_interval(result: Result) -> str:
    """Its interval, ``"59.8, 64.9"``; empty where there is none."""
    if result.ci_low is None or result.ci_high is None:
        return ""
    return f"{_number(result.ci_low, result.metric)}, {_number(result.ci_high, result.metric)}"


def format_cell(result: Result | None) -> str:
    """A score for reading, ``"62.3 [59.8, 64.9]"``; a dash where there is none."""
    if result is None:
        return "–"
    value, interval = format_value(result), format_interval(result)
    return f"{value} [{interval}]" if interval else value


def _number(value: float, metric: str) -> str:
    return f"{value:.3f}" if metric in PLAIN_METRICS else f"{100 * value:.1f}"


def _goodness(result: Result) -> float:
    return -result.value if result.metric in LOWER_IS_BETTER else result.value


def _protocol_of(row: Result) -> str:
    # Neighbours are chosen for each model and task: they are no setting of the table.
    if row.k is None or row.protocol.startswith("knn"):
        return row.protocol
    return f"{row.protocol}, {row.k} shots"


def _model_key(row: Result) -> tuple[object, ...]:
    return (row.model, *(getattr(row, name) for name in _DISTINCTIONS))


def _task_key(row: Result) -> tuple[str, ...]:
    return (row.task, row.metric, row.split, row.dataset_fingerprint or "")


def _titles(keys: Sequence[tuple[object, ...]], names: Sequence[str]) -> list[str]:
    """Title of each key: its first part, and of the other parts those in which keys of the same first part differ."""
    titles = []
    for key in keys:
        namesakes = [other for other in keys if other[0] == key[0]]
        parts = [str(key[0])]
        for position, name in enumerate(names, start=1):
            if len({other[position] for other in namesakes}) > 1:
                value = key[position]
                parts.append(f"no {name}" if value is None else f"{value}")
        titles.append(" · ".join(parts))
    return titles


def _task_title(key: tuple[str, ...], keys: Sequence[tuple[str, ...]]) -> str:
    task, metric, split, fingerprint = key
    namesakes = [other for other in keys if other[0] == task]
    details = [metric.replace("_", " ")]
    if len({other[2] for other in namesakes}) > 1:
        details.append(split)
    if len({other[3] for other in namesakes}) > 1:
        details.append(f"data {fingerprint[:8] or 'unknown'}")
    unit = [] if metric in PLAIN_METRICS else ["%"]
    return f"{task} ({', '.join([*details, *unit])})"
