"""Run a scaling study: subsets of the diet → every point pre-trained and probed → errors → laws."""

import dataclasses
from functools import partial
from pathlib import Path
from typing import Any

from auricle.errors import AuricleError
from auricle.pretraining.recipe import Recipe
from auricle.stages import Stage
from auricle.study import encoders
from auricle.study.encoders import StudyEncoder, Training, Wanted
from auricle.study.scaling.arithmetic import flop_per_clip, parameters_of
from auricle.study.scaling.definition import AXES, WIDTH, Point, Scaling
from auricle.study.scaling.errors import errors_of
from auricle.study.scaling.outcome import Outcome, TaskLaws, Trained
from auricle.study.scaling.report import write_report
from auricle.study.scaling.summary import sentences
from auricle.study.scaling.tables import write_laws, write_points
from auricle.study.session import Findings, Session
from auricle.study.sources import Diet
from auricle.transfer.probing import Probed, ProbePlan
from auricle.transfer.task import Task

ARITHMETIC_VERSION = 1
POINTS, LAWS = "points.csv", "laws.csv"
_HOUR = 3600.0  # seconds


def run_scaling(study: Scaling, session: Session) -> Findings:
    """Do all of a scaling study that is not done yet."""
    sizes = _sizes(study)
    diets, tasks = session.find({"pre-training": study.diet}, study.tasks)
    parts = subsets(study, diets[0])
    trained = _pretrain(study, session, parts, sizes)
    found = {encoder: (one.point, encoder.seed) for one in trained for encoder in _encoders(study, one)}
    plan = ProbePlan(study.probe.protocol, study.probe.settings(), study.probe.seeds)
    embedded = session.embed(list(found), tasks)
    probed = session.probe(plan, embedded, tasks, f"{len(found)} encoders × {len(tasks)} tasks")
    outcome = Outcome(
        study=study,
        command=session.command,
        trained=tuple(trained),
        tasks=[
            _laws(study, session, trained, [one for one in probed if one.task is task], found)
            for task in session.each("fitting", tasks, lambda task: task.name)
        ],
        probed=probed,
        notices=session.notices,
        seconds=session.stages.seconds,
    )
    files = {POINTS: partial(write_points, outcome), LAWS: partial(write_laws, outcome)}
    return Findings(outcome.results, partial(write_report, outcome), files, tuple(sentences(outcome)))


def subsets(study: Scaling, diet: Diet) -> dict[float, Diet]:
    """For each number of hours its clips: all are drawn in the same random order, so that more hours hold fewer.

    Raises
    ------
    AuricleError
        When the diet is not that long.
    """
    there = diet.most_seconds / _HOUR
    if study.hours[-1] > there:
        raise AuricleError(
            f"{study.name}: `hours` goes up to {study.hours[-1]:g}, but what can be read of the diet is {there:.4g} h "
            "long; give fewer hours or more sources"
        )
    return {
        hours: dataclasses.replace(diet.shortened(hours * _HOUR, seed=study.seed), name=f"{hours:g} h")
        for hours in study.hours
    }


def _sizes(study: Scaling) -> list[int]:
    """Parameters of every width; what no encoder can be built of is refused before anything takes time."""
    recipes = [encoders.recipe_of(study.learning(point), seed=0) for point in study.line(WIDTH)]
    sizes = [parameters_of(recipe) for recipe in recipes]
    if sizes != sorted(set(sizes)):
        said = ", ".join(f"{size:,}" for size in sizes)
        raise AuricleError(f"{study.name}: `widths` must give ever more parameters, got {said}")
    return sizes


def _pretrain(study: Scaling, session: Session, parts: dict[float, Diet], sizes: list[int]) -> list[Trained]:
    points, seeds = study.points(), study.pretraining.seeds

    def plan(missing: int) -> str:
        values = ", ".join(f"{axis} {len(study.values(axis))}" for axis in AXES)
        return (
            f"plan: {len(points)} points × {len(seeds)} seeds (values: {values}; "
            f"{'all combined' if study.grid == 'full' else 'each axis alone'}); {missing} of "
            f"{len(points) * len(seeds)} pre-trainings are to be done"
        )

    wanted = [
        Wanted(f"{sizes[point.width]:,} parameters, {point.amount}", study.learning(point), parts[point.hours], seed)
        for point in points
        for seed in seeds
    ]
    trainings = session.pretrain(wanted, plan=plan)
    found = []
    for place, point in enumerate(points):
        recipe = encoders.recipe_of(study.learning(point), seed=0)
        clips = recipe.batch_size * point.steps
        flop = _flop_per_clip(session, recipe) * clips
        own = tuple(trainings[place * len(seeds) : (place + 1) * len(seeds)])
        found.append(Trained(point, own, flop, clips * recipe.takes * recipe.crop_seconds / _HOUR))
    return found


def _flop_per_clip(session: Session, recipe: Recipe) -> float:
    """Operations of a step for each clip, counted once for each width."""

    def work(folder: Path) -> dict[str, Any]:  # noqa: ARG001 (a stage that leaves nothing but its facts)
        return {"flop_per_clip": flop_per_clip(recipe)}

    inputs = recipe.model_dump(mode="json", exclude={"name", "data", "seed", "steps", "epochs"})
    done = session.stages.run(Stage("arithmetic", recipe.name, ARITHMETIC_VERSION, inputs), work)
    return float(done.facts["flop_per_clip"])


def _encoders(study: Scaling, trained: Trained) -> list[StudyEncoder]:
    """One for each seed."""
    point = trained.point
    recipe = encoders.recipe_of(study.pretraining, seed=0).name
    model = f"{recipe}, {study.width_words(point.width)}, {point.steps:,} steps"
    return [_encoder(training, model, trained) for training in trained.trainings]


def _encoder(training: Training, model: str, trained: Trained) -> StudyEncoder:
    return StudyEncoder(
        model,
        "trained",
        f"{trained.point.hours:g} h",
        training.seed,
        str(training.model_folder),
        training.stage.facts["weights_fingerprint"],
        heard=f"{trained.point.amount} with {trained.parameters:,} parameters",
    )


def _laws(
    study: Scaling,
    session: Session,
    trained: list[Trained],
    probed: list[Probed[StudyEncoder]],
    found: dict[StudyEncoder, tuple[Point, int | None]],
) -> TaskLaws:
    points = [one.point for one in trained]
    by_point: dict[Point, list[Probed[StudyEncoder]]] = {point: [] for point in points}
    for one in probed:
        by_point[found[one.encoder][0]].append(one)
    task: Task = probed[0].task
    return TaskLaws(
        task=task,
        errors=errors_of(session.stages, list(by_point.values()), seed=study.seed),
        trained=tuple(trained),
        lines={axis: tuple(points.index(point) for point in study.line(axis)) for axis in study.varied()},
        full=study.grid == "full",
        seed=study.seed,
    )
