"""A dataset of the Hugging Face hub, or one saved by their library, as audio files with a manifest.

The library `datasets` (an extra) finds and downloads it; audio is taken as it is stored, undecoded, so that Auricle
reads it as it reads every other file.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from auricle import audio
from auricle.errors import AuricleError
from auricle.files import atomic_write, refused_writes_are_errors
from auricle.manifest import Manifest

PREFIX = "hf:"
SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "validation": "valid",
    "val": "valid",
    "dev": "valid",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}
_MAGIC = (
    (b"RIFF", ".wav"),
    (b"fLaC", ".flac"),
    (b"OggS", ".ogg"),
    (b"ID3", ".mp3"),
    (b"\xff", ".mp3"),
    (b"FORM", ".aiff"),
)
_OURS = ("path", "start", "end", "label", "labels", "target", "split")  # columns that say what they say in a manifest
_PLAIN = ("string", "int", "uint", "float")  # types whose columns are carried along
_MANIFEST = "manifest.parquet"


def hub_manifest(name: str, folder: Path, *, label: str | None = None) -> Manifest:
    """The clips of a dataset, written to a folder below `folder` unless they are there.

    Parameters
    ----------
    name
        ``ORG/NAME`` or ``ORG/NAME:CONFIGURATION`` of the hub, or a folder that ``save_to_disk`` wrote.
    folder
        Where audio and manifest go.
    label
        Column to predict; by default ``label``, or the only one that holds classes.

    Returns
    -------
    Manifest
        ``label`` (or ``labels`` where the column holds lists, ``target`` where it holds real numbers), ``split`` where
        the dataset has several, and its columns of text and numbers.

    Raises
    ------
    AuricleError
        When the library is not installed, the dataset cannot be found, or it has no audio or nothing to predict.
    """
    try:
        import datasets
    except ImportError:
        raise AuricleError(f'{PREFIX}{name} needs the `datasets` extra: pip install "auricle[datasets]"') from None
    parts = _load(datasets, name)
    features = next(iter(parts.values())).features
    sound = next((column for column, kind in features.items() if isinstance(kind, datasets.Audio)), None)
    if sound is None:
        raise AuricleError(f"{PREFIX}{name} has no column of audio; it has {', '.join(features)}")
    answer = _answer(datasets, name, features, label)
    content = json.dumps([answer, *(str(part._fingerprint) for part in parts.values())])
    home = folder / hashlib.sha256(content.encode()).hexdigest()[:16]
    if (home / _MANIFEST).is_file():
        return Manifest.read(home / _MANIFEST)
    rows = [
        row
        for split, part in parts.items()
        for row in _rows(part.cast_column(sound, datasets.Audio(decode=False)), split, sound, answer, home, len(parts))
    ]
    Manifest.from_rows(rows, root=home, source=name).write(home / _MANIFEST)
    return Manifest.read(home / _MANIFEST)


def _load(datasets: Any, name: str) -> dict[str, Any]:
    """The dataset's parts by the names that splits have here."""
    hub_name, _, configuration = name.partition(":")
    try:
        if any((Path(name) / file).is_file() for file in ("dataset_dict.json", "state.json")):
            found = datasets.load_from_disk(name)
        else:
            found = datasets.load_dataset(hub_name, configuration or None)
    except Exception as error:  # whatever the library, the network or the hub has to say
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise AuricleError(f"{PREFIX}{name} cannot be loaded: {reason}") from error
    if not isinstance(found, dict):
        return {"train": found}
    if len(found) == 1:
        return {"train": next(iter(found.values()))}
    parts = {SPLIT_NAMES[split]: part for split, part in found.items() if split in SPLIT_NAMES}
    if not {"train", "test"} <= set(parts):
        raise AuricleError(f"{PREFIX}{name} has the splits {', '.join(found)}: expected train and test, or only one")
    return parts


def _answer(datasets: Any, name: str, features: Any, asked: str | None) -> str:
    """The column to predict."""
    if asked is not None:
        if asked not in features:
            raise AuricleError(f"{PREFIX}{name} has no column `{asked}`; it has {', '.join(features)}")
        return asked
    classes = [column for column, kind in features.items() if isinstance(kind, datasets.ClassLabel)]
    for column in ("label", "labels"):
        if column in features:
            return column
    if len(classes) == 1:
        return str(classes[0])
    raise AuricleError(f"{PREFIX}{name}: which column is to be predicted? Give --label, one of {', '.join(features)}")


def _rows(part: Any, split: str, sound: str, answer: str, home: Path, parts: int) -> Iterator[dict[str, Any]]:
    named = part.features[answer]
    names = getattr(named, "names", None) or getattr(getattr(named, "feature", None), "names", None)
    plain = [
        column
        for column, kind in part.features.items()
        if column not in (*_OURS, answer) and str(getattr(kind, "dtype", "")).startswith(_PLAIN)
    ]
    # Official splits count, not folds beside them.
    plain = [column for column in plain if column != "fold" or parts == 1]
    for number, row in enumerate(part):
        file = _write(row[sound], home / split / f"{number:07d}")
        value = row[answer]
        yield {
            "path": file.relative_to(home).as_posix(),
            **_answer_of(value, names),
            **({"split": split} if parts > 1 else {}),
            **{column: row[column] for column in plain},
        }


def _answer_of(value: Any, names: list[str] | None) -> dict[str, Any]:
    def called(one: Any) -> str:
        return names[one] if names is not None and isinstance(one, int) else str(one)

    if isinstance(value, Iterable) and not isinstance(value, str):
        return {"labels": [called(one) for one in value]}
    if isinstance(value, float):
        return {"target": value}
    return {"label": None if value is None else called(value)}


def _write(stored: dict[str, Any], stem: Path) -> Path:
    """The audio as it is stored, under the suffix of its format."""
    content, path = stored.get("bytes"), stored.get("path")
    if content is None:
        content = Path(path or "").read_bytes()
    suffix = Path(path or "").suffix.lower()
    if suffix not in audio.EXTENSIONS:
        suffix = next((suffix for magic, suffix in _MAGIC if content.startswith(magic)), ".wav")
    file = stem.with_suffix(suffix)
    if not (file.is_file() and file.stat().st_size == len(content)):
        with refused_writes_are_errors(file), atomic_write(file) as temporary:
            temporary.write_bytes(content)
    return file
