"""VoxForge (MacLean 2018): volunteers read sentences in six languages; which language is it?

Recordings lie in archives named ``speaker-date-code``, unpacked below a folder for each language. There is no official
split: unless a list is given (``split.csv``), speakers are drawn by their names, so that none stands in two parts.
"""

from pathlib import Path, PurePosixPath

from auricle.datasets.entry import DatasetEntry
from auricle.datasets.given_split import SPLIT_LIST, hashed_split, split_of_recordings
from auricle.datasets.recordings import audio_by_stem, listed_manifest
from auricle.errors import AuricleError
from auricle.manifest import Manifest

LANGUAGES = ("de", "en", "es", "fr", "it", "ru")
_SHARES = {"train": 70, "valid": 15, "test": 15}
_ARCHIVES = ("*.tgz", "*.tar.gz")
_KEY = 3  # archive, wav or flac, recording


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """The manifest: ``label`` (de, en, es, fr, it, ru), ``split``, ``speaker``, also ``cluster``, and ``archive``.

    ``group`` is the speaker where the split is drawn. What is in the folder and not in a given list is left out.

    Raises
    ------
    AuricleError
        When the dataset is not there, its archives are still packed, or a listed recording is not there.
    """
    folder = ENTRY.folder(root)
    found = {path: PurePosixPath(path).parts for path in sorted(audio_by_stem(folder, within=LANGUAGES).values())}
    found = {path: parts for path, parts in found.items() if len(parts) >= 4 and parts[-2] in ("wav", "flac")}
    if not found and any(True for pattern in _ARCHIVES for _ in folder.rglob(pattern)):
        raise AuricleError(f"{ENTRY.name}: the archives in {folder} are still packed; unpack each where it is")
    splits = split_of_recordings(
        found,
        draw=lambda path: hashed_split(_speaker(found[path]), _SHARES, purpose=ENTRY.name),
        folder=folder,
        parts=_KEY,
        name=ENTRY.name,
        absent=absent,
    )
    rows = [
        {
            "path": path,
            "label": found[path][0],
            "split": split,
            "cluster": _speaker(found[path]),
            "speaker": _speaker(found[path]),
            "archive": found[path][-3],
        }
        for path, split in sorted(splits.items())
    ]
    if not (folder / SPLIT_LIST).is_file():
        rows = [{**row, "group": row["speaker"]} for row in rows]
    return listed_manifest(rows, folder=folder, within=LANGUAGES, name=ENTRY.name, absent=absent)


def _speaker(parts: tuple[str, ...]) -> str:
    return parts[-3].partition("-")[0]


ENTRY = DatasetEntry(
    name="voxforge",
    title="VoxForge, six languages",
    domain="speech",
    licence="GPL 3.0",
    citation="K. MacLean, VoxForge, 2018",
    url="https://storage.googleapis.com/tfds-data/downloads/voxforge/voxforge_urls.txt",
    download="60 GB in 13,837 archives, each unpacked below its language: voxforge/de/SPEAKER-DATE-CODE",
    marker="voxforge/de",
    classes=6,
    labels=LANGUAGES,
    class_noun="languages",
    unit_seconds=5.8,
    clips=176428,
    hours=284.0,
    split_list=SPLIT_LIST,
    load=load,
    exceptions="recordings sent without a name count as one speaker, anonymous",
)
