"""Speech Commands v2 (Warden 2018): single words by thousands of people, one second each, official lists by speaker.

A file's name begins with a hash of its speaker; the lists for validation and test share no speaker with the rest. The
second task is that of the paper: ten of the words, any other word, and silence. Its test part is an archive of its own;
silence to train on is cut from the background noise, every half second, the last file of it for validation (as in
TensorFlow Datasets, so the counts are theirs).
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from auricle import audio
from auricle.datasets.entry import DatasetEntry, RemoteFile
from auricle.datasets.recordings import audio_by_stem, listed_manifest, read_lines
from auricle.errors import AuricleError
from auricle.manifest import Manifest

WORDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
SILENCE, UNKNOWN = "_silence_", "_unknown_"
TEST_FOLDER = "speech_commands_test_set_v0.02"

_NOISE = "_background_noise_"
_VALID_NOISE = "running_tap"
_NOISE_HOP = 0.5  # s between the starts of two clips of silence
_SPEAKER_END = "_nohash_"
_ARCHIVES = "http://download.tensorflow.org/data"


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """The manifest: ``label`` (the word), ``split``, ``speaker``, which is also ``group`` and ``cluster``.

    Raises
    ------
    AuricleError
        When the dataset, or a recording that its lists name, is not there.
    """
    folder = ENTRY.folder(root)
    rows = list(_words(folder, ENTRY.name))
    return listed_manifest(rows, folder=folder, within=_word_folders(folder), name=ENTRY.name, absent=absent)


def load_twelve(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """The manifest of the ten words, ``_unknown_`` and ``_silence_``: ``label``, ``split``, ``word``, ``speaker``.

    ``cluster`` is the speaker, or the file that silence was cut from.

    Raises
    ------
    AuricleError
        When either archive, one of the ten words or a listed recording is not there.
    """
    folder = TWELVE_ENTRY.folder(root)
    name = TWELVE_ENTRY.name
    above = folder.resolve().parent
    if missing := [word for word in WORDS if not (folder / word).is_dir()]:
        raise AuricleError(f"{name}: {folder} has no word {missing[0]!r}; the task needs {', '.join(WORDS)}")
    if not (above / TEST_FOLDER).is_dir():
        raise AuricleError(
            f"{name}: expected {above / TEST_FOLDER}, the test part, beside {folder}; download from "
            f"{_ARCHIVES}/{TEST_FOLDER}.tar.gz"
        )
    own = folder.resolve().name
    rows: list[dict[str, Any]] = [
        {**row, "path": f"{own}/{row['path']}"} for row in _words(folder, name) if row["split"] != "test"
    ]
    tested = audio_by_stem(above, within=[TEST_FOLDER])
    rows += [_row(path, "test") for _, path in sorted(tested.items())]
    for row in rows:
        row["word"], row["label"] = row["label"], _twelve(row["label"])
        row["cluster"] = row["speaker"] or Path(row["path"]).stem
        row.pop("group")
    rows += _silence(folder, own)
    within = [f"{own}/{part}" for part in [*_word_folders(folder), _NOISE]] + [TEST_FOLDER]
    return listed_manifest(rows, folder=above, within=within, name=name, absent=absent)


def _twelve(word: str) -> str:
    return word if word in WORDS or word == SILENCE else UNKNOWN


def _word_folders(folder: Path) -> list[str]:
    return sorted(part.name for part in folder.iterdir() if part.is_dir() and part.name != _NOISE)


def _words(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """A row for every word that is there or listed, ``path`` as the release has it."""
    splits = {
        str(Path(listed).with_suffix("")): split
        for split, of in (("valid", "validation_list.txt"), ("test", "testing_list.txt"))
        for listed in read_lines(folder / of, name=name)
    }
    there = audio_by_stem(folder, within=_word_folders(folder))
    for stem in sorted(there.keys() | splits.keys()):
        yield _row(f"{stem}.wav", splits.get(stem, "train"))


def _row(path: str, split: str) -> dict[str, Any]:
    speaker = Path(path).name.partition(_SPEAKER_END)[0] if _SPEAKER_END in path else None
    return {
        "path": path,
        "label": Path(path).parent.name,
        "split": split,
        "group": speaker,
        "cluster": speaker,
        "speaker": speaker,
    }


def _silence(folder: Path, own: str) -> Iterator[dict[str, Any]]:
    """One second of background noise every half second, while there is more than a second left."""
    for stem, path in sorted(audio_by_stem(folder, within=[_NOISE]).items()):
        noise = Path(stem).name
        seconds = audio.info(folder / path).seconds
        start = 0.0
        while start < seconds - 1.0:
            yield {
                "path": f"{own}/{path}",
                "start": start,
                "end": start + 1.0,
                "label": SILENCE,
                "split": "valid" if noise == _VALID_NOISE else "train",
                "cluster": noise,
            }
            start += _NOISE_HOP


ENTRY = DatasetEntry(
    name="speech-commands",
    title="Speech Commands v2",
    domain="speech",
    licence="CC BY 4.0",
    citation="P. Warden, Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition, arXiv:1804.03209, 2018",
    url=f"{_ARCHIVES}/speech_commands_v0.02.tar.gz",
    download="2.4 GB",
    marker="speech_commands/testing_list.txt",
    classes=35,
    class_noun="words",
    unit_seconds=1.0,
    clips=105829,
    counts={"train": 84843, "valid": 9981, "test": 11005},
    hours=29.4,
    files=(
        RemoteFile(
            f"{_ARCHIVES}/speech_commands_v0.02.tar.gz",
            "md5:6b74f3901214cb2c2934e98196829835",
            into="speech_commands",
        ),
    ),
    load=load,
)
TWELVE_ENTRY = replace(
    ENTRY,
    name="speech-commands-12",
    title="Speech Commands v2, ten words, unknown and silence",
    classes=12,
    labels=(*WORDS, SILENCE, UNKNOWN),
    class_noun="classes",
    clips=100503,
    counts={"train": 85511, "valid": 10102, "test": 4890},
    hours=27.9,
    files=(
        *ENTRY.files,
        RemoteFile(f"{_ARCHIVES}/{TEST_FOLDER}.tar.gz", "md5:854c580ee90bff80c516491c84544e32", into=TEST_FOLDER),
    ),
    load=load_twelve,
)
