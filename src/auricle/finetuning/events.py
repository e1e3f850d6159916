"""What a fine-tuning run reports while it works; the run itself prints nothing."""

from collections.abc import Callable
from dataclasses import dataclass

from auricle.results import Result
from auricle.training import Decoding, Note

__all__ = ["Decoding", "End", "Event", "Note", "Plan", "Report", "Step", "say_nothing"]


@dataclass(frozen=True)
class Plan:
    """What a run is about to do.

    Attributes
    ----------
    task
        Its name; with the fold that is tested, if there are folds.
    train, valid, test, rejected
        Clips.
    classes, layers
        Numbers of outputs and of the encoder's layers.
    crop_seconds
        Of every training crop.
    steps, batch_size, first_step
        From where to where.
    """

    task: str
    train: int
    valid: int
    test: int
    rejected: int
    classes: int
    layers: int
    crop_seconds: float
    steps: int
    batch_size: int
    first_step: int


@dataclass(frozen=True)
class Step:
    """Where a run stands; `valid` is the score of the epoch that ends here, None within one, `best` the best so far."""

    step: int
    steps: int
    epoch: float
    loss: float
    learning_rate: float
    clips_per_second: float
    metric: str
    valid: float | None
    best: float | None


@dataclass(frozen=True)
class End:
    """The test scores of the best epoch."""

    summaries: list[Result]


Event = Plan | Step | Decoding | Note | End
Report = Callable[[Event], None]


def say_nothing(event: Event) -> None:
    """The default report."""
