"""Points and laws of a scaling study as plain tables, for anybody's own figures."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from auricle.files import atomic_write
from auricle.study.intervals import Value
from auricle.study.scaling.outcome import Outcome


def write_points(outcome: Outcome, path: Path) -> None:
    """One row for each point, seed and task."""
    _write(list(_points(outcome)), path)


def write_laws(outcome: Outcome, path: Path) -> None:
    """One row for each task and axis."""
    _write(list(_laws(outcome)), path)


def _points(outcome: Outcome) -> Iterator[dict[str, Any]]:
    for found in outcome.tasks:
        for place, one in enumerate(outcome.trained):
            for number, training in enumerate(one.trainings):
                yield {
                    "task": found.task.name,
                    "metric": found.task.metric,
                    "width": outcome.study.width_words(one.point.width),
                    "parameters": one.parameters,
                    "hours": one.point.hours,
                    "steps": one.point.steps,
                    "seed": training.seed,
                    "error": float(found.errors.values[0, place, number]),
                    "flop": one.flop,
                    "seconds": training.stage.seconds,
                }


def _laws(outcome: Outcome) -> Iterator[dict[str, Any]]:
    for found in outcome.tasks:
        for axis, law in found.laws.items():
            yield {
                "task": found.task.name,
                "axis": axis,
                "points": len(law.x),
                **_columns("exponent", law.exponent),
                "bend_p": law.bend_p,
                **_columns("floor", law.floor),
                **_columns("exponent_above_floor", law.floored_exponent),
                **_columns("error_at_twice_the_largest", law.ahead),
            }


def _columns(name: str, value: Value | None) -> dict[str, float | None]:
    ends = (None, None, None) if value is None else (value.value, value.low, value.high)
    return dict(zip((name, f"{name}_low", f"{name}_high"), ends, strict=True))


def _write(rows: list[dict[str, Any]], path: Path) -> None:
    with atomic_write(path) as temporary:
        pyarrow.csv.write_csv(pa.Table.from_pylist(rows), temporary)
