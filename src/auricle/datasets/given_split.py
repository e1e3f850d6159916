"""Splits of datasets that come without one: drawn by a rule that needs nothing but names, or read from a list.

The lists that some published scores rest on may not be passed on. Who has one puts it beside the recordings as
``split.csv`` (columns ``file_name`` and ``split``: train, valid, test); without it the split is ours, and a check of
the copy says so.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from auricle.datasets.recordings import read_csv
from auricle.errors import AuricleError
from auricle.manifest import SPLITS

SPLIT_LIST = "split.csv"


def shuffled_split(groups: Sequence[str], shares: Mapping[str, int]) -> dict[str, str]:
    """The split of each group by the rule of TensorFlow Datasets: sorted, shuffled by NumPy with seed 0, and cut.

    Parameters
    ----------
    groups
        All of the release, whether they are there or not: the draw depends on how many there are.
    shares
        How much of the groups each split gets, as whole numbers.
    """
    names = sorted(set(groups))
    # The published rule's own generator, which NumPy keeps as it is: another would give another split.
    np.random.RandomState(0).shuffle(names)
    bounds = [len(names) * end // sum(shares.values()) for end in np.cumsum([0, *shares.values()]).tolist()]
    return {
        name: split for split, start, end in zip(shares, bounds, bounds[1:], strict=False) for name in names[start:end]
    }


def hashed_split(group: str, shares: Mapping[str, int], *, purpose: str) -> str:
    """The split of a group by its name alone, so that it stays where it is when others come or go.

    Parameters
    ----------
    group
        Speaker, patch, recording.
    shares
        How much of many groups each split gets, as whole numbers.
    purpose
        The dataset's name: the same group of another dataset is drawn anew.
    """
    digest = hashlib.sha256(f"{purpose}/{group}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") % sum(shares.values())
    for split, share in shares.items():
        if place < share:
            return split
        place -= share
    raise AssertionError("a place below the sum of all shares is in one of them")


def split_of_recordings(
    paths: Iterable[str],
    *,
    draw: Callable[[str], str],
    folder: Path,
    parts: int,
    name: str,
    absent: list[str] | None = None,
) -> dict[str, str]:
    """The split of each recording: by the list beside them, or drawn where there is none.

    Parameters
    ----------
    paths
        Recordings that are there.
    draw
        Gives a path its split.
    folder
        The dataset's own folder, where the list is looked for.
    parts
        How many last parts of a path tell a recording from all others; the list may call their folders otherwise above.
    name
        The dataset's name.
    absent
        Is given what the list names and is not there; where it is None, that is an error.

    Returns
    -------
    dict
        Path → train, valid or test; a recording that a list does not name is left out.

    Raises
    ------
    AuricleError
        When the list is not one, or names what is not there.
    """
    path = folder / SPLIT_LIST
    if not path.is_file():
        return {recording: draw(recording) for recording in paths}
    known = {_key(recording, parts): recording for recording in paths}
    splits, missing = {}, []
    for row in read_csv(path, name=name, columns=("file_name", "split")):
        if row["split"] not in SPLITS:
            raise AuricleError(
                f"{name}: {path} has the split {row['split']!r} for {row['file_name']}; expected {', '.join(SPLITS)}"
            )
        recording = known.get(_key(row["file_name"], parts))
        if recording is None:
            missing.append(row["file_name"])
        else:
            splits[recording] = row["split"]
    if missing and absent is None:
        more = f" ({len(missing):,} such)" if len(missing) > 1 else ""
        raise AuricleError(f"{name}: {missing[0]} stands in {path} but not in {folder}{more}")
    if absent is not None:
        absent += missing
    return splits


def _key(path: str, parts: int) -> str:
    return "/".join(PurePosixPath(path).with_suffix("").parts[-parts:])
