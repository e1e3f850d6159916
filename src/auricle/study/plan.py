"""What a study of diets takes, before it is run: what data is missing; hours, disk and memory of every stage.

Nothing of the study is done. Its rates are measured here and now, by a few seconds of the same work on noise; amounts
of published data that is not there are those of the publications.
"""

import math
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from auricle import audio
from auricle.corpora.diets import load_diet
from auricle.corpora.registry import corpus
from auricle.datasets.registry import dataset, list_datasets
from auricle.embedding import choose_device
from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.models import registry
from auricle.models.encoder import Encoder
from auricle.pretraining import run as pretraining_run
from auricle.pretraining.events import Step
from auricle.study import sources
from auricle.study.base import DATASET_PREFIX, task_name
from auricle.study.diets import RANDOM, Diets
from auricle.study.encoders import recipe_of
from auricle.transfer.evaluation import evaluate

STEPS = 3  # of pre-training that are timed, the first of them apart
NOISE_SECONDS = 30.0  # of sound that is embedded
PROBED_CLIPS = 400  # random embeddings that are probed
CLASSES = 10
_MODEL_COPIES = 4  # of all weights in a checkpoint: online, target or not, and the optimiser's two moments

Say = Callable[[str], None]


@dataclass(frozen=True)
class Holding:
    """A source or a task: how much it is, and what is missing of it."""

    name: str
    clips: int
    hours: float | None
    missing: tuple[str, ...] = ()
    parts: int = 1  # folds that are probed one by one


@dataclass(frozen=True)
class Rates:
    """What this machine does: crops per second, bytes, seconds of sound per second by model, and seconds per probe."""

    crops: float
    parameters: int
    embedding_dim: int
    sound: dict[str, float]
    unavailable: dict[str, str]
    probe: float
    peak_bytes: int


def plan(study: Diets) -> Iterator[str]:
    """The plan, line by line.

    Raises
    ------
    AuricleError
        When the study names something that there is not at all.
    """
    root = None if study.is_synthetic else study.data_folder()
    diets = {} if root is None else {name: list(_of_diet(study, name, root)) for name in study.diets}
    tasks = [] if root is None else [_task(task, root, study.hop) for task in study.tasks]
    yield f"{study.name}: {len(study.diets)} diets, {len(study.tasks)} tasks; nothing is run"
    if root is None:
        yield f"data: the sound world, {study.world.clips:,} clips, made in seconds"
    for name, holdings in diets.items():
        yield from _shown(f"diet {name}", holdings)
    yield from _shown("tasks", tasks)
    yield "timing this machine on noise …"
    rates = measure(study)
    yield from _stages(study, diets, tasks, rates)
    missing = [words for holdings in (*diets.values(), tasks) for one in holdings for words in one.missing]
    missing += rates.unavailable.values()
    if missing:
        yield f"missing: {len(set(missing))}; the study cannot run before they are there"
        yield from (f"  {words}" for words in dict.fromkeys(missing))
    else:
        yield "nothing is missing"


# --- data -----------------------------------------------------------------------------------------------------------


def _of_diet(study: Diets, name: str, root: Path) -> Iterator[Holding]:
    for source in study.diets[name]:
        if source in study.diets and source != name:
            yield from _of_diet(study, source, root)
        elif source.startswith(sources.DIET_PREFIX):
            for corpus_name in load_diet(source.removeprefix(sources.DIET_PREFIX)).corpora:
                yield _corpus(corpus_name, root)
        elif source.startswith(sources.CORPUS_PREFIX):
            yield _corpus(source.removeprefix(sources.CORPUS_PREFIX), root)
        else:
            yield _part(source, root, study.leave_out)


def _corpus(name: str, root: Path) -> Holding:
    entry = corpus(name)
    try:
        entry.folder(root)
    except AuricleError as error:
        return Holding(entry.name, entry.paper_clips, entry.paper_hours, (str(error),))
    return Holding(entry.name, entry.paper_clips, entry.paper_hours)


