"""A labelled task: clips, what is to be predicted from them, and what a reader of its scores must know."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from auricle.datasets.entry import Kind
from auricle.datasets.windows import WindowedTask
from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.stages import fingerprint_of_sound

METRICS: Mapping[Kind, str] = {
    "multi-class": "accuracy",
    "binary": "average_precision",
    "multi-label": "mean_average_precision",
    "regression": "r2",
    "frames": "frame_average_precision",
}
"""What stands for a task in a table, by its kind, where its authors report nothing else."""

Clip = tuple[str, float, float | None]
"""A clip wherever it is: file, start and end in seconds."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A labelled task.

    Attributes
    ----------
    name, title
        What tables call it, and what its authors do.
    manifest
        Its clips.
    kind, positive, metric
        What is predicted and how it is scored; see :func:`auricle.transfer.evaluate`.
    about
        Where it comes from, its licence, what its split does not keep apart.
    published_clips
        How many clips the release has; None where there is none.
    is_own
        Whether it is a user's own, whose split nobody has checked yet.
    group_noun
        What sentences call a group: the column it came from.
    excerpts
        How the manifest's clips were cut from longer segments, where they are excerpts that overlap.
    notices
        What a reader of its scores should know.
    """

    name: str
    title: str
    manifest: Manifest
    kind: Kind = "multi-class"
    positive: str | None = None
    metric: str = "accuracy"
    about: str = ""
    published_clips: int | None = None
    is_own: bool = False
    group_noun: str = "group"
    excerpts: WindowedTask | None = None
    notices: tuple[str, ...] = ()

    @property
    def short_name(self) -> str:
        """The name without what it says of a local copy or of how excerpts are cut."""
        return self.name.partition(" (")[0]

    @cached_property
    def sound(self) -> str:
        """Fingerprint of what is heard, whatever the labels."""
        if self.excerpts is None:
            return fingerprint_of_sound(self.manifest)
        # Millions of excerpts follow from their segments and how they are cut.
        how = [fingerprint_of_sound(self.excerpts.manifest), repr(self.excerpts.windows), self.excerpts.seed]
        return hashlib.sha256(json.dumps(how).encode()).hexdigest()


def refuse_namesakes(tasks: Sequence[Task]) -> None:
    """Make sure that every task has a name of its own.

    Raises
    ------
    AuricleError
        When two tasks have the same name.
    """
    names = [task.name for task in tasks]
    for name in names:
        if names.count(name) > 1:
            raise AuricleError(f"two tasks are called {name}: give each once, and manifests different file names")


def clips_of(manifest: Manifest) -> list[Clip]:
    """The clips of a manifest, comparable with those of others."""
    root = manifest.root.resolve()
    starts, ends = (
        manifest.column(name) if manifest.has(name) else [None] * len(manifest) for name in ("start", "end")
    )
    return [
        (str(Path(root, path)), start or 0.0, end)
        for path, start, end in zip(manifest.column("path"), starts, ends, strict=True)
    ]
