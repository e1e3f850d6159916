"""Packing: every clip of a manifest decoded once, into shards that pre-training reads without decoding.

Files are decoded by several processes (:mod:`auricle.reading`) and written by one, in the order of the plan. A
pack that was stopped, killed at any moment or ran into a full disk goes on where it was, and ends as the same bytes.
"""

import contextlib
import hashlib
import itertools
import json
import shutil
import socket
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auricle.audio import AudioError
from auricle.embedding.bulk import default_workers
from auricle.errors import AuricleError, Interrupted
from auricle.files import FolderLock, refuse_small_disk
from auricle.manifest import Manifest
from auricle.packing.duplicates import Against, Twins, near_twins
from auricle.packing.events import PackSummary, Plan, Progress, Report, say_nothing
from auricle.packing.info import read_info
from auricle.packing.layout import (
    BYTES_PER_SAMPLE,
    DROPPED,
    FORMAT,
    INFO,
    REJECTED,
    SAMPLE_RATE,
    SHARD_BYTES,
    VERSION,
    PackError,
    to_samples,
)
from auricle.packing.parts import Totals, csv_of, find_parts, finish_shard, left_out_tables, take_back, write_index
from auricle.packing.plan import Group, PackPlan, fingerprint_of, make_plan, sorted_clips
from auricle.packing.store import LocalStore, Store, store_of
from auricle.packing.working_shard import WorkingShard
from auricle.reading import Readers, Recording, Sound

WORK = ".work"  # below a local pack
LOCK = "lock.json"  # of a pack in an object store
HEADER = ("path", "start", "end")

DROPS = ("nothing", "exact", "near")


def pack(
    manifest: Manifest,
    out: Path | str,
    *,
    drop: str = "nothing",
    against: Sequence[Manifest] = (),
    workers: int | None = None,
    shard_bytes: int = SHARD_BYTES,
    work: Path | None = None,
    report: Report = say_nothing,
) -> PackSummary:
    """Pack all clips of a manifest; the same call goes on with a pack that was stopped.

    Parameters
    ----------
    manifest
        The clips; ``corpus`` (text) and ``weight`` (a number above 0) are kept where it has them.
    out
        A folder, or the URL of one in an object store, for instance ``s3://bucket/pack``.
    drop
        ``nothing``, or which duplicates: ``exact`` leaves out clips whose samples are those of an earlier one, ``near``
        also those that are the same recording in another encoding, level or cut (:mod:`auricle.alignment`).
    against
        Tasks: what is in their validation and test parts, or in their folds, is left out in the same way.
    workers
        Processes that decode; by default one per processor.
    shard_bytes
        At which a shard is closed.
    work
        Folder of this machine for the shard that is being written to an object store; a temporary one by default.
    report
        Is told the plan and the progress.

    Raises
    ------
    AuricleError
        When `drop` is none of these, no clip can be used, the disk cannot hold the pack, or `out` is written by another
        process or holds something else.
    """
    if drop not in DROPS:
        raise AuricleError(f"drop is {drop!r}: expected {', '.join(DROPS[:-1])} or {DROPS[-1]}")
    store = store_of(out)
    folder = _work_folder(store, work)
    clips = sorted_clips(manifest)
    held_out = Against.of(against)
    if held_out and drop == "nothing":
        drop = "exact"
    job = {
        "clips": fingerprint_of(clips, manifest.root),
        "drop": drop,
        "against": held_out.names,
        "against_clips": held_out.fingerprint,
        "shard_bytes": shard_bytes,
    }
    workers = default_workers() if workers is None else workers
    with _locked(store, folder):
        info = _info_of(store, job)
        if info is not None and info["complete"]:
            _clean_up(store, folder)
            return _summary(store, info, was_complete=True)
        plan = PackPlan.read(folder / "plan.arrow", json.dumps(job), manifest.root)
        if plan is None:
            plan = make_plan(clips, manifest.root, workers=workers, report=report)
            if drop == "near" and plan.samples:
                plan = plan.with_twins(near_twins(plan, held_out, work=folder, workers=workers, report=report))
            plan.write(folder / "plan.arrow", json.dumps(job))
        if info is None:
            store.write(INFO, _as_json(_incomplete(job, manifest)))
        twins = Twins(held_out, exact=drop != "nothing", work=folder, workers=workers, report=report)
        session = _Session(store, folder, plan, twins, shard_bytes, report)
        try:
            session.run(workers)
        except KeyboardInterrupt:
            raise Interrupted(
                f"stopped after {session.done:,} of {len(plan):,} clips; the same command goes on from there"
            ) from None
        return _finish(session, job, manifest)


def plan_of(manifest: Manifest, *, workers: int | None = None, report: Report = say_nothing) -> Plan:
    """What :func:`pack` would pack of a manifest, as far as headers say, before near duplicates are looked for."""
    count = default_workers() if workers is None else workers
    plan = make_plan(sorted_clips(manifest), manifest.root, workers=count, report=report)
    return plan.announced(done_samples=0)


