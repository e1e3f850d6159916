"""What a scaling study found: points with their errors, and the laws that they allow."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from auricle.results import Result
from auricle.study.encoders import StudyEncoder, Training
from auricle.study.intervals import Floats, with_interval
from auricle.study.scaling.definition import AXES, HOURS, STEPS, WIDTH, Point, Scaling
from auricle.study.scaling.errors import Errors
from auricle.study.scaling.laws import AxisLaw, JointLaw, TrainingNoise, joint_law, replicated, training_noise
from auricle.transfer.probing import Probed
from auricle.transfer.task import Task


@dataclass(frozen=True)
class Trained:
    """What stands behind one point: its trainings, seed by seed, and of each the operations and the hours drawn."""

    point: Point
    trainings: tuple[Training, ...]
    flop: float
    drawn: float

    @property
    def parameters(self) -> int:
        """Of the encoder."""
        return int(self.trainings[0].stage.facts["parameters"])

    @property
    def seconds(self) -> float:
        """Of one training, mean over seeds."""
        return float(np.mean([training.stage.seconds for training in self.trainings]))

    @property
    def passes(self) -> float:
        """How many times as much sound is drawn as there is."""
        return self.drawn / self.point.hours

    def place(self, axis: str) -> float:
        """Where the point lies on an axis: parameters, hours or steps."""
        return float({WIDTH: self.parameters, HOURS: self.point.hours, STEPS: self.point.steps}[axis])


@dataclass(frozen=True)
class TaskLaws:
    """What was found on one task; `errors` are those of `trained`, in this order, and `lines` are the axes' points."""

    task: Task
    errors: Errors
    trained: tuple[Trained, ...]
    lines: dict[str, tuple[int, ...]]
    full: bool
    seed: int

    def places(self, axis: str) -> Floats:
        """Of the points of an axis."""
        return np.array([self.trained[row].place(axis) for row in self.lines[axis]])

    @cached_property
    def _log_errors(self) -> Floats:
        return replicated(self.errors.values, self.noise, seed=self.seed)

    @cached_property
    def noise(self) -> TrainingNoise | None:
        """How much another training would differ."""
        lines = [(self.places(axis), rows) for axis, rows in self.lines.items()]
        return training_noise(np.log(self.errors.values[0]), lines)

    def score(self, place: int) -> tuple[float, float | None, float | None]:
        """Mean score of a point, and its interval over test clips."""
        means = 1 - self.errors.values[:, place].mean(axis=1)
        found = with_interval(means)
        return found.value, found.low, found.high

    @cached_property
    def laws(self) -> dict[str, AxisLaw]:
        """By axis."""
        return {
            axis: AxisLaw(axis, self.places(axis), self._log_errors[:, list(rows)], self.noise)
            for axis, rows in self.lines.items()
        }

    @cached_property
    def joint(self) -> JointLaw | None:
        """Of all axes together, where there is a full grid."""
        if not self.full:
            return None
        places = {axis: np.array([one.place(axis) for one in self.trained]) for axis in AXES}
        return joint_law(places, self._log_errors, self.noise)


@dataclass(frozen=True)
class Outcome:
    """All that a report shows.

    Attributes
    ----------
    study, command
        Its definition, and what repeats it.
    trained, tasks
        Points in order; what was found task by task.
    probed
        Scores.
    notices, seconds
        What a reader should know; time of all stages together.
    """

    study: Scaling
    command: str
    trained: tuple[Trained, ...]
    tasks: list[TaskLaws]
    probed: list[Probed[StudyEncoder]]
    notices: list[str]
    seconds: float

    @property
    def results(self) -> list[Result]:
        """Every row of the results file."""
        return [result for probed in self.probed for result in probed.results]

    @property
    def axes(self) -> list[str]:
        """Those that were varied."""
        return list(self.study.varied())