def _part(source: str, root: Path, leave_out: sources.LeaveOut) -> Holding:
    try:
        diet = sources.find_diet(source, [source], root, leave_out=leave_out)
        return Holding(source, len(diet.manifest()), sum(sum(one.values()) for one in diet.lengths) / 3600)
    except AuricleError as error:
        if not source.startswith(DATASET_PREFIX):
            return Holding(source, 0, None, (str(error),))
        entry = dataset(source.removeprefix(DATASET_PREFIX))
        return Holding(source, entry.clips, entry.hours, (str(error),))


def _task(source: str, root: Path, hop: float | None) -> Holding:
    name = task_name(source)
    try:
        found = sources.find_task(source, root, hop=hop)
    except AuricleError as error:
        entry = dataset(name) if name in list_datasets() else None
        return Holding(name, entry.clips if entry else 0, entry.hours if entry else None, (str(error),))
    folds = len(set(found.manifest.column("fold"))) if found.manifest.has("fold") else 1
    hours = None
    if name in list_datasets() and (entry := dataset(name)).hours is not None:
        hours = entry.hours * len(found) / entry.clips
    return Holding(found.name, len(found), hours, parts=folds)


def _shown(title: str, holdings: Sequence[Holding]) -> Iterator[str]:
    if not holdings:
        return
    yield f"{title}: {sum(one.clips for one in holdings):,} clips, {_hours(_sum(holdings))}"
    width = max(len(one.name) for one in holdings)
    for one in holdings:
        there = "missing" if one.missing else "there"
        yield f"  {one.name:{width}}  {one.clips:>11,} clips  {_hours(one.hours):>11}  {there}"


def _sum(holdings: Sequence[Holding]) -> float | None:
    known = [one.hours for one in holdings if one.hours is not None]
    return sum(known) if known else None


def _hours(hours: float | None) -> str:
    if hours is None:
        return "? h"
    return f"{hours:,.1f} h" if hours >= 0.1 else f"{60 * hours:.1f} min"


# --- rates ----------------------------------------------------------------------------------------------------------


def measure(study: Diets) -> Rates:
    """Time a few steps of pre-training, the embedding of some noise by every model, and a probe."""
    device = choose_device(study.device)
    recipe = recipe_of(study.learning, seed=0)
    with tempfile.TemporaryDirectory(prefix="auricle-plan-") as folder:
        sound, rate = Path(folder) / "sound", pretraining_run.build_encoder(recipe).sample_rate
        noise = np.random.default_rng(0).uniform(-0.3, 0.3, round(NOISE_SECONDS * rate)).astype(np.float32)
        audio.write(sound / "noise.wav", noise, sample_rate=rate)
        changes = {"steps": STEPS, "log_every": 1, "statistics_crops": 8, "workers": 1, "checkpoint_every": STEPS}
        values = recipe.model_dump(mode="json", exclude={"epochs", "validation", *changes}) | changes
        told: list[Step] = []
        recipe = type(recipe).model_validate(values | {"data": [str(sound)]})
        model = pretraining_run.pretrain(
            recipe, Path(folder) / "run", report=lambda event: told.append(event) if isinstance(event, Step) else None
        )
        trained = registry.load(model).to(device)
        sounding, unavailable = {"": _rate_of(trained, noise)}, {}
        for name in study.models:
            if name == RANDOM:
                continue
            try:
                sounding[name] = _rate_of(registry.load(name).to(device), noise)
            except AuricleError as error:
                unavailable[name] = str(error)
        return Rates(
            crops=max(step.clips_per_second for step in told[1:]),
            parameters=trained.parameters_count,
            embedding_dim=trained.embedding_dim,
            sound=sounding,
            unavailable=unavailable,
            probe=_seconds_of_probe(study, trained.embedding_dim, device),
            peak_bytes=_peak_bytes(device),
        )


