"""Is a pack still what was packed? Every clip's samples are read and compared with their checksum."""

import functools
import hashlib
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from auricle.embedding.bulk import default_workers
from auricle.packing.info import read_info
from auricle.packing.layout import BYTES_PER_SAMPLE, INDEX, INFO, PackError, checksum, shard_name
from auricle.packing.reader import index_of, missing_shards
from auricle.packing.store import Store, store_of

BLOCK = 8 << 20  # bytes read at a time


@dataclass(frozen=True)
class Damage:
    """A clip that is not what was packed: where it came from, and which shard it lies in."""

    path: str
    start: float
    end: float | None
    shard: str

    def __str__(self) -> str:
        stretch = "" if self.end is None else f" ({self.start:g}–{self.end:g} s)"
        return f"{self.path}{stretch} in {self.shard}"


@dataclass(frozen=True)
class Verified:
    """What a look at a whole pack found.

    Attributes
    ----------
    location
        Of the pack.
    clips, shards, size
        That were looked at; bytes.
    problems
        Shards and tables that are missing or have another size, one sentence each.
    damaged
        Clips whose samples have changed or are gone.
    """

    location: str
    clips: int
    shards: int
    size: int
    problems: tuple[str, ...]
    damaged: tuple[Damage, ...]

    @property
    def is_whole(self) -> bool:
        """Whether all is as it was packed."""
        return not (self.problems or self.damaged)


def verify(
    location: str | Path, *, workers: int | None = None, report: Callable[[float], None] | None = None
) -> Verified:
    """Read a whole pack and compare every clip with its checksum.

    Parameters
    ----------
    location
        Folder or URL.
    workers
        Threads that read; by default one per processor.
    report
        Is told the share that is done.

    Raises
    ------
    PackError
        When there is no finished pack, or its index is damaged beyond reading.
    """
    store = store_of(location)
    info = read_info(store)
    if info is None and not store.exists():
        raise PackError(f"{store.location} does not exist")
    if info is None or not info["complete"]:
        raise PackError(f"{store.location} is not a finished pack: it has no {INFO} that says so")
    table = index_of(store, info)
    problems = list(missing_shards(store, info))
    if hashlib.sha256(store.read(INDEX)).hexdigest() != info["index_sha256"]:
        problems.append(f"{store.location}/{INDEX} is not what was written; pack again")
    shards = table.column("shard").to_numpy()
    bounds = np.searchsorted(shards, np.arange(len(info["shards"]) + 1))
    parts = [table.slice(start, stop - start) for start, stop in itertools.pairwise(bounds.tolist())]
    damaged: list[Damage] = []
    with ThreadPoolExecutor(default_workers() if workers is None else workers) as pool:
        of_shard = functools.partial(_damaged_in, store)
        for done, found in enumerate(pool.map(of_shard, range(len(parts)), parts), start=1):
            damaged += found
            if report is not None:
                report(done / len(parts))
    return Verified(
        location=store.location,
        clips=table.num_rows,
        shards=len(parts),
        size=sum(info["shards"]),
        problems=tuple(problems),
        damaged=tuple(damaged),
    )


def _damaged_in(store: Store, number: int, clips: pa.Table) -> list[Damage]:
    """The clips of one shard whose samples are not those of their checksum."""
    name = shard_name(number)
    damaged = []
    columns = ("path", "start", "end", "offset", "samples", "checksum")
    for path, start, end, offset, samples, expected in zip(
        *(clips.column(column).to_pylist() for column in columns), strict=True
    ):
        first = offset * BYTES_PER_SAMPLE
        if _checksum_of(store, name, first, first + samples * BYTES_PER_SAMPLE) != expected:
            damaged.append(Damage(path, start, end, name))
    return damaged


def _checksum_of(store: Store, name: str, start: int, stop: int) -> bytes:
    running = checksum()
    try:
        for at in range(start, stop, BLOCK):
            running.update(store.read(name, at, min(at + BLOCK, stop)))
    except OSError:  # gone, or beyond its end: whatever is left is not what was packed
        return b""
    return bytes(running.digest())
