"""Leaks between the parts of a task: what stands on both sides of a split lets a score measure memory.

Looked for, in any manifest with splits or folds: groups and clusters that straddle, recordings that are cut up across
sides, files that are the same byte for byte, and near-duplicates (:mod:`auricle.near_duplicates`).
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from auricle.files import atomic_write
from auricle.manifest import Manifest, ManifestError
from auricle.manifest_format import TYPES, write_table
from auricle.models.encoder import Encoder
from auricle.near_duplicates import NearSearch

Kind = Literal["group", "cluster", "recording", "identical", "near-duplicate"]

HEAD_BYTES = 1 << 16  # that tell most files of one size apart

Report = Callable[[str, float], None]


@dataclass(frozen=True)
class Leak:
    """Two clips that should not stand on different sides.

    Attributes
    ----------
    kind
        Why.
    first, second
        Their rows in the manifest.
    similarity
        1 where they are the same by name or byte; of near-duplicates the correlation of their waveforms.
    shift
        Of near-duplicates: seconds by which the common sound comes later in the first.
    shared
        What they share: the group, the cluster, the file; empty for near-duplicates.
    """

    kind: Kind
    first: int
    second: int
    similarity: float = 1.0
    shift: float | None = None
    shared: str = ""


@dataclass(frozen=True)
class LeakReport:
    """What was found.

    Attributes
    ----------
    table
        One row per pair: ``kind``, ``first`` (path), ``first_start`` and ``first_end`` (seconds, where the clips have
        them), ``first_side``, the same of ``second``, ``similarity``, ``shift`` (seconds), ``shared``, ``known``
        (whether it is officially so).
    sentences
        One for each kind, also for what was not found.
    """

    table: pa.Table
    sentences: tuple[str, ...]

    @property
    def unknown(self) -> int:
        """Pairs that are no official exception."""
        return sum(not known for known in self.table.column("known").to_pylist())

    def as_text(self, most: int = 10) -> str:
        """The sentences, and the first pairs that are no official exception."""
        pairs = [row for row in self.table.to_pylist() if not row["known"]]
        lines = [
            f"  {row['kind']}: {_words(row, 'first')} ({row['first_side']}) = {_words(row, 'second')} "
            f"({row['second_side']})"
            for row in pairs[:most]
        ]
        more = [f"  {len(pairs) - most:,} more pairs: --out FILE.csv writes all"] if len(pairs) > most else []
        return "\n".join([*self.sentences, *lines, *more])

    def write(self, path: Path | str) -> None:
        """Write the table to ``.csv`` or ``.parquet``."""
        with atomic_write(path) as temporary:
            write_table(self.table, temporary)


def find_leaks(
    manifest: Manifest,
    *,
    exceptions: str = "",
    group_noun: str = "group",
    encoder: Encoder | None = None,
    near: bool = True,
    work: Path | None = None,
    workers: int | None = None,
    report: Report | None = None,
) -> LeakReport:
    """Look for leaks between the splits or, where there are none, the folds of a manifest.

    Parameters
    ----------
    manifest
        The clips, with ``split`` or ``fold``.
    exceptions
        What officially crosses, as a dataset's entry says it.
    group_noun
        What sentences call a group: the column it came from.
    encoder
        Whose embeddings propose near-duplicates; :class:`auricle.models.soundprint.SoundPrint` by default.
    near
        Whether to look for near-duplicates, which takes decoding every clip.
    work
        Folder where embeddings are kept, so that a second check need not decode again; a temporary one by default.
    workers
        Processes that decode.
    report
        Is told what is being done, and the share of it that is done.

    Raises
    ------
    AuricleError
        When the manifest has neither split nor fold, or a file is missing.
    """
    side = next((name for name in ("split", "fold") if manifest.has(name)), None)
    if side is None:
        raise ManifestError(f"{manifest.source} has neither split nor fold: there are no sides to leak between")
    manifest.validate(files=True, groups=False)
    sides = [str(value) for value in manifest.column(side)]
    leaks = _straddling(manifest, "group", sides)
    clusters = [] if _is_answer(manifest) else _straddling(manifest, "cluster", sides)
    if manifest.has("group") and manifest.has("cluster") and manifest.column("group") == manifest.column("cluster"):
        clusters = []
    paths = manifest.column("path")
    cut = _across(sides, paths, "recording")
    contents = _contents(manifest, report)
    identical = [leak for leak in _across(sides, contents, "identical") if paths[leak.first] != paths[leak.second]]
    leaks += [*clusters, *cut, *identical]
    sentences = [
        _said_of_groups(manifest, leaks, side, group_noun),
        _said_of_clusters(clusters, side, exceptions),
        _said(
            {leak.shared for leak in cut},
            f"recording is cut up across {side}s",
            f"recordings are cut up across {side}s",
            "recording",
        ),
        _said(
            identical,
            f"pair of files across {side}s is the same byte for byte",
            f"pairs of files across {side}s are the same byte for byte",
            "identical",
        ),
    ]
    if near:
        search = NearSearch(manifest, encoder=encoder, sides=sides, contents=contents, workers=workers, report=report)
        found = [
            Leak("near-duplicate", pair.first, pair.second, similarity=pair.match.waveform, shift=pair.match.shift)
            for pair in search.run(work)
        ]
        leaks += found
        sentences.append(_said_of_near(found, search, side))
    straddling = {leak.shared for leak in clusters}
    cluster_of = manifest.column("cluster") if manifest.has("cluster") else [None] * len(manifest)
    known = [
        leak.kind == "cluster"
        or (cluster_of[leak.first] == cluster_of[leak.second] and cluster_of[leak.first] in straddling)
        for leak in leaks
    ]
    return LeakReport(_table(leaks, manifest, sides, known), tuple(sentence for sentence in sentences if sentence))


def _is_answer(manifest: Manifest) -> bool:
    """Whether the cluster is what is to be told apart (speakers), which has to stand on both sides."""
    if not (manifest.has("cluster") and manifest.has("label")):
        return False
    pairs = set(zip(manifest.column("cluster"), manifest.column("label"), strict=True))
    return len({cluster for cluster, _ in pairs}) == len(pairs) == len({label for _, label in pairs})


def _straddling(manifest: Manifest, column: Literal["group", "cluster"], sides: Sequence[str]) -> list[Leak]:
    if not manifest.has(column):
        return []
    return _across(sides, manifest.column(column), column, once=True)


def _across(sides: Sequence[str], keys: Sequence[Any], kind: Kind, *, once: bool = False) -> list[Leak]:
    """Pairs of one key and different sides: each row with the first one elsewhere, or with `once` one per two sides."""
    members: dict[Any, dict[str, list[int]]] = {}
    for row, (side, key) in enumerate(zip(sides, keys, strict=True)):
        if key is not None:
            members.setdefault(key, {}).setdefault(side, []).append(row)
    leaks = []
    for key, of_side in members.items():
        if len(of_side) < 2:
            continue
        shared = "" if kind == "identical" else str(key)
        if once:
            pairs = [(one[0], other[0]) for one, other in combinations(of_side.values(), 2)]
        else:
            heads = [rows[0] for rows in of_side.values()]
            pairs = [(heads[0], row) for rows in list(of_side.values())[1:] for row in rows]
            pairs += [(row, heads[1]) for row in next(iter(of_side.values()))[1:]]
        leaks += [Leak(kind, min(pair), max(pair), shared=shared) for pair in pairs]
    return leaks


def _contents(manifest: Manifest, report: Report | None) -> list[str | None]:
    """For each row what tells its file's content from all others; None where nothing else can be the same.

    Files are compared by size, then by their beginning, and only then read whole.
    """
    files = dict(zip(manifest.column("path"), manifest.files, strict=True))
    keys: dict[str, tuple[Any, ...]] = {path: (file.stat().st_size,) for path, file in files.items()}
    for limit in (HEAD_BYTES, None):
        alike: dict[tuple[Any, ...], list[str]] = {}
        for path, key in keys.items():
            alike.setdefault(key, []).append(path)
        keys = {path: key for key, paths in alike.items() if len(paths) > 1 for path in paths}
        for done, path in enumerate(keys):
            if report is not None:
                report("comparing files", done / len(keys))
            # What was read whole with its beginning is not read again.
            if limit is not None or keys[path][0] > HEAD_BYTES:
                keys[path] = (*keys[path], _digest(files[path], limit))
    whole = {path: "/".join(str(part) for part in key) for path, key in keys.items()}
    return [whole.get(path) for path in manifest.column("path")]


def _digest(file: Path, limit: int | None) -> str:
    with file.open("rb") as opened:
        if limit is not None:
            return hashlib.sha256(opened.read(limit)).hexdigest()
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _said_of_near(found: Sequence[Leak], search: NearSearch, side: str) -> str:
    sentence = _said(
        found,
        f"pair of clips across {side}s seems to be one recording, encoded, levelled or cut otherwise",
        f"pairs of clips across {side}s seem to be one recording, encoded, levelled or cut otherwise",
        "near-duplicate",
    )
    if search.unmatched:
        sentence += f" ({search.unmatched:,} pairs that are less alike were not compared)"
    if search.unread:
        clips = "clip" if search.unread == 1 else "clips"
        sentence += f" ({search.unread:,} {clips} cannot be read)"
    return sentence


def _words(row: Mapping[str, Any], which: str) -> str:
    """A clip of a pair: its path, and where it starts if it is a part."""
    start = row.get(f"{which}_start")
    return row[which] if start is None else f"{row[which]} from {start:g} s"


def _said(leaks: Collection[object], one: str, many: str, kind: Kind) -> str:
    if not leaks:
        return f"{kind}: none"
    return f"{kind}: {len(leaks):,} {one if len(leaks) == 1 else many}"


def _said_of_groups(manifest: Manifest, leaks: Iterable[Leak], side: str, noun: str) -> str:
    if not manifest.has("group"):
        return f"group: the clips have none, so nothing says what must not straddle {side}s"
    values = list(dict.fromkeys(leak.shared for leak in leaks if leak.kind == "group"))
    if not values:
        return f"group: every {noun} stands in one {side}"
    stand = f"{noun} stands" if len(values) == 1 else f"{noun}s stand"
    return f"group: {len(values):,} {stand} in more than one {side} ({_some(values)})"


def _said_of_clusters(leaks: Sequence[Leak], side: str, exceptions: str) -> str:
    values = list(dict.fromkeys(leak.shared for leak in leaks))
    if not values:
        return ""
    stand = "cluster stands" if len(values) == 1 else "clusters stand"
    why = f"known: {exceptions}" if exceptions else "known: a cluster, the unit of intervals, may"
    return f"cluster: {len(values):,} {stand} in more than one {side} ({why})"


def _some(values: Sequence[str], most: int = 4) -> str:
    return ", ".join(values[:most]) + (", …" if len(values) > most else "")


def _table(leaks: Sequence[Leak], manifest: Manifest, sides: Sequence[str], known: Sequence[bool]) -> pa.Table:
    """One row per pair; where clips are parts of recordings also which parts."""
    columns: dict[str, pa.Array] = {"kind": pa.array([leak.kind for leak in leaks], pa.string())}
    for which in ("first", "second"):
        rows = [getattr(leak, which) for leak in leaks]
        for name in ("path", "start", "end"):
            if manifest.has(name):
                title = which if name == "path" else f"{which}_{name}"
                values = manifest.column(name)
                columns[title] = pa.array([values[row] for row in rows], TYPES[name])
        columns[f"{which}_side"] = pa.array([sides[row] for row in rows], pa.string())
    columns |= {
        "similarity": pa.array([leak.similarity for leak in leaks], pa.float64()),
        "shift": pa.array([leak.shift for leak in leaks], pa.float64()),
        "shared": pa.array([leak.shared for leak in leaks], pa.string()),
        "known": pa.array(known, pa.bool_()),
    }
    return pa.table(columns)
