"""Linear probes on frozen embeddings, all of an evaluation's folds and seeds trained at once.

The recipe is the study's (Ogg 2025, section "Transfer learning"): one linear layer, Adam, class-weighted cross-entropy,
a learning rate that falls when the validation loss has stopped falling, and the best validation epoch kept. Probes are
independent of each other: their batches are gathered side by side and every step is a batched matrix product over them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from auricle import randomness
from auricle.errors import AuricleError

Rows = NDArray[np.int64]

_EVALUATION_ROWS = 8192  # embeddings gathered at a time outside training


@dataclass(frozen=True)
class ProbeSettings:
    """How a probe is trained.

    The study states epochs, learning rate, optimiser, patience and that the loss is class-weighted; what it leaves open
    is our choice and is marked so.

    Attributes
    ----------
    epochs : int
    learning_rate : float
        Adam's, with its customary betas 0.9 and 0.999 and epsilon 1e-8.
    batch_size : int
        Our choice.
    patience : int
        Epochs without a better validation loss after which the learning rate falls.
    reduction : float
        What the learning rate is then multiplied by; our choice, the default of torch's ReduceLROnPlateau.
    class_weighted : bool
        Weigh each class by n / (classes · clips of the class) in training and validation loss; the formula is ours.
    standardise : bool
        Bring every dimension to mean 0 and deviation 1 on the training part; the study does not mention it.
    """

    epochs: int = 50
    learning_rate: float = 1e-4
    batch_size: int = 64
    patience: int = 5
    reduction: float = 0.1
    class_weighted: bool = True
    standardise: bool = False


@dataclass(frozen=True)
class ProbeData:
    """What one probe learns from.

    Attributes
    ----------
    train, valid : Rows
        Rows of the embeddings.
    seed : int
        Of its first weights and of the order of its clips.
    fold : int or None
        The fold that it will be tested on, which makes its draws its own.
    """

    train: Rows
    valid: Rows
    seed: int
    fold: int | None = None


@dataclass(frozen=True)
class TrainedProbes:
    """Probes at their best validation epochs; standardisation is folded into weight and bias.

    Attributes
    ----------
    weight : Tensor
        ``(probes, outputs, dim)``.
    bias : Tensor
        ``(probes, outputs)``.
    best_epoch : list of int
        From 0.
    valid_loss : Tensor
        ``(epochs, probes)``.
    """

    weight: Tensor
    bias: Tensor
    best_epoch: list[int]
    valid_loss: Tensor

    def logits(self, probe: int, embeddings: Tensor, rows: Rows) -> Tensor:
        """Outputs of one probe, ``(len(rows), outputs)``."""
        parts = [
            functional.linear(embeddings[chunk], self.weight[probe], self.bias[probe])
            for chunk in torch.split(torch.from_numpy(rows).to(embeddings.device), _EVALUATION_ROWS)
        ]
        return torch.cat(parts)


def train_probes(
    embeddings: Tensor, targets: Tensor, probes: Sequence[ProbeData], *, classes: int, settings: ProbeSettings
) -> TrainedProbes:
    """Train linear probes.

    A probe's draws depend on its seed and fold alone, not on the others that are trained beside it.

    Parameters
    ----------
    embeddings
        ``(n, dim)`` float32, held once for all probes.
    targets
        ``(n,)`` int64 classes; with ``classes=1``, 1 for the positive and 0 for the rest.
    probes
        What each learns from.
    classes
        Number of outputs: with 1, a sigmoid and binary cross-entropy; otherwise a softmax and cross-entropy.
    settings
        How to train.

    Raises
    ------
    AuricleError
        When a loss is not finite.
    """
    # Probes with more steps per epoch come first: those with steps left are then always the first of the stack.
    order = sorted(range(len(probes)), key=lambda index: -len(probes[index].train))
    trainer = _Trainer(embeddings, targets, [probes[index] for index in order], classes, settings)
    with torch.no_grad():
        trained = trainer.train()
    back = torch.tensor(order).argsort().tolist()
    return TrainedProbes(
        weight=trained.weight[back],
        bias=trained.bias[back],
        best_epoch=[trained.best_epoch[position] for position in back],
        valid_loss=trained.valid_loss[:, back],
    )


class _Trainer:
    """The state of a stack of probes, sorted by descending number of training clips."""

    def __init__(
        self, embeddings: Tensor, targets: Tensor, probes: list[ProbeData], outputs: int, settings: ProbeSettings
    ) -> None:
        self.x, self.targets, self.probes, self.outputs, self.settings = embeddings, targets, probes, outputs, settings
        self.device = embeddings.device
        dim = embeddings.shape[1]
        self.train_rows = [torch.from_numpy(probe.train).to(self.device) for probe in probes]
        self.class_weight = torch.stack([self._class_weights(rows) for rows in self.train_rows])
        self.mean, self.scale = self._standardisation()
        first = torch.stack([_first_weights(probe, outputs, dim) for probe in probes]).to(self.device)
        self.weight, self.bias = first[:, :, :dim].contiguous(), first[:, :, dim].contiguous()
        self.weight_gradient, self.bias_gradient = torch.zeros_like(self.weight), torch.zeros_like(self.bias)
        # One group per probe, each with its own learning rate; its tensors are views of the stack.
        self.optimiser = torch.optim.Adam(
            [{"params": [self.weight[k], self.bias[k]]} for k in range(len(probes))],
            lr=settings.learning_rate,
            fused=True,
        )
        self.steps = [-(-len(probe.train) // settings.batch_size) for probe in probes]
        self.batch = torch.empty(len(probes) * settings.batch_size, dim, device=self.device)

    def _class_weights(self, rows: Tensor) -> Tensor:
        classes = max(self.outputs, 2)
        clips = torch.bincount(self.targets[rows], minlength=classes)
        if not self.settings.class_weighted:
            return torch.ones(classes, device=self.device)
        return len(rows) / (classes * clips.clamp(min=1)).to(torch.float32)

    def _standardisation(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation of each probe's training part, ``(probes, dim)``; 0 and 1 when not asked for."""
        mean = torch.zeros(len(self.probes), self.x.shape[1], device=self.device)
        scale = torch.ones_like(mean)
        if self.settings.standardise:
            known: dict[bytes, int] = {}
            for k, probe in enumerate(self.probes):
                same = known.setdefault(probe.train.tobytes(), k)
                if same == k:
                    mean[k], scale[k] = _mean_and_deviation(self.x, self.train_rows[k])
                else:
                    mean[k], scale[k] = mean[same], scale[same]
        return mean, scale

    def train(self) -> TrainedProbes:
        count = len(self.probes)
        best_loss = torch.full((count,), torch.inf, device=self.device)
        best_weight, best_bias = self.weight.clone(), self.bias.clone()
        best_epoch, waited = [0] * count, [0] * count
        history = []
        for epoch in range(self.settings.epochs):
            self._train_epoch(epoch)
            loss = self._validation_loss()
            if not bool(torch.isfinite(loss).all()):
                raise AuricleError(
                    f"the validation loss of a probe is not finite after epoch {epoch + 1}: "
                    "are the embeddings of a reasonable size? standardising them may help"
                )
            history.append(loss)
            better = loss < best_loss
            best_loss = torch.where(better, loss, best_loss)
            for k, improved in enumerate(better.tolist()):
                if improved:
                    best_weight[k], best_bias[k], best_epoch[k], waited[k] = self.weight[k], self.bias[k], epoch, 0
                    continue
                waited[k] += 1
                if waited[k] >= self.settings.patience:
                    self.optimiser.param_groups[k]["lr"] *= self.settings.reduction
                    waited[k] = 0
        weight, bias = self._folded(best_weight, best_bias)
        return TrainedProbes(weight, bias, best_epoch, torch.stack(history))

    def _train_epoch(self, epoch: int) -> None:
        size = self.settings.batch_size
        rows = torch.zeros(len(self.probes), max(self.steps) * size, dtype=torch.int64, device=self.device)
        counts = torch.zeros(rows.shape, device=self.device)  # 1 for a clip, 0 for the filling of a last batch
        for k, (probe, train) in enumerate(zip(self.probes, self.train_rows, strict=True)):
            shuffled = randomness.permutation(probe.seed, _purpose("order", probe), epoch, len(train))
            rows[k, : len(train)] = train[shuffled.to(self.device)]
            counts[k, : len(train)] = 1.0
        weights = counts * self.class_weight.gather(1, self.targets[rows])
        for step in range(max(self.steps)):
            active = sum(steps > step for steps in self.steps)
            stretch = slice(step * size, (step + 1) * size)
            self._step(rows[:active, stretch], weights[:active, stretch])

    def _step(self, rows: Tensor, weights: Tensor) -> None:
        """One Adam step of the first probes: rows and weights of their batches are ``(active, batch)``."""
        active, size = rows.shape
        x = torch.index_select(self.x, 0, rows.reshape(-1), out=self.batch[: active * size]).view(active, size, -1)
        if self.settings.standardise:
            x.sub_(self.mean[:active, None]).div_(self.scale[:active, None])
        logits = torch.baddbmm(self.bias[:active, None], x, self.weight[:active].transpose(1, 2))
        share = weights / weights.sum(dim=1, keepdim=True)
        slope = self._slope(logits, self.targets[rows]).mul_(share[:, :, None])
        torch.bmm(slope.transpose(1, 2), x, out=self.weight_gradient[:active])
        torch.sum(slope, dim=1, out=self.bias_gradient[:active])
        for k, group in enumerate(self.optimiser.param_groups):
            weight, bias = group["params"]
            # Without a gradient a probe that has finished its epoch is left alone, momentum included.
            weight.grad = self.weight_gradient[k] if k < active else None
            bias.grad = self.bias_gradient[k] if k < active else None
        self.optimiser.step()

    def _slope(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Derivative of each clip's loss by its logits, ``(probes, batch, outputs)``."""
        if self.outputs == 1:
            return torch.sigmoid(logits).sub_(targets[..., None])
        slope = torch.softmax(logits, dim=-1)
        return slope.scatter_add_(2, targets[..., None], torch.full_like(slope[..., :1], -1.0))

    def _validation_loss(self) -> Tensor:
        """Class-weighted mean loss of every probe on its validation part, ``(probes,)``."""
        weight, bias = self._folded(self.weight, self.bias)
        loss = torch.empty(len(self.probes), device=self.device)
        for same, rows in self._by_validation_part():
            total, norm = torch.zeros(len(same), device=self.device), torch.zeros(len(same), device=self.device)
            for chunk in torch.split(rows, _EVALUATION_ROWS):
                stacked = functional.linear(self.x[chunk], weight[same].flatten(0, 1), bias[same].flatten())
                logits = stacked.view(len(chunk), len(same), self.outputs).transpose(0, 1)
                target = self.targets[chunk].expand(len(same), -1)
                clip_weight = self.class_weight[same].gather(1, target)
                total += (clip_weight * self._clip_loss(logits, target)).sum(dim=1)
                norm += clip_weight.sum(dim=1)
            loss[same] = total / norm
        return loss

    def _by_validation_part(self) -> Iterator[tuple[list[int], Tensor]]:
        """Probes that share a validation part, whose embeddings are then read once, and its rows."""
        groups: dict[bytes, list[int]] = {}
        for k, probe in enumerate(self.probes):
            groups.setdefault(probe.valid.tobytes(), []).append(k)
        for same in groups.values():
            yield same, torch.from_numpy(self.probes[same[0]].valid).to(self.device)

    def _clip_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        if self.outputs == 1:
            return functional.binary_cross_entropy_with_logits(
                logits[..., 0], targets.to(logits.dtype), reduction="none"
            )
        return -functional.log_softmax(logits, dim=-1).gather(2, targets[..., None])[..., 0]

    def _folded(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Weight and bias for embeddings as they are, not standardised."""
        if not self.settings.standardise:
            return weight, bias
        folded = weight / self.scale[:, None]
        return folded, bias - torch.bmm(folded, self.mean[:, :, None])[..., 0]


def _purpose(what: str, probe: ProbeData) -> str:
    return f"probe {what}, fold {probe.fold}"


def _first_weights(probe: ProbeData, outputs: int, dim: int) -> Tensor:
    """Weights and, last, bias, uniform within ±1/√dim as those of `torch.nn.Linear`: ``(outputs, dim + 1)``."""
    keys = randomness.keys(probe.seed, _purpose("weights", probe), torch.arange(outputs))
    bound = dim**-0.5
    return randomness.uniform(keys, dim + 1, low=-bound, high=bound)


def _mean_and_deviation(x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Per dimension, in float64 and in pieces; a dimension that does not vary keeps its size."""
    total = torch.zeros(x.shape[1], dtype=torch.float64, device=x.device)
    for chunk in torch.split(rows, _EVALUATION_ROWS):
        total += x[chunk].sum(dim=0, dtype=torch.float64)
    mean = total / len(rows)
    squares = torch.zeros_like(total)
    for chunk in torch.split(rows, _EVALUATION_ROWS):
        squares += (x[chunk].double() - mean).square_().sum(dim=0)
    deviation = (squares / len(rows)).sqrt_()
    deviation = torch.where(deviation > 1e-6 * mean.abs().clamp(min=1e-6), deviation, 1.0)
    return mean.float(), deviation.float()
