"""Mozilla Common Voice (Ardila 2020), English: sentences that volunteers read; the list ``train.tsv``."""

import csv
from pathlib import Path

from auricle.corpora.entry import CorpusEntry
from auricle.datasets.recordings import existing, listed_manifest
from auricle.errors import AuricleError
from auricle.manifest import Manifest

_LANGUAGE = "en"


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """Every recording of the training list of the release that is there.

    Raises
    ------
    AuricleError
        When there is none, when there are several, or a recording that is listed is not there.
    """
    folder = _folder(Path(root))
    # A sentence may begin with a quotation mark that is never closed.
    with existing(folder / "train.tsv", name=ENTRY.name).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    if rows and "path" not in rows[0]:
        raise AuricleError(f"{ENTRY.name}: {folder / 'train.tsv'} has no column `path`; is it the published file?")
    names = [row["path"].removesuffix(".mp3") for row in rows]
    listed = [{"path": f"clips/{name}.mp3"} for name in names]
    return listed_manifest(listed, folder=folder, within=["clips"], name=ENTRY.name, absent=absent)


def _folder(root: Path) -> Path:
    """The folder of the language, in the only release below `root`, or `root` itself."""
    places = [root, root / _LANGUAGE, *sorted(root.glob(f"cv-corpus-*/{_LANGUAGE}"))]
    found = [place for place in places if (place / "train.tsv").is_file() and (place / "clips").is_dir()]
    if len(found) > 1:
        names = ", ".join(place.parent.name for place in found)
        raise AuricleError(f"{ENTRY.name}: {root} holds several releases ({names}); give the folder of one")
    return found[0] if found else ENTRY.folder(root)


ENTRY = CorpusEntry(
    name="common-voice",
    title="Mozilla Common Voice, English",
    domain="speech",
    licence="CC0",
    citation="R. Ardila et al., Common Voice: A Massively-Multilingual Speech Corpus, LREC 2020",
    url="https://commonvoice.mozilla.org/datasets",
    download="cv-corpus-*, English",
    marker=f"cv-corpus-*/{_LANGUAGE}/train.tsv",
    paper_hours=692.4,
    paper_clips=435946,
    load=load,
)
