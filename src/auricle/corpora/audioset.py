"""AudioSet (Gemmeke 2017) as unlabelled sound: the training part of the task ``audioset``, as far as one has it."""

from pathlib import Path

from auricle.corpora.entry import CorpusEntry
from auricle.datasets import audioset
from auricle.datasets.registry import training_part
from auricle.manifest import Manifest


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """Both training sets, without the tenth of the balanced one that the task is validated on.

    Raises
    ------
    AuricleError
        When the lists, or all recordings, are not there.
    """
    return training_part(audioset.ENTRY.load(root, absent=absent))


ENTRY = CorpusEntry(
    name="audioset",
    title=audioset.ENTRY.title,
    domain="non-speech",
    licence=audioset.ENTRY.licence,
    citation=audioset.ENTRY.citation,
    url=audioset.ENTRY.url,
    download=audioset.ENTRY.download,
    marker=audioset.ENTRY.marker,
    paper_hours=4817.2,
    paper_clips=1749124,
    load=load,
)
