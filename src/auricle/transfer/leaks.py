"""Leaks between the parts of a task: what stands on both sides of a split lets a score measure memory.

Looked for, in any manifest with splits or folds: groups and clusters that straddle, recordings that are cut up across
sides, files that are the same byte for byte, and near-duplicates (one recording in another encoding, level or cut). The
last are proposed by their embeddings, whitened (:mod:`auricle.neighbours`), and laid over each other
(:mod:`auricle.alignment`), which keeps those that agree in spectrum and waveform: look at them, for very short
clips may agree by chance.
"""

import hashlib
import tempfile
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from auricle import audio
from auricle.alignment import Aligner, Match
from auricle.audio import Waveform
from auricle.embedding import EmbedProgress, embed_manifest, read_embeddings
from auricle.embedding.file import rejected_path
from auricle.files import atomic_write
from auricle.manifest import Manifest, ManifestError
from auricle.manifest_format import write_table
from auricle.models.encoder import Encoder
from auricle.models.soundprint import SoundPrint
from auricle.neighbours import near_pairs, whitened
from auricle.stages import fingerprint_of_sound

Kind = Literal["group", "cluster", "recording", "identical", "near-duplicate"]

CANDIDATE_COSINE = 0.4  # of whitened embeddings: 0.98 of altered copies are above, 0.001 of the pairs of others
MOST_CANDIDATES = 10_000  # that are laid over each other, the most similar first
MATCHED_SECONDS = 60.0  # of a clip that are laid over another
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
        One row per pair: ``kind``, ``first``, ``second`` (paths), ``first_side``, ``second_side``, ``similarity``,
        ``shift`` (seconds), ``shared``, ``known`` (whether it is officially so).
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
            f"  {row['kind']}: {row['first']} ({row['first_side']}) = {row['second']} ({row['second_side']})"
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
        search = _NearSearch(manifest, encoder or SoundPrint(), sides, contents, workers=workers, report=report)
        found = search.run(work)
        leaks += found
        sentences.append(search.said(found, side))
    straddling = {leak.shared for leak in clusters}
    cluster_of = manifest.column("cluster") if manifest.has("cluster") else [None] * len(manifest)
    known = [
        leak.kind == "cluster"
        or (cluster_of[leak.first] == cluster_of[leak.second] and cluster_of[leak.first] in straddling)
        for leak in leaks
    ]
    return LeakReport(_table(leaks, paths, sides, known), tuple(sentence for sentence in sentences if sentence))


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


