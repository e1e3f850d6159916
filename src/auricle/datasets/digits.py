"""Free Spoken Digit Dataset (Jackson 2016): the digits 0 to 9 by six speakers, as a plain manifest.

Two tasks. Split by take, the same six speakers stand in all splits: new recordings of known voices, so ``speaker`` is
no group. With a fold for each speaker, who is left out of training in turn: known words by a new voice.
"""

from dataclasses import replace
from pathlib import Path

from auricle.datasets.entry import DatasetEntry
from auricle.datasets.recordings import listed_manifest
from auricle.errors import AuricleError
from auricle.manifest import Manifest

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """The manifest: ``label`` (the digit, as text), ``split``, ``speaker``, ``take``.

    Raises
    ------
    AuricleError
        When the dataset, or a recording that it lists, is not there.
    """
    return _load(root, ENTRY, absent)


def load_by_speaker(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """The manifest of :func:`load` with ``fold`` (1 to 6) for ``split``; ``group`` and ``cluster`` are the speaker.

    Raises
    ------
    AuricleError
        As :func:`load`, and when there is a speaker whom the dataset has not.
    """
    manifest = _load(root, SPEAKERS_ENTRY, absent)
    speakers = manifest.column("speaker")
    if strange := [speaker for speaker in speakers if speaker not in SPEAKERS]:
        raise AuricleError(
            f"{SPEAKERS_ENTRY.name}: unknown speaker {strange[0]!r}; expected one of {', '.join(SPEAKERS)}"
        )
    table = manifest.table.drop_columns(["split"])
    folded = Manifest(table, manifest.root, manifest.source).with_column(
        "fold", [SPEAKERS.index(speaker) + 1 for speaker in speakers]
    )
    return folded.with_column("group", speakers).with_column("cluster", speakers).validate()


def _load(root: Path, entry: DatasetEntry, absent: list[str] | None) -> Manifest:
    folder = entry.folder(root)
    rows = Manifest.read(folder / "manifest.csv").table.to_pylist()
    return listed_manifest(rows, folder=folder, name=entry.name, absent=absent)


ENTRY = DatasetEntry(
    name="digits",
    title="Free Spoken Digit Dataset",
    domain="speech",
    licence="CC BY-SA 4.0",
    citation="Z. Jackson et al., Free Spoken Digit Dataset, doi:10.5281/zenodo.1342401",
    url="https://github.com/Jakobovski/free-spoken-digit-dataset",
    download="16 MB; needs a manifest.csv with path, label, speaker, take, split",
    marker="digits/manifest.csv",
    classes=10,
    labels=tuple("0123456789"),
    class_noun="digits",
    unit_seconds=0.5,
    clips=3000,
    hours=0.36,
    load=load,
    exceptions="all six speakers stand in every split",
)
SPEAKERS_ENTRY = replace(
    ENTRY,
    name="digits-speakers",
    title="Free Spoken Digit Dataset, each speaker left out",
    counts={f"fold {fold}": 500 for fold in range(1, 7)},
    load=load_by_speaker,
    exceptions="",
)
