"""Tables in: the manifest, the one table of clips that every corpus, task and folder of recordings becomes.

One row is one clip. ``path`` is relative to the dataset's root; where known there are ``start`` and ``end`` (seconds),
``label`` (text), ``labels`` (list of text; in CSV separated by ``;``) or ``target`` (number), ``split``
(train, valid, test), ``fold`` (whole number), ``group`` (what must not straddle splits: source recording, speaker,
film) and ``cluster`` (the unit of the bootstrap, which may straddle). A manifest may carry both an official ``fold``
and a ``split``; the protocol says which counts. All other columns are carried along untouched.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from auricle import audio
from auricle.files import atomic_write
from auricle.manifest_format import TYPES, ManifestError, array_of, number_in, read_table, typed, write_table
from auricle.notebook import html_table

__all__ = ["SPLITS", "Manifest", "ManifestError"]

SPLITS = ("train", "valid", "test")
NOTEBOOK_ROWS = 10  # that a notebook shows of a manifest


@dataclass(frozen=True, eq=False, repr=False)
class Manifest:
    """A table of clips and the folder that their paths start from.

    Attributes
    ----------
    table : pa.Table
        One row per clip; the columns named above have their type, whatever they were read from.
    root : Path
        Folder that ``path`` is relative to.
    source : str
        What errors call this manifest: its file's name.

    Raises
    ------
    ManifestError
        When there is no column ``path``, or when a known column holds something else than its type.
    """

    table: pa.Table
    root: Path
    source: str = "manifest"

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(self.root))
        object.__setattr__(self, "table", typed(self.table, self.source))

    @classmethod
    def from_folder(cls, root: Path | str, *, labels: bool = False) -> Self:
        """Every audio file under `root`, one clip per file; with `labels`, the label is the name of the file's folder.

        Raises
        ------
        ManifestError
            When there is no audio, or when a file has no folder to be labelled by.
        """
        root = Path(root)
        files = audio.find(root)
        if not files:
            looked_for = " ".join(audio.EXTENSIONS)
            raise ManifestError(f"no audio files in {root} (looked for {looked_for}); is the path right?")
        paths = [file.relative_to(root) for file in files]
        for path in paths:
            if labels and len(path.parts) == 1:
                raise ManifestError(f"{path} lies directly in {root}: move it to a folder named after its label")
        columns = {"path": [path.as_posix() for path in paths]}
        if labels:
            columns["label"] = [path.parent.name for path in paths]
        try:
            table = pa.table(columns)
        except UnicodeEncodeError as error:
            raise ManifestError(f"the file name {error.object!a} in {root} is not UTF-8; rename the file") from error
        return cls(table, root, str(root)).validate()

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]], *, root: Path | str, source: str = "manifest") -> Self:
        """A manifest from one mapping per clip; a key that a row lacks is null there."""
        rows = list(rows)
        names = dict.fromkeys(name for row in rows for name in row)
        columns = {name: [row.get(name) for row in rows] for name in names} or {"path": []}
        return cls(
            pa.table({name: array_of(values, name) for name, values in columns.items()}), Path(root), source
        ).validate()

    @classmethod
    def read(cls, path: Path | str, *, root: Path | str | None = None) -> Self:
        """Read and validate a ``.csv`` (UTF-8, comma-separated, a header line) or ``.parquet`` file.

        Parameters
        ----------
        path
            The file.
        root
            Folder that its paths start from; by default the folder of the file.

        Raises
        ------
        ManifestError
            When the file is missing, cannot be read or does not hold a valid manifest.
        """
        path = Path(path)
        return cls(read_table(path), path.parent if root is None else Path(root), path.name).validate()

    def write(self, path: Path | str) -> None:
        """Write to ``.csv`` or ``.parquet``, all or nothing.

        In another folder than `root`, paths are written so that they start from there: relative where a recording lies
        below it, else absolute.

        Raises
        ------
        ManifestError
            When the suffix is neither, or when CSV cannot hold a column.
        """
        path = Path(path)
        table = self._seen_from(path.parent)
        with atomic_write(path) as temporary:
            write_table(table, temporary)

    def _seen_from(self, folder: Path) -> pa.Table:
        """The table with paths that start from `folder`."""
        here, root = folder.resolve(), self.root.resolve()
        if here == root:
            return self.table
        files = [Path(root, name) for name in self.table.column("path").to_pylist()]
        paths = [str(file.relative_to(here) if file.is_relative_to(here) else file) for file in files]
        place = self.table.column_names.index("path")
        return self.table.set_column(place, self.table.schema.field(place), pa.array(paths, pa.string()))

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __repr__(self) -> str:
        return f"Manifest({len(self)} clips; {', '.join(self.table.column_names)}; root={str(self.root)!r})"

    def _repr_html_(self) -> str:
        rows = [list(row.values()) for row in self.table.slice(0, NOTEBOOK_ROWS).to_pylist()]
        shown = f"the first {NOTEBOOK_ROWS} of " if len(self) > NOTEBOOK_ROWS else ""
        caption = f"{self.source}: {shown}{len(self):,} clips, paths from {self.root}"
        return html_table(rows, titles=self.table.column_names, caption=caption)

    @property
    def files(self) -> list[Path]:
        """The audio file of each clip; where clips are excerpts, :attr:`excerpts` says which."""
        return [self.root / path for path in self.column("path")]

    @property
    def excerpts(self) -> list[tuple[Path, float, float | None]]:
        """The audio file of each clip, and where in it the clip starts and ends, in seconds; None at its end."""
        starts, ends = (self.column(name) if self.has(name) else [None] * len(self) for name in ("start", "end"))
        return [(file, start or 0.0, end) for file, start, end in zip(self.files, starts, ends, strict=True)]

    def has(self, name: str) -> bool:
        """Whether there is a column of that name."""
        return name in self.table.column_names

    def column(self, name: str) -> list[Any]:
        """The values of a column, None where unknown.

        Raises
        ------
        ManifestError
            When there is no such column.
        """
        if not self.has(name):
            raise ManifestError(f"{self.source} has no column `{name}`; it has {', '.join(self.table.column_names)}")
        values: list[Any] = self.table.column(name).to_pylist()
        return values

    def select(self, indices: Sequence[int] | Any) -> Self:
        """The clips at these rows, in this order."""
        return type(self)(self.table.take(pa.array(indices, pa.int64())), self.root, self.source)

    def with_column(self, name: str, values: Sequence[Any]) -> Self:
        """The same clips with one column added or replaced."""
        if len(values) != len(self):
            raise ManifestError(f"column `{name}` has {len(values)} values for the {len(self)} clips of {self.source}")
        column = array_of(list(values), name)
        if self.has(name):
            table = self.table.set_column(self.table.column_names.index(name), name, column)
        else:
            table = self.table.append_column(name, column)
        return type(self)(table, self.root, self.source)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the table's content, 64 hexadecimal digits.

        It does not depend on the root, on the order of the columns, or on CSV or Parquet.
        """
        digest = hashlib.sha256()
        for name in sorted(self.table.column_names):
            free = name not in TYPES
            values = [_canonical(value, free=free) for value in self.table.column(name).to_pylist()]
            digest.update(json.dumps([name, values], ensure_ascii=False).encode())
        return digest.hexdigest()

    def validate(self, *, files: bool = False, groups: bool = True) -> Self:
        """Check every row, and give the manifest back.

        Parameters
        ----------
        files
            Look whether each audio file is there.
        groups
            Refuse a group that stands in two splits or two folds.

        Raises
        ------
        ManifestError
            On the first row that is wrong, by number (from 1) and path.
        """
        if len(self) == 0:
            raise ManifestError(f"{self.source} has no rows: expected one per clip")
        self._refuse_bad_values()
        self._refuse_repetitions()
        if groups and self.has("group"):
            for name in ("split", "fold"):
                if self.has(name):
                    self._refuse_straddling(name)
        if files:
            self._refuse_missing_files()
        return self

    def _error(self, row: int, what: str) -> ManifestError:
        return ManifestError(f"{self.source}: row {row + 1} ({self.table.column('path')[row].as_py()}) {what}")

    def _refuse_bad_values(self) -> None:
        columns = {name: self.table.column(name) for name in TYPES if self.has(name)}
        no_path = pc.or_kleene(pc.is_null(columns["path"]), pc.equal(columns["path"], ""))
        if (row := _first(no_path)) is not None:
            raise ManifestError(f"{self.source}: row {row + 1} has no path")
        for name in ("start", "end", "target"):
            if name in columns and (row := _first(pc.invert(pc.is_finite(columns[name])))) is not None:
                raise self._error(row, f"has {name} {columns[name][row].as_py()}: expected a finite number")
        for name in ("split", "fold"):
            if name in columns and (row := _first(pc.is_null(columns[name]))) is not None:
                raise self._error(row, f"has no {name}")
        if "split" in columns:
            known = pc.is_in(columns["split"], value_set=pa.array(SPLITS))
            if (row := _first(pc.invert(known))) is not None:
                raise self._error(row, f"has the unknown split {columns['split'][row].as_py()!r}: use {_or(SPLITS)}")
        if "start" in columns and (row := _first(pc.less(columns["start"], 0.0))) is not None:
            raise self._error(row, f"starts at {columns['start'][row].as_py():g} s, before its file does")
        if "end" in columns:
            starts = pc.fill_null(columns["start"], 0.0) if "start" in columns else 0.0
            if (row := _first(pc.greater_equal(starts, columns["end"]))) is not None:
                start = starts if isinstance(starts, float) else starts[row].as_py()
                end = columns["end"][row].as_py()
                raise self._error(row, f"starts at {start:g} s and ends at {end:g} s: end must come after start")

    def _refuse_repetitions(self) -> None:
        parts = [self.column(name) if self.has(name) else [None] * len(self) for name in ("path", "start", "end")]
        seen: dict[tuple[str, float, float | None], int] = {}
        for row, (path, start, end) in enumerate(zip(*parts, strict=True)):
            first = seen.setdefault((path, start or 0.0, end), row)
            if first != row:
                raise self._error(row, f"is the same clip as row {first + 1}")

    def _refuse_straddling(self, name: str) -> None:
        seen: dict[str, tuple[Any, int]] = {}
        for row, (group, side) in enumerate(zip(self.column("group"), self.column(name), strict=True)):
            if group is None:
                continue
            first_side, first = seen.setdefault(group, (side, row))
            if side != first_side:
                path = self.table.column("path")[first].as_py()
                there = f"{name} {first_side} (row {first + 1}, {path})"
                raise self._error(row, f"is in {name} {side}, but its group {group!r} is also in {there}")

    def _refuse_missing_files(self) -> None:
        missing = [row for row, file in enumerate(self.files) if not file.is_file()]
        if missing:
            others = f" ({len(missing)} of {len(self)} are)" if len(missing) > 1 else ""
            raise self._error(missing[0], f"is missing: no file {self.files[missing[0]]}{others}")


def _canonical(value: Any, *, free: bool) -> Any:
    """One spelling of a value: the number 5, 5.0 and, in a column without a type, the text "5e0" are one in CSV."""
    if value is None or value == "":
        return None
    if isinstance(value, list):
        return [_canonical(item, free=free) for item in value]
    if free and isinstance(value, str):
        number = number_in(value)
        value = value if number is None else number
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _first(mask: pa.ChunkedArray) -> int | None:
    """Row of the first True."""
    row = pc.index(mask, True).as_py()
    return None if row < 0 else int(row)


def _or(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