class _NearSearch:
    """The search for near-duplicates across sides."""

    def __init__(
        self,
        manifest: Manifest,
        encoder: Encoder,
        sides: Sequence[str],
        contents: Sequence[str | None],
        *,
        workers: int | None,
        report: Report | None,
    ) -> None:
        self._manifest, self._encoder, self._sides, self._contents = manifest, encoder, sides, contents
        self._workers, self._report = workers, report
        self._paths = manifest.column("path")
        self._starts = manifest.column("start") if manifest.has("start") else [None] * len(manifest)
        self._ends = manifest.column("end") if manifest.has("end") else [None] * len(manifest)
        self._aligner = Aligner()
        self._unread = 0
        self._unmatched = 0

    def run(self, work: Path | None) -> list[Leak]:
        """All pairs that are the same recording."""
        if work is not None:
            return self._run_in(work)
        with tempfile.TemporaryDirectory(prefix="auricle-leaks-") as folder:
            return self._run_in(Path(folder))

    def _run_in(self, work: Path) -> list[Leak]:
        rows, vectors = self._embedded(work)
        numbers = {side: number for number, side in enumerate(dict.fromkeys(self._sides))}
        sides = np.array([numbers[self._sides[row]] for row in rows], dtype=np.int64)
        pairs = near_pairs(
            whitened(vectors),
            threshold=CANDIDATE_COSINE,
            sides=sides,
            most=MOST_CANDIDATES,
            report=lambda share: self._tell("comparing embeddings", share),
        )
        self._unmatched = pairs.found - len(pairs)
        leaks = []
        # One after the other by the first clip, which is then read once.
        order = np.lexsort((pairs.second, pairs.first))
        last: tuple[int, Waveform] | None = None
        for done, index in enumerate(order):
            self._tell("comparing clips", done / len(order))
            first, second = rows[pairs.first[index]], rows[pairs.second[index]]
            same_bytes = self._contents[first] is not None and self._contents[first] == self._contents[second]
            if same_bytes or self._paths[first] == self._paths[second]:
                continue  # reported as that
            if last is None or last[0] != first:
                last = first, self._read(first)
            match = self._aligner.match(last[1], self._read(second))
            if match.is_same:
                leaks.append(_near_duplicate(first, second, match))
        return sorted(leaks, key=lambda leak: (-leak.similarity, leak.first, leak.second))

    def _embedded(self, work: Path) -> tuple[list[int], np.ndarray[Any, np.dtype[np.float32]]]:
        """Rows of the manifest that could be read, and their embeddings."""
        names = [name for name in ("path", "start", "end") if self._manifest.has(name)]
        table = self._manifest.table.select(names).append_column("row", pa.array(range(len(self._manifest))))
        clips = Manifest(table, self._manifest.root, self._manifest.source)
        out = work / f"prints-{fingerprint_of_sound(clips)[:12]}-{self._encoder.weights_fingerprint}.parquet"

        def embedding(now: EmbedProgress) -> None:
            self._tell("embedding", now.done / now.clips)

        summary = embed_manifest(self._encoder, clips, out=out, workers=self._workers, progress=embedding)
        self._unread = summary.rejected
        rejected_path(out).unlink(missing_ok=True)
        table, vectors = read_embeddings(out)
        return table.column("row").to_pylist(), vectors

    def _read(self, row: int) -> Waveform:
        start, end = self._starts[row] or 0.0, self._ends[row]
        seconds = MATCHED_SECONDS if end is None else min(MATCHED_SECONDS, end - start)
        path = self._manifest.root / self._paths[row]
        return audio.read(path, sample_rate=self._aligner.sample_rate, offset=start, duration=seconds)

    def _tell(self, what: str, share: float) -> None:
        if self._report is not None:
            self._report(what, share)

    def said(self, found: Sequence[Leak], side: str) -> str:
        """One sentence."""
        sentence = _said(
            found,
            f"pair of clips across {side}s seems to be one recording, encoded, levelled or cut otherwise",
            f"pairs of clips across {side}s seem to be one recording, encoded, levelled or cut otherwise",
            "near-duplicate",
        )
        if self._unmatched:
            sentence += f" ({self._unmatched:,} pairs that are less alike were not compared)"
        if self._unread:
            clips = "clip" if self._unread == 1 else "clips"
            sentence += f" ({self._unread:,} {clips} cannot be read)"
        return sentence


def _near_duplicate(first: int, second: int, match: Match) -> Leak:
    return Leak("near-duplicate", first, second, similarity=match.waveform, shift=match.shift)


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


def _table(leaks: Sequence[Leak], paths: Sequence[str], sides: Sequence[str], known: Sequence[bool]) -> pa.Table:
    columns: dict[str, pa.Array] = {
        "kind": pa.array([leak.kind for leak in leaks], pa.string()),
        "first": pa.array([paths[leak.first] for leak in leaks], pa.string()),
        "second": pa.array([paths[leak.second] for leak in leaks], pa.string()),
        "first_side": pa.array([sides[leak.first] for leak in leaks], pa.string()),
        "second_side": pa.array([sides[leak.second] for leak in leaks], pa.string()),
        "similarity": pa.array([leak.similarity for leak in leaks], pa.float64()),
        "shift": pa.array([leak.shift for leak in leaks], pa.float64()),
        "shared": pa.array([leak.shared for leak in leaks], pa.string()),
        "known": pa.array(known, pa.bool_()),
    }
    return pa.table(columns)
