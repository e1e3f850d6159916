"""What packing reports while it goes on."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Measuring:
    """Headers of files are being read, or clips compared before anything is packed: `share` of it is done."""

    what: str
    share: float


@dataclass(frozen=True)
class Plan:
    """What will be packed, known before it starts.

    Attributes
    ----------
    files, clips
        That can be used as far as their headers say.
    hours
        Of sound.
    size
        Bytes that the pack will have.
    rejected, dropped
        Clips that cannot be used, and that are left out as near duplicates.
    done_hours
        Packed by an earlier process.
    """

    files: int
    clips: int
    hours: float
    size: int
    rejected: int
    dropped: int
    done_hours: float


@dataclass(frozen=True)
class Progress:
    """How far packing is; clips that were left out count as done."""

    clips: int
    all_clips: int
    hours: float
    rejected: int
    dropped: int


Event = Measuring | Plan | Progress
Report = Callable[[Event], None]


def say_nothing(event: Event) -> None:
    """The default report."""


@dataclass(frozen=True)
class PackSummary:
    """What a pack holds.

    Attributes
    ----------
    location
        Folder or URL.
    clips, hours, size
        Packed; bytes of all shards.
    shards
        Files that they lie in.
    rejected, dropped
        Clips that could not be used, and that were left out as duplicates.
    drop
        Which duplicates were left out: nothing, exact or near.
    clipped
        Clips with samples beyond [-1, 1], which were clipped.
    was_complete
        Whether there was nothing left to do.
    """

    location: str
    clips: int
    hours: float
    size: int
    shards: int
    rejected: int
    dropped: int
    drop: str
    clipped: int
    was_complete: bool
