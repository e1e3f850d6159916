"""What is to be packed: every clip of a manifest with its length, as far as headers say, in the order of pre-training.

Rows that follow each other in one file are read in one go, so that an hour that is listed in pieces of ten seconds is
decoded once.
"""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from auricle import audio
from auricle.audio import AudioError, AudioInfo
from auricle.errors import AuricleError
from auricle.files import atomic_write
from auricle.manifest import Manifest
from auricle.packing.events import Measuring, Plan, Report
from auricle.packing.layout import BYTES_PER_SAMPLE, INDEX_BYTES, SAMPLE_RATE
from auricle.reading import Request

GAP_SECONDS = 10.0  # between two clips of a file that are still read in one go
_AT_A_TIME = 1024  # files whose headers are read before the share is told
_SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("start", pa.float64()),
        ("end", pa.float64()),
        ("corpus", pa.string()),
        ("weight", pa.float64()),
        ("first", pa.int64()),  # sample of the file at SAMPLE_RATE
        ("samples", pa.int64()),
        ("reason", pa.string()),  # why it cannot be used
        ("twin", pa.string()),  # what it is a near duplicate of
    ]
)


@dataclass(frozen=True)
class Group:
    """Rows of a plan that are read in one go; `first` and `last` are samples of their file."""

    rows: list[int]
    path: Path
    first: int
    last: int

    @property
    def request(self) -> Request:
        """The stretch of the file that holds all of them."""
        return Request(self.path, self.first / SAMPLE_RATE, (self.last - self.first) / SAMPLE_RATE)


@dataclass(frozen=True, eq=False)
class PackPlan:
    """The clips, sorted by path and start.

    Attributes
    ----------
    table : pa.Table
        ``path``, ``start``, ``end``, ``corpus``, ``weight``; ``first`` and ``samples`` at `SAMPLE_RATE`; ``reason``.
    root : Path
        Folder that paths start from.
    """

    table: pa.Table
    root: Path

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def samples(self) -> int:
        """Of all clips that can be used."""
        return int(sum(self.table.column("samples").to_numpy()))

    @property
    def size(self) -> int:
        """Bytes of the pack, its index included."""
        return self.samples * BYTES_PER_SAMPLE + len(self) * INDEX_BYTES

    def announced(self, *, done_samples: int) -> Plan:
        """The plan in numbers."""
        rejected, dropped = (sum(map(bool, self.table.column(name).to_pylist())) for name in ("reason", "twin"))
        usable = self.table.filter(pa.array(self.table.column("samples").to_numpy() > 0))
        return Plan(
            files=len(usable.column("path").unique()),
            clips=len(self) - rejected - dropped,
            hours=self.samples / SAMPLE_RATE / 3600,
            size=self.size,
            rejected=rejected,
            dropped=dropped,
            done_hours=done_samples / SAMPLE_RATE / 3600,
        )

    def groups(self, begin: int) -> Iterator[Group]:
        """The groups from that of row `begin` on, which may hold rows before it."""
        names = ("path", "first", "samples", "reason", "twin")
        path, first, samples, reason, twin = (self.table.column(name).combine_chunks() for name in names)
        gap = round(GAP_SECONDS * SAMPLE_RATE)
        group: Group | None = None
        for row in range(len(self)):
            if reason[row].as_py() or twin[row].as_py():
                continue
            file, start = self.root / path[row].as_py(), first[row].as_py()
            end = start + samples[row].as_py()
            if group is not None and group.path == file and group.last <= start <= group.last + gap:
                group.rows.append(row)
                group = Group(group.rows, file, group.first, end)
                continue
            if group is not None and group.rows[-1] >= begin:
                yield group
            group = Group([row], file, start, end)
        if group is not None and group.rows[-1] >= begin:
            yield group

    def with_twins(self, twins: dict[int, str]) -> "PackPlan":
        """The same plan, in which some rows are near duplicates of what is named."""
        column = pa.array([twins.get(row, "") for row in range(len(self))], pa.string())
        samples = [0 if row in twins else n for row, n in enumerate(self.table.column("samples").to_pylist())]
        table = self.table.set_column(_SCHEMA.get_field_index("twin"), "twin", column)
        table = table.set_column(_SCHEMA.get_field_index("samples"), "samples", pa.array(samples, pa.int64()))
        return PackPlan(table, self.root)

    def write(self, path: Path, job: str) -> None:
        """Keep the plan of a job for when it is gone on with."""
        with atomic_write(path) as temporary, pa.ipc.new_file(temporary, self.table.schema) as writer:
            writer.write_table(self.table)
        with atomic_write(path.with_suffix(".job")) as temporary:
            temporary.write_text(job)

    @classmethod
    def read(cls, path: Path, job: str, root: Path) -> "PackPlan | None":
        """The plan of a job, if it is there and whole."""
        try:
            if path.with_suffix(".job").read_text() != job:
                return None
            with pa.memory_map(str(path)) as file:
                return cls(pa.ipc.open_file(file).read_all(), root)
        except (OSError, pa.ArrowInvalid):
            return None


