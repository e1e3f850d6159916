"""Bulk embedding on many machines through Ray (the extra ``ray``): decoders feed encoders, one process writes the file.

Every encoder is an actor that starts a decoder, another actor, and takes pools from it as a stream; the driver takes
rows from the encoders, block by block, and writes them in the manifest's order, as a job without Ray does. Streams hold
few pools each: who is ahead waits. An actor that dies is replaced, and what it had not finished is begun again where
the rows that arrived end, so that none is lost and none is there twice.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from auricle.embedding.actors import Told
from auricle.embedding.assignment import Assignment
from auricle.embedding.cluster import connected
from auricle.embedding.crew import Crew
from auricle.embedding.file import EmbedSummary
from auricle.embedding.parts import Position
from auricle.embedding.shares import Shard
from auricle.embedding.work import EmbedProgress, Writer
from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.models.encoder import Encoder

BLOCKS_AHEAD = 4  # of each encoder, that may be begun before the first unfinished one
WAITING_BYTES = 512 << 20  # of rows that wait for those before them, until only those are listened to
DEATHS = 3  # of encoders at the same clips, until the job is given up
_POLL_SECONDS = 1.0


def embed_on_ray(
    model: Encoder,
    manifest: Manifest,
    *,
    address: str,
    out: Path | str,
    window: float | None = None,
    hop: float | None = None,
    frames: bool = False,
    workers: int | None = None,
    batch_seconds: float | None = None,
    precision: str = "float32",
    device: str = "auto",
    shard: Shard | None = None,
    progress: Callable[[EmbedProgress], None] | None = None,
) -> EmbedSummary:
    """As :func:`auricle.embedding.embed_manifest`, on a Ray cluster; a job may go from one to the other and back.

    Parameters
    ----------
    model
        The encoder, on the CPU; it is sent to the cluster.
    manifest
        The clips, under a root that every machine of the cluster sees.
    address
        ``HOST:PORT`` of a cluster that this machine belongs to, ``auto`` for the one that runs here, ``local`` for one
        that is started for this job.
    out, window, hop, frames, batch_seconds, precision, shard, progress
        As there. The file is written by this process alone.
    workers
        Processes that decode, for each encoder; by default one beside an encoder on a CPU, and the GPU's share of the
        cluster's processors beside one on a GPU.
    device
        ``auto`` (GPUs if the cluster has any), ``cpu`` or ``cuda``.

    Raises
    ------
    AuricleError
        As there; when Ray is not installed, when no cluster answers, when it has no room for an encoder, when it is
        lost, or when encoders die at the same clips again and again. What is done is kept.
    """
    given = Assignment.checked(
        model,
        manifest,
        out=out,
        window=window,
        hop=hop,
        frames=frames,
        precision=precision,
        shard=shard,
    )
    with given.begun(progress) as begun:
        if isinstance(begun, EmbedSummary):
            return begun
        parts, writer = begun
        blocks = [
            _Block(Position(first) if first > parts.position.row else parts.position, end)
            for first, end in given.blocks.between(parts.position.row, given.end)
        ]
        if blocks:
            with connected(address) as ray:
                crew = Crew(ray, model, given, device=device, workers=workers, batch_seconds=batch_seconds)
                try:
                    _Driver(ray, crew, manifest, writer).embed(blocks)
                finally:
                    crew.dismiss()
        return parts.finish(clips=given.end - given.first)


@dataclass(eq=False)
class _Block:
    """A block of the manifest, as the driver sees it.

    Attributes
    ----------
    position
        Up to where rows have arrived.
    end
        Row after the last.
    waiting
        What was told of it and is not yet written.
    waiting_bytes
        Of rows in there.
    stream
        What is coming from an encoder; None while none embeds it.
    encoder
        The number of that encoder.
    deaths
        Of encoders since rows arrived last.
    is_done
        Whether all has been told.
    """

    position: Position
    end: int
    waiting: deque[Told] = field(default_factory=deque)
    waiting_bytes: int = 0
    stream: Any = None
    encoder: int = -1
    deaths: int = 0
    is_done: bool = False

    def arrived(self, told: Sequence[Told]) -> None:
        """Something was told of it."""
        self.waiting.extend(told)
        for name, arguments in told:
            if name == "found":
                self.waiting_bytes += sum(rows.embeddings.nbytes for rows in arguments[0])
            elif name == "reached":
                self.position, self.deaths = arguments[0], 0

    def broke_off(self) -> None:
        """Forget what arrived since a clip was reached: it will be told again."""
        while self.waiting and self.waiting[-1][0] != "reached":
            self.waiting.pop()
        self.stream = None
        self.deaths += 1

    def write(self, writer: Writer) -> None:
        """Hand on what waits."""
        while self.waiting:
            name, arguments = self.waiting.popleft()
            getattr(writer, name)(*arguments)
        self.waiting_bytes = 0


class _Driver:
    """The one process that knows how far the job is."""

    def __init__(self, ray: Any, crew: Crew, manifest: Manifest, writer: Writer) -> None:
        self._ray, self._crew, self._manifest, self._writer = ray, crew, manifest, writer

    def embed(self, blocks: Sequence[_Block]) -> None:
        """Have all blocks embedded, and write them in their order."""
        coming = deque(blocks)  # not looked at yet
        begun: deque[_Block] = deque()  # the first is being written
        while coming or begun:
            while coming and len(begun) < BLOCKS_AHEAD * self._crew.size:
                begun.append(coming.popleft())
            self._assign(begun)
            self._listen(begun)
            while begun:
                begun[0].write(self._writer)
                if not begun[0].is_done:
                    break
                begun.popleft()

    def _assign(self, begun: Sequence[_Block]) -> None:
        """Give blocks to encoders that have none, the first ones first."""
        self._crew.recruit()
        for block in begun:
            if block.stream is None and not block.is_done:
                number = self._crew.take_idle()
                if number is None:
                    return
                block.encoder, block.stream = number, self._crew.embed(number, block.position, block.end)

    def _listen(self, begun: Sequence[_Block]) -> None:
        """Take one thing that was told, if anything was."""
        held = sum(block.waiting_bytes for block in begun)
        heard = [block for block in begun if block.stream is not None and (block is begun[0] or held < WAITING_BYTES)]
        if not heard:
            self._crew.wait_for_room(_POLL_SECONDS)
            return
        streams = {block.stream: block for block in heard}
        ready, _ = self._ray.wait(list(streams), num_returns=1, timeout=_POLL_SECONDS)
        for stream in ready:
            block = streams[stream]
            try:
                block.arrived(self._ray.get(next(stream)))
            except StopIteration:
                self._crew.put_idle(block.encoder)
                block.stream, block.is_done = None, True
            except self._ray.exceptions.RayTaskError as error:
                self._raise_unless_death(error)
                self._replace(block, is_first=block is begun[0])
            except self._ray.exceptions.RayError:
                self._replace(block, is_first=block is begun[0])

    def _raise_unless_death(self, error: Any) -> None:
        """Hand on what an encoder raised, unless it is the death of its decoder."""
        if isinstance(error.cause, AuricleError):
            raise error.cause from None
        if not isinstance(error.cause, self._ray.exceptions.RayError):
            raise error

    def _replace(self, block: _Block, *, is_first: bool) -> None:
        """Have another encoder go on with what a dead one had."""
        self._crew.replace(block.encoder)
        block.broke_off()
        if is_first:
            block.write(self._writer)
            self._writer.rewind()
        if block.deaths >= DEATHS:
            self._give_up(block)

    def _give_up(self, block: _Block) -> NoReturn:
        first = self._manifest.root / self._manifest.table.column("path")[block.position.row].as_py()
        raise AuricleError(
            f"the processes that embed clips {block.position.row + 1:,} to {block.end:,}, from {first} on, died "
            f"{DEATHS} times; what was done is kept: is there enough memory for a batch?"
        )
