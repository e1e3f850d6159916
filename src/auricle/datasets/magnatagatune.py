"""MagnaTagATune (Law 2009): 25,860 excerpts of music of half a minute with any of the 50 most frequent tags.

The release has sixteen folders, 0 to f; as usual the first twelve are training, c is validation and the last three are
test. Three of its files hold nothing and are left out. A clip without any of the 50 tags stays, with none.
"""

from pathlib import Path

from auricle.datasets.entry import DatasetEntry, RemoteFile
from auricle.datasets.recordings import listed_manifest, read_csv
from auricle.manifest import Manifest

# fmt: off
TAGS = (
    "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast", "piano", "ambient",
    "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male", "singing", "vocals", "no vocals",
    "harpsichord", "loud", "quiet", "flute", "woman", "male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man",
    "classic", "choir", "voice", "new age", "dance", "male voice", "female vocal", "beats", "harp", "cello", "no voice",
    "weird", "country", "metal", "female voice", "choral",
)
# fmt: on
_FOLDERS = {"train": "0123456789ab", "valid": "c", "test": "def"}
_SPLIT_OF = {folder: split for split, folders in _FOLDERS.items() for folder in folders}
_EMPTY = (
    "6/norine_braun-now_and_zen-08-gently-117-146.mp3",
    "8/jacob_heringman-josquin_des_prez_lute_settings-19-gintzler__pater_noster-204-233.mp3",
    "9/american_baroque-dances_and_suites_of_rameau_and_couperin-25-le_petit_rien_xiveme_ordre_couperin-88-117.mp3",
)
_SOURCE = "https://mirg.city.ac.uk/datasets/magnatagatune"


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """The manifest: ``labels`` (of the 50 tags), ``split``, ``cluster`` (the track that the excerpt is of).

    Raises
    ------
    AuricleError
        When the dataset or a recording that it lists is not there, or its table lacks one of the tags.
    """
    folder = ENTRY.folder(root)
    table = read_csv(folder / "annotations_final.csv", name=ENTRY.name, columns=(*TAGS, "mp3_path"), delimiter="\t")
    rows = [
        {
            "path": row["mp3_path"],
            "labels": [tag for tag in TAGS if row[tag] == "1"],
            "split": _SPLIT_OF.get(row["mp3_path"].partition("/")[0]),
            # Two numbers end the name: the seconds of the track that the excerpt begins and ends at.
            "cluster": row["mp3_path"].rsplit("-", 2)[0],
        }
        for row in table
        if row["mp3_path"] not in _EMPTY
    ]
    return listed_manifest(rows, folder=folder, within=_SPLIT_OF, name=ENTRY.name, absent=absent)


ENTRY = DatasetEntry(
    name="magnatagatune",
    title="MagnaTagATune, 50 tags",
    domain="non-speech",
    licence="CC BY-NC-SA 1.0",
    citation="E. Law et al., Evaluation of Algorithms Using Games: The Case of Music Tagging, ISMIR 2009",
    url=f"{_SOURCE}/",
    download="3 GB",
    marker="magnatagatune/annotations_final.csv",
    kind="multi-label",
    metric="auroc",
    classes=50,
    labels=tuple(sorted(TAGS)),
    class_noun="tags",
    unit_seconds=29.1,
    clips=25860,
    counts={"train": 18706, "valid": 1825, "test": 5329},
    hours=209.0,
    files=tuple(
        RemoteFile(f"{_SOURCE}/{name}", unpack=name.startswith("mp3.zip"), into="magnatagatune")
        for name in ("annotations_final.csv", "mp3.zip.001", "mp3.zip.002", "mp3.zip.003")
    ),
    load=load,
)
