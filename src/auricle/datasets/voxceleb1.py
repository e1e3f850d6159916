"""VoxCeleb1 (Nagrani 2017): interviews of 1,251 people; who speaks?

The split is that of the official list for identification, ``iden_split.txt``, in which every speaker stands in all
parts, so a speaker is no group; ``cluster`` is the video.
"""

from pathlib import Path

from auricle.datasets.entry import DatasetEntry, RemoteFile
from auricle.datasets.recordings import listed_manifest, read_csv, read_lines
from auricle.errors import AuricleError
from auricle.manifest import Manifest

_SPLITS = {"1": "train", "2": "valid", "3": "test"}
_SPEAKERS = ("VoxCeleb1 ID", "Gender", "Nationality")
_LISTS = "https://www.robots.ox.ac.uk/~vgg/data/voxceleb/meta"


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """The manifest: ``label`` and ``speaker`` (id10001 …), ``split``, ``cluster``, ``sex``, ``nationality``.

    ``cluster`` is the video; the last two come from ``vox1_meta.csv`` and are null where it is not there.

    Raises
    ------
    AuricleError
        When the dataset, or a recording that it lists, is not there, or its list is not the published one.
    """
    folder = ENTRY.folder(root)
    speakers = _speakers(folder / "vox1_meta.csv")
    rows = []
    for number, line in enumerate(read_lines(folder / "iden_split.txt", name=ENTRY.name), start=1):
        part, _, path = line.partition(" ")
        if part not in _SPLITS or path.count("/") != 2:
            raise AuricleError(
                f"{ENTRY.name}: line {number} of {folder / 'iden_split.txt'} is {line!r}; expected 1, 2 or 3 and a path"
            )
        speaker, video, _ = path.split("/")
        rows.append(
            {
                "path": f"wav/{path}",
                "label": speaker,
                "split": _SPLITS[part],
                "cluster": f"{speaker}/{video}",
                "speaker": speaker,
                **speakers.get(speaker, {"sex": None, "nationality": None}),
            }
        )
    return listed_manifest(rows, folder=folder, within=["wav"], name=ENTRY.name, absent=absent)


def _speakers(path: Path) -> dict[str, dict[str, str]]:
    """``vox1_meta.csv``: a table separated by tabs, in spite of its name."""
    if not path.is_file():
        return {}
    return {
        row["VoxCeleb1 ID"]: {"sex": row["Gender"].lower(), "nationality": row["Nationality"]}
        for row in read_csv(path, name=ENTRY.name, columns=_SPEAKERS, delimiter="\t")
    }


ENTRY = DatasetEntry(
    name="voxceleb1",
    title="VoxCeleb1, identification",
    domain="speech",
    licence="CC BY 4.0 for the lists",
    citation="A. Nagrani et al., VoxCeleb: A Large-Scale Speaker Identification Dataset, Interspeech 2017",
    url="https://www.robots.ox.ac.uk/~vgg/data/voxceleb/vox1.html",
    download="39 GB on request, all parts to one folder wav",
    marker="VoxCeleb1/iden_split.txt",
    classes=1251,
    class_noun="speakers",
    unit_seconds=8.2,
    clips=153516,
    counts={"train": 138361, "valid": 6904, "test": 8251},
    hours=352.0,
    files=(
        RemoteFile(f"{_LISTS}/iden_split.txt", unpack=False, into="VoxCeleb1"),
        RemoteFile(f"{_LISTS}/vox1_meta.csv", unpack=False, into="VoxCeleb1"),
    ),
    load=load,
)
