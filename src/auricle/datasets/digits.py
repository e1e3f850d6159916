"""Free Spoken Digit Dataset (Jackson 2016): the digits 0 to 9 by six speakers, split by take, as a plain manifest.

The same six speakers stand in all splits, so the task is new recordings of known voices; ``speaker`` is no group.
"""

from pathlib import Path

from auricle.datasets.entry import DatasetEntry
from auricle.manifest import Manifest


def load(root: Path) -> Manifest:
    """The manifest: ``label`` (the digit, as text), ``split``, ``speaker``, ``take``.

    Raises
    ------
    AuricleError
        When the dataset is not there.
    """
    return Manifest.read(ENTRY.folder(root) / "manifest.csv")


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
    unit_seconds=0.5,
    clips=3000,
    load=load,
    exceptions="all six speakers stand in every split",
)
