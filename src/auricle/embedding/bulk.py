"""Embedding in bulk: every clip of a manifest through an encoder, into one Parquet file.

Files are decoded in processes of their own (:mod:`auricle.reading`), gathered into pools, embedded in batches and
written in parts; decoding goes on while the encoder works. Memory holds a few pools, whatever the number of files or
the length of a recording.
"""

import contextlib
import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
import torch

from auricle.audio import AudioError
from auricle.embedding.batches import Embedder, Rows, device_of
from auricle.embedding.file import EmbedSummary, Job, Rejected, finished
from auricle.embedding.parts import Parts
from auricle.embedding.pools import Clip, LongClip, Pool, Windows, pools
from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.models.encoder import Encoder
from auricle.reading import Readers

BATCH_SECONDS = 60.0  # of sound that go through the encoder at a time
BATCH_SECONDS_ON_GPU = 1200.0  # a GPU idles on less
POOL_BATCHES = 4  # of a pool, whose clips are sorted by length
MAX_WORKERS = 16  # more decode faster than one encoder listens

_T = TypeVar("_T")


@dataclass(frozen=True)
class EmbedProgress:
    """How far a job is.

    Attributes
    ----------
    done, clips
        Rows of the manifest that are done, of all.
    seconds
        Of audio embedded, by this and by earlier processes.
    rejected
        Clips that could not be embedded.
    """

    done: int
    clips: int
    seconds: float
    rejected: int


def embed_manifest(
    model: Encoder,
    manifest: Manifest,
    *,
    out: Path | str,
    window: float | None = None,
    hop: float | None = None,
    frames: bool = False,
    workers: int | None = None,
    batch_seconds: float | None = None,
    precision: str = "float32",
    names: Sequence[str] = (),
    apart: bool = False,
    progress: Callable[[EmbedProgress], None] | None = None,
) -> EmbedSummary:
    """Embed all clips of a manifest into a Parquet file; a job that was stopped goes on where it was.

    Parameters
    ----------
    model
        The encoder, on the device where it shall work.
    manifest
        The clips. A row with ``start`` or ``end`` is that part of its file.
    out
        The file, ``….parquet``: one row per clip in the manifest's order, with its columns, ``start`` and ``end`` of
        what was embedded, and ``embedding``. Clips that cannot be read are left out and stand in ``….rejected.csv``.
    window, hop
        Seconds. One row per window of `window` seconds, starting every `hop` (by default `window`) seconds of each
        clip. A last, shorter window is embedded when it is at least half a window long and holds sound that no other
        does; a clip shorter than a window is one window. Rows do not depend on the encoder.
    frames
        One row per frame embedding; ``start`` to ``end`` is one frame period around the frame's centre.
    workers
        Processes that decode; by default one per available processor, at most `MAX_WORKERS`.
    batch_seconds
        Seconds of sound that go through the encoder at a time, `BATCH_SECONDS` or `BATCH_SECONDS_ON_GPU` by default.
    precision
        What the encoder computes in: ``float32`` or ``bfloat16``.
    names
        What the entries of a vector are called, of an encoder that gives scores; the column is then ``scores``.
    apart
        Each of the `names` is a column of its own, in which values may be missing (NaN).
    progress
        Is called after every batch, and every few seconds of a long recording.

    Raises
    ------
    AuricleError
        When the arguments contradict each other, when `out` or its parts are of another job or being written by another
        process, when no clip can be read, or when the disk is full (what is done is kept).
    """
    out = Path(out)
    windows = Windows.checked(window, hop)
    if windows is not None and frames:
        raise AuricleError("give window or frames, not both: a row is either a window or a frame")
    if precision not in ("float32", "bfloat16"):
        raise AuricleError(f"precision is {precision!r}: expected float32 or bfloat16")
    job = Job(
        model=model.name,
        weights_fingerprint=model.weights_fingerprint,
        manifest_fingerprint=manifest.fingerprint,
        root=str(manifest.root.resolve()),
        window=None if windows is None else windows.window,
        hop=None if windows is None else windows.hop,
        frames=frames,
        precision=precision,
        sample_rate=model.sample_rate,
        embedding_dim=model.frame_dim if frames else model.embedding_dim,
        names=tuple(names),
        apart=apart,
    )
    own = ("start", "end", *job.columns)
    carried = manifest.table.drop_columns([name for name in own if manifest.has(name)]).combine_chunks()
    parts = Parts(out, job, carried.schema)
    if (complete := finished(out, job)) is not None and not parts.folder.exists():
        return complete
    was_training = model.training
    model.eval()
    try:
        with parts:
            if (complete := finished(out, job)) is not None:  # its process was killed before it could clean up
                parts.discard()
                return complete
            if batch_seconds is None:
                # All frames of a pool are held at once: a GPU's pool of them would be gigabytes.
                on_gpu = device_of(model).type == "cuda" and not frames
                batch_seconds = BATCH_SECONDS_ON_GPU if on_gpu else BATCH_SECONDS
            batch_samples = max(1, round(batch_seconds * model.sample_rate))
            embedder = Embedder(model, batch_samples=batch_samples, precision=precision, frames=frames, may_miss=apart)
            work = _Work(embedder, manifest, carried, parts, progress)
            work.report()
            with (
                Readers(
                    sample_rate=model.sample_rate, workers=default_workers() if workers is None else workers
                ) as readers,
                _made_ahead(
                    pools(readers, manifest, parts.position, windows=windows, samples=POOL_BATCHES * batch_samples)
                ) as coming,
            ):
                for pool in coming:
                    work.embed(pool)
            return parts.finish(clips=len(manifest))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"stopped after {parts.position.row:,} of {len(manifest):,} clips; the same command goes on from there"
        ) from None
    finally:
        model.train(was_training)


