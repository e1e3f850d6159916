"""A probe to be used: one linear layer over embeddings, its classes, its calibration and its thresholds.

Evaluation trains many probes to find out how good a representation is; :func:`auricle.transfer.fit_probe` trains one to
be kept. The layer takes embeddings as the encoder makes them: standardisation is folded into its weights.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from auricle.errors import AuricleError
from auricle.transfer.calibration import Calibration, best_threshold, platt, temperature
from auricle.transfer.targets import Kind, Targets


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedProbe:
    """A trained probe.

    Attributes
    ----------
    weight : ndarray
        ``(outputs, dim)`` float32. Outputs are the classes; one for a binary task and for a regression.
    bias : ndarray
        ``(outputs,)`` float32.
    classes : tuple of str
        Their names; of a binary task the rest and, second, what is detected; none of a regression.
    kind : {"multi-class", "binary", "multi-label", "regression"}
        Softmax, one sigmoid, a sigmoid per class, or the target itself.
    seed : int
        Of its draws.
    fold : int or None
        The fold that it has not seen; None for splits.
    learning_rate, weight_decay : float
        Those of the best of its configurations on validation data.
    calibration : Calibration
        Chosen on validation data; that of a regression changes nothing.
    thresholds : tuple of float
        One per output, on calibrated scores, of highest F1 on validation data; none of a regression.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    classes: tuple[str, ...]
    kind: Kind
    seed: int
    fold: int | None
    learning_rate: float
    weight_decay: float
    calibration: Calibration
    thresholds: tuple[float, ...] = ()

    @property
    def outputs(self) -> tuple[str, ...]:
        """What each column of :meth:`scores` is about: a class, or ``target``."""
        if self.kind == "regression":
            return ("target",)
        return self.classes[1:] if self.kind == "binary" else self.classes

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the layer says, not calibrated: ``(n, dim)`` → ``(n, outputs)``.

        Raises
        ------
        AuricleError
            When the embeddings have another width than those it was trained on.
        """
        if embeddings.ndim != 2 or embeddings.shape[1] != self.weight.shape[1]:
            raise AuricleError(
                f"this probe takes embeddings of {self.weight.shape[1]} dimensions, got an array {embeddings.shape}: "
                "use the encoder that it was trained with"
            )
        logits: NDArray[np.float32] = embeddings @ self.weight.T + self.bias
        return logits

    def scores(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Calibrated probabilities, or the predicted target: ``(n, dim)`` → ``(n, outputs)``."""
        return calibrated_scores(self.logits(embeddings), self.kind, self.calibration)


def calibrated_scores(logits: NDArray[np.floating], kind: Kind, calibration: Calibration) -> NDArray[np.float32]:
    """Probabilities under a calibration, ``(n, outputs)``; a regression's outputs as they are."""
    if kind == "regression":
        return logits.astype(np.float32)
    steady = calibration(logits)
    scores: NDArray[np.floating] = special.softmax(steady, axis=1) if kind == "multi-class" else special.expit(steady)
    return scores.astype(np.float32)


def calibrate(
    logits: NDArray[np.float32], targets: Targets, valid: NDArray[np.int64]
) -> tuple[Calibration, tuple[float, ...]]:
    """Calibration and thresholds from the logits of validation clips, ``(len(valid), outputs)``."""
    if targets.kind == "regression":
        return Calibration.none(1), ()
    positive = targets.indicator[valid]
    if targets.kind == "multi-class":
        calibration = temperature(logits, targets.values[valid])
    else:
        calibration = platt(logits, positive)
    scores = calibrated_scores(logits, targets.kind, calibration).astype(np.float64)
    thresholds = [best_threshold(scores[:, output], positive[:, output]) for output in range(targets.outputs)]
    return calibration, tuple(thresholds)
