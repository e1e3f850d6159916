"""What an evaluation reports while it works; libraries print nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from auricle.work_events import Embedding, Notice, Share, Work, WorkEvent

__all__ = ["Embedding", "End", "Event", "Notice", "Plan", "Report", "Share", "Work", "say_nothing"]


@dataclass(frozen=True)
class Plan:
    """What is evaluated: how many models, each task by name with its number of clips, and the classes of own ones."""

    models: int
    clips: dict[str, int]
    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class End:
    """All is done: `stages` were worked on now, `cached` were done before."""

    stages: int
    cached: int
    results: Path


Event = Plan | WorkEvent | End
Report = Callable[[Event], None]


def say_nothing(event: Event) -> None:
    """The default report."""
