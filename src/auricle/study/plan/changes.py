"""What studies that pre-train many recipes on one diet take: ablations, and scaling.

Recipes whose steps are the same work are timed once.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from auricle.embedding import choose_device
from auricle.pretraining.recipe import Recipe
from auricle.study.ablation.definition import Ablation
from auricle.study.base import Pretraining
from auricle.study.encoders import recipe_of
from auricle.study.plan.holdings import (
    Holding,
    in_hours,
    part_holding,
    said_of_missing,
    shown,
    task_holding,
    total_hours,
)
from auricle.study.plan.rates import Timed, peak_bytes, time_probe, time_recipe
from auricle.study.plan.stages import memory_line, probing_line, stage_line
from auricle.study.scaling.definition import Scaling
from auricle.words import counted

# Keys of a recipe that decide how often a step is made, or by which numbers, and not what work it is.
_NOT_WORK = {
    "name", "data", "seed", "steps", "epochs", "learning_rate", "weight_decay", "adam_betas", "schedule",
    "warmup_steps", "ema", "sampling", "clip_seconds", "padding", "statistics_crops", "validation", "validation_crops",
    "validate_every", "log_every", "checkpoint_every", "keep_checkpoints", "cache_gib",
}  # fmt: skip


@dataclass(frozen=True)
class _Row:
    """Encoders that are pre-trained alike but for their seeds."""

    title: str
    recipe: Recipe
    seeds: int

    @property
    def work(self) -> str:
        """The same for recipes whose steps take the same time."""
        return self.recipe.model_dump_json(exclude=_NOT_WORK)

    def steps(self, clips: int) -> int:
        """Steps of one pre-training, where the diet has so many clips."""
        return self.recipe.steps or math.ceil((self.recipe.epochs or 0) * clips / self.recipe.batch_size)


def plan_ablation(study: Ablation) -> Iterator[str]:
    """The plan of an ablation, line by line.

    Raises
    ------
    AuricleError
        When the study names something that there is not at all.
    """
    yield from _plan(study, [_row(variant.title, variant.pretraining) for variant in study.variants()])


def plan_scaling(study: Scaling) -> Iterator[str]:
    """The plan of a scaling study, line by line.

    Raises
    ------
    AuricleError
        When the study names something that there is not at all.
    """
    rows = [
        _row(f"{study.width_words(point.width)}, {point.amount}", study.learning(point)) for point in study.points()
    ]
    yield from _plan(study, rows, needed=study.hours[-1])


def _row(title: str, how: Pretraining) -> _Row:
    return _Row(title, recipe_of(how, seed=0), len(how.seeds))


def _plan(study: Ablation | Scaling, rows: Sequence[_Row], *, needed: float | None = None) -> Iterator[str]:
    root = None if study.is_synthetic else study.data_folder()
    diet = [] if root is None else [part_holding(source, root) for source in study.diet]
    tasks = [] if root is None else [task_holding(task, root) for task in study.tasks]
    trainings = sum(row.seeds for row in rows)
    yield f"{study.name}: {trainings} pre-trainings, {len(study.tasks)} tasks; nothing is run"
    if root is None:
        yield f"data: the sound world, {study.world.clips:,} clips, made in seconds"
    yield from shown("diet", diet)
    yield from shown("tasks", tasks)
    device, kinds = choose_device(study.device), dict.fromkeys(row.work for row in rows)
    yield f"timing this machine on noise, {counted(len(kinds), 'kind')} of step …"
    timed = {}
    for row in rows:
        if row.work not in timed:
            timed[row.work] = time_recipe(row.recipe, device)
    yield from _stages(rows, timed, sum(one.clips for one in diet), tasks)
    widest = max(one.embedding_dim for one in timed.values())
    yield probing_line(study.probe, tasks, trainings, time_probe(study.probe, widest, device))
    yield memory_line(peak_bytes(device))
    yield "not counted: comparisons, invariances, laws and the report, minutes each"
    missing = [words for one in (*diet, *tasks) for words in one.missing]
    there = total_hours(diet)
    if needed is not None and there is not None and not missing and there < needed:
        missing.append(f"`hours` goes up to {needed:g}, but the diet is {there:.4g} h long")
    yield from said_of_missing(missing)


def _stages(rows: Sequence[_Row], timed: Mapping[str, Timed], clips: int, tasks: Sequence[Holding]) -> Iterator[str]:
    encoders, clips_of_tasks = sum(row.seeds for row in rows), sum(task.clips for task in tasks)
    sound = 3600 * (total_hours(tasks) or 0.0)
    learning = embedding = disk = vectors = 0.0
    width = max(len(row.title) for row in rows)
    yield f"pre-training of {encoders} encoders:"
    for row in rows:
        one = timed[row.work]
        steps = row.steps(clips)
        seconds = row.seeds * steps * row.recipe.batch_size / one.crops
        learning, disk = learning + seconds, disk + row.seeds * one.disk
        embedding += row.seeds * sound / one.sound
        vectors += row.seeds * clips_of_tasks * one.embedding_dim * 4
        yield (
            f"  {row.title:{width}}  {row.seeds} × {steps:,} steps of {row.recipe.batch_size}, {one.parameters:,} "
            f"parameters, {one.crops:,.0f} clips/s, {in_hours(seconds / 3600)}"
        )
    yield stage_line("pre-training", learning, disk, "the rates above")
    slow, fast = min(one.sound for one in timed.values()), max(one.sound for one in timed.values())
    yield stage_line(f"embedding by {encoders}", embedding, vectors, f"{slow:,.0f} to {fast:,.0f} × real time")
