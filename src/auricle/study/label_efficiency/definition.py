"""The label-efficiency study: what an encoder's self-supervised weights are worth, counted in labels.

Srivastava et al. 2022 (arXiv 2110.07313) claim that self-supervision saves two thirds of the labels. Here the same
architecture is trained from scratch and fine-tuned from its weights on nested shares of the labels, both with a search
of the learning rate at every share, the same augmentation, and until validation stands still.
"""

from fractions import Fraction
from typing import Annotated, Any, Literal

import pydantic

from auricle.finetuning.recipe import FineTuning, make_recipe
from auricle.settings import Settings, SettingsError
from auricle.study.base import DATASET_PREFIX, Pretraining, Seeds, Study, Tasks, refuse_doubles
from auricle.transfer.task import Task

SCRATCH, PRETRAINED = "from scratch", "pre-trained"
STARTS = (SCRATCH, PRETRAINED)
CLAIMED = 1 / 3  # of the labels, by Srivastava et al.
_STUDY_SETS = ("model", "task", "root", "label", "group", "positive", "fold", "seed", "label_share", "learning_rate")


def _number(value: Any) -> Any:
    """``1/3`` as a number."""
    try:
        return float(Fraction(value)) if isinstance(value, str) else value
    except (ValueError, ZeroDivisionError):
        return value


LabelShare = Annotated[float, pydantic.Field(gt=0, le=1), pydantic.BeforeValidator(_number)]
Rate = Annotated[float, pydantic.Field(gt=0)]


class Start(Settings):
    """How training goes from one of the two starts."""

    learning_rates: Annotated[tuple[Rate, ...], pydantic.Field(min_length=1)] = (
        3e-4,
        1e-3,
        3e-3,
    )  # tried at each share
    training: dict[str, Any] = pydantic.Field(default_factory=dict)  # keys of fine-tuning, on top of the study's


class LabelEfficiency(Study):
    """Two starts × shares of the labels × tasks."""

    kind: Literal["label-efficiency"] = "label-efficiency"
    weights: str | None = None  # a pre-trained encoder; else one is pre-trained on `diet`
    diet: tuple[str, ...] = ()  # folders, manifests, dataset:NAME
    pretraining: Pretraining = Pretraining(recipe="conformer-small")  # with the first of its seeds
    tasks: Tasks
    fold: int | None = None  # which is tested, of tasks that have folds; the first by default
    shares: Annotated[tuple[LabelShare, ...], pydantic.Field(min_length=2)] = (0.1, 1 / 3, 2 / 3, 1.0)
    claim: LabelShare = pydantic.Field(
        default=None, validate_default=True
    )  # of the shares: at which the two starts are compared in words; the nearest to a third by default
    seeds: Seeds = (0, 1, 2)  # of the labels chosen, of new weights and of training; the first one's chooses the rate
    training: dict[str, Any] = pydantic.Field(default_factory=dict)  # keys of fine-tuning, of both starts
    scratch: Start = Start(training={"layer_decay": 1.0})
    pretrained: Start = Start()

    @pydantic.field_validator("claim", mode="before")
    @classmethod
    def _one_of_the_shares(cls, given: Any, others: pydantic.ValidationInfo) -> Any:
        if given is not None:
            return given
        return min(others.data.get("shares", (CLAIMED,)), key=lambda share: abs(share - CLAIMED))

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> "LabelEfficiency":
        refuse_doubles("tasks", self.tasks)
        if self.weights is None and not self.diet:
            raise ValueError(
                f"give `weights`, a pre-trained encoder, or `diet`, what to train one on ({DATASET_PREFIX}…)"
            )
        if self.shares[-1] != 1 or list(self.shares) != sorted(set(self.shares)):
            raise ValueError(f"`shares` rise to 1, which is all labels, got {', '.join(f'{s:g}' for s in self.shares)}")
        if self.claim not in self.shares:
            shares = ", ".join(str(Fraction(share).limit_denominator(1000)) for share in self.shares)
            raise ValueError(
                f"`claim` is {self.claim:g}, which is none of the shares ({shares}): leave it out, or give one of them"
            )
        for name in STARTS:
            for key in (*self.training, *self.start(name).training):
                if key in _STUDY_SETS:
                    raise ValueError(f"`{key}` of the training follows from the study itself; remove it")
            try:
                self._recipe(name, {})
            except SettingsError as error:
                raise ValueError(str(error)) from None
        return self

    def start(self, name: str) -> Start:
        """How training goes from one of :data:`STARTS`."""
        return self.scratch if name == SCRATCH else self.pretrained

    @property
    def rates(self) -> int:
        """Trainings at one share: every learning rate of both starts, then the other seeds."""
        return sum(len(self.start(name).learning_rates) + len(self.seeds) - 1 for name in STARTS)

    def epoch_clips(self, start: str) -> int | None:
        """Clips of an epoch, where the study says it; else as many as the training part has."""
        given: int | None = {**self.training, **self.start(start).training}.get("epoch_clips")
        return given

    def recipe(
        self, start: str, task: Task, *, model: str, share: float, rate: float, seed: int, clips: int
    ) -> FineTuning:
        """How one model is trained; by default an epoch has `clips`, the training part's number, whatever the share."""
        values: dict[str, Any] = {
            "epoch_clips": clips,
            "fold": self.fold if task.manifest.has("fold") else None,
            "device": self.device,
            "learning_rate": rate,
            "label_share": share,
            "seed": seed,
        }
        return self._recipe(start, values, model=model, task=task.name)

    def _recipe(self, start: str, values: dict[str, Any], *, model: str = "", task: str = "") -> FineTuning:
        merged: dict[str, Any] = {**values, "schedule": "plateau", "warmup": 0.02, "epochs": 100}
        for more in (self.training, self.start(start).training):
            merged.update(more)
        return make_recipe(merged, model=model, task=task)
