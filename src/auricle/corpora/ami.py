"""AMI (Carletta 2007): meetings; those of the training part, every headset and the first array, cut.

The partition is "full-corpus-asr". The study counts 792.1 h of about 80 h of training meetings, so microphones count as
recordings of their own; it does not say which.
"""

import re
from pathlib import Path

from auricle.corpora.entry import CorpusEntry, training_clips
from auricle.datasets.recordings import audio_by_stem
from auricle.manifest import Manifest

_HELD_OUT = (
    *("EN2002", "ES2004", "IS1009", "TS3003"),  # evaluation
    *("ES2011", "IS1008", "TS3004", "IB4001", "IB4002", "IB4003", "IB4004", "IB4010", "IB4011"),  # development
)
_MICROPHONE = re.compile(r"\.(Headset-\d|Array1-\d\d)$")


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """Every headset and every microphone of the first array of the training meetings, cut.

    Raises
    ------
    AuricleError
        When there are none.
    """
    folder = ENTRY.folder(root)
    paths = [
        path
        for stem, path in audio_by_stem(folder).items()
        if _MICROPHONE.search(stem) and not stem.rpartition("/")[2].startswith(_HELD_OUT)
    ]
    return training_clips(paths, folder=folder, name=ENTRY.name, cut=True, absent=absent)


ENTRY = CorpusEntry(
    name="ami",
    title="AMI Meeting Corpus",
    domain="speech",
    licence="CC BY 4.0",
    citation="J. Carletta, Unleashing the killer corpus, Language Resources and Evaluation 41, 2007",
    url="https://groups.inf.ed.ac.uk/ami/corpus",
    download="amicorpus, headsets and first array",
    marker="amicorpus",
    paper_hours=792.1,
    paper_clips=285143,
    cut=True,
    channels="each headset and each microphone of the first array",
    load=load,
)
