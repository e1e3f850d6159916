"""The best configuration of each seed and fold by its validation part, and what it says of the test part."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from auricle.transfer.calibration import Calibration
from auricle.transfer.fitted import FittedProbe, calibrate, calibrated_scores
from auricle.transfer.probe import ProbeData, ProbeSettings, Progress, every_configuration, say_nothing, train_probes
from auricle.transfer.splits import Partition
from auricle.transfer.targets import Targets
from auricle.transfer.vectors import in_pieces

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SelectedProbe:
    """The best of a seed's and fold's configurations.

    Attributes
    ----------
    weight, bias : Tensor
        ``(outputs, dim)`` and ``(outputs,)``, for embeddings as they are.
    targets : Targets
        What it predicts.
    part : Partition
        What it was trained on, selected by, and is to be tested on.
    seed : int
    learning_rate, weight_decay : float
    valid_score : float
        What it was selected by, higher being better.
    """

    weight: Tensor
    bias: Tensor
    targets: Targets
    part: Partition
    seed: int
    learning_rate: float
    weight_decay: float
    valid_score: float

    def logits(self, embeddings: Tensor, rows: Rows) -> NDArray[np.float32]:
        """Outputs for some clips, ``(len(rows), outputs)``."""
        parts = [
            functional.linear(embeddings[chunk], self.weight, self.bias).cpu()
            for chunk in in_pieces(torch.from_numpy(rows).to(embeddings.device), embeddings)
        ]
        logits: NDArray[np.float32] = torch.cat(parts).numpy()
        return logits

    def test_scores(self, embeddings: Tensor) -> NDArray[np.float32]:
        """Probabilities of the test clips as the protocol trained them, or predicted targets: ``(n_test, outputs)``."""
        logits = self.logits(embeddings, self.part.test)
        return calibrated_scores(logits, self.targets.kind, Calibration.none(self.targets.outputs))

    def fitted(self, embeddings: Tensor) -> FittedProbe:
        """The probe to be kept, calibrated and with thresholds by its validation part."""
        calibration, thresholds = calibrate(self.logits(embeddings, self.part.valid), self.targets, self.part.valid)
        return FittedProbe(
            weight=self.weight.cpu().numpy(),
            bias=self.bias.cpu().numpy(),
            classes=self.targets.classes,
            kind=self.targets.kind,
            seed=self.seed,
            fold=self.part.fold,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            calibration=calibration,
            thresholds=thresholds,
        )


def select_probes(
    embeddings: Tensor,
    targets: Targets,
    parts: Sequence[tuple[int, Sequence[Partition]]],
    settings: ProbeSettings,
    *,
    layers: int = 1,
    progress: Progress = say_nothing,
) -> list[list[SelectedProbe]]:
    """Train every configuration of every seed and partition at once, and keep the best of each seed and partition.

    Parameters
    ----------
    embeddings
        ``(n, dim)`` float32.
    targets
        What is predicted.
    parts
        Seeds, and the partitions of each.
    settings
        How to train; of several learning rates and weight decays the best on the validation part counts, of equally
        good ones the first.
    layers, progress
        As in :func:`auricle.transfer.probe.train_probes`.

    Raises
    ------
    AuricleError
        When a loss is not finite.
    """
    jobs = [(seed, part) for seed, of_seed in parts for part in of_seed]
    probes = [
        probe
        for seed, part in jobs
        for probe in every_configuration(ProbeData(part.train, part.valid, seed, part.fold), settings)
    ]
    trained = train_probes(
        embeddings,
        torch.from_numpy(targets.values).to(embeddings.device),
        probes,
        kind=targets.kind,
        outputs=targets.outputs,
        settings=settings,
        layers=layers,
        progress=progress,
    )
    count = len(settings.configurations)
    best = trained.valid_score.view(len(jobs), count).argmax(dim=1).tolist()
    selected = iter(
        SelectedProbe(
            weight=trained.weight[job * count + choice].clone(),
            bias=trained.bias[job * count + choice].clone(),
            targets=targets,
            part=part,
            seed=seed,
            learning_rate=settings.configurations[choice][0],
            weight_decay=settings.configurations[choice][1],
            valid_score=float(trained.valid_score[job * count + choice]),
        )
        for job, ((seed, part), choice) in enumerate(zip(jobs, best, strict=True))
    )
    return [[next(selected) for _ in of_seed] for _, of_seed in parts]