def _work_folder(store: Store, work: Path | None) -> Path:
    if isinstance(store, LocalStore):
        return store.folder / WORK
    name = hashlib.sha256(store.location.encode()).hexdigest()[:12]
    return (Path(tempfile.gettempdir()) if work is None else work) / f"auricle-pack-{name}"


@contextlib.contextmanager
def _locked(store: Store, folder: Path) -> Iterator[None]:
    """Keep other processes away: of this machine by a lock in a folder, of others by a file in the store."""
    owned = store.folder if isinstance(store, LocalStore) else folder
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(FolderLock(owned))
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AuricleError(f"cannot write {owned}: {error.strerror}") from error
        if not isinstance(store, LocalStore):
            with contextlib.suppress(FileNotFoundError, ValueError, KeyError):
                host = json.loads(store.read(LOCK))["host"]
                if host != socket.gethostname():
                    raise AuricleError(
                        f"{store.location} is being written by a process on {host}; if that process is gone, delete "
                        f"{store.location}/{LOCK}"
                    )
            store.write(LOCK, _as_json({"host": socket.gethostname()}))
            stack.callback(store.remove, LOCK)
        yield


def _as_json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode()


def _incomplete(job: dict[str, Any], manifest: Manifest) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "sample_rate": SAMPLE_RATE,
        "root": str(manifest.root.resolve()),
        "source": manifest.source,
        "job": job,
        "complete": False,
    }


def _info_of(store: Store, job: dict[str, Any]) -> dict[str, Any] | None:
    info = read_info(store)
    if info is None and (store.sizes("shards") or store.sizes("parts")):
        raise PackError(f"{store.location} holds shards but no {INFO}; delete it or choose another folder")
    if info is not None and info["job"] != job:
        different = [name for name in job if info["job"].get(name) != job[name]]
        what = {"clips": "other clips", "drop": "another --drop", "shard_bytes": "shards of another size"}
        said = what.get(different[0], "other tasks to keep out")
        raise PackError(f"{store.location} is a pack with {said}; delete it or choose another folder")
    return info


@dataclass
class _Progress:
    """Counts of one process's work, for reports."""

    rejected: int = 0
    dropped: int = 0


