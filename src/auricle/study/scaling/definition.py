"""The scaling study: how far a wider model, more hours of audio and more steps of pre-training each take an encoder.

Ogg 2025 names it as the next experiment: "varying model size alongside training data size to quantify how pre-training
data and model capacity interact". Along an axis the others stay at their largest value; a full grid has every
combination. Each point is a pre-training of its own: with a schedule that falls over the whole run, what a longer run
has reached half way is not what a run of half the steps reaches (Hoffmann et al. 2022, section 2).
"""

import copy
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pydantic

from auricle import settings
from auricle.settings import Positive, SettingsError
from auricle.study.base import Pretraining, Probe, Study, Tasks, refuse_doubles
from auricle.study.encoders import recipe_of

WIDTH, HOURS, STEPS = AXES = ("width", "hours", "steps")

Values = Annotated[tuple[Positive, ...], pydantic.Field(min_length=1)]
Hours = Annotated[float, pydantic.Field(gt=0)]


@dataclass(frozen=True, order=True)
class Point:
    """One pre-training, whatever its seed: which of the widths, how many hours of audio, and how many steps."""

    width: int
    hours: float
    steps: int

    @property
    def amount(self) -> str:
        """Hours and steps in words."""
        return f"{self.hours:g} h, {self.steps:,} steps"


class Scaling(Study):
    """Widths × hours × steps, each along its own axis or all combined."""

    kind: Literal["scaling"] = "scaling"
    diet: Annotated[tuple[str, ...], pydantic.Field(min_length=1)]  # folders, manifests, dataset:NAME
    pretraining: Pretraining = Pretraining()
    widths: dict[str, Values] = pydantic.Field(default_factory=dict)  # keys of the recipe → values that go together
    hours: Annotated[tuple[Hours, ...], pydantic.Field(min_length=1)]  # drawn from the diet, fewer being part of more
    steps: Values
    grid: Literal["axes", "full"] = "axes"
    tasks: Tasks
    probe: Probe = Probe()

    @pydantic.field_validator("hours", "steps", mode="before")
    @classmethod
    def _one_value_is_a_list(cls, values: Any) -> Any:
        return values if isinstance(values, (list, tuple)) else [values]

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> "Scaling":
        refuse_doubles("tasks", self.tasks)
        for key in ("steps", "epochs"):
            if key in self.pretraining.overrides:
                raise ValueError(f"`pretraining.overrides.{key}` follows from the study's own `steps`; remove it")
        counts = {key: len(values) for key, values in self.widths.items()}
        if len(set(counts.values())) > 1:
            said = ", ".join(f"{key} has {count}" for key, count in counts.items())
            raise ValueError(f"`widths` needs equally many values of every key, but {said}")
        rising = {f"widths.{key}": values for key, values in self.widths.items()}
        for what, values in {**rising, HOURS: self.hours, STEPS: self.steps}.items():
            if list(values) != sorted(set(values)):
                raise ValueError(f"`{what}` rise from value to value, got {', '.join(f'{one:g}' for one in values)}")
        if len(self.points()) < 2:
            raise ValueError("nothing is varied: give at least two `widths`, `hours` or `steps`")
        try:
            for point in self.points():
                recipe_of(self.learning(point), seed=0)
        except SettingsError as error:
            raise ValueError(str(error)) from None
        return self

    def values(self, axis: str) -> tuple[float, ...]:
        """What an axis has: places of widths, hours, or steps."""
        if axis == WIDTH:
            return tuple(range(len(next(iter(self.widths.values()))) if self.widths else 1))
        return self.hours if axis == HOURS else self.steps

    def line(self, axis: str) -> list[Point]:
        """The points along an axis, the other axes at their largest value."""
        ends = {name: self.values(name)[-1] for name in AXES}
        return [_point({**ends, axis: value}) for value in self.values(axis)]

    def points(self) -> list[Point]:
        """All pre-trainings that are needed, the smallest first."""
        if self.grid == "full":
            found = itertools.product(*(self.values(axis) for axis in AXES))
            return [_point(dict(zip(AXES, values, strict=True))) for values in found]
        return sorted({point for axis in AXES for point in self.line(axis)})

    def varied(self) -> Iterator[str]:
        """The axes with more than one value."""
        return (axis for axis in AXES if len(self.values(axis)) > 1)

    def width_words(self, width: int) -> str:
        """What a width is, for instance ``channels 16, mlp hidden 512``."""
        named = {key.rpartition(".")[2].replace("_", " "): values[width] for key, values in self.widths.items()}
        return ", ".join(f"{name} {value:,}" for name, value in named.items()) or "the recipe's width"

    def learning(self, point: Point) -> Pretraining:
        """How the encoder of a point is pre-trained."""
        values = copy.deepcopy(self.pretraining.overrides)
        changes = {key: widths[point.width] for key, widths in self.widths.items()} | {STEPS: point.steps}
        settings.override(values, [f"{key}={value}" for key, value in changes.items()], name=self.name)
        return self.pretraining.model_copy(update={"overrides": values})


def _point(values: dict[str, float]) -> Point:
    return Point(int(values[WIDTH]), values[HOURS], int(values[STEPS]))
