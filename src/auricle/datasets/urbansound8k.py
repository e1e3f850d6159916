"""UrbanSound8K (Salamon 2014): 8,732 excerpts of up to four seconds in ten classes of city sound, ten official folds.

``cluster`` is the Freesound recording that an excerpt was cut from; none stands in two folds, so it is ``group`` too.
"""

from pathlib import Path

from auricle.datasets.entry import DatasetEntry, audio_by_stem, listed_audio, read_csv
from auricle.manifest import Manifest

_COLUMNS = ("slice_file_name", "fsID", "fold", "class", "salience")
_SALIENCE = {"1": "foreground", "2": "background"}


def load(root: Path) -> Manifest:
    """The manifest: ``label``, ``fold`` (1 to 10), ``group`` and ``cluster``, ``salience`` (foreground, background).

    Raises
    ------
    AuricleError
        When the dataset, or a recording that it lists, is not there.
    """
    folder = ENTRY.folder(root)
    stems = audio_by_stem(folder, within=["audio"])
    rows = []
    for row in read_csv(folder / "metadata" / "UrbanSound8K.csv", name=ENTRY.name, columns=_COLUMNS):
        listed = f"audio/fold{row['fold']}/{row['slice_file_name']}"
        rows.append(
            {
                "path": listed_audio(listed, stems, folder=folder, name=ENTRY.name),
                "label": row["class"],
                "fold": int(row["fold"]),
                "group": row["fsID"],
                "cluster": row["fsID"],
                "salience": _SALIENCE.get(row["salience"]),
            }
        )
    return Manifest.from_rows(rows, root=folder, source=ENTRY.name)


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
    unit_seconds=4.0,
    clips=8732,
    load=load,
    valid_folds=(9,),
    test_folds=(10,),
)
