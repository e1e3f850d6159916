"""FSD50K (Fonseca 2022): 51,197 recordings from Freesound with any of 200 labels of the AudioSet ontology.

``train`` and ``valid`` are the two parts of the development set as published, ``test`` is the evaluation set. A label
is one of the vocabulary, which has no header line; the recordings are 0.3 to 30 s long.
"""

import csv
from pathlib import Path

from auricle.datasets.entry import DatasetEntry, RemoteFile
from auricle.datasets.recordings import existing, listed_manifest, read_csv
from auricle.errors import AuricleError
from auricle.manifest import Manifest

_TRUTH = "FSD50K.ground_truth"
_DEV, _EVAL = "FSD50K.dev_audio", "FSD50K.eval_audio"
_SPLITS = {"train": "train", "val": "valid"}
_FILES = "https://zenodo.org/record/4060432/files"
_CHECKSUMS = {
    "FSD50K.dev_audio.z01": "faa7cf4cc076fc34a44a479a5ed862a3",
    "FSD50K.dev_audio.z02": "8f9b66153e68571164fb1315d00bc7bc",
    "FSD50K.dev_audio.z03": "1196ef47d267a993d30fa98af54b7159",
    "FSD50K.dev_audio.z04": "d088ac4e11ba53daf9f7574c11cccac9",
    "FSD50K.dev_audio.z05": "81356521aa159accd3c35de22da28c7f",
    "FSD50K.dev_audio.zip": "c480d119b8f7a7e32fdb58f3ea4d6c5a",
    "FSD50K.eval_audio.z01": "3090670eaeecc013ca1ff84fe4442aeb",
    "FSD50K.eval_audio.zip": "6fa47636c3a3ad5c7dfeba99f2637982",
    "FSD50K.ground_truth.zip": "ca27382c195e37d2269c4c866dd73485",
    "FSD50K.metadata.zip": "b9ea0c829a411c1d42adb9da539ed237",
}


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """The manifest: ``labels``, ``split`` and ``cluster``, the Freesound number, by which FSDnoisy18k overlaps with it.

    Raises
    ------
    AuricleError
        When the dataset or a recording that it lists is not there, or has a label that is not of the vocabulary.
    """
    folder = ENTRY.folder(root)
    truth = folder / _TRUTH
    vocabulary = _vocabulary(truth / "vocabulary.csv")
    rows = []
    for name, audio, columns in (
        ("dev.csv", _DEV, ("fname", "labels", "split")),
        ("eval.csv", _EVAL, ("fname", "labels")),
    ):
        for number, row in enumerate(read_csv(truth / name, name=ENTRY.name, columns=columns), start=2):
            labels = [label.strip() for label in row["labels"].split(",") if label.strip()]
            if strange := [label for label in labels if label not in vocabulary]:
                raise AuricleError(
                    f"{ENTRY.name}: line {number} of {truth / name} has the label {strange[0]!r}, "
                    "which is not in vocabulary.csv"
                )
            split = "test" if audio == _EVAL else _SPLITS.get(row["split"], row["split"])
            rows.append(
                {"path": f"{audio}/{row['fname']}.wav", "labels": labels, "split": split, "cluster": row["fname"]}
            )
    return listed_manifest(rows, folder=folder, within=[_DEV, _EVAL], name=ENTRY.name, absent=absent)


def _vocabulary(path: Path) -> set[str]:
    """Labels of ``vocabulary.csv``: number, label, mid; the published file has no header, a copy may have one."""
    with existing(path, name=ENTRY.name).open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.reader(file) if row]
    if any(len(row) < 2 for row in rows):
        raise AuricleError(f"{ENTRY.name}: {path} is not the published file; expected number,label,mid in each line")
    return {row[1] for row in rows if row[0].isdigit()}


ENTRY = DatasetEntry(
    name="fsd50k",
    title="FSD50K",
    domain="both",
    licence="CC BY 4.0, each recording its own Creative Commons licence",
    citation="E. Fonseca et al., FSD50K: An Open Dataset of Human-Labeled Sound Events, IEEE/ACM TASLP 30, 2022",
    url="https://zenodo.org/record/4060432",
    download="25 GB",
    marker="FSD50K/FSD50K.ground_truth/dev.csv",
    kind="multi-label",
    metric="mean_average_precision",
    classes=200,
    unit_seconds=7.6358,
    clips=51197,
    counts={"train": 36796, "valid": 4170, "test": 10231},
    hours=108.3,
    files=tuple(
        RemoteFile(f"{_FILES}/{name}", f"md5:{checksum}", into="FSD50K") for name, checksum in _CHECKSUMS.items()
    ),
    load=load,
)
