"""What every long work of several pieces reports while it goes on; libraries print nothing."""

from dataclasses import dataclass

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
class Share:
    """How much of one piece is done, from 0 to 1."""

    done: float


@dataclass(frozen=True)
class Notice:
    """Something that whoever reads the results should know."""

    text: str


WorkEvent = Work | Embedding | Share | Notice
