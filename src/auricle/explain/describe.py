"""Describing in bulk: the acoustic descriptors of every clip of a manifest, into one Parquet file.

By the machinery that embeds (:mod:`auricle.embedding`), with its manners: one column per descriptor beside those of the
manifest, resumable, flat in memory, what cannot be read in ``FILE.rejected.csv``.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from auricle.embedding import EmbedProgress, EmbedSummary, embed_manifest
from auricle.explain.describer import Describer
from auricle.manifest import Manifest


def describe_manifest(
    manifest: Manifest,
    *,
    out: Path | str,
    names: Sequence[str] | None = None,
    window: float | None = None,
    hop: float | None = None,
    workers: int | None = None,
    device: torch.device | str = "cpu",
    progress: Callable[[EmbedProgress], None] | None = None,
) -> EmbedSummary:
    """Describe all clips of a manifest into a Parquet file; a job that was stopped goes on where it was.

    Parameters
    ----------
    manifest
        The clips. A row with ``start`` or ``end`` is that part of its file.
    out
        The file, ``….parquet``: one row per clip or window, with the manifest's columns, ``start``, ``end`` and one
        float32 column per value, null where the clip has no such property. Clips that cannot be read are left out and
        stand in ``….rejected.csv``.
    names
        Descriptors, families or columns; all by default. In a column's name lies what it is:
        ``auricle.explain.descriptors.COLUMNS[name]``.
    window, hop
        Seconds: one row per window instead of one per clip, as of :func:`auricle.embedding.embed_manifest`. Without,
        each value of a clip longer than a minute is the median over its minutes.
    workers
        Processes that decode; by default one per available processor.
    device
        Where to compute.
    progress
        Is called after every batch.

    Raises
    ------
    AuricleError
        When a name is unknown, and as of :func:`auricle.embedding.embed_manifest`.
    """
    describer = Describer(names).to(device)
    return embed_manifest(
        describer,
        manifest,
        out=out,
        window=window,
        hop=hop,
        workers=workers,
        names=describer.columns,
        apart=True,
        progress=progress,
    )
