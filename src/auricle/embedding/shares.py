"""How the clips of a job are divided: into blocks, which are embedded each for itself, and these among machines.

Where a block or a share ends follows from the manifest and the sizes of its files alone, not from the machine. As no
batch reaches from one block into the next, whoever embeds a block gets the same numbers for it.
"""

import contextlib
import os
import re
from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import NamedTuple, Self

from auricle.embedding.file import SUFFIX
from auricle.errors import AuricleError
from auricle.manifest import Manifest

BLOCK_CLIPS = 256  # at most: what a machine that fails has to do again
BLOCKS_AT_LEAST = 16  # in a job of at least so many clips, for there to be something to divide
BLOCK_BYTES = 32 << 20  # of files; a long recording is a block of its own
_BYTES_PER_SECOND = 32_000  # of an excerpt, as if its file were 16-bit samples at 16 kHz

_SHARD = re.compile(r"(\d+)/(\d+)")


@dataclass(frozen=True)
class Blocks:
    """The blocks of a manifest.

    Attributes
    ----------
    borders
        Rows: a block reaches from each to the next; the first is 0, the last is past the last row.
    work
        Of each block, in bytes: a measure of what it costs.
    """

    borders: list[int]
    work: list[int]

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Cut a manifest into blocks."""
        clips = max(1, min(BLOCK_CLIPS, len(manifest) // BLOCKS_AT_LEAST))
        borders, work = [0], []
        held = 0
        for row, size in enumerate(_sizes(manifest), start=1):
            held += size
            if held >= BLOCK_BYTES or row % clips == 0 or row == len(manifest):
                borders.append(row)
                work.append(held)
                held = 0
        return cls(borders, work)

    def share(self, shard: "Shard") -> tuple[int, int]:
        """First row of a shard, and the row after its last: whole blocks, of the whole work as near `1/of` as can be.

        A shard is empty where there are fewer blocks than shards.
        """
        # Files of unknown size count as something, or all of them would be one shard's.
        sums = list(accumulate((size + 1 for size in self.work), initial=0))

        def cut(number: int) -> int:
            wanted = sums[-1] * number // shard.of
            after = bisect_left(sums, wanted)
            nearest = after - 1 if after and wanted - sums[after - 1] < sums[after] - wanted else after
            return self.borders[nearest]

        return cut(shard.number - 1), cut(shard.number)

    def between(self, first: int, end: int) -> list[tuple[int, int]]:
        """First and past-last row of each block from row `first`, which may lie within one, to the border `end`."""
        return [(max(start, first), stop) for start, stop in pairwise(self.borders) if stop > first and start < end]


class Shard(NamedTuple):
    """A share of a job: the `number`-th, from 1 on, of so many."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """From what a user writes: ``3/8``.

        Raises
        ------
        AuricleError
            When it is written otherwise, or there is no such shard.
        """
        match = _SHARD.fullmatch(text.strip())
        number, of = (int(part) for part in match.groups()) if match else (0, 0)
        if not 1 <= number <= of:
            raise AuricleError(
                f"shard is {text!r}: expected one of 1/N to N/N, N being the number of jobs (SLURM: --array=1-N)"
            )
        return cls(number, of)


def shards_folder(out: Path) -> Path:
    """Where the shards of the file `out` lie until they are joined."""
    return out.with_name(out.name + ".shards")


def shard_path(out: Path, shard: Shard) -> Path:
    """The file of one shard of `out`."""
    return shards_folder(out) / f"{shard.number}-of-{shard.of}{SUFFIX}"


def _sizes(manifest: Manifest) -> list[int]:
    """Bytes of each row's file, or of its excerpt; 0 where there is no such file."""
    table = manifest.table
    starts = table.column("start").to_pylist() if manifest.has("start") else [None] * len(manifest)
    ends = table.column("end").to_pylist() if manifest.has("end") else [None] * len(manifest)
    root = os.fspath(manifest.root)
    sizes = []
    for path, start, end in zip(table.column("path").to_pylist(), starts, ends, strict=True):
        size = 0
        if end is not None:
            size = round((end - (start or 0.0)) * _BYTES_PER_SECOND)
        else:
            with contextlib.suppress(OSError, ValueError):
                size = os.stat(os.path.join(root, path)).st_size  # noqa: PTH116, PTH118 (a million of them)
        sizes.append(size)
    return sizes
