"""LibriSpeech (Panayotov 2015): read audiobooks, utterance by utterance; the three training parts."""

from pathlib import Path

from auricle.corpora.entry import CorpusEntry
from auricle.datasets.recordings import listed_manifest, read_lines
from auricle.errors import AuricleError
from auricle.manifest import Manifest

_PARTS = ("train-clean-100", "train-clean-360", "train-other-500")


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """Every utterance that a transcript names; parts that are not there are told to `absent`.

    Raises
    ------
    AuricleError
        When a part, or an utterance, is not there.
    """
    folder = ENTRY.folder(root)
    missing = [part for part in _PARTS if not (folder / part).is_dir()]
    if missing and (absent is None or len(missing) == len(_PARTS)):
        raise AuricleError(f"{ENTRY.name}: {folder / missing[0]} is not there; is this the published layout?")
    rows = []
    for part in _PARTS:
        for transcript in sorted((folder / part).glob("*/*/*.trans.txt")):
            chapter = transcript.parent.relative_to(folder).as_posix()
            names = (line.partition(" ")[0] for line in read_lines(transcript, name=ENTRY.name))
            rows += [{"path": f"{chapter}/{name}.flac"} for name in names]
    if absent is not None:
        absent += missing
    return listed_manifest(rows, folder=folder, within=_PARTS, name=ENTRY.name, absent=absent)


ENTRY = CorpusEntry(
    name="librispeech",
    title="LibriSpeech",
    domain="speech",
    licence="CC BY 4.0",
    citation="V. Panayotov et al., LibriSpeech: An ASR corpus based on public domain audio books, ICASSP 2015",
    url="https://www.openslr.org/12",
    download="60 GB",
    marker="LibriSpeech",
    paper_hours=897.0,
    paper_clips=263095,
    load=load,
)
