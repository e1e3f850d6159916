"""What a finished study found: everything that its report shows, and nothing that it computes."""

from collections import Counter
from dataclasses import dataclass
from itertools import groupby

from auricle.comparisons import Comparison, Judged, judged
from auricle.results import Result
from auricle.study.analyses import Likeness, Picture, Similarity
from auricle.study.diets import Diets
from auricle.study.encoders import StudyEncoder, Training
from auricle.study.layers import LayerSimilarity
from auricle.study.sources import Diet
from auricle.transfer.probing import Probed
from auricle.transfer.task import Task


@dataclass(frozen=True)
class Score:
    """What one row of the report's table says of one task.

    Attributes
    ----------
    value
        The score; the mean where an encoder has several seeds.
    low, high
        Its 95 % interval; over several seeds from the lowest end to the highest.
    members
        The score of each seed.
    """

    value: float
    low: float | None
    high: float | None
    members: tuple[Result, ...]


@dataclass(frozen=True)
class Row:
    """A row of the report's table: encoders that differ in nothing but their seed."""

    title: str
    encoders: tuple[StudyEncoder, ...]

    @property
    def kind(self) -> str:
        """``trained``, ``random`` or ``reference``."""
        return self.encoders[0].kind

    @property
    def diet(self) -> str | None:
        """What it was trained on, or whose front end it has."""
        return self.encoders[0].diet

    @property
    def seeds(self) -> int:
        """How many different ones its encoders have."""
        return len({encoder.seed for encoder in self.encoders})


@dataclass(frozen=True)
class Outcome:
    """All results of a study.

    Attributes
    ----------
    study
        Its definition.
    command
        What repeats it.
    diets, tasks, trainings, encoders
        What it was made of.
    probed
        Scores by encoder and task, task by task.
    comparisons, similarities, likenesses, layers, pictures, map
        What was found; all but the first are empty where the study does not ask for them.
    notices
        What its reader should know.
    seconds
        Time that all stages took together, whenever they were worked on.
    """

    study: Diets
    command: str
    diets: list[Diet]
    tasks: list[Task]
    trainings: list[Training]
    encoders: list[StudyEncoder]
    probed: list[Probed[StudyEncoder]]
    comparisons: list[Comparison]
    similarities: list[Similarity]
    likenesses: list[Likeness]
    layers: list[LayerSimilarity]
    pictures: list[Picture]
    map: Picture | None
    notices: list[str]
    seconds: float

    @property
    def rows(self) -> list[Row]:
        """Encoders by title, in order."""
        return [Row(title, tuple(group)) for title, group in groupby(self.encoders, key=lambda one: one.title)]

    @property
    def results(self) -> list[Result]:
        """Every row of the results file."""
        return [result for probed in self.probed for result in probed.results]

    def score(self, row: Row, task: Task) -> Score:
        """What a row of the table says of a task."""
        summaries = tuple(
            probed.summary for probed in self.probed if probed.task is task and probed.encoder in row.encoders
        )
        lows = [result.ci_low for result in summaries if result.ci_low is not None]
        highs = [result.ci_high for result in summaries if result.ci_high is not None]
        return Score(
            value=sum(result.value for result in summaries) / len(summaries),
            low=min(lows, default=None),
            high=max(highs, default=None),
            members=summaries,
        )

    def compared(self, a: str, b: str, task: Task) -> Comparison | None:
        """The comparison of row `a` with row `b`, by their titles; None if the study did not make it."""
        for found in self.comparisons:
            if found.task == task.name and {found.a, found.b} == {a, b}:
                return found if found.a == a else found.reversed()
        return None

    def best(self, task: Task) -> str:
        """Title of the row with the highest score."""
        return max(self.rows, key=lambda row: self.score(row, task).value).title

    def rivals(self, task: Task) -> list[str]:
        """Titles of the rows that the paired test cannot tell from the best one (Holm's correction over the rows)."""
        best = self.best(task)
        others = [found for row in self.rows if (found := self.compared(best, row.title, task)) is not None]
        return [one.compared.b for one in judged(others) if not one.verdict]

    def chance(self, task: Task) -> float:
        """What guessing scores: the share of the most frequent class, of the positive one for average precision."""
        probed = next(probed for probed in self.probed if probed.task is task)
        if task.metric == "average_precision":
            return next(row.value for row in probed.results if row.metric == "prevalence" and row.is_summary)
        if task.metric == "balanced_accuracy":
            return 1 / len(set(task.manifest.column("label")))
        counts = Counter(probed.predictions().column("label").to_pylist())
        return max(counts.values()) / counts.total()

    def gains(self) -> list["Gain"]:
        """What pre-training adds to random weights, for each trained row and task."""
        found = []
        for row in self.rows:
            selves = [other for other in self.rows if other.kind == "random" and other.diet == row.diet]
            if row.kind == "trained" and selves:
                for task in self.tasks:
                    compared = self.compared(row.title, selves[0].title, task)
                    if compared is not None:
                        found.append((row, task, compared))
        tests = judged([compared for *_, compared in found])
        return [Gain(one.compared, one.p, row, task) for (row, task, _), one in zip(found, tests, strict=True)]


@dataclass(frozen=True)
class Gain(Judged):
    """A trained encoder against its random self on one task; `p` is corrected for all such comparisons of the study."""

    row: Row
    task: Task
