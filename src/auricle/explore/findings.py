"""What a search, a hunt for outliers or for duplicates has found: shown in a terminal, written as a table, as a page.

A table of findings begins with columns of its own (rank, similarity, …); the others are those of the clips.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from auricle.errors import AuricleError
from auricle.explore.clip_list import AUDIO_MEGABYTES, Group, Listed, clip_page
from auricle.files import atomic_write
from auricle.manifest_format import write_table

SHOWN_ROWS = 20  # in a terminal
_NEVER_SHOWN = ("path", "start", "end")  # they are in the clip's name


@dataclass(frozen=True)
class Findings:
    """Rows that were found.

    Attributes
    ----------
    table
        One row per clip, ``path`` among its columns.
    files
        ``(rows,)``: where the sound of each is.
    title, subtitle
        Of a page; plain text.
    sentences
        What was found.
    told
        The columns that a list shows.
    by
        The column that says which rows belong together, where there is one.
    heading
        Of the rows that belong together, from the first of them and their number.
    leads
        For each value of that column, where there is one, the clip that a page plays first: its name, its file, and its
        stretch.
    """

    table: pa.Table
    files: list[Path]
    title: str
    subtitle: str
    sentences: Sequence[str]
    told: Sequence[str]
    by: str | None = None
    heading: Callable[[dict[str, Any], int], str] = lambda row, count: ""  # noqa: ARG005
    leads: Mapping[Any, tuple[str, Path, float | None, float | None]] = field(default_factory=dict)

    def as_text(self) -> str:
        """The sentences, and the first rows: all that belong together, unless those alone are too many."""
        shares = self._first_shares()
        rows = self.table.slice(0, sum(share for share, _ in shares)).to_pylist()
        if not rows:
            return "\n".join(self.sentences)
        widths = [max(len(name), *(len(shown(row[name])) for row in rows)) for name in self.told]
        lines = ["  ".join(["", *(name.rjust(width) for name, width in zip(self.told, widths, strict=True)), "clip"])]
        left = iter(rows)
        for share, count in shares:
            members = list(islice(left, share))
            if self.by is not None:
                lines.append(self.heading(members[0], count))
            for row in members:
                facts = [shown(row[name]).rjust(width) for name, width in zip(self.told, widths, strict=True)]
                lines.append("  ".join(["", *facts, name_of(row)]))
        more = self.table.num_rows - len(rows)
        if more > 0:
            lines.append(f"  {more:,} more rows: --out FILE.csv writes all")
        return "\n".join([*self.sentences, *lines])

    def _first_shares(self) -> list[tuple[int, int]]:
        """How many rows of each of the first groups a terminal shows, and how many the group has."""
        values = [None] * self.table.num_rows if self.by is None else self.table.column(self.by).to_pylist()
        shares: list[tuple[int, int]] = []
        left = SHOWN_ROWS
        for _, group in groupby(values):
            count = len(list(group))
            if shares and count > left:
                break
            shares.append((min(count, SHOWN_ROWS), count))
            left -= count
        return shares

    def write(self, path: Path) -> None:
        """Write the table to ``.csv`` or ``.parquet``."""
        with atomic_write(path) as temporary:
            write_table(self.table, temporary)

    def write_all(
        self, table: Path | None, page: Path | None, *, report: Callable[[str, float], None] | None = None
    ) -> None:
        """Write the table, the page, or both, where they are wanted."""
        if page is not None and page.suffix.lower() not in (".html", ".htm"):
            raise AuricleError(f"a page is one HTML file: give --html FILE.html, not {page}")
        if table is not None:
            self.write(table)
        if page is not None:
            self.write_page(page, report=report)

    def write_page(
        self, path: Path, *, budget: float = AUDIO_MEGABYTES, report: Callable[[str, float], None] | None = None
    ) -> None:
        """Write the page to listen to, with at most `budget` MB of sound."""
        rows = list(zip(self.table.to_pylist(), self.files, strict=True))
        groups = []
        for value, group in groupby(rows, key=lambda pair: None if self.by is None else pair[0][self.by]):
            members = list(group)
            heading = "" if self.by is None else self.heading(members[0][0], len(members))
            lead = [Listed(*self.leads[value], [])] if value in self.leads else []
            groups.append(Group(heading, [*lead, *(self._listed(row, file) for row, file in members)]))
        page = clip_page(
            self.title,
            self.subtitle,
            groups,
            columns=self.told,
            summary=self.sentences,
            budget=budget,
            report=report,
        )
        with atomic_write(path) as temporary:
            temporary.write_text(page, encoding="utf-8")

    def _listed(self, row: dict[str, Any], file: Path) -> Listed:
        return Listed(name_of(row), file, row.get("start"), row.get("end"), [shown(row[name]) for name in self.told])


def told_of(table: pa.Table, first: Iterable[str], *, hidden: Iterable[str] = (), most: int = 3) -> list[str]:
    """The columns that a list shows: some of the findings' own, and a few of the clips', those of answers first."""
    own = [name for name in first if name in table.column_names]
    known = ("label", "labels", "target", "split", "fold", "group", "cluster")
    others = [name for name in known if name in table.column_names and name not in own]
    others += [
        name
        for name in table.column_names
        if name not in (*own, *others, *hidden, *_NEVER_SHOWN) and not pa.types.is_nested(table.schema.field(name).type)
    ]
    return [*own, *others[:most]]


def name_of(row: dict[str, Any]) -> str:
    """A clip's path, and its stretch of the file where it has one."""
    start, end = row.get("start"), row.get("end")
    if start is None and end is None:
        return str(row["path"])
    return f"{row['path']} {start or 0:.6g}–{'' if end is None else f'{end:.6g}'} s"


def shown(value: Any) -> str:
    """A value as a list shows it."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) >= 10 else f"{value:.3f}"
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)
