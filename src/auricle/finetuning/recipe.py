"""What a fine-tuning run is told: model, task, and every number of the training, typed, checked and stored.

Defaults are ours; layer-wise learning-rate decay follows Clark et al. 2020 (ELECTRA, arXiv 2003.10555), mixup Zhang et
al. 2018 (arXiv 1710.09412), SpecAugment Park et al. 2019 (arXiv 1904.08779).
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import yaml

from auricle import settings
from auricle.errors import AuricleError
from auricle.settings import Positive, Settings, Share
from auricle.training import TrainingSettings

_NAME = "fine-tuning"
_WHAT = ("model", "task", "root", "label", "group", "positive", "fold")  # the rest is how
_HARDLY_MATTERS = ("device", "workers", "cache_gib", "checkpoint_every", "keep_checkpoints", "log_every")


class SpecAugment(Settings):
    """Masks on the log-mel spectrogram of every crop; 0 masks turn a kind off."""

    frequency_masks: Annotated[int, pydantic.Field(ge=0)] = 0
    frequency_width: Share = 0.2  # upper end of a mask's width, as a share of the bands
    time_masks: Annotated[int, pydantic.Field(ge=0)] = 0
    time_width: Share = 0.2  # upper end of a mask's length, as a share of the crop

    @property
    def is_on(self) -> bool:
        """Whether anything is masked."""
        return self.frequency_masks > 0 or self.time_masks > 0


class FineTuning(TrainingSettings):
    """Everything about one fine-tuning run."""

    model: str  # what `auricle.load` takes
    task: str  # a dataset's name, a folder of folders, a manifest
    root: str | None = None  # folder of all data
    label: str | None = None  # column to predict, of a user's own manifest
    group: str | None = None  # column of what must not stand on both sides of a split
    positive: str | None = None  # the label to detect, of a user's own manifest
    fold: int | None = None  # which is tested, of a task that has folds; the first by default

    pooling: Literal["mean", "max", "mean+max"] | None = None  # of frame embeddings under the head; by default its own
    label_share: Annotated[float, pydantic.Field(gt=0, le=1)] = 1.0  # of the training clips, nested by `seed`

    epochs: Positive = 20  # at most, where `schedule` is plateau
    epoch_clips: Positive | None = None  # that training sees between two validations; each once when not given
    batch_size: Annotated[int, pydantic.Field(ge=2)] = 32
    learning_rate: Annotated[float, pydantic.Field(gt=0)] = 1e-3  # AdamW's, of the head
    layer_decay: Annotated[float, pydantic.Field(gt=0, le=1)] = 0.75  # learning rate of a layer over the next one's
    weight_decay: Annotated[float, pydantic.Field(ge=0)] = 0.01  # of matrices; norms and biases have none
    warmup: Share = 0.1  # share of all steps with a rising learning rate
    schedule: Literal["cosine", "plateau"] = "cosine"  # then half a cosine; or constant until validation stands still
    patience: Positive = 5  # epochs without a better validation score: the plateau's rate falls, or training ends
    crop_seconds: Annotated[float, pydantic.Field(gt=0)] | None = None  # by default the median training clip, up to 10
    mixup: Annotated[float, pydantic.Field(ge=0)] = 0.0  # α of the Beta distribution of shares; 0 turns it off
    specaugment: SpecAugment = SpecAugment()
    balance: Share = 0.0  # power of the inverse class frequencies by which clips are drawn; 0 draws all alike

    @property
    def label_of_protocol(self) -> str:
        """What results call it: every number that departs from the defaults is said."""
        plain = FineTuning(model=self.model, task=self.task).model_dump()
        changes = [
            f"{key}={value}"
            for key, value in _flat(self.model_dump())
            if key not in (*_WHAT, *_HARDLY_MATTERS) and dict(_flat(plain))[key] != value
        ]
        return f"{_NAME} ({', '.join(changes)})" if changes else _NAME


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def make_recipe(overrides: Iterable[str] | Mapping[str, Any] = (), **what: Any) -> FineTuning:
    """A recipe: the defaults, `what` (model, task, …), and on top of them ``key=value`` texts or a mapping.

    Raises
    ------
    SettingsError
        For an unknown key (naming the nearest one) or a value out of range.
    """
    values = {key: value for key, value in what.items() if value is not None}
    settings.override(values, overrides, name=_NAME)
    return settings.build(FineTuning, values, name=_NAME)


def read_recipe(path: Path) -> FineTuning:
    """The recipe that a run wrote.

    Raises
    ------
    AuricleError
        When it is not there or is none of fine-tuning.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise AuricleError(f"{path.parent} holds no run to resume: it has no {path.name}") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise AuricleError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict) or "task" not in values:
        raise AuricleError(f"{path} is no recipe of fine-tuning: is {path.parent} a run of `auricle pretrain`?")
    return settings.build(FineTuning, values, name=str(path))
