"""AVA-Speech (Chaudhuri 2018): fifteen minutes of each of 185 films, marked densely for speech and what lies under it.

:func:`load` gives one clip for each annotated segment, :func:`one_second_clips` cuts these as Ogg (2025) does. By the
rule of that study everything but NO_SPEECH is speech, and of the films that are there, sorted by their YouTube id, the
last ten are test and the ten before them validation. Times are those of the annotation, in seconds from the start of
the film's file.
"""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

from auricle.datasets.entry import DatasetEntry, audio_by_stem
from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.randomness import generator

TEST_FILMS = 10
VALID_FILMS = 10
LIMITED_TRAIN_FILMS = 30
_LABELS = {
    "NO_SPEECH": "no_speech",
    "CLEAN_SPEECH": "speech",
    "SPEECH_WITH_MUSIC": "speech",
    "SPEECH_WITH_NOISE": "speech",
}


def load(root: Path) -> Manifest:
    """The manifest: ``start``, ``end``, ``label`` (speech, no_speech), ``split``, ``annotation``, ``film``.

    ``annotation`` is the original label; the film is also ``group`` and ``cluster``. Films that are annotated but not
    there are left out: many have gone.

    Raises
    ------
    AuricleError
        When the dataset is not there, or too few films to split.
    """
    return _load(root, ENTRY)


def load_limited(root: Path) -> Manifest:
    """The manifest of :func:`load` with no more than the first 30 films of the training split.

    Raises
    ------
    AuricleError
        As :func:`load`.
    """
    manifest = _load(root, LIMITED_ENTRY)
    films, splits = manifest.column("film"), manifest.column("split")
    training = sorted({film for film, split in zip(films, splits, strict=True) if split == "train"})
    kept = set(training[:LIMITED_TRAIN_FILMS])
    return manifest.select(
        [row for row, (film, split) in enumerate(zip(films, splits, strict=True)) if split != "train" or film in kept]
    )


def one_second_clips(
    manifest: Manifest,
    *,
    seconds: float = 1.0,
    hop: float = 0.01,
    train_clips: int = 10_000,
    scored_clips: int = 90_000,
    seed: int = 0,
) -> Manifest:
    """Cut the segments into clips as the study does: overlapping, and capped for each film.

    Segments shorter than a clip give none.

    Parameters
    ----------
    manifest
        From :func:`load` or :func:`load_limited`.
    seconds, hop
        Length of a clip and distance between the starts of two, in seconds.
    train_clips
        At most so many of each class of each training film, drawn at random.
    scored_clips
        At most so many of each film of the other splits, drawn at random.
    seed
        Of the draws.
    """
    columns = (manifest.column(name) for name in ("start", "end", "film", "label", "split"))
    taken: list[tuple[int, float]] = []  # (row, start)
    clips_of: dict[tuple[str, ...], list[tuple[int, float]]] = {}
    for row, (start, end, film, label, split) in enumerate(zip(*columns, strict=True)):
        key: tuple[str, ...] = (film, label) if split == "train" else (film,)
        count = int((end - start - seconds) / hop + 1e-6) + 1 if end - start >= seconds - 1e-6 else 0
        clips_of.setdefault(key, []).extend((row, start + number * hop) for number in range(count))
    for key, clips in clips_of.items():
        cap = train_clips if len(key) == 2 else scored_clips
        if len(clips) > cap:
            draw = generator(seed, f"ava-speech/{'/'.join(key)}").permutation(len(clips))[:cap]
            clips = [clips[index] for index in np.sort(draw)]
        taken += clips
    taken.sort()
    starts = np.round([start for _, start in taken], 3)
    cut = manifest.select([row for row, _ in taken])
    return cut.with_column("start", starts.tolist()).with_column("end", np.round(starts + seconds, 3).tolist())


def _load(root: Path, entry: DatasetEntry) -> Manifest:
    folder = entry.folder(root)
    stems = {Path(stem).name: path for stem, path in audio_by_stem(folder).items()}
    annotations = [row for row in _annotations(folder / "ava_speech_labels_v1.csv") if row[0] in stems]
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


def _annotations(path: Path) -> list[tuple[str, float, float, str]]:
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
                    f"{ENTRY.name}: line {number} of {path} is {','.join(row)!r}; expected film,start,end,annotation"
                ) from error
            if annotation not in _LABELS:
                known = ", ".join(_LABELS)
                raise AuricleError(f"{ENTRY.name}: line {number} of {path} is marked {annotation!r}; expected {known}")
    return annotations


ENTRY = DatasetEntry(
    name="ava-speech",
    title="AVA-Speech",
    domain="both",
    licence="CC BY 4.0 for the annotation",
    citation="S. Chaudhuri et al., AVA-Speech: A Densely Labeled Dataset of Speech Activity in Movies, 2018",
    url="https://s3.amazonaws.com/ava-dataset/annotations/ava_speech_labels_v1.csv",
    download="the films are your own",
    marker="AVA-Speech/ava_speech_labels_v1.csv",
    kind="binary",
    positive="speech",
    metric="average_precision",
    classes=2,
    unit_seconds=1.0,
    clips=39874,
    load=load,
)
LIMITED_ENTRY = replace(ENTRY, name="ava-speech-limited", title="AVA-Speech, 30 films for training", load=load_limited)
