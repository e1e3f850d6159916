"""AVA-Speech (Chaudhuri 2018): fifteen minutes of each of 185 films, marked densely for speech and what lies under it.

Three tasks. Ogg (2025) detects speech in clips of one second, cut by :class:`auricle.datasets.windows.WindowedTask`;
"Limited" has 30 of that study's 140 films to train on; and whole recordings may be followed over time. By the rule of
the study everything but NO_SPEECH is speech, and of the films that are there, sorted by their YouTube id, the last ten
are test and the ten before them validation. Times are those of the annotation, in seconds from the start of the film's
file.
"""

import csv
from dataclasses import replace
from pathlib import Path

from auricle.datasets.entry import DatasetEntry, RemoteFile
from auricle.datasets.recordings import audio_by_stem
from auricle.datasets.windows import Windows
from auricle.errors import AuricleError
from auricle.manifest import Manifest

TEST_FILMS = 10
VALID_FILMS = 10
TRAIN_FILMS = 140  # of the study
LIMITED_TRAIN_FILMS = 30  # the first of them, for the limited task
FILMS = TRAIN_FILMS + VALID_FILMS + TEST_FILMS  # of 185 that are annotated; the others had gone
_LABELS = {
    "NO_SPEECH": "no_speech",
    "CLEAN_SPEECH": "speech",
    "SPEECH_WITH_MUSIC": "speech",
    "SPEECH_WITH_NOISE": "speech",
}
_ANNOTATIONS = "https://s3.amazonaws.com/ava-dataset/annotations"


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """The manifest, one row per annotated segment: ``start``, ``end``, ``label`` (speech, no_speech), ``split``.

    ``annotation`` is the original label, ``film`` the film, which is also ``group`` and ``cluster``. Films that are
    annotated but not there are left out (and `absent`): many have gone.

    Raises
    ------
    AuricleError
        When the dataset is not there, or too few films to split.
    """
    return _load(root, ENTRY, absent)


def load_frames(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """The manifest of :func:`load`, as the task of following whole recordings.

    Raises
    ------
    AuricleError
        As :func:`load`.
    """
    return _load(root, FRAMES_ENTRY, absent)


def load_limited(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """The manifest of :func:`load` with the first of the training films only: 30 of 140, or as large a part of fewer.

    Raises
    ------
    AuricleError
        As :func:`load`.
    """
    manifest = _load(root, LIMITED_ENTRY, absent)
    films, splits = manifest.column("film"), manifest.column("split")
    training = sorted({film for film, split in zip(films, splits, strict=True) if split == "train"})
    kept = set(training[: limited_films(len(training))])
    return manifest.select(
        [row for row, (film, split) in enumerate(zip(films, splits, strict=True)) if split != "train" or film in kept]
    )


def limited_films(training: int) -> int:
    """How many of so many training films the limited task keeps: 30 of 140 and of more, 4 of 20, at least one."""
    return max(1, min(LIMITED_TRAIN_FILMS, round(training * LIMITED_TRAIN_FILMS / TRAIN_FILMS)))


def _load(root: Path, entry: DatasetEntry, absent: list[str] | None) -> Manifest:
    folder = entry.folder(root)
    stems = {Path(stem).name: path for stem, path in audio_by_stem(folder).items()}
    listed = _annotations(folder / "ava_speech_labels_v1.csv", entry.name)
    if absent is not None:
        absent += sorted({film for film, *_ in listed if film not in stems})
    annotations = [row for row in listed if row[0] in stems]
    films = sorted({film for film, *_ in annotations})
    if len(films) <= TEST_FILMS + VALID_FILMS:
        raise AuricleError(
            f"{entry.name}: {len(films)} annotated films in {folder}; more than {TEST_FILMS + VALID_FILMS} are needed, "
            f"for the last {TEST_FILMS} are test and the {VALID_FILMS} before them validation"
        )
    splits = dict.fromkeys(films, "train")
    splits |= dict.fromkeys(films[-TEST_FILMS - VALID_FILMS :], "valid") | dict.fromkeys(films[-TEST_FILMS:], "test")
    rows = [
        {
            "path": stems[film],
            "start": start,
            "end": end,
            "label": _LABELS[annotation],
            "split": splits[film],
            "group": film,
            "cluster": film,
            "film": film,
            "annotation": annotation,
        }
        for film, start, end, annotation in annotations
    ]
    return Manifest.from_rows(rows, root=folder, source=entry.name)


def _annotations(path: Path, name: str) -> list[tuple[str, float, float, str]]:
    """(film, start, end, annotation) of each line; the published file has no header, a copy may have one."""
    annotations = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.reader(file), start=1):
            if not row or (number == 1 and row[1:2] and not row[1][:1].isdigit()):
                continue
            try:
                film, start, end, annotation = row
                annotations.append((film, float(start), float(end), annotation))
            except ValueError as error:
                raise AuricleError(
                    f"{name}: line {number} of {path} is {','.join(row)!r}; expected film,start,end,annotation"
                ) from error
            if annotation not in _LABELS:
                known = ", ".join(_LABELS)
                raise AuricleError(f"{name}: line {number} of {path} is marked {annotation!r}; expected {known}")
    return annotations


ENTRY = DatasetEntry(
    name="ava-speech",
    title="AVA-Speech",
    domain="both",
    licence="CC BY 4.0 for the annotation",
    citation="S. Chaudhuri et al., AVA-Speech: A Densely Labeled Dataset of Speech Activity in Movies, 2018",
    url=f"{_ANNOTATIONS}/ava_speech_labels_v1.csv",
    download="the films are your own",
    marker="AVA-Speech/ava_speech_labels_v1.csv",
    kind="binary",
    positive="speech",
    metric="average_precision",
    classes=2,
    labels=("no_speech", "speech"),
    class_noun="films",
    counted="film",
    unit_seconds=1.0,
    clips=39874,
    counts={"films": FILMS},
    hours=40.0,
    files=(
        RemoteFile(f"{_ANNOTATIONS}/ava_speech_labels_v1.csv", unpack=False, into="AVA-Speech"),
        RemoteFile(f"{_ANNOTATIONS}/ava_speech_file_names_v1.txt", unpack=False, into="AVA-Speech"),
    ),
    windows=Windows(),
    load=load,
    exceptions="which films can still be had decides the split, and how many speak in it",
)
LIMITED_ENTRY = replace(
    ENTRY,
    name="ava-speech-limited",
    title="AVA-Speech, 30 films for training",
    counts={"films": LIMITED_TRAIN_FILMS + VALID_FILMS + TEST_FILMS},
    hours=12.5,
    load=load_limited,
)
FRAMES_ENTRY = replace(
    ENTRY,
    name="ava-speech-frames",
    title="AVA-Speech, whole recordings",
    kind="frames",
    metric="frame_average_precision",
    windows=None,
    load=load_frames,
    unit_seconds=900.0,
)
