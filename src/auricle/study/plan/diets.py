"""What a study of diets takes, before it is run: what data is missing; hours, disk and memory of every stage.

Nothing of the study is done.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from auricle.corpora.diets import load_diet
from auricle.embedding import choose_device
from auricle.errors import AuricleError
from auricle.models import registry
from auricle.study import sources
from auricle.study.base import DATASET_PREFIX, task_name
from auricle.study.diets import RANDOM, Diets
from auricle.study.encoders import recipe_of
from auricle.study.plan.holdings import (
    Holding,
    corpus_holding,
    part_holding,
    said_of_missing,
    shown,
    task_holding,
    total_hours,
)
from auricle.study.plan.rates import Timed, peak_bytes, time_encoder, time_probe, time_recipe
from auricle.study.plan.stages import memory_line, probing_line, stage_line


def plan_diets(study: Diets) -> Iterator[str]:
    """The plan, line by line.

    Raises
    ------
    AuricleError
        When the study names something that there is not at all.
    """
    root = None if study.is_synthetic else study.data_folder()
    diets = {} if root is None else {name: list(_of_diet(study, name, root)) for name in study.diets}
    tasks = [] if root is None else [task_holding(task, root, study.hop) for task in study.tasks]
    yield f"{study.name}: {len(study.diets)} diets, {len(study.tasks)} tasks; nothing is run"
    if root is None:
        yield f"data: the sound world, {study.world.clips:,} clips, made in seconds"
    for name, holdings in diets.items():
        yield from shown(f"diet {name}", holdings)
    yield from shown("tasks", tasks)
    yield "timing this machine on noise …"
    timed = time_recipe(recipe_of(study.learning, seed=0), choose_device(study.device))
    others, unavailable = _time_others(study)
    yield from _stages(study, diets, tasks, timed, others)
    if not unavailable:
        yield "not counted: similarity, t-SNE and the report, minutes each"
    else:
        yield "not counted: similarity, t-SNE and the report, minutes each; memory and time of models that are missing"
    missing = [words for holdings in (*diets.values(), tasks) for one in holdings for words in one.missing]
    yield from said_of_missing([*missing, *unavailable])


def _of_diet(study: Diets, name: str, root: Path) -> Iterator[Holding]:
    for source in study.diets[name]:
        if source in study.diets and source != name:
            yield from _of_diet(study, source, root)
        elif source.startswith(sources.DIET_PREFIX):
            for corpus_name in load_diet(source.removeprefix(sources.DIET_PREFIX)).corpora:
                yield corpus_holding(corpus_name, root)
        elif source.startswith(sources.CORPUS_PREFIX):
            yield corpus_holding(source.removeprefix(sources.CORPUS_PREFIX), root)
        else:
            yield part_holding(source, root, study.leave_out)


def _time_others(study: Diets) -> tuple[dict[str, float], list[str]]:
    """How fast the models beside the trained ones embed, and what those that are not there say."""
    speeds, unavailable = {}, []
    for name in study.models:
        if name == RANDOM:
            continue
        try:
            speeds[name] = time_encoder(registry.load(name).to(choose_device(study.device)))
        except AuricleError as error:
            unavailable.append(str(error))
    return speeds, unavailable


def _stages(
    study: Diets,
    diets: Mapping[str, Sequence[Holding]],
    tasks: Sequence[Holding],
    timed: Timed,
    others: Mapping[str, float],
) -> Iterator[str]:
    recipe, seeds = recipe_of(study.learning, seed=0), len(study.learning.seeds)
    clips_of = {name: sum(one.clips for one in holdings) for name, holdings in diets.items()}
    steps = {
        name: recipe.steps or math.ceil((recipe.epochs or 0) * clips / recipe.batch_size)
        for name, clips in clips_of.items()
    }
    variants = _variants(study)
    trainings = {name: seeds * count for name, count in variants.items()}
    crops = sum(steps.get(name, recipe.steps or 0) * recipe.batch_size * count for name, count in trainings.items())
    yield f"pre-training of {sum(trainings.values())} encoders, {timed.parameters:,} parameters each:"
    for name, count in trainings.items():
        parts = f", {variants[name]} parts of it" if variants[name] > 1 else ""
        yield f"  {name}: {count} × {steps.get(name, recipe.steps or 0):,} steps of {recipe.batch_size}{parts}"
    disk = sum(trainings.values()) * timed.disk
    yield stage_line("pre-training", crops / timed.crops, disk, f"{timed.crops:,.0f} crops/s")
    random = len(study.diets) * len(study.random_seeds) if RANDOM in study.models else 0
    own = len(study.diets) * seeds + random
    seconds = 3600 * (total_hours(tasks) or 0.0) * (own / timed.sound + sum(1 / speed for speed in others.values()))
    count, clips = own + sum(name != RANDOM for name in study.models), sum(task.clips for task in tasks)
    sound = f"{timed.sound:,.0f} × real time" + "".join(f", {name} {speed:,.0f}" for name, speed in others.items())
    yield stage_line(f"embedding by {count}", seconds, count * clips * timed.embedding_dim * 4, sound)
    device = choose_device(study.device)
    yield probing_line(study.probe, tasks, count, time_probe(study.probe, timed.embedding_dim, device))
    yield memory_line(peak_bytes(device))


def _variants(study: Diets) -> dict[str, int]:
    """How many different parts of each diet are trained on, where tasks leave their own corpora out."""
    found = {}
    for name in study.diets:
        named = {task_name(source.removeprefix(DATASET_PREFIX)) for source in _leaves(study, name)}
        left_out = {task_name(task) for task in study.tasks} & named if study.leave_own_corpus_out else set()
        found[name] = len(left_out) + (len(left_out) < len(study.tasks))
    return found


def _leaves(study: Diets, name: str) -> Iterator[str]:
    for source in study.diets[name]:
        if source in study.diets and source != name:
            yield from _leaves(study, source)
        else:
            yield source
