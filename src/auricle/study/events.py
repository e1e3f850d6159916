"""What a study reports while it works; the study itself prints nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from auricle.pretraining.events import Decoding, Note, Plan, Step
from auricle.work_events import Embedding, Notice, Share, Work, WorkEvent

__all__ = [
    "Data",
    "Embedding",
    "End",
    "Event",
    "Notice",
    "Pretraining",
    "Report",
    "Said",
    "Share",
    "Work",
    "say_nothing",
]


@dataclass(frozen=True)
class Data:
    """What the study works on; `seconds` of audio are known of a sound world only."""

    synthetic: bool
    clips: int
    tasks: int
    seconds: float | None


@dataclass(frozen=True)
class Said:
    """A line about what is planned, or what was just done."""

    text: str


@dataclass(frozen=True)
class Pretraining:
    """Something about one pre-training, the `number`-th (from 1) of `runs` that have to be done."""

    recipe: str
    diet: str
    number: int
    runs: int
    event: Plan | Step | Decoding | Note


@dataclass(frozen=True)
class End:
    """The study is finished: `stages` were worked on now, `cached` were done before; `in_short` is what it found."""

    stages: int
    cached: int
    results: Path
    report: Path
    in_short: tuple[str, ...] = ()


Event = Data | Said | Pretraining | WorkEvent | End
Report = Callable[[Event], None]


def say_nothing(event: Event) -> None:
    """The default report."""
