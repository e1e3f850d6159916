"""Clips from a pack, for pre-training: the samples of any stretch of any clip by one small read, without decoding.

The index is mapped into memory and shared by all processes; of the sound nothing is kept. Clips come in the order and
with the lengths that they have in the folder they were packed from, so training draws the same crops of them.
"""

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from auricle.audio import AudioError
from auricle.clips import Clips, Stretch, cut
from auricle.errors import AuricleError
from auricle.packing.info import read_info
from auricle.packing.layout import BYTES_PER_SAMPLE, INDEX, INFO, SAMPLE_RATE, PackError, Samples, shard_name
from auricle.packing.store import Store, store_of
from auricle.randomness import generator


class PackedStretches:
    """The clips of an index as stretches of the files that they came from, made when asked for."""

    def __init__(self, table: pa.Table, root: Path) -> None:
        self._root = root
        self._columns = [table.column(name) for name in ("path", "start", "end")]

    def __len__(self) -> int:
        return len(self._columns[0])

    def __iter__(self) -> Iterator[Stretch]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, index: SupportsIndex, /) -> Stretch:
        path, start, end = (column[index.__index__()].as_py() for column in self._columns)
        return Stretch(self._root / path, start, end)


@dataclass(frozen=True, eq=False)
class Pack:
    """A pack that is complete.

    Attributes
    ----------
    info : dict
        What its ``pack.json`` says.
    table : pa.Table
        Its index (:data:`auricle.packing.layout.SCHEMA`), mapped into memory.
    shard, offset, samples : NDArray
        ``(clips,)``: where each clip lies, and how long it is.
    """

    store: Store
    info: dict[str, Any]
    table: pa.Table
    shard: NDArray[np.int32]
    offset: NDArray[np.int64]
    samples: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def stretches(self) -> PackedStretches:
        """The clips as stretches of the files that they came from."""
        return PackedStretches(self.table, Path(self.info["root"]))

    def read(self, clip: int, first: int, samples: int) -> Samples:
        """At most `samples` samples of a clip from its sample `first` on, 16 bits each.

        Raises
        ------
        AudioError
            When the shard is gone or cut short since the pack was opened.
        """
        start = (int(self.offset[clip]) + first) * BYTES_PER_SAMPLE
        count = max(0, min(samples, int(self.samples[clip]) - first)) * BYTES_PER_SAMPLE
        name = shard_name(int(self.shard[clip]))
        try:
            content = self.store.read(name, start, start + count)
        except OSError as error:
            raise AudioError(self._path(name), f"cannot be read: {error.strerror or error}") from error
        if len(content) < count:
            raise AudioError(self._path(name), "is truncated: run auricle pack --verify on its folder")
        return np.frombuffer(content, dtype="<i2")

    def _path(self, name: str) -> Path:
        return Path(self.store.location) / name


def is_pack(location: str | Path) -> bool:
    """Whether there is a pack, finished or not, at a path or a URL."""
    if "://" not in str(location):
        return (Path(location) / INFO).is_file()
    return read_info(store_of(location)) is not None


def pack_among(sources: Sequence[str]) -> str | None:
    """The pack that is the only source; None when there is no pack among them.

    Raises
    ------
    AuricleError
        When a pack stands beside other sources.
    """
    packs = [source for source in sources if "://" in source or is_pack(source)]
    if not packs:
        return None
    if len(sources) > 1:
        others = ", ".join(source for source in sources if source != packs[0])
        raise AuricleError(f"{packs[0]} is a pack and cannot be mixed with {others}: pack all of it, or none")
    return packs[0]


