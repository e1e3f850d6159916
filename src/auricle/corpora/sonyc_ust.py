"""SONYC-UST (Cartwright 2020): ten seconds each of New York's streets, heard by sensors; the split ``train``."""

from pathlib import Path

from auricle.corpora.entry import CorpusEntry, report_missing, training_clips
from auricle.datasets.recordings import audio_by_stem, read_csv
from auricle.manifest import Manifest


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """Every recording of the split ``train`` once, though each of its annotators has a row of the list.

    Raises
    ------
    AuricleError
        When the corpus, or a recording that it lists, is not there.
    """
    folder = ENTRY.folder(root)
    rows = read_csv(folder / "annotations.csv", name=ENTRY.name, columns=["split", "audio_filename"])
    listed = dict.fromkeys(row["audio_filename"] for row in rows if row["split"] == "train")
    # The archives may have been unpacked to one folder or to one for each.
    there = {stem.rpartition("/")[2]: path for stem, path in audio_by_stem(folder).items()}
    found = {name: there.get(Path(name).stem) for name in listed}
    report_missing(
        [name for name, path in found.items() if path is None], name=ENTRY.name, folder=folder, absent=absent
    )
    paths = [path for path in found.values() if path is not None]
    return training_clips(paths, folder=folder, name=ENTRY.name, cut=False)


ENTRY = CorpusEntry(
    name="sonyc-ust",
    title="SONYC-UST v2",
    domain="non-speech",
    licence="CC BY 4.0",
    citation="M. Cartwright et al., SONYC-UST-V2: An Urban Sound Tagging Dataset with Spatiotemporal Context, 2020",
    url="https://zenodo.org/record/3966543",
    download="audio-0 to audio-18 and annotations.csv",
    marker="SONYC-UST/annotations.csv",
    paper_hours=37.6,
    paper_clips=13538,
    load=load,
)
