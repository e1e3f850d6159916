"""What people are told of corpora: the table of all of them, and how much of one is on this machine."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auricle.audio import AudioError
from auricle.corpora.entry import CUT_SECONDS, CorpusEntry, seconds_of
from auricle.datasets.listing import aligned, shortened
from auricle.manifest import Manifest

_AT_A_TIME = 512  # files whose headers are read before the share is told


@dataclass(frozen=True, eq=False)
class LocalCorpus:
    """A corpus as it is on this machine.

    Attributes
    ----------
    entry : CorpusEntry
        What is known of it.
    manifest : Manifest
        Of its training clips.
    hours : float
        Of sound in them, as headers say.
    absent : list of str
        What its lists name and is not there, or cannot be read.
    """

    entry: CorpusEntry
    manifest: Manifest
    hours: float
    absent: list[str]


def measure_corpus(
    entry: CorpusEntry,
    root: Path,
    *,
    without_speech: bool = False,
    report: Callable[[float], None] | None = None,
) -> LocalCorpus:
    """Load a corpus and count its clips and hours.

    Raises
    ------
    AuricleError
        When it is not there.
    """
    absent: list[str] = []
    load = entry.without_speech if without_speech and entry.without_speech is not None else entry.load
    manifest = load(root, absent=absent)
    if manifest.has("end"):
        seconds = sum(manifest.column("end")) - sum(manifest.column("start"))
        return LocalCorpus(entry, manifest, seconds / 3600, absent)
    files, seconds = manifest.files, 0.0
    good = [False] * len(files)
    with ThreadPoolExecutor() as pool:
        for at in range(0, len(files), _AT_A_TIME):
            for row, length in enumerate(pool.map(seconds_of, files[at : at + _AT_A_TIME]), start=at):
                if isinstance(length, AudioError):
                    absent.append(str(length))
                else:
                    good[row] = True
                    seconds += length
            if report is not None:
                report(min(1.0, (at + _AT_A_TIME) / len(files)))
    kept = manifest.select([row for row, is_good in enumerate(good) if is_good])
    return LocalCorpus(entry, kept, seconds / 3600, absent)


def write_manifest(copy: LocalCorpus, path: Path) -> None:
    """Write the manifest, with absolute paths, so that the file may lie anywhere.

    Raises
    ------
    AuricleError
        When the suffix is neither .csv nor .parquet, or the file cannot be written.
    """
    copy.manifest.with_column("path", [str(file.resolve()) for file in copy.manifest.files]).write(path)


def as_text(entries: Sequence[CorpusEntry]) -> str:
    """The corpora with the hours and clips of the paper, as an aligned table, and the sums of both domains."""
    rows = [("name", "domain", "hours", "clips", "cut", "licence", "corpus")]
    rows += [
        (
            entry.name,
            entry.domain,
            f"{entry.paper_hours:,.1f}",
            f"{entry.paper_clips:,}",
            "10 s" if entry.cut else "",
            entry.licence.partition(",")[0],
            entry.title,
        )
        for entry in entries
    ]
    for domain in dict.fromkeys(entry.domain for entry in entries):
        own = [entry for entry in entries if entry.domain == domain]
        rows.append(("", f"all {domain}", *_sums(own), "", "", ""))
    rows.append(("", "all", *_sums(entries), "", "", ""))
    return aligned(rows, numeric=range(2, 4))


def _sums(entries: Sequence[CorpusEntry]) -> tuple[str, str]:
    hours = sum(entry.paper_hours for entry in entries)
    return f"{hours:,.1f}", f"{sum(entry.paper_clips for entry in entries):,}"


def _facts(entry: CorpusEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "domain": entry.domain,
        "paper_hours": entry.paper_hours,
        "paper_clips": entry.paper_clips,
        "licence": entry.licence,
        "source": entry.url,
        "title": entry.title,
        "cut_seconds": CUT_SECONDS if entry.cut else None,
        "channels": entry.channels,
        "expected": entry.marker,
        "citation": entry.citation,
    }


def as_json(entries: Sequence[CorpusEntry]) -> str:
    """The corpora as a JSON list of objects."""
    return json.dumps([_facts(entry) for entry in entries], indent=2, ensure_ascii=False)


def facts(entry: CorpusEntry) -> str:
    """What there is to know of a corpus before one has it."""
    lines = [
        f"{entry.name}: {entry.title}, {entry.domain}",
        f"  the paper: {entry.paper_clips:,} clips, {entry.paper_hours:,.1f} h",
        f"  cite: {entry.citation}",
        f"  licence: {entry.licence}",
        f"  from: {entry.url} ({entry.download})",
        f"  expected: DATA/{entry.marker}",
        f"  channels: {entry.channels}" + ("; cut into clips of 10 s" if entry.cut else ""),
    ]
    return "\n".join(lines)


def describe(copy: LocalCorpus) -> str:
    """Ours beside the paper's, and what is missing: one line each."""
    entry = copy.entry
    share = copy.hours / entry.paper_hours
    lines = [
        f"{entry.name}: {len(copy.manifest):,} clips, {copy.hours:,.2f} h in {copy.manifest.root}",
        f"  the paper: {entry.paper_clips:,} clips, {entry.paper_hours:,.1f} h; here are {share:.1%} of its hours",
        *shortened([f"  missing: {what}" for what in copy.absent], "  missing: "),
    ]
    return "\n".join(lines)


def as_json_of_copy(copy: LocalCorpus) -> str:
    """What :func:`describe` says, with all that is missing, as a JSON object."""
    ours = {
        "folder": str(copy.manifest.root),
        "clips": len(copy.manifest),
        "hours": copy.hours,
        "missing": copy.absent,
    }
    return json.dumps(_facts(copy.entry) | ours, indent=2, ensure_ascii=False)
