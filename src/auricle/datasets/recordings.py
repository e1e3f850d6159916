"""The recordings of a dataset's own folder: found by the names that its lists give them, in whatever audio format.

Every loader turns the dataset's lists into rows whose ``path`` is as listed, and :func:`listed_manifest` finds the
files. What is listed but not there is an error, unless the caller wants to know all of it at once.
"""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from auricle import audio
from auricle.errors import AuricleError
from auricle.manifest import Manifest


def audio_by_stem(folder: Path, *, within: Iterable[str] = (".",)) -> dict[str, str]:
    """The audio files below a folder by their path without suffix, since a copy may be in another format.

    Parameters
    ----------
    folder
        Paths count from here.
    within
        Subfolders to look in; one that is not there is left out.

    Returns
    -------
    dict
        Path without suffix → path, both with forward slashes; where a recording is there in two formats, the first
        suffix of `auricle.audio.EXTENSIONS`.
    """
    depth = len(folder.parts)
    found: dict[str, str] = {}
    for part in within:
        for file in audio.find(folder / part) if (folder / part).is_dir() else ():
            path = "/".join(file.parts[depth:])
            stem = _stem(path)
            if stem not in found or _rank(path) < _rank(found[stem]):
                found[stem] = path
    return found


def listed_manifest(
    rows: Iterable[Mapping[str, Any]],
    *,
    folder: Path,
    within: Iterable[str] = (".",),
    name: str,
    absent: list[str] | None = None,
) -> Manifest:
    """The manifest of the recordings that a dataset's lists name.

    Parameters
    ----------
    rows
        One mapping per clip; ``path`` is as listed, below `folder` and with the suffix that the release has.
    folder
        The dataset's own folder.
    within
        Its subfolders that hold recordings.
    name
        The dataset's name.
    absent
        Is given the recordings that are listed but not there; their rows are left out. Where it is None, they are an
        error.

    Raises
    ------
    AuricleError
        When a recording is listed but not there in any format, or none is.
    """
    stems = audio_by_stem(folder, within=within)
    rows = list(rows)
    kept: list[Mapping[str, Any]] = []
    missing: list[str] = []
    for row in rows:
        path = stems.get(_stem(row["path"]))
        if path is None:
            missing.append(row["path"])
        else:
            kept.append({**row, "path": path})
    missing = list(dict.fromkeys(missing))
    if missing and absent is None:
        more = f" ({len(missing):,} such of {len(rows):,})" if len(missing) > 1 else ""
        raise AuricleError(
            f"{name}: {folder / missing[0]} is listed but not there, in this or any other audio format{more}"
        )
    if not rows:
        raise AuricleError(f"{name}: no recordings in {folder}; is this the published layout?")
    if not kept:
        raise AuricleError(f"{name}: none of the {len(rows):,} recordings that are listed in {folder} is there")
    if absent is not None:
        absent += missing
    return Manifest.from_rows(kept, root=folder, source=name)


def read_csv(path: Path, *, name: str, columns: Iterable[str], delimiter: str = ",") -> list[dict[str, str]]:
    """The rows of a dataset's CSV file, which has at least these columns.

    Raises
    ------
    AuricleError
        When the file or a column is missing.
    """
    with existing(path, name=name).open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter=delimiter)
        if missing := [column for column in columns if column not in (reader.fieldnames or ())]:
            raise AuricleError(f"{name}: {path} has no column `{missing[0]}`; is it the published file?")
        return list(reader)


def read_lines(path: Path, *, name: str) -> list[str]:
    """The lines of a dataset's list that are not empty, without white space around them.

    Raises
    ------
    AuricleError
        When the file is missing.
    """
    lines = existing(path, name=name).read_text(encoding="utf-8-sig").splitlines()
    return [line.strip() for line in lines if line.strip()]


def existing(path: Path, *, name: str) -> Path:
    """The path of a file that a dataset must have.

    Raises
    ------
    AuricleError
        When it is not there.
    """
    if not path.is_file():
        raise AuricleError(f"{name}: {path} is not there, and the dataset cannot be read without it")
    return path


def _stem(path: str) -> str:
    """A path without its suffix. Datasets have hundreds of thousands of them, too many to make objects of."""
    stem, dot, suffix = path.rpartition(".")
    return stem if dot and "/" not in suffix else path


def _rank(path: str) -> int:
    return audio.EXTENSIONS.index(f".{path.rpartition('.')[2].lower()}")
