"""Near-duplicates: one recording in several encodings, levels or cuts, within embeddings files and across them.

The embeddings propose pairs, which are then laid over each other as sound (:mod:`auricle.near_duplicates`); pairs that
share a clip are one group. Few clips say too little of how embeddings vary: those are heard again, by an encoder that
does not mind the level. Clips of one file, which windows cut out of it, are not compared with each other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from auricle.errors import AuricleError
from auricle.explore.embedded import Embedded
from auricle.manifest import Manifest
from auricle.near_duplicates import NearSearch
from auricle.words import counted

FEW_CLIPS = 1000  # below which the embeddings at hand are not whitened, but others are made
SIDES = ("split", "fold")  # columns that say what should not share a recording
OWN_COLUMNS = ("set", "across", "similarity", "file")

Report = Callable[[str, float], None]


@dataclass(frozen=True)
class Duplicates:
    """What was found.

    Attributes
    ----------
    table
        One row per clip of a group: ``set`` (its number from 1, the largest group first), ``across`` (what it stands in
        more than one of: ``split``, ``fold``, ``file``, several joined by commas, or empty), ``similarity``
        (correlation of the waveforms with the most similar clip of the group, up to 1), ``file`` (the embeddings file,
        where there are several), and the columns of the clips.
    files
        ``(rows,)``: the sound file of each row.
    clips
        How many were compared.
    absent
        How many were not, for their sound is not there or cannot be read.
    unmatched
        Pairs that embeddings proposed but that were too many to be laid over each other.
    """

    table: pa.Table
    files: list[Path]
    clips: int
    absent: int
    unmatched: int

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(set(self.table.column("set").to_pylist()))

    def sentences(self) -> list[str]:
        """What was found, and what was not looked at."""
        rows = self.table.select(["set", "across"]).to_pylist()
        across: dict[str, set[int]] = {}
        for row in rows:
            for side in filter(None, row["across"].split(", ")):
                across.setdefault(side, set()).add(row["set"])
        if not rows:
            said = [f"no near-duplicates among {self.clips:,} clips"]
        else:
            groups = counted(self.groups, "group")
            said = [f"{groups} of near-duplicates: {len(rows):,} of {self.clips:,} clips"]
        said += [
            f"{len(found):,} of the groups stand{'s' if len(found) == 1 else ''} in more than one {side}"
            for side, found in across.items()
        ]
        if self.absent:
            said.append(f"{self.absent:,} clips were not compared: their sound is not there, or not readable")
        if self.unmatched:
            said.append(f"{self.unmatched:,} pairs of clips that are less alike were not compared")
        return said


def duplicates(
    files: Sequence[Embedded], *, root: Path | None = None, workers: int | None = None, report: Report | None = None
) -> Duplicates:
    """Groups of clips that are one recording.

    Parameters
    ----------
    files
        Embeddings by one encoder.
    root
        Folder that all paths start from, where it is not the one that each file names.
    workers
        Processes that decode.
    report
        Is told what is being done, and the share of it that is done.

    Raises
    ------
    AuricleError
        When the files are by different encoders, one is of frames, or none of the sound is there.
    """
    _refuse_different(files)
    clips = _Clips.of(files, root)
    there = clips.there()
    if not there.any():
        raise AuricleError(
            f"none of the {len(there):,} clips is there (the first is {clips.paths[0]}): give --root, the folder that "
            "the paths in the embeddings files start from"
        )
    rows = np.flatnonzero(clips.first_of_each() & there)
    sides = [clips.paths[row] for row in rows]
    search = NearSearch(clips.manifest().select(rows), sides=sides, workers=workers, report=report)
    if len(rows) < FEW_CLIPS:
        found = search.run()
    else:
        vectors = np.concatenate([block for file in files for block in file.blocks()])[rows]
        found = search.among(range(len(rows)), vectors)
    pairs = [(int(rows[pair.first]), int(rows[pair.second]), abs(pair.match.waveform)) for pair in found]
    pairs += [(one, other, 1.0) for one, other in clips.repeated() if there[one]]
    table, members = _grouped(files, clips, pairs)
    compared = int(there.sum()) - search.unread
    paths = [Path(clips.paths[row]) for row in members]
    return Duplicates(table, paths, compared, len(there) - compared, search.unmatched)


def _refuse_different(files: Sequence[Embedded]) -> None:
    if not files:
        raise AuricleError("no input: give one or more embeddings files")
    one = files[0]
    for file in files:
        if file.metadata.get("frames") == "true":
            raise AuricleError(f"{file.path} holds frames: duplicates are found among clips or windows")
        for key in ("weights_fingerprint", "window", "hop"):
            if file.metadata.get(key) != one.metadata.get(key):
                what = "by another encoder" if key == "weights_fingerprint" else f"of another {key}"
                raise AuricleError(f"{file.path} is {what} than {one.path}: embed both in the same way")
        if file.dim != one.dim:
            raise AuricleError(f"{file.path} has embeddings of {file.dim} dimensions, {one.path} of {one.dim}")


@dataclass(frozen=True)
class _Clips:
    """The clips of all files, one after the other."""

    paths: list[str]
    starts: list[float | None]
    ends: list[float | None]

    @classmethod
    def of(cls, files: Sequence[Embedded], root: Path | None) -> "_Clips":
        paths: list[str] = []
        stretches: dict[str, list[float | None]] = {"start": [], "end": []}
        for file in files:
            table, folder = file.clips(), file.root(root).resolve()
            paths += [str(folder / path) for path in table.column("path").to_pylist()]
            for name, values in stretches.items():
                has = name in table.column_names
                values += table.column(name).cast(pa.float64()).to_pylist() if has else [None] * table.num_rows
        return cls(paths, stretches["start"], stretches["end"])

    def there(self) -> NDArray[np.bool_]:
        """Whether the sound of each is there."""
        is_file = {path: Path(path).is_file() for path in set(self.paths)}
        return np.array([is_file[path] for path in self.paths])

    def manifest(self) -> Manifest:
        columns = {"path": self.paths, "start": self.starts, "end": self.ends}
        fields = [("path", pa.string()), ("start", pa.float64()), ("end", pa.float64())]
        return Manifest(pa.table(columns, schema=pa.schema(fields)), Path("/"), "embeddings")

    def first_of_each(self) -> NDArray[np.bool_]:
        """Whether no clip before it is the same stretch of the same file."""
        first = np.ones(len(self.paths), dtype=bool)
        first[[row for _, row in self.repeated()]] = False
        return first

    def repeated(self) -> list[tuple[int, int]]:
        """Pairs of one stretch of one file: each repetition with the first."""
        seen: dict[tuple[str, float | None, float | None], int] = {}
        clips = enumerate(zip(self.paths, self.starts, self.ends, strict=True))
        return [(earlier, row) for row, clip in clips if (earlier := seen.setdefault(clip, row)) != row]


def _grouped(
    files: Sequence[Embedded], clips: _Clips, pairs: Sequence[tuple[int, int, float]]
) -> tuple[pa.Table, list[int]]:
    """The table of all groups, and the clip that each of its rows is."""
    count = len(clips.paths)
    first, second = [one for one, _, _ in pairs], [other for _, other, _ in pairs]
    graph = coo_array((np.ones(len(pairs)), (first, second)), shape=(count, count))
    component = connected_components(graph, directed=False)[1]
    best = np.zeros(count)
    for one, other, similarity in pairs:
        best[[one, other]] = np.maximum(best[[one, other]], similarity)
    involved = sorted({*first, *second}, key=lambda row: (component[row], row))
    groups = [list(group) for _, group in groupby(involved, key=lambda row: component[row])]
    groups.sort(key=lambda group: (-len(group), -max(best[group]), group[0]))
    members = [row for group in groups for row in group]
    number_of_file = np.repeat(np.arange(len(files)), [file.rows for file in files])
    table = _rows_of(files, members)
    sides = [name for name in SIDES if name in table.column_names]
    values = {name: table.column(name).to_pylist() for name in sides}
    if len(files) > 1:
        values["file"] = number_of_file[members].tolist()
    across, place = [], 0
    for group in groups:
        here = range(place, place + len(group))
        names = [name for name, of in values.items() if len({of[row] for row in here} - {None}) > 1]
        across += [", ".join(names)] * len(group)
        place += len(group)
    own: dict[str, pa.Array | pa.ChunkedArray] = {
        "set": pa.array([number for number, group in enumerate(groups, 1) for _ in group], pa.int64()),
        "across": pa.array(across, pa.string()),
        "similarity": pa.array(best[members], pa.float32()),
    }
    if len(files) > 1:
        own["file"] = pa.array([str(files[number].path) for number in number_of_file[members]], pa.string())
    others = {name: table.column(name) for name in table.column_names if name not in own}
    return pa.table({**own, **others}), members


def _rows_of(files: Sequence[Embedded], members: Sequence[int]) -> pa.Table:
    """The columns of some clips, counted through all files, in their order."""
    wanted = np.asarray(members, dtype=np.int64)
    tables, places, start = [], [], 0
    for file in files:
        mine = np.flatnonzero((wanted >= start) & (wanted < start + file.rows))
        tables.append(file.clips(wanted[mine] - start))
        places.append(mine)
        start += file.rows
    joined = pa.concat_tables(tables, promote_options="permissive")
    return joined.take(pa.array(np.argsort(np.concatenate(places), kind="stable")))
