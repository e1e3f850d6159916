"""GTZAN (Tzanetakis 2002): thousand excerpts of thirty seconds in ten genres of music, filtered of its known faults.

The split is the fault-filtered one (Kereliuk 2015), in three lists beside the genres, which keeps an artist in one part
and leaves out what is repeated or mislabelled. ``jazz.00054`` is broken in a common copy and left out where it is.
"""

from pathlib import Path

from auricle import audio
from auricle.datasets.entry import DatasetEntry, RemoteFile
from auricle.datasets.recordings import audio_by_stem, listed_manifest, read_lines
from auricle.decoding import AudioError
from auricle.errors import AuricleError
from auricle.manifest import Manifest

GENRES = ("blues", "classical", "country", "disco", "hiphop", "jazz", "metal", "pop", "reggae", "rock")
_LISTS = {"train": "train_filtered.txt", "valid": "valid_filtered.txt", "test": "test_filtered.txt"}
_SOURCE = "https://raw.githubusercontent.com/jongpillee/music_dataset_split/master/GTZAN_split"
_BROKEN = "jazz/jazz.00054"


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """The manifest: ``label`` (the genre) and ``split``.

    Raises
    ------
    AuricleError
        When the dataset, one of its three lists or a recording that they name is not there.
    """
    folder = ENTRY.folder(root)
    for name in _LISTS.values():
        if not (folder / name).is_file():
            raise AuricleError(
                f"{ENTRY.name}: {folder / name} is not there; put the three lists of {_SOURCE} beside the genres"
            )
    broken = _is_broken(folder)
    rows = []
    for split, name in _LISTS.items():
        for line in read_lines(folder / name, name=ENTRY.name):
            genre, number = _genre_and_number(line, folder / name)
            if broken and f"{genre}/{genre}.{number}" == _BROKEN:
                if absent is not None:
                    absent.append(f"{_BROKEN} (broken)")
                continue
            rows.append({"path": f"{genre}/{genre}.{number}.wav", "label": genre, "split": split})
    return listed_manifest(rows, folder=folder, within=GENRES, name=ENTRY.name, absent=absent)


def _genre_and_number(line: str, path: Path) -> tuple[str, str]:
    """``jazz/jazz.00054.wav``, with or without folder and suffix."""
    genre, _, rest = line.rpartition("/")[2].partition(".")
    number = rest.partition(".")[0]
    if genre not in GENRES or not number.isdigit():
        raise AuricleError(f"{ENTRY.name}: {path} names {line!r}; expected for instance jazz/jazz.00053.wav")
    return genre, number


def _is_broken(folder: Path) -> bool:
    path = audio_by_stem(folder, within=["jazz"]).get(_BROKEN)
    if path is None:
        return False
    try:
        return audio.info(folder / path).frames == 0
    except AudioError:
        return True


ENTRY = DatasetEntry(
    name="gtzan",
    title="GTZAN, fault-filtered",
    domain="non-speech",
    licence="unknown",
    citation="G. Tzanetakis and P. Cook, Musical Genre Classification of Audio Signals, IEEE TSAP 10(5), 2002",
    url="https://huggingface.co/datasets/marsyas/gtzan",
    download="1.2 GB",
    marker="genres/blues",
    classes=10,
    labels=GENRES,
    class_noun="genres",
    unit_seconds=30.0,
    clips=930,
    counts={"train": 443, "valid": 197, "test": 290},
    hours=7.75,
    files=(
        RemoteFile(
            "https://huggingface.co/datasets/marsyas/gtzan/resolve/main/data/genres.tar.gz",
            "md5:5b3d6dddb579ab49814ab86dba69e7c7",
        ),
        *(RemoteFile(f"{_SOURCE}/{name}", unpack=False, into="genres") for name in _LISTS.values()),
    ),
    load=load,
)
