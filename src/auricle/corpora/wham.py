"""WHAM! at 48 kHz (Wichern 2019): noise of cafés, bars and parks, binaural; the training part, cut."""

from pathlib import Path

from auricle.corpora.entry import CorpusEntry, training_clips
from auricle.datasets.recordings import listed_manifest, read_csv
from auricle.manifest import Manifest

_LIST = "high_res_metadata.csv"
_NAME, _SPLIT = "Filename", "WHAM! Split"


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """The recordings of the split ``Train``, cut; both ears are averaged.

    Raises
    ------
    AuricleError
        When the corpus, or a recording that it lists, is not there.
    """
    folder = ENTRY.folder(root)
    listed = read_csv(folder / _LIST, name=ENTRY.name, columns=[_NAME, _SPLIT])
    rows = [{"path": f"audio/{row[_NAME]}"} for row in listed if row[_SPLIT].strip().lower() == "train"]
    there = listed_manifest(rows, folder=folder, within=["audio"], name=ENTRY.name, absent=absent)
    return training_clips(there.column("path"), folder=folder, name=ENTRY.name, cut=True, absent=absent)


ENTRY = CorpusEntry(
    name="wham",
    title="WHAM! 48 kHz noise",
    domain="non-speech",
    licence="CC BY-NC 4.0",
    citation="G. Wichern et al., WHAM!: Extending Speech Separation to Noisy Environments, Interspeech 2019",
    url="http://wham.whisper.ai",
    download="high_res_wham.zip, 76 GB",
    marker=f"high_res_wham/{_LIST}",
    paper_hours=56.6,
    paper_clips=20363,
    cut=True,
    channels="both ears averaged",
    load=load,
)