def open_pack(location: str | Path) -> Pack:
    """Open a pack.

    Raises
    ------
    PackError
        When it is not there, not finished or not whole: every shard must have the size that it was packed with.
    """
    store = store_of(location)
    info = read_info(store)
    if info is None:
        raise PackError(f"{store.location} is not a pack: it has no {INFO}; make one with auricle pack")
    if not info["complete"]:
        raise PackError(f"{store.location} is not finished: run the same auricle pack command again")
    if problems := list(missing_shards(store, info)):
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise PackError(f"{problems[0]}{more}; auricle pack --verify {store.location} names the clips")
    table = index_of(store, info)
    columns = {name: table.column(name).chunk(0).to_numpy() for name in ("shard", "offset", "samples")}
    return Pack(store, info, table, **columns)


def missing_shards(store: Store, info: dict[str, Any]) -> Iterator[str]:
    """What is wrong with the sizes of shards, one sentence each."""
    sizes = store.sizes("shards")
    for number, size in enumerate(info["shards"]):
        name = shard_name(number)
        if name not in sizes:
            yield f"{store.location}/{name} is missing"
        elif sizes[name] != size:
            what = "truncated" if sizes[name] < size else "too long"
            yield f"{store.location}/{name} is {what}: it has {sizes[name]:,} bytes, {size:,} were packed"


def index_of(store: Store, info: dict[str, Any]) -> pa.Table:
    """The index, mapped into memory.

    Raises
    ------
    PackError
        When it is missing or damaged.
    """
    work = Path(tempfile.mkdtemp(prefix="auricle-index-"))
    try:
        file = store.fetch(INDEX, work)
        source = pa.memory_map(str(file))
        table = pa.ipc.open_file(source).read_all()
    except (OSError, pa.ArrowInvalid) as error:
        shutil.rmtree(work, ignore_errors=True)
        raise PackError(f"{store.location}/{INDEX} cannot be read: {error}; pack again") from error
    # A copy lives as long as the table does.
    weakref.finalize(table, shutil.rmtree, work, ignore_errors=True)
    if table.num_rows != info["clips"]:
        raise PackError(f"{store.location}/{INDEX} has {table.num_rows:,} clips, {info['clips']:,} were packed")
    return table


class PackedClips:
    """Clips that are cut from a pack; reads as :class:`auricle.clips.ClipReader` does.

    Attributes
    ----------
    clips : Clips
        In the order of the pack.
    """

    def __init__(self, pack: Pack, clips: Clips) -> None:
        self.pack, self.clips = pack, clips

    def read(self, clip: int, first: int, samples: int) -> Samples:
        """At most `samples` samples of a clip from its sample `first` on, 16 bits each."""
        available = int(self.clips.samples[clip]) - first
        return self.pack.read(
            int(self.clips.stretch[clip]), int(self.clips.first[clip]) + first, max(0, min(samples, available))
        )

    def members(self, seed: int) -> NDArray[np.int64] | None:
        """Clips to draw from in one epoch, where weights differ: those of twice the weight stand there twice.

        The least weight counts as 1, so nothing is left out; a broken multiple is rounded by a draw for each clip.
        """
        weights = self.pack.table.column("weight").to_numpy()
        least = float(weights.min())
        if float(weights.max()) == least:
            return None
        share = weights[self.clips.stretch] / least
        draws = generator(seed, "weights").random(len(share))
        return np.repeat(np.arange(len(share)), np.floor(share + draws).astype(np.int64))


def open_packed(location: str | Path, *, sample_rate: int, clip_seconds: float, crop_seconds: float) -> PackedClips:
    """The clips of a pack, cut as those of a folder are.

    Raises
    ------
    AuricleError
        When the pack cannot be opened, or was packed at another rate.
    """
    pack = open_pack(location)
    if sample_rate != SAMPLE_RATE:
        raise AuricleError(
            f"{location} is packed at {SAMPLE_RATE} Hz, but the encoder hears {sample_rate} Hz: train on the files"
        )
    clips = cut(
        pack.stretches,
        pack.samples,
        [],
        sample_rate=sample_rate,
        clip_seconds=clip_seconds,
        crop_seconds=crop_seconds,
        files=pack.info["files"],
    )
    return PackedClips(pack, clips)
