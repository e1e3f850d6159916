"""freefield1010 (Stowell and Plumbley 2013): 7,690 field recordings of ten seconds from Freesound, all of them."""

from pathlib import Path

from auricle.corpora.entry import CorpusEntry
from auricle.datasets.recordings import listed_manifest, read_csv
from auricle.manifest import Manifest

_LIST = "ff1010bird_metadata_2018.csv"


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """Every recording that the list of the bird detection challenge names.

    Raises
    ------
    AuricleError
        When the corpus, or a recording that it lists, is not there.
    """
    folder = ENTRY.folder(root)
    items = read_csv(folder / _LIST, name=ENTRY.name, columns=["itemid"])
    rows = [{"path": f"wav/{row['itemid']}.wav"} for row in items]
    return listed_manifest(rows, folder=folder, within=["wav"], name=ENTRY.name, absent=absent)


ENTRY = CorpusEntry(
    name="freefield1010",
    title="freefield1010",
    domain="non-speech",
    licence="CC BY 4.0",
    citation="D. Stowell and M. D. Plumbley, An open dataset for research on audio field recording archives, 2013",
    url="https://archive.org/details/ff1010bird",
    download="ff1010bird_wav.zip and its list",
    marker=f"freefield1010/{_LIST}",
    paper_hours=21.4,
    paper_clips=7690,
    load=load,
)
