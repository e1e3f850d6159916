"""One probe to be kept: trained on the training part, selected, calibrated and given its thresholds on the other."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from auricle.manifest import Manifest
from auricle.transfer.calibration import Calibration, best_threshold, platt, temperature
from auricle.transfer.fitted import FittedProbe, calibrated_scores
from auricle.transfer.probe import ProbeData, ProbeSettings, every_configuration, train_probes
from auricle.transfer.protocols import protocol as protocol_named
from auricle.transfer.splits import partitions
from auricle.transfer.targets import Kind, Targets, refuse_unlearnable, targets_of
from auricle.transfer.vectors import tensor_of

Rows = NDArray[np.int64]


def fit_probe(
    embeddings: NDArray[np.float32],
    manifest: Manifest,
    *,
    kind: Kind = "multi-class",
    positive: str | None = None,
    protocol: str = "ogg2025",
    settings: ProbeSettings | None = None,
    seeds: Sequence[int] = (0,),
    device: str | torch.device = "cpu",
) -> FittedProbe:
    """Train one probe for use.

    With splits, the training part fits it, the validation part selects among configurations and seeds, calibrates and
    sets thresholds; test clips are not looked at. With folds, the second one validates and all but the first two train.

    Parameters
    ----------
    embeddings
        ``(n, dim)``, one row per row of `manifest`; an array on disk (`numpy.memmap`) is never taken into memory whole.
    manifest
        With ``label``, ``labels`` or ``target``, and with ``split`` or ``fold``.
    kind, positive
        What is predicted; see :func:`auricle.transfer.evaluate`.
    protocol
        A name in `auricle.transfer.protocols.PROTOCOLS`.
    settings
        Probe settings that depart from the protocol.
    seeds
        One probe each; the best on validation data is kept.
    device
        Where to train.

    Raises
    ------
    AuricleError
        As :func:`auricle.transfer.evaluate`.
    """
    x = tensor_of(embeddings, manifest, device=device)
    settings = settings or protocol_named(protocol).settings
    targets = targets_of(manifest, kind=kind, positive=positive)
    part = partitions(manifest)[0]
    refuse_unlearnable(targets, [part], manifest.source)
    probes = [
        probe
        for seed in seeds
        for probe in every_configuration(ProbeData(part.train, part.valid, seed, part.fold), settings)
    ]
    trained = train_probes(
        x,
        torch.from_numpy(targets.values).to(device),
        probes,
        kind=kind,
        outputs=targets.outputs,
        settings=settings,
    )
    best = int(trained.valid_score.argmax())
    rate, decay = settings.configurations[best % len(settings.configurations)]
    logits = trained.logits(best, x, part.valid).cpu().numpy()
    calibration, thresholds = calibrate(logits, targets, part.valid)
    return FittedProbe(
        weight=trained.weight[best].cpu().numpy(),
        bias=trained.bias[best].cpu().numpy(),
        classes=targets.classes,
        kind=kind,
        seed=probes[best].seed,
        fold=part.fold,
        learning_rate=rate,
        weight_decay=decay,
        calibration=calibration,
        thresholds=thresholds,
    )


def calibrate(logits: NDArray[np.float32], targets: Targets, valid: Rows) -> tuple[Calibration, tuple[float, ...]]:
    """Calibration and thresholds from the logits of validation clips, ``(len(valid), outputs)``."""
    if targets.kind == "regression":
        return Calibration.none(1), ()
    if targets.kind == "multi-class":
        calibration = temperature(logits, targets.values[valid])
    else:
        calibration = platt(logits, targets.indicator[valid])
    scores = calibrated_scores(logits, targets.kind, calibration).astype(np.float64)
    positive = targets.indicator[valid]
    thresholds = [best_threshold(scores[:, output], positive[:, output]) for output in range(targets.outputs)]
    return calibration, tuple(thresholds)
