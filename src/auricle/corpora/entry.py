"""What is known of a corpus of unlabelled sound, and the parts of its loader that all corpora share."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from auricle import audio
from auricle.audio import AudioError
from auricle.datasets.entry import Loader, Source
from auricle.errors import AuricleError
from auricle.manifest import Manifest

CUT_SECONDS = 10.0  # Ogg (2025), Table I: long recordings are cut, without overlap
_THREADS = 8  # that read headers, which mostly waits


@dataclass(frozen=True, kw_only=True)
class CorpusEntry(Source):
    """A corpus that can be loaded by name; its manifest has ``path`` and, where recordings are cut, ``start``, ``end``.

    Attributes
    ----------
    paper_hours, paper_clips
        In Table I of Ogg (2025).
    cut : bool
        Whether recordings are cut into clips of `CUT_SECONDS`; a shorter rest is left out, since the table's hours are
        its clips times ten seconds.
    channels : str
        Which channels are recordings of their own.
    load : Loader
        Folder of all data (or the corpus' own) → manifest of the training partition.
    without_speech : Loader, optional
        The same without the part that is speech, where there is one.
    """

    paper_hours: float
    paper_clips: int
    cut: bool = False
    channels: str = "averaged"
    load: Loader
    without_speech: Loader | None = None


def training_clips(
    paths: Iterable[str], *, folder: Path, name: str, cut: bool, absent: list[str] | None = None
) -> Manifest:
    """The manifest of some recordings below `folder`, whole or cut into clips of `CUT_SECONDS`.

    Parameters
    ----------
    paths
        Relative to `folder`.
    folder
        Where they are.
    name
        Of the corpus.
    cut
        Whether to cut, for which the header of every recording is read.
    absent
        Is given recordings that cannot be cut because their headers cannot be read. Where it is None, they are an
        error.

    Raises
    ------
    AuricleError
        When there is no recording, or none that is long enough.
    """
    paths = list(paths)
    if not paths:
        raise AuricleError(f"{name}: no recordings in {folder}; is this the published layout?")
    if not cut:
        return Manifest(pa.table({"path": paths}), folder, name).validate()
    with ThreadPoolExecutor(_THREADS) as pool:
        seconds = list(pool.map(lambda path: seconds_of(folder / path), paths))
    where, starts = [], []
    for path, length in zip(paths, seconds, strict=True):
        if isinstance(length, AudioError):
            if absent is None:
                raise length
            absent.append(f"{path} {length.reason}")
            continue
        for number in range(int(length // CUT_SECONDS)):
            where.append(path)
            starts.append(CUT_SECONDS * number)
    if not where:
        raise AuricleError(f"{name}: no recording in {folder} is {CUT_SECONDS:g} s long")
    ends = [start + CUT_SECONDS for start in starts]
    return Manifest(pa.table({"path": where, "start": starts, "end": ends}), folder, name).validate()


def seconds_of(path: Path) -> float | AudioError:
    """Length of a recording as its header says, or why it cannot be read."""
    try:
        return audio.info(path).seconds
    except AudioError as error:
        return error


def report_missing(missing: list[str], *, name: str, folder: Path, absent: list[str] | None) -> None:
    """Tell `absent` of recordings that a list names and that are not there.

    Raises
    ------
    AuricleError
        When nobody asked to be told.
    """
    if missing and absent is None:
        more = f" ({len(missing):,} such)" if len(missing) > 1 else ""
        raise AuricleError(f"{name}: {folder / missing[0]} is listed but not there, in this or any other format{more}")
    if absent is not None:
        absent += missing
