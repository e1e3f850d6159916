"""MUSAN (Snyder 2015): music, noise and speech, which has no partitions; cut.

The study counts it as non-speech, with 106.5 h. The whole corpus has about 109 h, of which 60 h are speech, so its
speech was in all likelihood among the non-speech sound. It is here too, unless it is asked to be left out.
"""

from collections.abc import Iterable
from pathlib import Path

from auricle.corpora.entry import CorpusEntry, training_clips
from auricle.datasets.recordings import audio_by_stem
from auricle.errors import AuricleError
from auricle.manifest import Manifest

_PARTS = ("music", "noise", "speech")


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """All three parts, cut.

    Raises
    ------
    AuricleError
        When a part is not there.
    """
    return _load(root, _PARTS, absent)


def load_without_speech(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """Music and noise, cut.

    Raises
    ------
    AuricleError
        When a part is not there.
    """
    return _load(root, [part for part in _PARTS if part != "speech"], absent)


def _load(root: Path, parts: Iterable[str], absent: list[str] | None) -> Manifest:
    folder = ENTRY.folder(root)
    for part in parts:
        if not (folder / part).is_dir():
            raise AuricleError(f"{ENTRY.name}: {folder / part} is not there; is this the published layout?")
    paths = audio_by_stem(folder, within=parts).values()
    return training_clips(paths, folder=folder, name=ENTRY.name, cut=True, absent=absent)


ENTRY = CorpusEntry(
    name="musan",
    title="MUSAN",
    domain="non-speech",
    licence="public domain and Creative Commons, each recording its own",
    citation="D. Snyder et al., MUSAN: A Music, Speech, and Noise Corpus, arXiv:1510.08484, 2015",
    url="https://www.openslr.org/17",
    download="11 GB",
    marker="musan/music",
    paper_hours=106.5,
    paper_clips=38343,
    cut=True,
    load=load,
    without_speech=load_without_speech,
)
