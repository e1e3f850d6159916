"""What there is of a study's sound, and how much: amounts of published data that is not there are the publications'."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from auricle.corpora.registry import corpus
from auricle.datasets.registry import dataset, list_datasets
from auricle.errors import AuricleError
from auricle.study import sources
from auricle.study.base import DATASET_PREFIX, task_name


@dataclass(frozen=True)
class Holding:
    """A source or a task: how much it is, and what is missing of it."""

    name: str
    clips: int
    hours: float | None
    missing: tuple[str, ...] = ()
    parts: int = 1  # folds that are probed one by one


def corpus_holding(name: str, root: Path) -> Holding:
    """One of the twelve corpora."""
    entry = corpus(name)
    try:
        entry.folder(root)
    except AuricleError as error:
        return Holding(entry.name, entry.paper_clips, entry.paper_hours, (str(error),))
    return Holding(entry.name, entry.paper_clips, entry.paper_hours)


def part_holding(source: str, root: Path, leave_out: sources.LeaveOut = MappingProxyType({})) -> Holding:
    """A folder, a manifest, or a dataset's training part."""
    try:
        diet = sources.find_diet(source, [source], root, leave_out=leave_out)
        return Holding(source, len(diet.manifest()), sum(sum(one.values()) for one in diet.lengths) / 3600)
    except AuricleError as error:
        if not source.startswith(DATASET_PREFIX):
            return Holding(source, 0, None, (str(error),))
        entry = dataset(source.removeprefix(DATASET_PREFIX))
        return Holding(source, entry.clips, entry.hours, (str(error),))


def task_holding(source: str, root: Path, hop: float | None = None) -> Holding:
    """A task; its hours as published, in proportion to the clips that are there."""
    name = task_name(source)
    try:
        found = sources.find_task(source, root, hop=hop)
    except AuricleError as error:
        entry = dataset(name) if name in list_datasets() else None
        return Holding(name, entry.clips if entry else 0, entry.hours if entry else None, (str(error),))
    folds = len(set(found.manifest.column("fold"))) if found.manifest.has("fold") else 1
    hours = None
    if name in list_datasets() and (entry := dataset(name)).hours is not None:
        hours = entry.hours * len(found) / entry.clips
    return Holding(found.name, len(found), hours, parts=folds)


def shown(title: str, holdings: Sequence[Holding]) -> Iterator[str]:
    """A line for each, below one for all of them."""
    if not holdings:
        return
    yield f"{title}: {sum(one.clips for one in holdings):,} clips, {in_hours(total_hours(holdings))}"
    width = max(len(one.name) for one in holdings)
    for one in holdings:
        there = "missing" if one.missing else "there"
        yield f"  {one.name:{width}}  {one.clips:>11,} clips  {in_hours(one.hours):>11}  {there}"


def total_hours(holdings: Sequence[Holding]) -> float | None:
    """Of those whose hours are known; None when none are."""
    known = [one.hours for one in holdings if one.hours is not None]
    return sum(known) if known else None


def in_hours(hours: float | None) -> str:
    """Hours in words, minutes where they are few."""
    if hours is None:
        return "? h"
    return f"{hours:,.1f} h" if hours >= 0.1 else f"{60 * hours:.1f} min"


def said_of_missing(words: Sequence[str]) -> Iterator[str]:
    """The last lines of a plan: what is missing, each once."""
    if words:
        yield f"missing: {len(set(words))}; the study cannot run before they are there"
        yield from (f"  {line}" for line in dict.fromkeys(words))
    else:
        yield "nothing is missing"
