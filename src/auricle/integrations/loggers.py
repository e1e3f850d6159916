"""Runs in the tools that people watch runs with: TensorBoard, Weights & Biases, MLflow.

A logger is told the events of a pre-training or fine-tuning run beside the progress bar; the run knows nothing of it.
It opens its tool at the run's plan, so that processes which report nothing open nothing; a resumed run goes on in the
same record, and what a killed run had logged beyond its last checkpoint is replaced where the tool can do that.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import yaml

from auricle.errors import AuricleError
from auricle.finetuning import events as finetuning
from auricle.pretraining import events as pretraining

Event = pretraining.Event | finetuning.Event
PROJECT = "auricle"  # where the tool sorts runs by project or experiment
RECIPE = "recipe.yaml"  # in a run's folder


class RunLogger(ABC):
    """What every tool is told; a subclass says how.

    Parameters
    ----------
    folder
        Of the run; the tool writes into a folder of its own there.
    """

    extra: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._opened = False

    @abstractmethod
    def open(self, plan: Mapping[str, Any], *, first_step: int) -> None:
        """The run is about to go on from `first_step`; `plan` is the recipe and what was found."""

    @abstractmethod
    def numbers(self, values: Mapping[str, float], step: int) -> None:
        """What was measured at a step."""

    @abstractmethod
    def say(self, text: str) -> None:
        """A sentence that whoever watches should read."""

    @abstractmethod
    def close(self, *, failed: bool) -> None:
        """Nothing more will come; `failed` when the run was stopped before its end."""

    def __call__(self, event: Event) -> None:
        """Pass an event of a run on."""
        match event:
            case pretraining.Plan() | finetuning.Plan():
                self.open(self._recipe() | asdict(event), first_step=event.first_step)
                self._opened, self._step = True, event.first_step
            case pretraining.Step() | finetuning.Step():
                self._step = event.step
                self.numbers(_numbers(event), event.step)
            case finetuning.End(summaries):
                self.numbers({f"test/{result.metric}": result.value for result in summaries}, self._step)
            case pretraining.Held(step, watched):
                self.say(f"step {step:,}: {watched}")
            case pretraining.Note(text) if self._opened:
                self.say(text)

    def finish(self, *, failed: bool) -> None:
        """Close the tool if it was opened."""
        if self._opened:
            self._opened = False
            self.close(failed=failed)

    def _recipe(self) -> dict[str, Any]:
        path = self.folder / RECIPE
        return dict(yaml.safe_load(path.read_text(encoding="utf-8"))) if path.is_file() else {}

    def _identity(self, new: Callable[[], str]) -> str:
        """What the tool calls this run, the same when it is resumed."""
        path = self.folder / f"{self.extra}-run"
        if not path.is_file():
            path.write_text(new(), encoding="utf-8")
        return path.read_text(encoding="utf-8")


class TensorBoardLogger(RunLogger):
    """Event files in the run's folder ``tensorboard``; watch them with ``tensorboard --logdir``."""

    extra = "tensorboard"

    def open(self, plan: Mapping[str, Any], *, first_step: int) -> None:
        """As of the parent class; later steps of a killed run are hidden."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(self.folder / "tensorboard"), purge_step=first_step + 1)
        lines = "\n".join(f"    {name}: {value}" for name, value in plan.items())  # indented: preformatted
        self._writer.add_text("plan", lines, first_step)

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        """As of the parent class."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def say(self, text: str) -> None:
        """As of the parent class."""
        self._writer.add_text("note", text, self._step)

    def close(self, *, failed: bool) -> None:  # noqa: ARG002 (it has no word for it)
        """As of the parent class."""
        self._writer.close()


class WandbLogger(RunLogger):
    """A run of Weights & Biases; ``WANDB_MODE=offline`` keeps it in the run's folder until ``wandb sync``."""

    extra = "wandb"

    def open(self, plan: Mapping[str, Any], *, first_step: int) -> None:  # noqa: ARG002 (its steps only grow)
        """As of the parent class."""
        import wandb

        self._run = wandb.init(
            project=PROJECT,
            name=self.folder.resolve().name,
            id=self._identity(lambda: uuid4().hex[:8]),
            resume="allow",
            dir=str(self.folder),
            config=dict(plan),
            settings=wandb.Settings(silent=True),
        )

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        """As of the parent class."""
        self._run.log(dict(values), step=step)

    def say(self, text: str) -> None:
        """As of the parent class."""
        self._run.log({"note": text}, step=self._step)

    def close(self, *, failed: bool) -> None:
        """As of the parent class."""
        self._run.finish(exit_code=int(failed))


class MLflowLogger(RunLogger):
    """A run of MLflow, where ``MLFLOW_TRACKING_URI`` says, or in ``mlruns`` of the run's folder."""

    extra = "mlflow"

    def open(self, plan: Mapping[str, Any], *, first_step: int) -> None:  # noqa: ARG002 (it keeps every number)
        """As of the parent class."""
        from mlflow.tracking import MlflowClient

        at = os.environ.get("MLFLOW_TRACKING_URI")
        if not at:
            at = (self.folder / "mlruns").resolve().as_uri()
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # which it wants to be asked for
        self._client = MlflowClient(tracking_uri=at)
        experiment = self._client.get_experiment_by_name(PROJECT)
        number = experiment.experiment_id if experiment else self._client.create_experiment(PROJECT)
        name = self.folder.resolve().name
        self._id = self._identity(lambda: str(self._client.create_run(number, run_name=name).info.run_id))
        self._client.update_run(self._id, status="RUNNING")
        if not self._client.get_run(self._id).data.params:
            for key, value in plan.items():
                self._client.log_param(self._id, key, value)

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        """As of the parent class."""
        for name, value in values.items():
            self._client.log_metric(self._id, name, value, step=step)

    def say(self, text: str) -> None:
        """As of the parent class."""
        self._client.set_tag(self._id, f"note at step {self._step}", text)

    def close(self, *, failed: bool) -> None:
        """As of the parent class."""
        self._client.set_terminated(self._id, status="FAILED" if failed else "FINISHED")


LOGGERS: dict[str, type[RunLogger]] = {
    logger.extra: logger for logger in (TensorBoardLogger, WandbLogger, MLflowLogger)
}


class Reports:
    """One report made of several: ``with Reports(bar, names=["tensorboard"], folder=folder) as report``.

    Parameters
    ----------
    bar
        What shows the run on the terminal; it is told first.
    names
        Of `LOGGERS`.
    folder
        Of the run.

    Raises
    ------
    AuricleError
        When there is no such logger, or its tool is not installed.
    """

    def __init__(self, bar: Callable[[Any], None], *, names: Iterable[str], folder: Path) -> None:
        self._bar, self._loggers = bar, []
        for name in names:
            if name not in LOGGERS:
                raise AuricleError(f"no logger is called {name!r}: choose {', '.join(LOGGERS)}")
            if find_spec(name) is None:
                raise AuricleError(f'{name} is not installed: pip install "auricle[{name}]"')
            self._loggers.append(LOGGERS[name](folder))

    def __call__(self, event: Event) -> None:
        """Tell all of them."""
        self._bar(event)
        for logger in self._loggers:
            logger(event)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with ExitStack() as stack:
            for logger in self._loggers:
                stack.callback(logger.finish, failed=kind is not None)


def _numbers(step: pretraining.Step | finetuning.Step) -> dict[str, float]:
    """Every number of a step but its own."""
    values = {name: value for name, value in vars(step).items() if name not in ("step", "steps")}
    values |= dict(values.pop("monitors", {}))
    return {name: float(value) for name, value in values.items() if isinstance(value, int | float)}
