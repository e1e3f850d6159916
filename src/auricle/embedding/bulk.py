"""Embedding in bulk: every clip of a manifest through an encoder, into one Parquet file.

Files are decoded in processes of their own (:mod:`auricle.reading`), gathered into pools, embedded in batches and
written in parts; decoding goes on while the encoder works. Memory holds a few pools, whatever the number of files or
the length of a recording.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from auricle.embedding.ahead import made_ahead
from auricle.embedding.assignment import Assignment
from auricle.embedding.batches import Embedder, device_of
from auricle.embedding.file import EmbedSummary, Job
from auricle.embedding.pools import pools
from auricle.embedding.shares import Shard
from auricle.embedding.work import EmbedProgress, embed_pool
from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.models.encoder import Encoder
from auricle.reading import Readers

BATCH_SECONDS = 60.0  # of sound that go through the encoder at a time
BATCH_SECONDS_ON_GPU = 1200.0  # a GPU idles on less
POOL_BATCHES = 4  # of a pool, whose clips are sorted by length
MAX_WORKERS = 16  # more decode faster than one encoder listens


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
    shard: Shard | None = None,
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
    shard
        Embed this share only, into a file of its own in ``OUT.shards/``, which
        :func:`auricle.embedding.merging.merge_shards` joins with the others.
    progress
        Is called after every batch, and every few seconds of a long recording.

    Raises
    ------
    AuricleError
        When the arguments contradict each other, when `out` or its parts are of another job or being written by another
        process, when no clip can be read, or when the disk is full (what is done is kept).
    """
    given = Assignment.checked(
        model,
        manifest,
        out=out,
        window=window,
        hop=hop,
        frames=frames,
        precision=precision,
        names=names,
        apart=apart,
        shard=shard,
    )
    was_training = model.training
    model.eval()
    try:
        with given.begun(progress) as begun:
            if isinstance(begun, EmbedSummary):
                return begun
            parts, writer = begun
            embedder = embedder_of(model, given.job, batch_seconds=batch_seconds)
            with (
                Readers(
                    sample_rate=model.sample_rate, workers=default_workers() if workers is None else workers
                ) as readers,
                made_ahead(
                    pools(
                        readers,
                        manifest,
                        parts.position,
                        given.end,
                        borders=frozenset(given.blocks.borders),
                        windows=given.windows,
                        samples=POOL_BATCHES * embedder.batch_samples,
                    )
                ) as coming,
            ):
                for pool in coming:
                    embed_pool(embedder, pool, writer)
            return parts.finish(clips=given.end - given.first)
    finally:
        model.train(was_training)


def embedder_of(model: Encoder, job: Job, *, batch_seconds: float | None) -> Embedder:
    """What embeds the clips of a job, with batches that suit the model's device unless they are given."""
    if batch_seconds is None:
        # All frames of a pool are held at once: a GPU's pool of them would be gigabytes.
        on_gpu = device_of(model).type == "cuda" and not job.frames
        batch_seconds = BATCH_SECONDS_ON_GPU if on_gpu else BATCH_SECONDS
    return Embedder(
        model,
        batch_samples=max(1, round(batch_seconds * model.sample_rate)),
        precision=job.precision,
        frames=job.frames,
        may_miss=job.apart,
    )


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
