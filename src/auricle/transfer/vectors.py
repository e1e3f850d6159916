"""Embeddings that probes take: as many as clips, finite, and never copied when they lie on disk."""

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from auricle.errors import AuricleError
from auricle.manifest import Manifest

_CHUNK = 2 << 20  # numbers looked at together


def tensor_of(
    embeddings: NDArray[np.float32],
    manifest: Manifest,
    *,
    rows: NDArray[np.integer[Any]] | None = None,
    device: str | torch.device = "cpu",
) -> torch.Tensor:
    """The embeddings of a manifest's clips as a tensor ``(n, dim)`` that nobody may write to.

    An array on disk (`numpy.memmap`) of float32 stays there as long as the device is the CPU.

    Parameters
    ----------
    embeddings
        ``(n, dim)``.
    manifest
        What they are of.
    rows
        ``(n,)``: the row of each; by default every row has one.
    device
        Where to.

    Raises
    ------
    AuricleError
        When there are more or fewer than clips, or one is not finite.
    """
    clips = len(manifest) if rows is None else len(rows)
    if embeddings.ndim != 2 or len(embeddings) != clips:
        raise AuricleError(
            f"{manifest.source} has {clips} clips: expected as many embeddings, (clips, dim), got {embeddings.shape}"
        )
    embeddings = np.ascontiguousarray(embeddings, dtype=np.float32)
    together = max(1, _CHUNK // max(1, embeddings.shape[1]))
    for start in range(0, len(embeddings), together):
        finite = np.isfinite(embeddings[start : start + together]).all(axis=1)
        if not finite.all():
            clip = start + int(np.argmin(finite))
            row = clip if rows is None else int(rows[clip])
            path = manifest.column("path")[row]
            raise AuricleError(f"{manifest.source}: the embedding of row {row + 1} ({path}) holds NaN or infinity")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(embeddings).to(device)


def in_pieces(rows: torch.Tensor, embeddings: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Row numbers ``(n,)`` in pieces of so many as should be gathered from the embeddings at a time."""
    return torch.split(rows, max(1, _CHUNK // max(1, embeddings.shape[1])))
