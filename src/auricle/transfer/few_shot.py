"""Few labelled clips: k of each class to learn from and k to select by, drawn many times.

What can be had from few labels depends on which they are, so a score is a mean over draws. Selection sees as few labels
as training does (Perez, Kiela & Cho 2021, "True few-shot learning with language models"); test clips are all of them.
"""

import numpy as np

from auricle import randomness
from auricle.errors import AuricleError
from auricle.transfer.splits import Partition, Rows
from auricle.transfer.targets import Targets

DRAWS = 50


def shots(targets: Targets, part: Partition, *, k: int, draw: int, source: str) -> Partition:
    """A partition with k training clips of each class, and as many validation clips as there are up to k.

    With several labels per clip, clips are drawn until each label has k; a clip counts for all of its labels. Detection
    draws k clips with the label and k without.

    Parameters
    ----------
    targets
        What is predicted.
    part
        What is drawn from.
    k
        Clips per class.
    draw
        Number of the draw.
    source
        What errors call the manifest.

    Raises
    ------
    AuricleError
        When a class has fewer than k training clips, or the task is a regression.
    """
    if targets.kind == "regression":
        raise AuricleError("few shots are k clips of each class: a regression has none")
    if k < 1:
        raise AuricleError(f"few shots are at least 1 clip of each class, got {k}")
    of_class = targets.indicator
    if targets.kind == "binary":
        of_class = np.concatenate([~of_class, of_class], axis=1)
    have = of_class[part.train].sum(axis=0)
    needed = have > 0 if targets.kind == "multi-label" else np.ones(len(have), dtype=np.bool_)
    if (have[needed] < k).any():
        few = int(np.flatnonzero(needed & (have < k))[0])
        where = "" if part.fold is None else f" when fold {part.fold} is tested"
        raise AuricleError(
            f"{source}: class {targets.classes[few]!r} has {have[few]} training clips{where}, fewer than {k} shots"
        )
    generator = randomness.generator(draw, f"shots, fold {part.fold}")
    train = _drawn(of_class[part.train], generator.permutation(len(part.train)), k)
    valid = _drawn(of_class[part.valid], generator.permutation(len(part.valid)), k)
    return Partition(part.fold, np.sort(part.train[train]), np.sort(part.valid[valid]), part.test)


def _drawn(of_class: np.ndarray, order: Rows, k: int) -> Rows:
    """Rows in a random order, each taken if one of its classes has not k yet, rarest classes first."""
    taken: set[int] = set()
    count = np.zeros(of_class.shape[1], dtype=np.int64)
    for label in np.argsort(of_class.sum(axis=0), kind="stable"):
        for row in order[of_class[order, label]]:
            if count[label] >= k:
                break
            if int(row) not in taken:
                taken.add(int(row))
                count += of_class[row]
    return np.array(sorted(taken), dtype=np.int64)
