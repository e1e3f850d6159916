"""TEDx talks: TED-LIUM 2 (Rousseau 2014) and multilingual TEDx (Salesky 2021), their training parts, cut.

The study names both under "TED-LIUM". Its 1,193.5 h are more than the transcribed parts of both, so whole talks are cut
here and not the transcribed segments.
"""

from collections.abc import Iterator
from pathlib import Path

from auricle import audio
from auricle.corpora.entry import CorpusEntry, report_missing, training_clips
from auricle.datasets.recordings import audio_by_stem
from auricle.errors import AuricleError
from auricle.manifest import Manifest

_RELEASE = "TEDLIUM_release2"
_LANGUAGES = ("ar", "de", "el", "es", "fr", "it", "pt", "ru")
_SUFFIXES = (".sph", *audio.EXTENSIONS)


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """The talks of both, cut; languages that are not there are told to `absent`.

    Raises
    ------
    AuricleError
        When one of both, a language or a talk is not there.
    """
    root = ENTRY.folder(root).parent
    talks, missing = _talks(root)
    for language in _LANGUAGES:
        places = [root / "mtedx" / f"{language}-{language}", root / f"{language}-{language}"]
        folder = next((place / "data" / "train" / "wav" for place in places if place.is_dir()), None)
        if folder is None:
            missing.append(f"mtedx/{language}-{language}")
            continue
        below = folder.relative_to(root).as_posix()
        talks += [f"{below}/{path}" for path in audio_by_stem(folder).values()]
    report_missing(missing, name=ENTRY.name, folder=root, absent=absent)
    return training_clips(talks, folder=root, name=ENTRY.name, cut=True, absent=absent)


def _talks(root: Path) -> tuple[list[str], list[str]]:
    """The talks of TED-LIUM whose transcripts are there, and those of which only they are."""
    part = f"{_RELEASE}/train"
    found, missing = [], []
    for transcript in sorted((root / part / "stm").glob("*.stm")):
        path = next((path for path in _candidates(root / part / "sph", transcript.stem) if path.is_file()), None)
        if path is None:
            missing.append(f"{part}/sph/{transcript.stem}.sph")
        else:
            found.append(path.relative_to(root).as_posix())
    if not found:
        raise AuricleError(f"{ENTRY.name}: no talks in {root / part}, which has folders sph and stm as published")
    return found, missing


def _candidates(folder: Path, stem: str) -> Iterator[Path]:
    return (folder / f"{stem}{suffix}" for suffix in _SUFFIXES)


ENTRY = CorpusEntry(
    name="ted-lium",
    title="TED-LIUM 2 and multilingual TEDx",
    domain="speech",
    licence="CC BY-NC-ND 3.0 and 4.0",
    citation="A. Rousseau et al., Enhancing the TED-LIUM Corpus with Selected Data, LREC 2014",
    url="https://www.openslr.org/19 and https://www.openslr.org/100",
    download="TEDLIUM_release2, 35 GB; mtedx, one archive for each language",
    marker=f"{_RELEASE}/train",
    paper_hours=1193.5,
    paper_clips=429644,
    cut=True,
    load=load,
)
