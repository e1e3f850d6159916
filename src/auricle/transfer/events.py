"""What an evaluation reports while it works; libraries print nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from auricle.work_events import Embedding, Notice, Work

__all__ = ["Embedding", "End", "Event", "Notice", "Plan", "Report", "Work", "say_nothing"]


@dataclass(frozen=True)
class Plan:
    """What is evaluated: the name and number of clips of each task, and how many models."""

    models: int
    clips: dict[str, int]


@dataclass(frozen=True)
class End:
    """All is done: `stages` were worked on now, `cached` were done before."""

    stages: int
    cached: int
    results: Path


Event = Plan | Work | Embedding | Notice | End
Report = Callable[[Event], None]


def say_nothing(event: Event) -> None:
    """The default report."""
