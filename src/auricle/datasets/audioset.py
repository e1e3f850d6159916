"""AudioSet (Gemmeke 2017): ten seconds of YouTube videos with any of 527 labels of its ontology.

Two tasks with the same test part, the evaluation set: to train on the balanced set alone ("AudioSet-20K"), or on both
training sets. Neither has a validation part, so a tenth of the balanced set, by the names of the videos, is kept for
it. Recordings lie in one folder for each list, named by their video; the many that are not to be had any more are left
out.
"""

import csv
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from auricle import audio
from auricle.datasets.entry import DatasetEntry, RemoteFile
from auricle.datasets.given_split import hashed_split
from auricle.datasets.recordings import existing, read_csv
from auricle.errors import AuricleError
from auricle.manifest import Manifest

_BALANCED, _UNBALANCED, _EVALUATION = "balanced_train_segments", "unbalanced_train_segments", "eval_segments"
_SHARES = {"train": 9, "valid": 1}
_SEGMENTS = {_BALANCED: 22176, _UNBALANCED: 2042985, _EVALUATION: 20371}  # listed; the last 20,383 by other counts
_LISTS = "https://storage.googleapis.com/us_audioset/youtube_corpus/v1/csv"
_NAMES = "class_labels_indices.csv"


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """The manifest: ``labels``, ``split`` and ``cluster`` (the video), with both training sets.

    Raises
    ------
    AuricleError
        When the dataset is not there, or one of its lists is not the published one.
    """
    return _load(root, ENTRY, (_BALANCED, _UNBALANCED, _EVALUATION), absent)


def load_balanced(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """The manifest of :func:`load` without the unbalanced training set.

    Raises
    ------
    AuricleError
        As :func:`load`.
    """
    return _load(root, BALANCED_ENTRY, (_BALANCED, _EVALUATION), absent)


def _load(root: Path, entry: DatasetEntry, parts: tuple[str, ...], absent: list[str] | None) -> Manifest:
    folder = entry.folder(root)
    columns = ("index", "mid", "display_name")
    named = {row["mid"]: row["display_name"] for row in read_csv(folder / _NAMES, name=entry.name, columns=columns)}
    # Columns, not rows: two million mappings would be gigabytes.
    paths: list[str] = []
    labels: list[list[str]] = []
    splits: list[str] = []
    videos: list[str] = []
    for part in parts:
        there = _recordings(folder, part)
        for video, start, end, mids in _segments(folder / f"{part}.csv", entry.name):
            path = next((there[stem] for stem in _stems(video, start, end) if stem in there), None)
            if path is None:
                if absent is not None:
                    absent.append(f"{part}/{video}")
                continue
            if strange := [mid for mid in mids if mid not in named]:
                raise AuricleError(
                    f"{entry.name}: {folder / part}.csv marks {video} with {strange[0]}, which is not in {_NAMES}"
                )
            paths.append(path)
            labels.append([named[mid] for mid in mids])
            splits.append(_split(video, part))
            videos.append(video)
    if not paths:
        raise AuricleError(f"{entry.name}: no recording of {', '.join(parts)} is there, in folders of these names")
    table = pa.table({"path": paths, "labels": labels, "split": splits, "cluster": videos})
    return Manifest(table, folder, entry.name).validate()


def _split(video: str, part: str) -> str:
    if part == _EVALUATION:
        return "test"
    return hashed_split(video, _SHARES, purpose="audioset") if part == _BALANCED else "train"


def _segments(path: Path, name: str) -> Iterator[tuple[str, str, str, list[str]]]:
    """(video, start, end, labels) of each line; comments and header begin with #, and a space follows each comma."""
    with existing(path, name=name).open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.reader(file, skipinitialspace=True), start=1):
            if not row or row[0].startswith("#"):
                continue
            if len(row) != 4:
                raise AuricleError(
                    f"{name}: line {number} of {path} has {len(row)} fields; expected YTID, start, end and labels"
                )
            yield row[0], row[1], row[2], row[3].split(",")


def _stems(video: str, start: str, end: str) -> Iterator[str]:
    """What downloaders call a clip: by its video, with a Y before it, or with its times in seconds or milliseconds."""
    yield video
    yield f"Y{video}"
    yield f"{video}_{start}_{end}"
    yield f"{video}_{float(start):g}_{float(end):g}"
    yield f"{video}_{1000 * float(start):.0f}_{1000 * float(end):.0f}"
    yield f"{video}_{1000 * float(start):.0f}"


def _recordings(folder: Path, part: str) -> dict[str, str]:
    """Audio files of a part, anywhere below its folder, by their names without suffix."""
    found = {}
    for parent, _, names in os.walk(folder / part):
        below = Path(parent).relative_to(folder).as_posix()
        for name in names:
            stem, dot, suffix = name.rpartition(".")
            if stem and f"{dot}{suffix.lower()}" in audio.EXTENSIONS and not name.startswith("."):
                found[stem] = f"{below}/{name}"
    return found


ENTRY = DatasetEntry(
    name="audioset",
    title="AudioSet, both training sets",
    domain="both",
    licence="CC BY 4.0 for the lists",
    citation="J. F. Gemmeke et al., Audio Set: An Ontology and Human-Labeled Dataset for Audio Events, ICASSP 2017",
    url="https://research.google.com/audioset/download.html",
    download="the lists; the recordings are your own, one folder for each list",
    marker=f"AudioSet/{_NAMES}",
    kind="multi-label",
    metric="mean_average_precision",
    classes=527,
    unit_seconds=10.0,
    clips=sum(_SEGMENTS.values()),
    hours=5793.0,
    files=tuple(
        RemoteFile(f"{_LISTS}/{name}", unpack=False, into="AudioSet")
        for name in (_NAMES, *(f"{part}.csv" for part in _SEGMENTS))
    ),
    load=load,
    exceptions="validation is ours, a tenth of the balanced set",
)
BALANCED_ENTRY = replace(
    ENTRY,
    name="audioset-balanced",
    title="AudioSet-20K, the balanced training set",
    clips=_SEGMENTS[_BALANCED] + _SEGMENTS[_EVALUATION],
    hours=118.2,
    files=tuple(file for file in ENTRY.files if not file.name.startswith(_UNBALANCED)),
    load=load_balanced,
)
