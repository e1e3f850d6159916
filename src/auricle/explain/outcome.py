"""What an explanation found: everything that its report shows, and nothing that it computes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auricle.explain.descriptors import COLUMNS
from auricle.explain.heard import Model
from auricle.explain.inference import Average, average, profile_correlations
from auricle.explain.similarity import Similarity
from auricle.explain.task_clips import TaskClips

Floats = NDArray[np.float64]

TABLE, REPORT = "rsa.parquet", "report.html"


@dataclass(frozen=True)
class Picture:
    """The clips of one task as one model lays them out: rows of the task's clips and positions ``(rows, 2)``."""

    task: TaskClips
    model: str
    rows: NDArray[np.int64]
    points: Floats


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What was asked for besides models, tasks and descriptors."""

    clips: int
    permutations: int
    draws: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What was found.

    Attributes
    ----------
    out
        Its folder.
    command
        What repeats it.
    models, tasks, columns
        What it is of; `columns` are descriptors.
    rows
        All comparisons.
    pictures
        Embeddings in two dimensions.
    notices
        What its reader should know.
    settings
        Numbers and seed.
    seconds
        That all stages took together, whenever they were worked on.
    """

    out: Path
    command: str
    models: Sequence[Model]
    tasks: Sequence[TaskClips]
    columns: Sequence[str]
    rows: Sequence[Similarity]
    pictures: Sequence[Picture]
    notices: Sequence[str]
    settings: Settings
    seconds: float

    @property
    def table(self) -> Path:
        """Every comparison, as Parquet."""
        return self.out / TABLE

    @property
    def report(self) -> Path:
        """The report."""
        return self.out / REPORT

    @cached_property
    def _by_place(self) -> dict[tuple[str, str | None, str, str | None, str, str], Similarity]:
        return {(row.model, row.layer, row.other, row.other_layer, row.task, row.kind): row for row in self.rows}

    def families(self) -> dict[str, list[str]]:
        """Descriptors by family."""
        found: dict[str, list[str]] = {}
        for column in self.columns:
            found.setdefault(COLUMNS[column].family, []).append(column)
        return found

    def described(self, model: str, column: str, task: str, *, layer: str | None = None) -> Similarity | None:
        """How one representation orders a task's clips by one descriptor; None where it was not asked."""
        return self._by_place.get((model, layer, column, None, task, "descriptor"))

    def over_tasks(self, model: str, column: str, *, layer: str | None = None) -> Average:
        """The averages over tasks of one descriptor's correlation."""
        found = [self.described(model, column, task.name, layer=layer) for task in self.tasks]
        rows = [row for row in found if row is not None]
        return average([row.r_s for row in rows], [row.q for row in rows])

    def partial_over_tasks(self, model: str, column: str) -> Average:
        """The averages over tasks of one descriptor's partial correlation."""
        rows = [row for task in self.tasks if (row := self.described(model, column, task.name)) is not None]
        return average([row.r_partial for row in rows], [row.q_partial for row in rows])

    def between(self, one: str, other: str) -> tuple[Average, float | None]:
        """Two models' embeddings: averages over tasks of the correlation of their RDMs, and mean CKA."""
        pairs = {(one, other), (other, one)}
        rows = [
            row
            for row in self.rows
            if row.kind == "model" and row.layer is None and row.other_layer is None and (row.model, row.other) in pairs
        ]
        alike = [row.cka for row in rows if row.cka is not None]
        return average([row.r_s for row in rows], [row.q for row in rows]), float(np.mean(alike)) if alike else None

    def profiles(self) -> tuple[Floats, Floats]:
        """How far models agree on which descriptors matter: correlations ``(k, k)`` of their averages, and p-values."""
        averages = [[self.over_tasks(model.name, column).every for column in self.columns] for model in self.models]
        return profile_correlations(np.array(averages, dtype=np.float64))
