"""What an evaluation reports while it works; libraries print nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from auricle.embedding import EmbedProgress


@dataclass(frozen=True)
class Work:
    """A kind of work has come to its `done`-th piece of `total`; `what` names the piece, empty at the end."""

    kind: str
    what: str
    done: int
    total: int


@dataclass(frozen=True)
class Embedding:
    """How far the embedding of one piece is."""

    progress: EmbedProgress


@dataclass(frozen=True)
class Notice:
    """Something that whoever reads the scores should know."""

    text: str


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