def sorted_clips(manifest: Manifest) -> pa.Table:
    """``path``, ``start``, ``end``, ``corpus`` and ``weight`` of a manifest, in the order of pre-training."""
    count = len(manifest)
    columns = {
        "path": manifest.table.column("path"),
        "start": _or_nulls(manifest, "start", pa.float64()),
        "end": _or_nulls(manifest, "end", pa.float64()),
        "corpus": _or_nulls(manifest, "corpus", pa.string()).fill_null(Path(manifest.source).stem),
        "weight": _or_nulls(manifest, "weight", pa.float64()).fill_null(1.0),
    }
    table = pa.table({**columns, "start": columns["start"].fill_null(0.0)})
    weights = table.column("weight").to_numpy()
    if not (np.isfinite(weights) & (weights > 0)).all():
        raise AuricleError(f"{manifest.source}: column `weight` must hold numbers above 0")
    paths, starts = table.column("path").to_pylist(), table.column("start").to_numpy()
    # As text, character by character: the order that a folder's files have in pre-training.
    return table.take(pa.array(sorted(range(count), key=lambda row: (paths[row], starts[row])), pa.int64()))


def _or_nulls(manifest: Manifest, name: str, kind: pa.DataType) -> Any:
    if not manifest.has(name):
        return pa.chunked_array([pa.nulls(len(manifest), kind)])
    try:
        return manifest.table.column(name).cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise AuricleError(f"{manifest.source}: column `{name}` is not what packing takes: expected {kind}") from None


def fingerprint_of(clips: pa.Table, root: Path) -> str:
    """SHA-256 over which clips there are, and where."""
    digest = hashlib.sha256(str(root.resolve()).encode())
    for name in ("path", "start", "end", "corpus", "weight"):
        digest.update("\0".join(map(str, clips.column(name).to_pylist())).encode())
    return digest.hexdigest()


def make_plan(clips: pa.Table, root: Path, *, workers: int, report: Report) -> PackPlan:
    """Read the header of every file once and say how long each clip is."""
    paths = clips.column("path").to_pylist()
    files = list(dict.fromkeys(paths))

    def header(path: str) -> AudioInfo | str:
        try:
            return audio.info(root / path)
        except AudioError as error:
            return error.reason

    headers: dict[str, AudioInfo | str] = {}
    with ThreadPoolExecutor(max(workers, 1)) as pool:
        for at in range(0, len(files), _AT_A_TIME):
            some = files[at : at + _AT_A_TIME]
            headers.update(zip(some, pool.map(header, some), strict=True))
            report(Measuring("measuring", len(headers) / len(files)))
    firsts, lengths, reasons = [], [], []
    for path, start, end in zip(paths, clips.column("start").to_pylist(), clips.column("end").to_pylist(), strict=True):
        first, samples, reason = _extent(headers[path], start, end)
        firsts.append(first)
        lengths.append(samples)
        reasons.append(reason)
    for name, values, kind in (
        ("first", firsts, pa.int64()),
        ("samples", lengths, pa.int64()),
        ("reason", reasons, pa.string()),
        ("twin", [""] * len(paths), pa.string()),
    ):
        clips = clips.append_column(name, pa.array(values, kind))
    return PackPlan(clips.cast(_SCHEMA).combine_chunks(), root)


def _extent(header: AudioInfo | str, start: float, end: float | None) -> tuple[int, int, str]:
    """First sample, samples and what is wrong of a clip; lengths as pre-training from the file itself counts them."""
    if isinstance(header, str):
        return 0, 0, header
    stop = header.seconds if end is None else min(end, header.seconds)
    first = round(start * SAMPLE_RATE)
    samples = round((stop - start) * SAMPLE_RATE)
    if end is not None:
        samples = min(samples, max(1, round(end * SAMPLE_RATE) - first))
    if samples <= 0:
        return 0, 0, f"nothing between {start} s and {stop} s"
    return first, samples, ""
