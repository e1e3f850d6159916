"""One probe to be kept: trained on the training part, selected, calibrated and given its thresholds on the other."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.transfer.fitted import FittedProbe
from auricle.transfer.fitted import calibrate as calibrate
from auricle.transfer.probe import ProbeSettings
from auricle.transfer.protocols import protocol as protocol_named
from auricle.transfer.selection import select_probes
from auricle.transfer.splits import of_clips, partitions
from auricle.transfer.targets import Kind, refuse_unlearnable, targets_of
from auricle.transfer.vectors import tensor_of


def fit_probe(
    embeddings: NDArray[np.float32],
    manifest: Manifest,
    *,
    kind: Kind = "multi-class",
    positive: str | None = None,
    protocol: str = "auricle",
    settings: ProbeSettings | None = None,
    seeds: Sequence[int] | None = None,
    rows: NDArray[np.integer[Any]] | None = None,
    layers: int = 1,
    device: str | torch.device = "cpu",
) -> FittedProbe:
    """Train one probe for use.

    With splits, the training part fits it, the validation part selects among configurations and seeds, calibrates and
    sets thresholds; test clips are not looked at. With folds, the second one validates and all but the first two train.

    Parameters
    ----------
    embeddings
        ``(n, dim)``, one row per row of `manifest`, or as `rows` says; an array on disk (`numpy.memmap`) is never taken
        into memory whole.
    manifest
        With ``label``, ``labels`` or ``target``, and with ``split`` or ``fold``.
    kind, positive
        What is predicted; see :func:`auricle.transfer.evaluate`.
    protocol
        A name in `auricle.transfer.protocols.PROTOCOLS` that trains probes.
    settings
        Probe settings that depart from the protocol.
    seeds
        One probe each, the best on validation data is kept; by default those of the protocol.
    rows, layers
        Of which row each embedding is, where clips are excerpts, and of how many layers to be weighed; see
        :func:`auricle.transfer.evaluate`.
    device
        Where to train.

    Raises
    ------
    AuricleError
        As :func:`auricle.transfer.evaluate`; when the protocol trains nothing that could be kept.
    """
    chosen = protocol_named(protocol)
    settings = settings or chosen.settings
    if settings.neighbours:
        raise AuricleError(f"the protocol {protocol} trains nothing that could be kept: choose another one")
    x = tensor_of(embeddings, manifest, rows=rows, device=device)
    targets = targets_of(manifest, kind=kind, positive=positive)
    parts = [
        (seed, partitions(manifest, division=chosen.division, seed=seed)[:1])
        for seed in (chosen.seeds if seeds is None else seeds)
    ]
    if rows is not None:
        targets = targets.of_clips(rows)
        parts = [(seed, [of_clips(part, rows) for part in of_seed]) for seed, of_seed in parts]
    for _, part in parts:
        refuse_unlearnable(targets, part, manifest.source)
    selected = [probe for (probe,) in select_probes(x, targets, parts, settings, layers=layers)]
    return max(selected, key=lambda probe: probe.valid_score).fitted(x)
