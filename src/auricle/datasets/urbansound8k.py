"""UrbanSound8K (Salamon 2014): 8,732 excerpts of up to four seconds in ten classes of city sound, ten official folds.

``cluster`` is the Freesound recording that an excerpt was cut from; none stands in two folds, so it is ``group`` too.
The files are as their authors uploaded them: 8 to 192 kHz, 4 to 32 bits, one channel or two.
"""

from pathlib import Path

from auricle.datasets.entry import DatasetEntry, RemoteFile
from auricle.datasets.recordings import listed_manifest, read_csv
from auricle.manifest import Manifest

_COLUMNS = ("slice_file_name", "fsID", "fold", "class", "salience")
_SALIENCE = {"1": "foreground", "2": "background"}
_FOLDS = (873, 888, 925, 990, 936, 823, 838, 806, 816, 837)  # clips


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """The manifest: ``label``, ``fold`` (1 to 10), ``group`` and ``cluster``, ``salience`` (foreground, background).

    Raises
    ------
    AuricleError
        When the dataset, or a recording that it lists, is not there.
    """
    folder = ENTRY.folder(root)
    rows = [
        {
            "path": f"audio/fold{row['fold']}/{row['slice_file_name']}",
            "label": row["class"],
            "fold": int(row["fold"]),
            "group": row["fsID"],
            "cluster": row["fsID"],
            "salience": _SALIENCE.get(row["salience"]),
        }
        for row in read_csv(folder / "metadata" / "UrbanSound8K.csv", name=ENTRY.name, columns=_COLUMNS)
    ]
    return listed_manifest(rows, folder=folder, within=["audio"], name=ENTRY.name, absent=absent)


ENTRY = DatasetEntry(
    name="urbansound8k",
    title="UrbanSound8K",
    domain="non-speech",
    licence="CC BY-NC 3.0",
    citation="J. Salamon et al., A Dataset and Taxonomy for Urban Sound Research, ACM Multimedia 2014",
    url="https://zenodo.org/record/1203745",
    download="6 GB",
    marker="UrbanSound8K/metadata/UrbanSound8K.csv",
    classes=10,
    labels=(
        "air_conditioner",
        "car_horn",
        "children_playing",
        "dog_bark",
        "drilling",
        "engine_idling",
        "gun_shot",
        "jackhammer",
        "siren",
        "street_music",
    ),
    unit_seconds=4.0,
    clips=8732,
    counts={f"fold {fold}": count for fold, count in enumerate(_FOLDS, start=1)},
    hours=8.75,
    files=(
        RemoteFile(
            "https://zenodo.org/record/1203745/files/UrbanSound8K.tar.gz",
            "md5:9aa69802bbf37fb986f71ec1483a196e",
        ),
    ),
    load=load,
    valid_folds=(9,),
    test_folds=(10,),
)