class _Session:
    """One process's work on a pack.

    Attributes
    ----------
    done : int
        Rows of the plan that are done.
    """

    def __init__(
        self, store: Store, work: Path, plan: PackPlan, twins: Twins, shard_bytes: int, report: Report
    ) -> None:
        self.store, self.work, self.plan, self._twins = store, work, plan, twins
        self._shard_bytes, self._report = shard_bytes, report
        self.totals = find_parts(store, twins.remember)
        take_back(store, len(self.totals.shards), work)
        self._shard = WorkingShard(work, len(self.totals.shards))
        self._paths = plan.table.column("path")
        for outcome in self._shard.outcomes:
            if outcome.samples:
                twins.remember(bytes.fromhex(outcome.checksum), self._paths[outcome.row].as_py())
        self._counts = _Progress()
        for outcome in [*self.totals.left_out, *self._shard.outcomes]:
            self._count(outcome.reason, outcome.twin)

    @property
    def done(self) -> int:
        """Rows of the plan that are done."""
        outcomes = self._shard.outcomes
        return outcomes[-1].row + 1 if outcomes else self.totals.rows

    @property
    def _samples(self) -> int:
        return self.totals.samples + self._shard.samples

    def run(self, workers: int) -> None:
        """Pack what is left of the plan."""
        self._announce()
        left = (self.plan.samples - self._samples) * BYTES_PER_SAMPLE
        if isinstance(self.store, LocalStore):
            refuse_small_disk(self.store.folder, left, "the rest of the pack" if self.done else "the pack")
        else:
            refuse_small_disk(self.work, min(left, self._shard_bytes), "one shard of the pack")
        try:
            self._finish_full_shard()  # whose process was killed before it could
            with Readers(sample_rate=SAMPLE_RATE, workers=workers) as readers:
                requested, waiting = itertools.tee(self.plan.groups(self.done))
                for group, sound in zip(waiting, readers.read(group.request for group in requested), strict=True):
                    self._take(group, sound)
            if self._shard.samples:
                finish_shard(self.store, self._shard, self.plan, self.totals)
            else:  # all that came after the last shard was left out
                self.totals.add(self._shard.outcomes)
        finally:
            with contextlib.suppress(OSError, AuricleError, ValueError):  # what stopped the work is what to tell
                self._shard.close()

    def _announce(self) -> None:
        plan = self.plan.announced(done_samples=self._samples)
        self._counts.rejected += plan.rejected
        self._counts.dropped += plan.dropped
        self._report(plan)

    def _count(self, reason: str, twin: str) -> None:
        self._counts.rejected += bool(reason)
        self._counts.dropped += bool(twin)

    def _take(self, group: Group, sound: Sound) -> None:
        """Put down the rows of a group that are not done yet."""
        rows = iter(group.rows)
        row = next(rows)
        firsts, lengths = (self.plan.table.column(name) for name in ("first", "samples"))
        start = firsts[row].as_py() - group.first
        stop = start + lengths[row].as_py()
        begin, position = self.done, 0
        reason = ""
        try:
            for block in [sound] if not isinstance(sound, Recording | AudioError) else _blocks(sound):
                while True:
                    part = block[max(0, start - position) : max(0, stop - position)]
                    if len(part) and row >= begin:
                        self._shard.write(*to_samples(part))
                    if stop > position + len(block):
                        break
                    self._end_of(row, begin)
                    if (following := next(rows, None)) is None:
                        return
                    row = following
                    start = firsts[row].as_py() - group.first
                    stop = start + lengths[row].as_py()
                position += len(block)
        except AudioError as error:
            reason = error.reason
        if reason or not self._shard.has_clip:
            self._leave_out(row, begin, reason or "ends before what its header says")
        else:
            self._end_of(row, begin)
        for row in rows:
            self._leave_out(row, begin, reason or "ends before what its header says")

    def _end_of(self, row: int, begin: int) -> None:
        """All samples of a clip have been written."""
        if row < begin:
            return
        twin = self._twins.of(bytes.fromhex(self._shard.checksum))
        if twin is not None:
            self._shard.leave_out(row, twin=twin)
            self._count("", twin)
        else:
            outcome = self._shard.keep(row)
            self._twins.remember(bytes.fromhex(outcome.checksum), self._paths[row].as_py())
        self._after()

    def _leave_out(self, row: int, begin: int, reason: str) -> None:
        if row >= begin:
            self._shard.leave_out(row, reason=reason)
            self._count(reason, "")
            self._after()

    def _after(self) -> None:
        """A clip is done."""
        hours = self._samples / SAMPLE_RATE / 3600
        self._report(Progress(self.done, len(self.plan), hours, self._counts.rejected, self._counts.dropped))
        self._finish_full_shard()

    def _finish_full_shard(self) -> None:
        if self._shard.samples * BYTES_PER_SAMPLE >= self._shard_bytes:
            finish_shard(self.store, self._shard, self.plan, self.totals)
            self._shard = WorkingShard(self.work, len(self.totals.shards))


def _blocks(sound: Recording | AudioError) -> Recording:
    if isinstance(sound, AudioError):
        raise sound
    return sound


def _finish(session: _Session, job: dict[str, Any], manifest: Manifest) -> PackSummary:
    """Write the index and the tables of what was left out, and say that all is there."""
    store, plan, totals = session.store, session.plan, session.totals
    rejected, dropped = left_out_tables(plan, totals.left_out)
    for name, last, rows in ((REJECTED, "reason", rejected), (DROPPED, "same_as", dropped)):
        if rows:
            store.write(name, csv_of((*HEADER, last), rows))
    if not totals.clips:
        one = len(plan) == 1
        first = f", {'' if one else 'the first is '}{rejected[0][0]}: {rejected[0][3]}" if rejected else ""
        store.remove(INFO)
        _clean_up(store, session.work)
        left_out = "the only clip was" if one else f"all {len(plan):,} clips were"
        raise AuricleError(f"nothing to pack: {left_out} left out{first}")
    index = write_index(store, len(totals.shards), session.work)
    info = _incomplete(job, manifest) | _facts(totals, rejected, dropped) | index | {"complete": True}
    store.write(INFO, _as_json(info))
    _clean_up(store, session.work)
    return _summary(store, info, was_complete=False)


def _facts(totals: Totals, rejected: list[list[str]], dropped: list[list[str]]) -> dict[str, Any]:
    return {
        "clips": totals.clips,
        "samples": totals.samples,
        "hours": round(totals.samples / SAMPLE_RATE / 3600, 4),
        "clipped": totals.clipped,
        "rejected": len(rejected),
        "dropped": len(dropped),
        "shards": totals.shards,
    }


def _clean_up(store: Store, work: Path) -> None:
    store.remove("parts")
    shutil.rmtree(work, ignore_errors=True)


def _summary(store: Store, info: dict[str, Any], *, was_complete: bool) -> PackSummary:
    return PackSummary(
        location=store.location,
        clips=info["clips"],
        hours=info["samples"] / SAMPLE_RATE / 3600,
        size=sum(info["shards"]),
        shards=len(info["shards"]),
        rejected=info["rejected"],
        dropped=info["dropped"],
        drop=info["job"]["drop"],
        clipped=info["clipped"],
        was_complete=was_complete,
    )