def choose_device(name: str) -> torch.device:
    """The device called ``auto`` (a GPU if there is one), ``cpu`` or ``cuda``.

    Raises
    ------
    AuricleError
        When it is called otherwise, or when there is no GPU.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise AuricleError(f"device is {name!r}: expected auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise AuricleError("device is cuda, but this machine has no usable CUDA GPU; use cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def default_workers() -> int:
    """Decoding processes where none are asked for: one per processor that this process may use."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(available, MAX_WORKERS)


class _Work:
    """One process's work on a job: pools in, rows out."""

    def __init__(
        self,
        embedder: Embedder,
        manifest: Manifest,
        carried: pa.Table,
        parts: Parts,
        progress: Callable[[EmbedProgress], None] | None,
    ) -> None:
        self._embedder, self._manifest, self._carried, self._parts = embedder, manifest, carried, parts
        self._progress = progress
        self._seconds = parts.seconds
        self._last_rejected = -1

    def embed(self, pool: Pool) -> None:
        """Embed a pool and put down its rows."""
        before = self._seconds
        if pool.long is not None:
            self._embed_long(pool.long, pool.rejected)
        elif pool.clips:
            self._embed_clips(pool.clips, pool.seconds, pool.rejected)
        rejected = []
        for row in sorted(pool.rejected):
            if row > self._last_rejected:  # windows of one recording may fail in several pools
                self._last_rejected = row
                path = self._manifest.root / self._manifest.table.column("path")[row].as_py()
                rejected.append(Rejected(str(path), pool.rejected[row]))
        self._parts.advance(pool.until, seconds=self._seconds - before, rejected=rejected)
        self.report()

    def _embed_clips(self, clips: list[Clip], seconds: float, rejected: dict[int, str]) -> None:
        results = self._embedder.clips(clips, lambda count: self._heard(count / len(clips) * seconds))
        rows = [result for result in results if isinstance(result, Rows)]
        for clip, result in zip(clips, results, strict=True):
            if not isinstance(result, Rows):
                rejected[clip.row] = str(result)
        if rows:
            self._write(rows)

    def _embed_long(self, clip: LongClip, rejected: dict[int, str]) -> None:
        if self._embedder.frames:
            self._parts.close_part()  # its rows come before it is over; a stop must not take others with them
        try:
            self._embedder.long_clip(clip, self._heard, lambda rows: self._write([rows]))
        except AuricleError as error:
            rejected[clip.row] = error.reason if isinstance(error, AudioError) else str(error)

    def _write(self, rows: list[Rows]) -> None:
        repeated = np.repeat([part.row for part in rows], [len(part.start) for part in rows])
        table = self._carried.take(pa.array(repeated))
        for name, values in (("start", [part.start for part in rows]), ("end", [part.end for part in rows])):
            table = table.append_column(name, pa.array(np.concatenate(values), pa.float64()))
        self._parts.write(table, np.concatenate([part.embeddings for part in rows]))

    def _heard(self, seconds: float) -> None:
        self._seconds += seconds
        self.report()

    def report(self) -> None:
        """Tell how far the job is."""
        if self._progress is not None:
            done = EmbedProgress(
                self._parts.position.row, len(self._manifest), self._seconds, len(self._parts.rejected)
            )
            self._progress(done)


@contextlib.contextmanager
def _made_ahead(items: Iterator[_T]) -> Iterator[Iterator[_T]]:
    """The items, made in a thread of their own while those before are being used; one waits at most."""
    waiting: queue.Queue[_T | BaseException | None] = queue.Queue(1)
    closing = threading.Event()

    def put(item: _T | BaseException | None) -> None:
        while not closing.is_set():
            with contextlib.suppress(queue.Full):
                waiting.put(item, timeout=0.1)
                return

    def make() -> None:
        try:
            for item in items:
                put(item)
                if closing.is_set():
                    return
            put(None)
        except BaseException as error:
            put(error)

    def take() -> Iterator[_T]:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    threading.Thread(target=make, daemon=True).start()
    try:
        yield take()
    finally:
        closing.set()
