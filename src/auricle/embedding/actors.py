"""What runs on the machines of a Ray cluster: a decoder that makes pools, and an encoder that makes rows of them.

Plain classes, which :mod:`auricle.embedding.on_ray` turns into actors. What an encoder finds it tells as calls of a
:class:`auricle.embedding.work.Sink`, which the driver repeats where the file is.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from auricle.audio import AudioError, Waveform
from auricle.embedding.ahead import told_ahead
from auricle.embedding.batches import Rows
from auricle.embedding.bulk import POOL_BATCHES, embedder_of
from auricle.embedding.file import Job
from auricle.embedding.parts import Position
from auricle.embedding.pools import Pool, Windows, pools
from auricle.embedding.work import embed_pool
from auricle.manifest import Manifest
from auricle.models.encoder import Encoder
from auricle.reading import Readers
from auricle.training import keep_freed_memory

POOLS_AHEAD = 2  # of a decoder, that wait for its encoder
HEARD_SECONDS = 1.0  # of a long recording's embedding, until the driver is told how far it is

Told = tuple[str, tuple[Any, ...]]  # a method of a sink and its arguments
Stretch = Pool | Waveform | AudioError | None


@dataclass(frozen=True)
class Duty:
    """What every actor of a job must know.

    Attributes
    ----------
    job
        What decides the content of the file.
    windows
        How clips are cut.
    workers
        Processes that decode, of each decoder.
    device
        Of encoders: ``cpu`` or ``cuda``.
    batch_seconds
        Of sound that go through an encoder at a time.
    """

    job: Job
    windows: Windows | None
    workers: int
    device: str
    batch_seconds: float | None


class DecoderActor:
    """Makes pools of the clips of a manifest, for one encoder."""

    def __init__(self, manifest: Manifest, duty: Duty, samples: int) -> None:
        self._manifest, self._duty, self._samples = manifest, duty, samples
        self._readers = Readers(sample_rate=duty.job.sample_rate, workers=duty.workers).__enter__()

    def pools(self, begin: Position, end: int) -> Iterator[Stretch]:
        """Pools; after one that is a long recording, its blocks, and None or the error that ends them."""
        windows, samples = self._duty.windows, self._samples
        for pool in pools(self._readers, self._manifest, begin, end, borders=(), windows=windows, samples=samples):
            if pool.long is None:
                yield pool
                continue
            yield replace(pool, long=pool.long._replace(recording=()))
            try:
                yield from pool.long.recording
            except AudioError as error:
                yield error
            else:
                yield None


class EncoderActor:
    """Makes rows of the clips of a manifest, with a decoder of its own, which ends with it."""

    def prepare(self, model: Encoder, manifest: Manifest, duty: Duty, decoding: dict[str, Any]) -> None:
        """Take what the work needs; `decoding` are Ray's options for the decoder."""
        import ray

        keep_freed_memory()
        self._ray = ray
        self._embedder = embedder_of(model.eval().to(duty.device), duty.job, batch_seconds=duty.batch_seconds)
        samples = POOL_BATCHES * self._embedder.batch_samples
        self._decoder: Any = ray.remote(DecoderActor).options(**decoding).remote(manifest, duty, samples)

    def embed(self, begin: Position, end: int) -> Iterator[list[Told]]:
        """What a sink is told of the clips from `begin` to row `end`, bundled."""

        def tell(put: Callable[[list[Told]], None]) -> None:
            self._embed(begin, end, _Bundles(put))

        with told_ahead(tell) as told:
            yield from told

    def _embed(self, begin: Position, end: int, sink: "_Bundles") -> None:
        options = {"num_returns": "streaming", "_generator_backpressure_num_objects": POOLS_AHEAD}
        stream: Iterator[Stretch] = map(self._ray.get, self._decoder.pools.options(**options).remote(begin, end))
        for pool in stream:
            assert isinstance(pool, Pool)
            if pool.long is not None:
                pool = replace(pool, long=pool.long._replace(recording=_recording(stream)))
            embed_pool(self._embedder, pool, sink)


def _recording(stream: Iterator[Stretch]) -> Iterator[Waveform]:
    """The blocks of a long recording."""
    while (block := next(stream)) is not None:
        if isinstance(block, AudioError):
            raise block
        assert not isinstance(block, Pool)
        yield block


class _Bundles:
    """A sink that puts on what it is told, as few bundles."""

    def __init__(self, put: Callable[[list[Told]], None]) -> None:
        self._put = put
        self._told: list[Told] = []
        self._in_long = False
        self._put_at = time.monotonic()

    def heard(self, seconds: float) -> None:
        """Put on seldom."""
        self._told.append(("heard", (seconds,)))
        if time.monotonic() - self._put_at > HEARD_SECONDS:
            self._put_all()

    def long_begins(self) -> None:
        """What follows is put on as it comes."""
        self._told.append(("long_begins", ()))
        self._in_long = True

    def found(self, rows: Sequence[Rows]) -> None:
        """Keep them, unless they are of a long recording."""
        self._told.append(("found", (rows,)))
        if self._in_long:  # others come with the `reached` that makes them count
            self._put_all()

    def reached(self, until: Position, rejected: dict[int, str]) -> None:
        """Put all on."""
        self._told.append(("reached", (until, rejected)))
        self._in_long = False
        self._put_all()

    def _put_all(self) -> None:
        told, self._told = self._told, []
        self._put_at = time.monotonic()
        self._put(told)