def _rate_of(encoder: Encoder, noise: np.ndarray) -> float:
    """Seconds of sound that are embedded in a second; the faster of two."""
    taken = []
    for _ in range(2):
        start = time.perf_counter()
        encoder.embed(noise)
        taken.append(time.perf_counter() - start)
    return len(noise) / encoder.sample_rate / min(taken)


def _seconds_of_probe(study: Diets, dim: int, device: torch.device) -> float:
    """Of one clip in one probe of one seed."""
    generator = np.random.default_rng(0)
    rows = [
        {
            "path": f"{row}.wav",
            "label": str(row % CLASSES),
            "split": ("train", "train", "valid", "test")[row // CLASSES % 4],
        }
        for row in range(PROBED_CLIPS)
    ]
    start = time.perf_counter()
    evaluate(
        generator.standard_normal((PROBED_CLIPS, dim)).astype(np.float32),
        Manifest.from_rows(rows, root=Path()),
        task="noise",
        model="noise",
        protocol=study.probe.protocol,
        settings=study.probe.settings(),
        seeds=study.probe.seeds,
        device=device,
    )
    return (time.perf_counter() - start) / PROBED_CLIPS / len(study.probe.seeds)


def _peak_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


# --- stages ---------------------------------------------------------------------------------------------------------


def _stages(study: Diets, diets: dict[str, list[Holding]], tasks: Sequence[Holding], rates: Rates) -> Iterator[str]:
    recipe, seeds = recipe_of(study.learning, seed=0), len(study.learning.seeds)
    clips_of = {name: sum(one.clips for one in holdings) for name, holdings in diets.items()}
    steps = {
        name: recipe.steps or math.ceil((recipe.epochs or 0) * clips / recipe.batch_size)
        for name, clips in clips_of.items()
    }
    variants = _variants(study)
    trainings = {name: seeds * count for name, count in variants.items()}
    crops = sum(steps.get(name, recipe.steps or 0) * recipe.batch_size * count for name, count in trainings.items())
    yield f"pre-training of {sum(trainings.values())} encoders, {rates.parameters:,} parameters each:"
    for name, count in trainings.items():
        parts = f", {variants[name]} parts of it" if variants[name] > 1 else ""
        yield f"  {name}: {count} × {steps.get(name, recipe.steps or 0):,} steps of {recipe.batch_size}{parts}"
    disk = sum(trainings.values()) * rates.parameters * 4 * (1 + _MODEL_COPIES * recipe.keep_checkpoints)
    yield _line("pre-training", crops / rates.crops, disk, f"{rates.crops:,.0f} crops/s")
    random = len(study.diets) * len(study.random_seeds) if RANDOM in study.models else 0
    own = len(study.diets) * seeds + random
    hours = _sum(tasks) or 0.0
    named = {name: speed for name, speed in rates.sound.items() if name}
    seconds = 3600 * hours * (own / rates.sound[""] + sum(1 / speed for speed in named.values()))
    count, clips = own + len(named) + len(rates.unavailable), sum(task.clips for task in tasks)
    sound = f"{rates.sound['']:,.0f} × real time" + "".join(f", {name} {speed:,.0f}" for name, speed in named.items())
    yield _line(f"embedding by {count}", seconds, count * clips * rates.embedding_dim * 4, sound)
    probes = sum(task.clips * task.parts for task in tasks) * len(study.probe.seeds) * count
    yield _line("probing", probes * rates.probe, None, f"{1000 * rates.probe:.1f} ms per clip, probe and seed")
    yield f"memory: {rates.peak_bytes / 1e9:.1f} GB at the peak of pre-training; embeddings stay on disk"
    yield "not counted: similarity, t-SNE and the report, minutes each; memory and time of models that are missing"


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


def _line(what: str, seconds: float, disk: float | None, rate: str) -> str:
    size = "" if disk is None else f"  {disk / 1e9:>8,.1f} GB"
    return f"{what:16} {_hours(seconds / 3600):>12}{size:11}  at {rate}"
