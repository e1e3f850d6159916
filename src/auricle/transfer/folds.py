"""Folds for clips that come without any: of equal mixture, and no group in two of them.

Single clips are dealt out class by class. Groups are placed one by one, the most uneven first, where they leave the
classes spread most evenly, the greedy rule of scikit-learn's StratifiedGroupKFold; draws are stateless.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from auricle import randomness
from auricle.errors import AuricleError
from auricle.words import counted

FOLDS = 5
NEEDED = 3  # folds that a class has to be in: when two are tested and select, one trains

Rows = NDArray[np.int64]


def stratified_folds(
    strata: Sequence[object],
    groups: Sequence[object] | None = None,
    *,
    needed: int = NEEDED,
    folds: int = FOLDS,
    seed: int = 0,
    source: str = "manifest",
) -> Rows:
    """The fold of each clip, from 1.

    Parameters
    ----------
    strata
        ``(n,)``: what every fold should have equally much of, usually the label.
    groups
        ``(n,)``: clips of the same group come into the same fold; a clip whose group is None is one of its own.
    needed
        Of how many groups the clips of a stratum have to be.
    folds
        Their number.
    seed
        Of the order in which equals are dealt out.
    source
        What an error calls the clips.

    Raises
    ------
    AuricleError
        When a stratum has clips of fewer than `needed` groups: it could not be trained, selected and tested.
    """
    scarcest, has = scarcest_stratum(strata, groups)
    if has < needed:
        what = "group" if groups is not None else "clip"
        raise AuricleError(
            f"{source}: {scarcest!r} has {counted(has, what)} only, and a class needs at least "
            f"{needed}, to train, select and test: label more, or leave the class out"
        )
    stratum = np.unique(np.array([str(name) for name in strata]), return_inverse=True)[1]
    group = _codes([None] * len(strata) if groups is None else groups)
    order = randomness.generator(seed, "folds").permutation(int(group.max()) + 1)
    if len(order) == len(group):
        return _dealt(stratum, np.argsort(order)[group], folds)
    return _placed(stratum, group, order, folds)


def scarcest_stratum(strata: Sequence[object], groups: Sequence[object] | None = None) -> tuple[str, int]:
    """The stratum with clips of the fewest groups (of the fewest clips, without groups), and of how many."""
    names, stratum = np.unique(np.array([str(name) for name in strata]), return_inverse=True)
    pairs = np.unique(np.stack([stratum, _codes([None] * len(strata) if groups is None else groups)]), axis=1)
    in_groups = np.bincount(pairs[0], minlength=len(names))
    return str(names[np.argmin(in_groups)]), int(in_groups.min())


def _codes(groups: Sequence[object]) -> Rows:
    codes: dict[object, int] = {}
    return np.array(
        [codes.setdefault((row,) if name is None else name, len(codes)) for row, name in enumerate(groups)],
        dtype=np.int64,
    )


def _dealt(stratum: Rows, order: Rows, folds: int) -> Rows:
    """Clips one by one: class after class, each to the next fold, so that sizes and classes differ by one at most."""
    fold = np.empty(len(stratum), dtype=np.int64)
    fold[np.lexsort((order, stratum))] = np.arange(len(stratum)) % folds
    return fold + 1


def _placed(stratum: Rows, group: Rows, order: Rows, folds: int) -> Rows:
    """Groups one by one, each to the fold where the classes then are spread most evenly."""
    groups, strata = int(group.max()) + 1, int(stratum.max()) + 1
    counts = np.zeros((groups, strata))
    np.add.at(counts, (group, stratum), 1)
    share = counts / counts.sum(axis=0)
    in_fold = np.zeros((folds, strata))
    sizes = np.zeros(folds)
    fold_of = np.empty(groups, dtype=np.int64)
    for number in sorted(order, key=lambda number: -counts[number].std()):
        unevenness = np.empty(folds)
        for fold in range(folds):
            in_fold[fold] += share[number]
            unevenness[fold] = in_fold.std(axis=0).mean()
            in_fold[fold] -= share[number]
        # Among equals to the fold with the fewest clips; what differs by rounding is equal.
        best = np.lexsort((sizes, np.round(unevenness, 12)))[0]
        in_fold[best] += share[number]
        sizes[best] += counts[number].sum()
        fold_of[number] = best
    return fold_of[group] + 1
