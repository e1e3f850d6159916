"""What people are told of datasets: the table of all of them, and whether a local copy is the release."""

import json
from collections.abc import Container, Mapping, Sequence
from typing import Any

from auricle.archives import archive_of
from auricle.datasets.check import LocalCopy
from auricle.datasets.download import Downloaded
from auricle.datasets.entry import DatasetEntry

SHOWN = 10  # of what is missing; all of it is in `LocalCopy.missing`


def as_text(entries: Sequence[DatasetEntry]) -> str:
    """The facts of some datasets as an aligned table."""
    rows = [("name", "kind", "classes", "clips", "hours", "metric", "download", "licence", "dataset")]
    rows += [
        (
            entry.name,
            entry.kind,
            f"{entry.classes:,}" if entry.classes else "",
            f"{entry.clips:,}",
            "" if entry.hours is None else f"{entry.hours:,.{0 if entry.hours >= 100 else 1}f}",
            entry.metric.replace("_", " "),
            fetched(entry),
            entry.licence.partition(",")[0],
            entry.title,
        )
        for entry in entries
    ]
    return aligned(rows, numeric=range(2, 5))


def aligned(rows: Sequence[Sequence[str]], *, numeric: Container[int]) -> str:
    """Rows of texts as a table for the eye; columns whose numbers are in `numeric` stand to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if index in numeric else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def as_json(entries: Sequence[DatasetEntry]) -> str:
    """The facts of some datasets as a JSON list of objects."""
    return json.dumps([_facts(entry) for entry in entries], indent=2, ensure_ascii=False)


def fetched(entry: DatasetEntry) -> str:
    """What a download brings: ``yes`` for all of it, ``lists`` without the recordings, ``no`` for nothing."""
    if any(file.unpack or archive_of(file.name) != file.name for file in entry.files):
        return "yes"
    return "lists" if entry.files else "no"


def describe(copy: LocalCopy) -> str:
    """Whether a copy is the release, and what exactly is missing or differs: one line each.

    Examples
    --------
    ::

        esc50: 1,998 clips, 50 classes in /data/ESC-50-master
          missing: audio/1-100032-A-0.wav
          missing: audio/1-100038-A-14.wav
          differs: 1,998 clips, the release has 2,000
        results on it are called `esc50 (local: 50 classes, 1,998 clips)`
    """
    entry = copy.entry
    lines = [f"{entry.name}: {copy.clips:,} clips, {copy.classes:,} {entry.class_noun} in {copy.manifest.root}"]
    lines += shortened([f"  missing: {what}" for what in copy.missing], "  missing: ")
    lines += [f"  differs: {what}" for what in copy.differences]
    if not copy.is_published:
        lines.append(f"results on it are called `{copy.name}`, for it is not the release")
    elif not copy.missing:
        lines.append("all there, as published")
    if entry.exceptions:
        lines.append(f"known: {entry.exceptions}")
    return "\n".join(lines)


def shortened(lines: Sequence[str], start: str) -> list[str]:
    """The first `SHOWN` lines, and how many more there are."""
    more = [f"{start}{len(lines) - SHOWN:,} more"] if len(lines) > SHOWN else []
    return [*lines[:SHOWN], *more]


def as_json_of_copy(copy: LocalCopy, *, leaks: Sequence[Mapping[str, Any]] | None = None) -> str:
    """What :func:`describe` says, all that is missing, and pairs of clips that leak, as a JSON object."""
    facts: dict[str, Any] = {
        "name": copy.name,
        "folder": str(copy.manifest.root),
        "is_published": copy.is_published,
        "clips": copy.clips,
        "classes": copy.classes,
        "missing": copy.missing,
        "differences": copy.differences,
        "dataset": _facts(copy.entry),
    }
    if leaks is not None:
        facts["leaks"] = list(leaks)
    return json.dumps(facts, indent=2, ensure_ascii=False)


def facts(entry: DatasetEntry) -> str:
    """What there is to know of a dataset before one has it: what, by whom, under which licence, from where."""
    lines = {
        "cite": entry.citation,
        "licence": entry.licence,
        "from": f"{entry.url} ({entry.download})",
        "download": {
            "yes": f"auricle tasks {entry.name} --root DATA --download",
            "lists": f"auricle tasks {entry.name} --root DATA --download brings the lists, not the recordings",
            "no": "by hand",
        }[fetched(entry)],
        "expected": f"DATA/{entry.marker}",
        "known": entry.exceptions,
    }
    said = [f"  {what}: {text}" for what, text in lines.items() if text]
    return "\n".join(
        [f"{entry.name}: {entry.title}, {entry.clips:,} clips, {entry.classes:,} {entry.class_noun}", *said]
    )


def describe_download(entry: DatasetEntry, result: Downloaded) -> str:
    """What a download brought, in one line."""
    if not result.fetched:
        return f"nothing to fetch: all files of {entry.name} had been fetched to {result.folder}"
    files = "1 file" if len(result.fetched) == 1 else f"{len(result.fetched)} files"
    return f"fetched {files} of {entry.name} to {result.folder} (licence {entry.licence})"


def _facts(entry: DatasetEntry) -> dict[str, Any]:
    names = ("name", "title", "domain", "kind", "positive", "metric", "classes", "clips", "hours", "unit_seconds")
    facts = {name: getattr(entry, name) for name in names}
    return {
        **facts,
        "counts": dict(entry.counts),
        "licence": entry.licence,
        "citation": entry.citation,
        "url": entry.url,
        "size": entry.download,
        "download": fetched(entry),
        "files": [{"url": file.url, "checksum": file.checksum} for file in entry.files],
        "marker": entry.marker,
        "exceptions": entry.exceptions,
    }
