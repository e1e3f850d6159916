"""A labelled task: clips, what is to be predicted from them, and what a reader of its scores must know."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

Rows = NDArray[np.integer[Any]]
"""Numbers of rows or clips, from 0."""

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
        Its clips; where they are excerpts, the annotated segments that these are cut from.
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
        The clips, where they are excerpts of the manifest's segments, which overlap.
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

    @property
    def heading(self) -> str:
        """What a panel or a column has room for: of a local copy that it is one, not of which clips."""
        return f"{self.short_name} (local)" if "(local" in self.name else self.short_name

    def __len__(self) -> int:
        """Number of clips."""
        return len(self.manifest if self.excerpts is None else self.excerpts)

    @property
    def rows(self) -> Rows | None:
        """``(n,)``: the manifest's row that each clip is an excerpt of; None where a row is a clip."""
        return None if self.excerpts is None else self.excerpts.rows

    def select(self, clips: Rows) -> Manifest:
        """Some of the clips, by their numbers, as a manifest."""
        return (self.manifest if self.excerpts is None else self.excerpts).select(clips)

    def counts(self, column: str) -> Counter[Any]:
        """How many clips there are of each value of a column."""
        values = self.manifest.column(column)
        if self.rows is None:
            return Counter(values)
        found: Counter[Any] = Counter()
        for value, count in zip(values, np.bincount(self.rows, minlength=len(values)).tolist(), strict=True):
            found[value] += count
        return found

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of what the clips are and what is known of them."""
        return self.manifest.fingerprint if self.excerpts is None else self._of_excerpts(self.manifest.fingerprint)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """What its clips are told apart by; none where a number is predicted."""
        if self.kind == "regression":
            return ()
        several = self.kind == "multi-label"
        values = self.manifest.column("labels" if several else "label")
        named = (
            (label for row in values for label in row) if several else (label for label in values if label is not None)
        )
        return tuple(sorted(set(named)))

    @cached_property
    def sound(self) -> str:
        """Fingerprint of what is heard, whatever the labels."""
        found = fingerprint_of_sound(self.manifest)
        return found if self.excerpts is None else self._of_excerpts(found)

    def _of_excerpts(self, segments: str) -> str:
        """Millions of excerpts follow from their segments and how they are cut."""
        assert self.excerpts is not None
        how = [segments, repr(self.excerpts.windows), self.excerpts.seed]
        return hashlib.sha256(json.dumps(how).encode()).hexdigest()

    def listed(self) -> "Task":
        """The same task with a row of its own for each excerpt, where these are few."""
        if self.excerpts is None:
            return self
        return replace(self, manifest=self.excerpts.select(np.arange(len(self))), excerpts=None)


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
    return [
        (str(Path(root, path)), start, end)
        for path, (_, start, end) in zip(manifest.column("path"), manifest.excerpts, strict=True)
    ]
