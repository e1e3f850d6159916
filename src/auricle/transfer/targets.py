"""What a manifest's clips teach: one class, several labels at once, yes or no, or a number."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auricle.datasets.entry import Kind as Kind
from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.transfer.splits import MIN_CLASSES, Labels, Partition, labels_of, refuse_untrained

KINDS: tuple[Kind, ...] = ("multi-class", "binary", "multi-label", "regression")
"""What is predicted from a clip as a whole; frames have a home of their own (`auricle.transfer.frames`)."""


@dataclass(frozen=True, eq=False)
class Targets:
    """What is to be predicted from each clip.

    Attributes
    ----------
    kind : str
    classes : tuple of str
        Names, sorted; of a binary task the rest and the positive; none of a regression.
    values : ndarray
        ``(n,)`` int64 class of each clip (multi-class; binary, 1 for the positive), ``(n, classes)`` bool (multi-label)
        or ``(n,)`` float64 (regression).
    """

    kind: Kind
    classes: tuple[str, ...]
    values: NDArray[Any]

    def of_clips(self, rows: NDArray[np.integer[Any]]) -> "Targets":
        """What clips teach, several of which may be of one row; `rows` ``(clips,)`` are theirs."""
        return Targets(self.kind, self.classes, self.values[rows])

    @property
    def outputs(self) -> int:
        """Outputs of a probe for it."""
        return len(self.classes) if self.kind in ("multi-class", "multi-label") else 1

    @property
    def indicator(self) -> NDArray[np.bool_]:
        """``(n, outputs)``: which outputs are true of each clip; not for a regression."""
        if self.kind == "multi-class":
            return np.asarray(self.values[:, None] == np.arange(len(self.classes)))
        if self.kind == "binary":
            return np.asarray(self.values[:, None] == 1)
        return self.values


def targets_of(manifest: Manifest, *, kind: Kind, positive: str | None = None) -> Targets:
    """What a manifest's clips teach.

    Parameters
    ----------
    manifest
        With a column ``label`` (multi-class, binary), ``labels`` (multi-label) or ``target`` (regression).
    kind
        What is predicted.
    positive
        The label to detect in a binary task.

    Raises
    ------
    AuricleError
        When the column is missing or a clip has no value in it, when there are fewer than two classes, or when kind and
        positive label do not go together.
    """
    if kind not in KINDS:
        raise AuricleError(f"there is no kind of task {kind!r} for probes of clips; choose {', '.join(KINDS)}")
    if (kind == "binary") != (positive is not None):
        raise AuricleError(
            f"a binary task, and no other, has a positive label; got kind {kind!r}, positive {positive!r}"
        )
    if kind == "multi-label":
        return _several_labels(manifest)
    if kind == "regression":
        return Targets(kind, (), _numbers(manifest))
    _column(manifest, "label", kind)
    labels = labels_of(manifest, positive=positive)
    return Targets(kind, labels.classes, labels.of_clip)


def refuse_unlearnable(targets: Targets, parts: Sequence[Partition], source: str) -> None:
    """Make sure that there is something to learn in every training part and something to score in the test parts.

    Raises
    ------
    AuricleError
        Naming what is missing; `source` is what it calls the manifest.
    """
    if targets.kind in ("multi-class", "binary"):
        refuse_untrained(Labels(targets.classes, targets.values), parts, source)
    if targets.kind == "binary" and not any(targets.values[part.test].any() for part in parts):
        raise AuricleError(f"{source} has no test clips of label {targets.classes[1]!r}: there is nothing to detect")
    if targets.kind == "multi-label" and not any(targets.values[part.test].any() for part in parts):
        raise AuricleError(f"{source} has no test clips with a label: there is nothing to score")
    if targets.kind == "regression":
        for part in parts:
            if np.ptp(targets.values[part.train]) == 0:
                raise AuricleError(f"{source} has one target only in its training part: there is nothing to learn")


def _column(manifest: Manifest, name: str, kind: Kind) -> list[Any]:
    if not manifest.has(name):
        raise AuricleError(f"{manifest.source} has no column `{name}`: a {kind} task needs one")
    return manifest.column(name)


def _several_labels(manifest: Manifest) -> Targets:
    given = _column(manifest, "labels", "multi-label")
    classes = tuple(sorted({label for labels in given for label in labels}))
    if len(classes) < MIN_CLASSES:
        raise AuricleError(f"{manifest.source} has {len(classes)} different labels: a probe needs at least two")
    index = {name: position for position, name in enumerate(classes)}
    values = np.zeros((len(given), len(classes)), dtype=np.bool_)
    for row, labels in enumerate(given):
        values[row, [index[label] for label in labels]] = True
    return Targets("multi-label", classes, values)


def _numbers(manifest: Manifest) -> NDArray[np.float64]:
    given = _column(manifest, "target", "regression")
    values = np.array([np.nan if value is None else value for value in given], dtype=np.float64)
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values)))
        path = manifest.column("path")[row]
        raise AuricleError(
            f"{manifest.source}: row {row + 1} ({path}) has no finite target: give it one, or leave it out"
        )
    return values
