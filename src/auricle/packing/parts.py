"""The finished shards of a pack that is being made, and their parts of the index.

A shard is finished when its part of the index is there, which is written last. A process that was killed between the
two left the shard in its place: it is taken back and gone on with.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from auricle.files import atomic_write, sha256_of_file
from auricle.packing.layout import BYTES_PER_SAMPLE, INDEX, SCHEMA, part_name, shard_name
from auricle.packing.plan import PackPlan
from auricle.packing.store import Store
from auricle.packing.working_shard import Outcome, WorkingShard

_FACTS = b"auricle"


@dataclass
class Totals:
    """What finished shards hold, and what they left out.

    Attributes
    ----------
    rows
        Of the plan that are done.
    """

    rows: int = 0
    clips: int = 0
    samples: int = 0
    clipped: int = 0
    shards: list[int] = field(default_factory=list)  # bytes of each
    left_out: list[Outcome] = field(default_factory=list)

    def add(self, outcomes: Sequence[Outcome]) -> None:
        """Count a shard's clips."""
        kept = [outcome for outcome in outcomes if outcome.samples]
        self.rows = outcomes[-1].row + 1 if outcomes else self.rows
        self.clips += len(kept)
        self.samples += sum(outcome.samples for outcome in kept)
        self.clipped += sum(outcome.clipped > 0 for outcome in kept)
        self.left_out += [outcome for outcome in outcomes if not outcome.samples]


def find_parts(store: Store, seen: Callable[[bytes, str], None]) -> Totals:
    """What is finished; `seen` is told checksum and path of every packed clip."""
    totals = Totals()
    names, shards = store.sizes("parts"), store.sizes("shards")
    while (name := part_name(len(totals.shards))) in names:
        try:
            table = pa.ipc.open_file(pa.BufferReader(store.read(name))).read_all()
            facts = json.loads(table.schema.metadata[_FACTS])
            size = int(pc.sum(table.column("samples")).as_py() or 0) * BYTES_PER_SAMPLE
            left_out = [Outcome(**entry) for entry in facts["left_out"]]
            if shards.get(shard_name(len(totals.shards)), 0) != size:
                break  # made again
        except (pa.ArrowInvalid, KeyError, ValueError, TypeError):
            break
        totals.rows = facts["rows"]
        totals.clips += table.num_rows
        totals.samples += size // BYTES_PER_SAMPLE
        totals.clipped += facts["clipped"]
        totals.shards.append(size)
        totals.left_out += left_out
        for key, path in zip(table.column("checksum").to_pylist(), table.column("path").to_pylist(), strict=True):
            seen(key, path)
    return totals


def take_back(store: Store, number: int, work: Path) -> None:
    """Give the working folder the shard that is in its place already but has no part of the index."""
    path = work / f"{number:05d}.pcm"
    if not path.exists():
        store.give_back(shard_name(number), path)


def finish_shard(store: Store, shard: WorkingShard, plan: PackPlan, totals: Totals) -> None:
    """Put a shard and its part of the index in their places."""
    shard.close()
    totals.add(shard.outcomes)
    totals.shards.append(shard.samples * BYTES_PER_SAMPLE)
    table = _index_part(shard, plan)
    left_out = [vars(outcome) for outcome in shard.outcomes if not outcome.samples]
    facts = {
        "rows": totals.rows,
        "left_out": left_out,
        "clipped": sum(outcome.clipped > 0 for outcome in shard.outcomes),
    }
    buffer = io.BytesIO()
    with pa.ipc.new_file(buffer, SCHEMA.with_metadata({_FACTS: json.dumps(facts)})) as writer:
        writer.write_table(table)
    store.take(shard_name(shard.number), shard.path)
    store.write(part_name(shard.number), buffer.getvalue())
    shard.journal.unlink()


def _index_part(shard: WorkingShard, plan: PackPlan) -> pa.Table:
    kept = [outcome for outcome in shard.outcomes if outcome.samples]
    columns = plan.table.take(pa.array([outcome.row for outcome in kept], pa.int64()))
    offset, offsets = 0, []
    for outcome in kept:
        offsets.append(offset)
        offset += outcome.samples
    values = {
        **{name: columns.column(name) for name in ("path", "start", "end", "corpus", "weight")},
        "shard": [shard.number] * len(kept),
        "offset": offsets,
        "samples": [outcome.samples for outcome in kept],
        "clipped": [outcome.clipped for outcome in kept],
        "checksum": [bytes.fromhex(outcome.checksum) for outcome in kept],
    }
    return pa.table(values, schema=SCHEMA)


def write_index(store: Store, count: int, work: Path) -> dict[str, Any]:
    """Join the parts to the index; returns its SHA-256, and how many files its clips are of."""
    parts = [pa.ipc.open_file(pa.BufferReader(store.read(part_name(number)))).read_all() for number in range(count)]
    whole = pa.concat_tables([part.replace_schema_metadata() for part in parts]).combine_chunks()
    joined = work / INDEX
    with atomic_write(joined) as temporary, pa.ipc.new_file(temporary, SCHEMA) as writer:
        writer.write_table(whole)  # in one piece, so that columns are mapped into memory as they lie
    digest = sha256_of_file(joined)
    store.take(INDEX, joined)
    return {"index_sha256": digest, "files": pc.count_distinct(whole.column("path")).as_py()}


def left_out_tables(plan: PackPlan, outcomes: Sequence[Outcome]) -> tuple[list[list[str]], list[list[str]]]:
    """Rows of ``rejected.csv`` and of ``dropped.csv``: path, start, end, and why or what it is the same as."""
    of_row = {outcome.row: outcome for outcome in outcomes}
    rejected: list[list[str]] = []
    dropped: list[list[str]] = []
    names = ("path", "start", "end", "reason", "twin")
    for row, (path, start, end, reason, twin) in enumerate(_rows(plan, names)):
        outcome = of_row.get(row)
        reason = reason or (outcome.reason if outcome else "")
        twin = twin or (outcome.twin if outcome else "")
        if not reason and not twin:
            continue
        where = [str(plan.root / path), f"{start:g}", "" if end is None else f"{end:g}"]
        (rejected if reason else dropped).append([*where, reason or twin])
    return rejected, dropped


def _rows(plan: PackPlan, names: Sequence[str]) -> Iterator[tuple[str, float, float | None, str, str]]:
    for batch in plan.table.select(list(names)).to_batches(max_chunksize=65_536):
        yield from zip(*(batch.column(name).to_pylist() for name in names), strict=True)


def csv_of(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """A table as CSV."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header, *rows])
    return text.getvalue().encode(errors="replace")
