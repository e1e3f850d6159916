"""ESC-50 (Piczak 2015): 2,000 recordings of five seconds in 50 classes of environmental sound, five official folds.

``cluster`` is the Freesound recording that a clip was cut from; four of them stand in two folds, officially.
"""

from pathlib import Path

from auricle.datasets.entry import DatasetEntry, RemoteFile
from auricle.datasets.recordings import listed_manifest, read_csv
from auricle.manifest import Manifest

_COLUMNS = ("filename", "fold", "category", "esc10", "src_file", "take")


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """The manifest: ``label``, ``fold`` (1 to 5), ``cluster``, ``take`` and ``esc10`` (yes or no).

    Raises
    ------
    AuricleError
        When the dataset, or a recording that it lists, is not there.
    """
    folder = ENTRY.folder(root)
    rows = [
        {
            "path": f"audio/{row['filename']}",
            "label": row["category"],
            "fold": int(row["fold"]),
            "cluster": row["src_file"],
            "take": row["take"],
            "esc10": "yes" if row["esc10"] == "True" else "no",
        }
        for row in read_csv(folder / "meta" / "esc50.csv", name=ENTRY.name, columns=_COLUMNS)
    ]
    return listed_manifest(rows, folder=folder, within=["audio"], name=ENTRY.name, absent=absent)


ENTRY = DatasetEntry(
    name="esc50",
    title="ESC-50",
    domain="non-speech",
    licence="CC BY-NC 3.0",
    citation="K. J. Piczak, ESC: Dataset for Environmental Sound Classification, ACM Multimedia 2015",
    url="https://github.com/karoldvl/ESC-50/archive/master.zip",
    download="600 MB",
    marker="ESC-50-master/meta/esc50.csv",
    classes=50,
    unit_seconds=5.0,
    clips=2000,
    counts={f"fold {fold}": 400 for fold in range(1, 6)},
    hours=2.78,
    # GitHub packs the archive of the newest commit: the md5 once published (7771e4b9…) has failed since 2025, as issue
    # 208 of soundata reports. Every member's own CRC-32, and the counts, are still checked.
    files=(RemoteFile("https://github.com/karoldvl/ESC-50/archive/master.zip"),),
    load=load,
    valid_folds=(4,),
    test_folds=(5,),
    exceptions="four source recordings (131943, 134049, 209698, 234879) stand in two folds",
)
