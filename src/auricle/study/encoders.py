"""The encoders of a study: pre-trained on each diet, their random selves, and others to compare with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from auricle.models import registry
from auricle.models.encoder import Encoder
from auricle.models.spectrogram import NormalisedEncoder
from auricle.pretraining import events as pretraining_events
from auricle.pretraining import run as pretraining_run
from auricle.pretraining.recipe import Recipe, load_recipe
from auricle.stages import Finished, Stage, Stages
from auricle.study.base import Pretraining
from auricle.study.diets import RANDOM, Diets
from auricle.study.sources import Diet
from auricle.training import environment

PRETRAINING_VERSION = 1
RANDOM_VERSION = 1
# Keys of a recipe that change how, but not what is computed; `seed` and `data` are told by the stage itself.
_NEUTRAL = {"data", "device", "workers", "log_every", "checkpoint_every", "keep_checkpoints"}

Kind = Literal["trained", "random", "reference"]


@dataclass(frozen=True)
class StudyEncoder:
    """One encoder of a study.

    Attributes
    ----------
    model
        What results call it.
    kind
        ``trained`` on a diet, ``random`` weights behind the front end of a trained one, or another ``reference``.
    diet
        What it was trained on, or whose front-end statistics it has; None for a reference.
    seed
        Of pre-training or of random weights.
    source
        What :func:`auricle.load` takes.
    fingerprint
        Of its weights.
    heard
        What part of its diet it was trained on, where that is not all of it.
    """

    model: str
    kind: Kind
    diet: str | None
    seed: int | None
    source: str
    fingerprint: str
    heard: str | None = None

    @property
    def title(self) -> str:
        """What the report calls it; encoders that differ only in their seed share it."""
        match self.kind:
            case "trained":
                return f"trained on {self.diet}"
            case "random":
                return f"random weights ({self.diet} front end)"
            case _:
                return self.model

    @property
    def label(self) -> str:
        """One line that tells it from all others."""
        title = self.title if self.heard is None else f"trained on {self.heard}"
        return title if self.seed is None else f"{title}, seed {self.seed}"

    @property
    def names(self) -> dict[str, str | None]:
        """What results call it."""
        return {"model": self.model, "diet": self.diet if self.kind == "trained" else None}

    def load(self, device: torch.device) -> Encoder:
        """The encoder itself, ready to embed."""
        return registry.load(self.source).to(device)


@dataclass(frozen=True)
class Wanted:
    """One pre-training that a study needs: what progress calls it, how, on what, and with which seed."""

    title: str
    how: Pretraining
    diet: Diet
    seed: int

    @property
    def stage(self) -> Stage:
        """What decides its outcome."""
        return pretraining_stage(self.how, self.diet, self.seed)


@dataclass(frozen=True)
class Training:
    """One pre-training that is finished: on what, and for which of the study's diets."""

    diet: Diet
    seed: int
    stage: Finished

    @property
    def model_folder(self) -> Path:
        """The trained encoder."""
        return self.stage.folder / "model"


def recipe_of(how: Pretraining, *, seed: int, data: Path | None = None) -> Recipe:
    """The recipe that a study trains by."""
    values: dict[str, Any] = {**how.overrides, "seed": seed}
    if data is not None:
        values["data"] = [str(data)]
    return load_recipe(how.recipe, values)


def pretraining_stage(how: Pretraining, diet: Diet, seed: int) -> Stage:
    """What decides the outcome of one pre-training."""
    recipe = recipe_of(how, seed=seed)
    inputs = {
        "recipe": recipe.model_dump(mode="json", exclude=_NEUTRAL | {"name"}),
        "sound": diet.sound,
    }
    return Stage("pretraining", f"{diet.name}-seed{seed}", PRETRAINING_VERSION, inputs)


def pretrain(stages: Stages, how: Pretraining, diet: Diet, seed: int, report: Callable[[Any], None]) -> Training:
    """Train on a diet, or go on with a training that was interrupted; nothing if it is finished."""

    def work(folder: Path) -> dict[str, Any]:
        plans: list[pretraining_events.Plan] = []

        def listen(event: Any) -> None:
            if isinstance(event, pretraining_events.Plan):
                plans.append(event)
            report(event)

        data = folder.resolve() / f"{diet.name}.parquet"
        if (folder / "recipe.yaml").exists():
            model = pretraining_run.resume(folder, report=listen)
        else:
            diet.manifest().write(data)
            model = pretraining_run.pretrain(recipe_of(how, seed=seed, data=data), folder, report=listen)
        encoder = registry.load(model)
        plan = plans[-1]
        return {
            "weights_fingerprint": encoder.weights_fingerprint,
            "parameters": encoder.parameters_count,
            "embedding_dim": encoder.embedding_dim,
            "statistics": encoder.statistics,
            "steps": plan.steps,
            "batch_size": plan.batch_size,
            "hours": plan.hours,
            "clips": plan.clips,
            "files": plan.files,
            "rejected": plan.rejected,
            "environment": environment(),
        }

    stage = pretraining_stage(how, diet, seed)
    return Training(diet, seed, stages.run(stage, work, resumable=True, outputs=["model/*", "metrics.jsonl"]))


def random_self(stages: Stages, trained: str | Path, fingerprint: str, seed: int, *, name: str) -> Finished:
    """The same architecture with random weights and the trained encoder's own front-end statistics.

    Parameters
    ----------
    stages
        Where it is kept.
    trained, fingerprint
        The encoder, as :func:`auricle.load` takes it, and of its weights.
    seed
        Of the random weights.
    name
        Of the stage.
    """

    def work(folder: Path) -> dict[str, Any]:
        encoder = registry.load(trained)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            fresh = type(encoder).from_config(encoder.config.to_dict())
        if isinstance(encoder, NormalisedEncoder) and isinstance(fresh, NormalisedEncoder):
            fresh.set_statistics(**encoder.statistics)
        fresh.name = f"{encoder.name} random {seed}"
        fresh.save_pretrained(folder)
        return {"weights_fingerprint": fresh.weights_fingerprint}

    inputs = {"like": fingerprint, "seed": seed}
    return stages.run(Stage("random", f"{name}-seed{seed}", RANDOM_VERSION, inputs), work)


def encoders_of(stages: Stages, study: Diets, trainings: Sequence[Training]) -> list[StudyEncoder]:
    """All encoders in the order of the report: each trained one, its random selves, then the references."""
    recipe = recipe_of(study.learning, seed=0).name
    found: list[StudyEncoder] = []
    for diet in study.diets:
        of_diet = [training for training in trainings if training.diet.title == diet]
        for training in of_diet:
            fingerprint = training.stage.facts["weights_fingerprint"]
            source, heard = str(training.model_folder), training.diet.name if training.diet.of else None
            found.append(StudyEncoder(recipe, "trained", diet, training.seed, source, fingerprint, heard))
        if RANDOM in study.models:
            for seed in study.random_seeds:
                first = of_diet[0]
                trained = first.stage.facts["weights_fingerprint"]
                stage = random_self(stages, first.model_folder, trained, seed, name=diet)
                fingerprint = stage.facts["weights_fingerprint"]
                model = f"{recipe} random ({diet} front end)"
                found.append(StudyEncoder(model, "random", diet, seed, str(stage.folder), fingerprint))
    for name in study.models:
        if name != RANDOM:
            fingerprint = registry.load(name).weights_fingerprint
            found.append(StudyEncoder(name, "reference", None, None, name, fingerprint))
    return found
