"""Which clips train a probe, which select it and which score it, from a manifest's official folds or splits.

With folds, fold k is the test part and, as HEAR and we do it, the next fold (k mod K + 1 for folds 1 … K) selects and
the rest trains, so that every clip is scored once by a probe that has not seen its fold. EVAR holds out a tenth of the
other folds instead. With splits there is one such partition.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from auricle import randomness
from auricle.errors import AuricleError
from auricle.manifest import Manifest

Rows = NDArray[np.int64]

MIN_FOLDS = 3  # one to test, one to select, one to train
MIN_CLASSES = 2

Division = Literal["next fold", "held-out tenth"]
"""Where validation clips come from when there is no official validation part."""

_DRAWS = 1000  # of a held-out part until every class is in it


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


def of_clips(part: Partition, rows: NDArray[np.integer[Any]]) -> Partition:
    """A partition of a manifest's rows as one of clips, several of which may be of one row.

    Parameters
    ----------
    part
        Of rows.
    rows
        ``(clips,)``: each clip's row; -1 for a clip that belongs to no part.
    """
    parts = []
    for own in (part.train, part.valid, part.test):
        # One place more than there are rows, the last, is that of no row.
        chosen = np.zeros(int(max(rows.max(initial=-1), own.max(initial=-1))) + 2, dtype=np.bool_)
        chosen[own] = True
        parts.append(np.flatnonzero(chosen[rows]))
    return Partition(part.fold, *parts)


def partitions(manifest: Manifest, *, division: Division = "next fold", seed: int = 0) -> list[Partition]:
    """One partition for each fold, or the only one of a manifest with splits; folds count where it has both.

    Parameters
    ----------
    manifest
        With a column ``fold`` or ``split``.
    division
        Where the validation part comes from: of folds, the one after the test fold, or a random tenth of all others,
        drawn anew until every class occurs in it. An official validation split counts in either case.
    seed
        Of the random tenth.

    Raises
    ------
    AuricleError
        When there is neither fold nor split, there are too few folds, or a part is empty.
    """
    tenth = division == "held-out tenth"
    if manifest.has("fold"):
        fold_of = np.array(manifest.column("fold"))
        folds = sorted({int(fold) for fold in fold_of})
        fewest = MIN_FOLDS - 1 if tenth else MIN_FOLDS
        if len(folds) < fewest:
            uses = "to test and train" if tenth else "to test, select and train"
            raise AuricleError(f"{manifest.source} has {len(folds)} folds: expected at least {fewest}, {uses}")
        if tenth:
            return [
                _with_tenth(manifest, fold, np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold), seed)
                for fold in folds
            ]
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
            if len(rows) == 0 and not (tenth and name == "valid"):
                raise AuricleError(
                    f"{manifest.source} has no clips of split {name}: a probe needs train, valid and test"
                )
        if len(parts["valid"]) == 0:
            return [_with_tenth(manifest, None, parts["train"], parts["test"], seed)]
        return [Partition(fold=None, **parts)]
    raise AuricleError(f"{manifest.source} has neither a column `fold` nor a column `split`: a probe needs one of them")


def _with_tenth(manifest: Manifest, fold: int | None, rest: Rows, test: Rows, seed: int) -> Partition:
    """A tenth of the rest selects: the first draw with every class in it, or the one with most of them."""
    labels = manifest.column("label") if manifest.has("label") else [None] * len(manifest)
    _, label = np.unique(np.array([str(labels[row]) for row in rest]), return_inverse=True)
    size = max(1, len(rest) // 10)
    best, most = np.zeros(len(rest), dtype=np.bool_), -1
    for draw in range(_DRAWS):
        held_out = np.zeros(len(rest), dtype=np.bool_)
        held_out[randomness.generator(seed, f"held-out tenth, fold {fold}", draw).permutation(len(rest))[:size]] = True
        if len(np.setdiff1d(label[held_out], label[~held_out])):
            continue  # a class without training clips could not be selected by
        classes = len(np.unique(label[held_out]))
        if classes > most:
            best, most = held_out, classes
        if classes == label.max(initial=0) + 1:
            break
    if most < 0:
        raise AuricleError(f"{manifest.source} has classes of too few clips to hold out a tenth for selection")
    return Partition(fold=fold, train=rest[~best], valid=rest[best], test=test)


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
