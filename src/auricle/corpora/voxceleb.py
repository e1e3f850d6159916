"""VoxCeleb1 (Nagrani 2017) as unlabelled sound: the training part of the task ``voxceleb1``."""

from pathlib import Path

from auricle.corpora.entry import CorpusEntry
from auricle.datasets import voxceleb1
from auricle.datasets.registry import training_part
from auricle.manifest import Manifest


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """The training part of the list for identification.

    Raises
    ------
    AuricleError
        When the corpus, or a recording that it lists, is not there.
    """
    return training_part(voxceleb1.ENTRY.load(root, absent=absent))


ENTRY = CorpusEntry(
    name="voxceleb",
    title="VoxCeleb1",
    domain="speech",
    licence=voxceleb1.ENTRY.licence,
    citation=voxceleb1.ENTRY.citation,
    url=voxceleb1.ENTRY.url,
    download=voxceleb1.ENTRY.download,
    marker=voxceleb1.ENTRY.marker,
    paper_hours=308.3,
    paper_clips=134000,
    load=load,
)
