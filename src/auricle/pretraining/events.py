"""What a pre-training run reports while it works; the run itself prints nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from auricle.training import Decoding, Note, Remark

__all__ = ["Decoding", "Event", "Held", "Note", "Plan", "Remark", "Report", "Step"]


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
    """Where a run stands; `monitors` are the numbers that its objective is watched by, `watched` says them in words."""

    step: int
    steps: int
    epoch: float
    loss: float
    learning_rate: float
    clips_per_second: float
    monitors: Mapping[str, float]
    watched: str

    def as_row(self) -> dict[str, Any]:
        """A line of metrics.jsonl."""
        plain = [field.name for field in fields(self) if field.name not in ("monitors", "watched")]
        row = {name: getattr(self, name) for name in plain}
        return row | dict(self.monitors)


@dataclass(frozen=True)
class Held:
    """How held-out crops are told at a step, in words; the numbers are in validation.jsonl."""

    step: int
    watched: str


Event = Plan | Step | Decoding | Held | Note | Remark
Report = Callable[[Event], None]
