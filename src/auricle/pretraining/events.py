"""What a pre-training run reports while it works; the run itself prints nothing."""

from collections.abc import Callable
from dataclasses import dataclass

from auricle.training import Decoding, Note

__all__ = ["Decoding", "Note", "Plan", "Report", "Step"]


@dataclass(frozen=True)
class Plan:
    """What a run is about to do."""

    files: int
    rejected: int
    hours: float
    clips: int
    crops_per_epoch: int
    padding_share: float
    mean: float
    std: float
    steps: int
    batch_size: int
    first_step: int


@dataclass(frozen=True)
class Step:
    """Where a run stands; `rank` is at most `rank_limit`."""

    step: int
    steps: int
    epoch: float
    loss: float
    spread: float
    rank: float
    rank_limit: int
    learning_rate: float
    clips_per_second: float


Report = Callable[[Plan | Step | Decoding | Note], None]
