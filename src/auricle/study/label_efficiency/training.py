"""One training of the label-efficiency study, done once: from a start, on a share of the labels, at a learning rate."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auricle import results
from auricle.finetuning import events as finetuning_events
from auricle.finetuning import run as finetuning_run
from auricle.finetuning.outcome import PREDICTIONS_FILE, RESULTS_FILE, read_predictions
from auricle.finetuning.recipe import FineTuning
from auricle.results import Result
from auricle.stages import Finished, Stage, Stages
from auricle.training import MetricsFile
from auricle.transfer.task import Task

TRAINING_VERSION = 1
# Keys of a recipe that change how, but not what is computed, or that the stage tells itself.
_NEUTRAL = {
    "model",
    "task",
    "root",
    "device",
    "workers",
    "cache_gib",
    "checkpoint_every",
    "keep_checkpoints",
    "log_every",
}
_PASSING = ("checkpoints", "model", "probe")  # what a run leaves and the study does not need

Tell = Callable[[finetuning_events.Event], None]


@dataclass(frozen=True)
class Trained:
    """One training that is finished.

    Attributes
    ----------
    start, share, seed, rate
        What it is.
    clips
        Labelled clips that it was given.
    stage
        Where its files are; `facts` hold ``valid`` (best validation score), ``best_epoch`` and ``epochs``.
    """

    start: str
    share: float
    seed: int
    rate: float
    clips: int
    stage: Finished

    @property
    def valid(self) -> float:
        """The best validation score."""
        return float(self.stage.facts["valid"])

    def results(self) -> list[Result]:
        """Test scores."""
        return results.read(self.stage.folder / RESULTS_FILE)

    def logits(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Rows of the test clips, and their logits."""
        return read_predictions(self.stage.folder / PREDICTIONS_FILE)


def training_stage(task: Task, fingerprint: str, recipe: FineTuning, *, start: str) -> Stage:
    """What decides the outcome of a training from weights of this fingerprint."""
    inputs = {
        "weights": fingerprint,
        "sound": task.sound,
        "labels": task.manifest.fingerprint,
        "kind": [task.kind, task.positive],
        "recipe": recipe.model_dump(mode="json", exclude=_NEUTRAL),
    }
    how = f"{recipe.label_share:.3g}-seed{recipe.seed}-{recipe.learning_rate:g}"
    return Stage("fine-tuning", f"{task.short_name}-{start}-{how}", TRAINING_VERSION, inputs)


def train(stages: Stages, task: Task, stage: Stage, recipe: FineTuning, *, decoded: Path, tell: Tell) -> Finished:
    """Train, or go on with a training that was interrupted; nothing if it is finished."""

    def work(folder: Path) -> dict[str, Any]:
        if (folder / "recipe.yaml").exists():
            finetuning_run.resume(folder, task=task, decoded=decoded, report=tell)
        else:
            finetuning_run.finetune(recipe, folder, task=task, decoded=decoded, report=tell)
        epochs = [row for row in MetricsFile(folder / "metrics.jsonl").read() if row["valid"] is not None]
        best = max(row["valid"] for row in epochs)
        first = next(number for number, row in enumerate(epochs, start=1) if row["valid"] == best)
        for name in _PASSING:
            shutil.rmtree(folder / name, ignore_errors=True)
        return {"valid": best, "best_epoch": first, "epochs": len(epochs), "plateau": len(epochs) < recipe.epochs}

    return stages.run(stage, work, resumable=True, outputs=[RESULTS_FILE, PREDICTIONS_FILE, "metrics.jsonl"])


def as_table(trained: list[Trained], task: Task) -> list[dict[str, Any]]:
    """One plain row for each training of a task."""
    rows = []
    for one in trained:
        test = next(row.value for row in one.results() if row.metric == task.metric)
        rows.append(
            {
                "task": task.name,
                "start": one.start,
                "share": one.share,
                "clips": one.clips,
                "seed": one.seed,
                "learning_rate": one.rate,
                "valid": one.valid,
                "test": test,
                "metric": task.metric,
                **{name: one.stage.facts[name] for name in ("best_epoch", "epochs", "plateau")},
                "seconds": one.stage.seconds,
            }
        )
    return rows
