"""Which clips train a probe, which select it and which score it, from a manifest's official folds or splits.

With folds, fold k is the test part, the next fold (k mod K + 1 for folds 1 … K) selects and the rest trains, so that
every clip is scored once by a probe that has not seen its fold. With splits there is one such partition.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from auricle.errors import AuricleError
from auricle.manifest import Manifest

Rows = NDArray[np.int64]

MIN_FOLDS = 3  # one to test, one to select, one to train
MIN_CLASSES = 2


@dataclass(frozen=True)
class Partition:
    """Rows of a manifest by their use.

    Attributes
    ----------
    fold : int or None
        The fold that is tested; None for splits.
    train, valid, test : Rows
        Row numbers, from 0, ascending.
    """

    fold: int | None
    train: Rows
    valid: Rows
    test: Rows


@dataclass(frozen=True)
class Labels:
    """The classes of a manifest's clips.

    Attributes
    ----------
    classes : tuple of str
        Their names, sorted.
    of_clip : Rows
        ``(n,)`` index of each clip's class.
    """

    classes: tuple[str, ...]
    of_clip: Rows


def partitions(manifest: Manifest) -> list[Partition]:
    """One partition for each fold, or the only one of a manifest with splits; folds count where it has both.

    Raises
    ------
    AuricleError
        When there is neither fold nor split, there are fewer than three folds, or a part is empty.
    """
    if manifest.has("fold"):
        fold_of = np.array(manifest.column("fold"))
        folds = sorted({int(fold) for fold in fold_of})
        if len(folds) < MIN_FOLDS:
            raise AuricleError(
                f"{manifest.source} has {len(folds)} folds: expected at least {MIN_FOLDS}, to test, select and train"
            )
        following = dict(zip(folds, [*folds[1:], folds[0]], strict=True))
        return [
            Partition(
                fold=fold,
                train=np.flatnonzero((fold_of != fold) & (fold_of != following[fold])),
                valid=np.flatnonzero(fold_of == following[fold]),
                test=np.flatnonzero(fold_of == fold),
            )
            for fold in folds
        ]
    if manifest.has("split"):
        split_of = np.array(manifest.column("split"))
        parts = {name: np.flatnonzero(split_of == name) for name in ("train", "valid", "test")}
        for name, rows in parts.items():
            if len(rows) == 0:
                raise AuricleError(
                    f"{manifest.source} has no clips of split {name}: a probe needs train, valid and test"
                )
        return [Partition(fold=None, **parts)]
    raise AuricleError(f"{manifest.source} has neither a column `fold` nor a column `split`: a probe needs one of them")


def labels_of(manifest: Manifest, *, positive: str | None = None) -> Labels:
    """The classes of all clips.

    Parameters
    ----------
    manifest
        With a column ``label``.
    positive
        The label of the second of two classes, the first of which is all other labels.

    Raises
    ------
    AuricleError
        When a clip has no label, there are fewer than two classes, or no clip is positive.
    """
    names = manifest.column("label")
    if None in names:
        row = names.index(None)
        path = manifest.column("path")[row]
        raise AuricleError(f"{manifest.source}: row {row + 1} ({path}) has no label: give it one, or leave it out")
    classes = tuple(sorted(set(names)))
    if len(classes) < MIN_CLASSES:
        raise AuricleError(f"{manifest.source} has only the class {classes[0]!r}: a probe needs at least two")
    if positive is not None:
        if positive not in classes:
            raise AuricleError(f"{manifest.source} has no label {positive!r} to detect; it has {', '.join(classes)}")
        rest = [name for name in classes if name != positive]
        return Labels(
            classes=(rest[0] if len(rest) == 1 else f"not {positive}", positive),
            of_clip=np.array([int(name == positive) for name in names]),
        )
    index = {name: position for position, name in enumerate(classes)}
    return Labels(classes, np.array([index[name] for name in names]))


def refuse_untrained(labels: Labels, parts: Sequence[Partition], source: str) -> None:
    """Make sure that every class that selects or scores a probe is one that it was trained on.

    A class that is trained and not tested is nothing unusual: NSynth's test part has no synth lead.

    Raises
    ------
    AuricleError
        Naming the classes and the fold; `source` is what it calls the manifest.
    """
    for part in parts:
        scored = labels.of_clip[np.concatenate([part.valid, part.test])]
        untrained = np.setdiff1d(scored, labels.of_clip[part.train])
        if len(untrained):
            where = "" if part.fold is None else f" when fold {part.fold} is tested"
            missing = ", ".join(repr(labels.classes[position]) for position in untrained[:5])
            raise AuricleError(f"{source} has no training clips of class {missing}{where}")
