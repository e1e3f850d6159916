"""Surge (Turian 2021): 2,084 patches of a synthesiser play 88 notes of four seconds; which note is it?

A folder is a patch at a velocity, a file the note by its MIDI number. There is no official split: unless a list is
given (``split.csv``), patches are drawn by their names, so that none stands in two parts.
"""

from pathlib import Path, PurePosixPath

from auricle.datasets.entry import DatasetEntry
from auricle.datasets.given_split import SPLIT_LIST, hashed_split, split_of_recordings
from auricle.datasets.recordings import audio_by_stem, listed_manifest
from auricle.manifest import Manifest

LOWEST, HIGHEST = 21, 108  # MIDI numbers of a piano's 88 keys
_SHARES = {"train": 1692, "valid": 195, "test": 197}  # patches
_NOTES = HIGHEST - LOWEST + 1
_KEY = 2  # patch, note


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """The manifest: ``label`` (MIDI number, as text), ``split``, ``pitch``, ``patch``, also ``group`` and ``cluster``.

    Files that are no note of a piano are left out.

    Raises
    ------
    AuricleError
        When the dataset, or a recording that is listed, is not there.
    """
    folder = ENTRY.folder(root)
    notes = [
        path
        for path in sorted(audio_by_stem(folder).values())
        if (stem := PurePosixPath(path).stem).isdigit() and LOWEST <= int(stem) <= HIGHEST and "/" in path
    ]
    splits = split_of_recordings(
        notes,
        draw=lambda path: hashed_split(_patch(path), _SHARES, purpose=ENTRY.name),
        folder=folder,
        parts=_KEY,
        name=ENTRY.name,
        absent=absent,
    )
    rows = [
        {
            "path": path,
            "label": str(int(PurePosixPath(path).stem)),
            "split": split,
            "group": _patch(path),
            "cluster": _patch(path),
            "patch": _patch(path),
            "pitch": int(PurePosixPath(path).stem),
        }
        for path, split in sorted(splits.items())
    ]
    return listed_manifest(rows, folder=folder, name=ENTRY.name, absent=absent)


def _patch(path: str) -> str:
    return PurePosixPath(path).parent.as_posix()


ENTRY = DatasetEntry(
    name="surge",
    title="Surge, pitch",
    domain="non-speech",
    licence="CC BY 4.0",
    citation="J. Turian et al., One Billion Audio Sounds from GPU-enabled Modular Synthesis, DAFx 2021",
    url="https://zenodo.org/record/4677097",
    download="unpacked to a folder surge",
    marker="surge",
    classes=_NOTES,
    labels=tuple(str(number) for number in range(LOWEST, HIGHEST + 1)),
    class_noun="pitches",
    unit_seconds=4.0,
    clips=sum(_SHARES.values()) * _NOTES,
    counts={split: patches * _NOTES for split, patches in _SHARES.items()},
    hours=203.8,
    split_list=SPLIT_LIST,
    load=load,
)
