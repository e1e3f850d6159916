"""The "FSD superset" of Ogg (2025): FSD50K, and of FSDnoisy18k and FSDKaggle2019 what is not in it.

Freesound's number of a recording says whether it is: the file's name in FSD50K and FSDnoisy18k, a column of the lists
of FSDKaggle2019, whose noisy part comes from Flickr and overlaps with nothing. What stands in FSD50K's validation or
evaluation part is left out as well, so that nothing that FSD50K is scored on comes in from the side.
"""

from pathlib import Path

from auricle.corpora.entry import CorpusEntry, training_clips
from auricle.datasets import fsd50k
from auricle.datasets.recordings import listed_manifest, read_csv
from auricle.errors import AuricleError
from auricle.manifest import Manifest

_NOISY, _KAGGLE = "FSDnoisy18k", "FSDKaggle2019"


def load(root: Path, *, absent: list[str] | None = None) -> Manifest:
    """The training parts of all three, each recording of Freesound once.

    Raises
    ------
    AuricleError
        When one of them, or a recording that it lists, is not there.
    """
    root = Path(root)
    whole = fsd50k.ENTRY.load(root, absent=absent)
    seen = set(whole.column("cluster"))
    rows = zip(whole.column("path"), whole.column("split"), strict=True)
    paths = [_below(root, whole.root, path) for path, split in rows if split == "train"]
    for folder, listed in (
        (_folder(root, _NOISY), _noisy_rows(root)),
        (_folder(root, _KAGGLE), _kaggle_rows(root)),
    ):
        fresh = []
        for path, number in listed:
            if number is None or number not in seen:
                fresh.append({"path": path})
            if number is not None:
                seen.add(number)
        within = sorted({Path(row["path"]).parts[0] for row in fresh})
        if fresh:
            there = listed_manifest(fresh, folder=folder, within=within, name=ENTRY.name, absent=absent)
            paths += [_below(root, folder, path) for path in there.column("path")]
    return training_clips(paths, folder=root, name=ENTRY.name, cut=False)


def _noisy_rows(root: Path) -> list[tuple[str, str | None]]:
    """Path and Freesound number of the training part of FSDnoisy18k."""
    folder = _folder(root, _NOISY)
    rows = read_csv(folder / f"{_NOISY}.meta" / "train.csv", name=ENTRY.name, columns=["fname"])
    names = [row["fname"].removesuffix(".wav") for row in rows]
    return [(f"{_NOISY}.audio_train/{name}.wav", name) for name in names]


def _kaggle_rows(root: Path) -> list[tuple[str, str | None]]:
    """Path and, where there is one, Freesound number of both training parts of FSDKaggle2019."""
    folder = _folder(root, _KAGGLE)
    found: list[tuple[str, str | None]] = []
    for part in ("curated", "noisy"):
        rows = read_csv(
            folder / f"{_KAGGLE}.meta" / f"train_{part}_post_competition.csv", name=ENTRY.name, columns=["fname"]
        )
        if part == "curated" and rows and "freesound_id" not in rows[0]:
            raise AuricleError(f"{ENTRY.name}: the list of curated recordings of {_KAGGLE} has no column freesound_id")
        for row in rows:
            name = row["fname"].removesuffix(".wav")
            found.append((f"{_KAGGLE}.audio_train_{part}/{name}.wav", row.get("freesound_id") or None))
    return found


def _folder(root: Path, name: str) -> Path:
    """A part's own folder, or the folder of all data when its archives were unpacked right there."""
    for folder in (root / name, root):
        if (folder / f"{name}.meta").is_dir():
            return folder
    raise AuricleError(f"{ENTRY.name}: expected {root / name / name}.meta, as in the published archives")


def _below(root: Path, folder: Path, path: str) -> str:
    return (folder.relative_to(root) / path).as_posix()


ENTRY = CorpusEntry(
    name="fsd",
    title="FSD50K, and FSDnoisy18k and FSDKaggle2019 where they do not overlap with it",
    domain="non-speech",
    licence="CC BY 4.0, each recording its own Creative Commons licence",
    citation="E. Fonseca et al., FSD50K: An Open Dataset of Human-Labeled Sound Events, IEEE/ACM TASLP 30, 2022",
    url="https://zenodo.org/record/4060432, 2529934 and 3612637",
    download="25 GB, 10 GB and 26 GB",
    marker=fsd50k.ENTRY.marker,
    paper_hours=190.2,
    paper_clips=72449,
    load=load,
)
