"""The stack in which probes are trained: one batched matrix product forward and one back for all of them.

Probes that differ in learning rate or weight decay alone see the same clips in the same order; they are a *bundle*,
whose batch is gathered, standardised and multiplied once. Weights lie as ``(bundles, probes of a bundle, outputs,
dim)``. A probe that has stopped leaves the stack as soon as the stack gets smaller by it.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.optim.adam import adam

from auricle import randomness
from auricle.errors import AuricleError
from auricle.transfer.objective import Objective
from auricle.transfer.probe_settings import ProbeSettings
from auricle.transfer.targets import Kind
from auricle.transfer.vectors import in_pieces

Rows = NDArray[np.int64]

_LOGITS = 1 << 23  # outputs of all probes in memory at a time
_CLIPS = 1 << 23  # numbers of the validation part's embeddings in memory at a time
_READY_BYTES = 1 << 27  # of standardised embeddings that are kept
_NOBODY = -1


@dataclass(frozen=True)
class ProbeData:
    """What one probe learns from.

    Attributes
    ----------
    train, valid : Rows
        Rows of the embeddings.
    seed : int
        Of the order of its clips.
    fold : int or None
        The fold that it will be tested on, which makes its draws its own.
    learning_rate, weight_decay : float or None
        Its own; None for those of the settings, which then have one of each.
    """

    train: Rows
    valid: Rows
    seed: int
    fold: int | None = None
    learning_rate: float | None = None
    weight_decay: float | None = None

    @property
    def bundle(self) -> tuple[bytes, bytes, int, int | None]:
        """What probes that see the same clips in the same order have in common."""
        return self.train.tobytes(), self.valid.tobytes(), self.seed, self.fold


class Stack:
    """Probes in training.

    Parameters
    ----------
    embeddings, targets, probes, kind, outputs, settings
        As in :func:`auricle.transfer.probe.train_probes`.
    bundles
        Positions among `probes`, bundle by bundle, those with the most training clips first.
    """

    def __init__(
        self,
        embeddings: Tensor,
        targets: Tensor,
        probes: Sequence[ProbeData],
        bundles: Sequence[Sequence[int]],
        *,
        kind: Kind,
        outputs: int,
        settings: ProbeSettings,
    ) -> None:
        self.x, self.settings, self.outputs = embeddings, settings, outputs
        device, dim = embeddings.device, embeddings.shape[1]
        self.members = [probes[position] for bundle in bundles for position in bundle]
        self.data = [probes[bundle[0]] for bundle in bundles]  # what the bundles see
        self.train_rows = [torch.from_numpy(data.train).to(device) for data in self.data]
        self.valid_rows = [torch.from_numpy(data.valid).to(device) for data in self.data]
        self.objective = Objective(
            kind,
            targets,
            outputs,
            self.train_rows,
            class_weighted=settings.class_weighted,
            divisor=outputs if settings.loss_over_classes and kind == "multi-class" else 1.0,
        )
        seen = [data.bundle for data in self.data]
        self.parts = _numbered([train for train, *_ in seen])
        self.views = _numbered([(train, valid) for train, valid, *_ in seen])
        self.mean, self.scale = self._standardisation()
        self.ready = self._standardised_embeddings()
        # Who sits where: numbers among the members, of bundles that are still in training.
        numbers = iter(range(len(self.members)))
        self.of_member = [number for number, bundle in enumerate(bundles) for _ in bundle]
        self.bundles = list(range(len(bundles)))
        width = max(len(bundle) for bundle in bundles)
        self.seats = [[next(numbers) for _ in bundle] + [_NOBODY] * (width - len(bundle)) for bundle in bundles]
        # Random first weights, or a sigmoid's bias that has yet to be learnt, would go on answering in the same way
        # whatever the labels, where there is nothing to learn.
        self.weight = torch.zeros(len(bundles), width, outputs, dim, device=device)
        self.bias = self.objective.first_bias(self.train_rows)[:, None].repeat(1, width, 1)
        self.moments = [torch.zeros_like(tensor) for tensor in (self.weight, self.weight, self.bias, self.bias)]
        self.steps_done = torch.zeros(len(bundles), width, 2, device=device)  # of weight and bias, as Adam wants them
        self.gradient = torch.zeros_like(self.weight)
        self.updates: dict[int, list[_Update]] = {}
        self.rate = [_own(probe.learning_rate, settings.learning_rate) for probe in self.members]
        self.decay = [_own(probe.weight_decay, settings.weight_decay) for probe in self.members]
        # What is kept of each member.
        count = len(self.members)
        self.best_weight = torch.empty(count, outputs, dim, device=device)
        self.best_bias = torch.empty(count, outputs, device=device)
        self.best_score = torch.full((count,), -torch.inf, device=device)
        self.best_epoch, self.waited = [0] * count, [0] * count
        self.history: list[Tensor] = []

    # --- training ---------------------------------------------------------------------------------------------------

    def train(self) -> None:
        """Train until the last epoch, or until all have stopped.

        Raises
        ------
        AuricleError
            When a loss is not finite.
        """
        for epoch in range(self.settings.epochs):
            self._train_epoch(epoch)
            loss, score = self._validate()
            seated = [
                (bundle, seat, member)
                for bundle, row in enumerate(self.seats)
                for seat, member in enumerate(row)
                if member != _NOBODY
            ]
            taken = torch.tensor([(bundle, seat) for bundle, seat, _ in seated], device=loss.device).T
            members = torch.tensor([member for _, _, member in seated], device=loss.device)
            loss, score = loss[taken[0], taken[1]], score[taken[0], taken[1]]
            if not bool(torch.isfinite(loss).all()):
                raise AuricleError(
                    f"the validation loss of a probe is not finite after epoch {epoch + 1}: "
                    "are the embeddings of a reasonable size? standardising them may help"
                )
            record = torch.full((len(self.members),), torch.nan, device=loss.device)
            record[members] = loss
            self.history.append(record)
            before = self.best_score[members]
            better = score >= before if self.settings.select_by == "score" else score > before
            self.best_score[members] = torch.where(better, score, before)
            for (bundle, seat, member), improved in zip(seated, better.tolist(), strict=True):
                self._judge(bundle, seat, member, epoch=epoch, improved=improved)
            self._close_ranks()
            if not self.bundles:
                break

    def _judge(self, bundle: int, seat: int, member: int, *, epoch: int, improved: bool) -> None:
        """Keep what is better; lower the learning rate, or end the training, of what has not got better for long."""
        if improved:
            self.best_weight[member], self.best_bias[member] = self.weight[bundle, seat], self.bias[bundle, seat]
            self.best_epoch[member] = epoch
        since = epoch - self.best_epoch[member]
        self.waited[member] = 0 if improved else self.waited[member] + 1
        if self.settings.patience is not None and self.waited[member] >= self.settings.patience:
            self.rate[member] *= self.settings.reduction
            self.waited[member] = 0
            self.updates.clear()
        if self.settings.early_stopping is not None and since >= self.settings.early_stopping:
            self.seats[bundle][seat] = _NOBODY
            self.updates.clear()

    def _train_epoch(self, epoch: int) -> None:
        size = self.settings.batch_size
        trains = [self.train_rows[bundle] for bundle in self.bundles]
        steps = [-(-len(train) // size) for train in trains]
        rows = torch.zeros(len(trains), max(steps) * size, dtype=torch.int64, device=self.x.device)
        counts = torch.zeros(rows.shape, device=self.x.device)  # 1 for a clip, 0 for the filling of a last batch
        for position, (bundle, train) in enumerate(zip(self.bundles, trains, strict=True)):
            data = self.data[bundle]
            shuffled = randomness.permutation(data.seed, f"probe order, fold {data.fold}", epoch, len(train))
            rows[position, : len(train)] = train[shuffled.to(self.x.device)]
            counts[position, : len(train)] = 1.0
        number = torch.tensor(self.bundles, device=self.x.device)
        weights = counts.mul_(self.objective.clip_weights(number, rows))
        for step in range(max(steps)):
            active = sum(count > step for count in steps)
            stretch = slice(step * size, (step + 1) * size)
            self._step(number[:active], rows[:active, stretch], weights[:active, stretch])

    def _step(self, number: Tensor, rows: Tensor, weights: Tensor) -> None:
        """One Adam step of the first bundles: rows and weights of their batches are ``(bundles, batch)``."""
        active, size = rows.shape
        width, dim = self.weight.shape[1], self.weight.shape[3]
        x = self._gathered(number.tolist(), rows)
        stacked = self.weight[:active].view(active, width * self.outputs, dim)
        logits = torch.baddbmm(self.bias[:active].view(active, 1, -1), x, stacked.transpose(1, 2))
        share = weights / weights.sum(dim=1, keepdim=True)
        slope = self.objective.slope(logits.view(active, size, width, self.outputs), number, rows)
        slope = slope.mul_(share[:, :, None, None]).view(active, size, -1)
        torch.bmm(slope.transpose(1, 2), x, out=self.gradient[:active].view(active, -1, dim))
        bias_gradient = slope.sum(dim=1).view(active, width, self.outputs)
        if active not in self.updates:
            self.updates[active] = self._updates(active)
        for update in self.updates[active]:
            update.step(self.gradient, bias_gradient)

    def _updates(self, active: int) -> list["_Update"]:
        """Adam's work on the first bundles: one piece for all probes of the same learning rate and weight decay."""
        alike: dict[tuple[float, float], list[tuple[int, int]]] = {}
        for bundle, row in enumerate(self.seats[:active]):
            for seat, member in enumerate(row):
                if member != _NOBODY:
                    alike.setdefault((self.rate[member], self.decay[member]), []).append((bundle, seat))
        return [_Update(self, places, rate, decay) for (rate, decay), places in alike.items()]

    def _close_ranks(self) -> None:
        """Make the stack smaller when seats are empty in all bundles, or all seats of a bundle are."""
        present = [[seat for seat, member in enumerate(row) if member != _NOBODY] for row in self.seats]
        left = [position for position, seats in enumerate(present) if seats]
        width = max((len(seats) for seats in present), default=0)
        if len(left) == len(self.bundles) and width == len(self.seats[0]):
            return
        old_width = len(self.seats[0])
        # An empty seat is filled with the bundle's first probe, which then is nobody's.
        chosen = [(present[position] + present[position][:1] * width)[:width] for position in left]
        index = torch.tensor(
            [position * old_width + seat for position, seats in zip(left, chosen, strict=True) for seat in seats],
            dtype=torch.int64,
        )
        self.seats = [
            [self.seats[position][seat] for seat in present[position]] + [_NOBODY] * (width - len(present[position]))
            for position in left
        ]
        self.bundles = [self.bundles[position] for position in left]

        def kept(tensor: Tensor) -> Tensor:
            flat = tensor.flatten(0, 1)[index.to(tensor.device)]
            return flat.view(len(left), width, *tensor.shape[2:])

        self.weight, self.bias = kept(self.weight), kept(self.bias)
        self.moments = [kept(moment) for moment in self.moments]
        self.steps_done = kept(self.steps_done)
        self.gradient = self.gradient.new_zeros(self.weight.shape)
        self.updates.clear()

    # --- validation -------------------------------------------------------------------------------------------------

    def _validate(self) -> tuple[Tensor, Tensor]:
        """Loss of every seat on its validation part, and what it is judged by, higher being better."""
        loss = torch.empty(self.weight.shape[:2], device=self.x.device)
        score = torch.empty_like(loss)
        for same, rows in self._by_part():
            number = torch.tensor(self.bundles[same], device=self.x.device)
            bundles = len(number)
            weight, bias = self.weight[same].flatten(0, 2), self.bias[same].flatten()
            total, norm = torch.zeros_like(loss[same]), torch.zeros_like(loss[same])
            kept = []
            for chunk in torch.split(rows, max(1, min(_CLIPS // self.x.shape[1], _LOGITS // len(weight)))):
                seen = self._gathered(number[:1].tolist(), chunk[None])[0]
                logits = functional.linear(seen, weight, bias).view(len(chunk), bundles, -1, self.outputs)
                logits = logits.transpose(0, 1)
                chunks = chunk.expand(bundles, -1)
                clip_weight = self.objective.clip_weights(number, chunks)[:, :, None]
                total += (clip_weight * self.objective.clip_loss(logits, number, chunks)).sum(dim=1)
                norm += clip_weight.sum(dim=1)
                if self.settings.select_by == "score":
                    kept.append(logits)
            loss[same] = total / norm
            score[same] = -loss[same]
            if kept:
                score[same] = self.objective.score(torch.cat(kept, dim=1), number, rows.expand(bundles, -1))
        return loss, score

    def _by_part(self) -> Iterator[tuple[slice, Tensor]]:
        """Runs of bundles that share training and validation part, whose clips are then read once, and those clips."""
        start = 0
        for position in range(1, len(self.bundles) + 1):
            view = self.views[self.bundles[start]]
            if position < len(self.bundles) and self.views[self.bundles[position]] == view:
                continue
            yield slice(start, position), self.valid_rows[self.bundles[start]]
            start = position

    # --- embeddings -------------------------------------------------------------------------------------------------

    def _gathered(self, number: list[int], rows: Tensor) -> Tensor:
        """Standardised embeddings of rows ``(bundles, clips)``, ``(bundles, clips, dim)``."""
        parts = [self.parts[bundle] for bundle in number]
        flat = rows.reshape(-1)
        if self.ready is not None:
            offset = torch.tensor(parts, device=rows.device)[:, None] * len(self.x)
            return torch.index_select(self.ready, 0, (rows + offset).reshape(-1)).view(*rows.shape, -1)
        x = torch.index_select(self.x, 0, flat).view(*rows.shape, -1)
        if self.settings.standardise:
            x.sub_(self.mean[parts, None]).div_(self.scale[parts, None])
        return x

    def _standardisation(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation of each different training part, ``(parts, dim)``; 0 and 1 when not asked for."""
        count = max(self.parts) + 1
        mean = torch.zeros(count, self.x.shape[1], device=self.x.device)
        scale = torch.ones_like(mean)
        if self.settings.standardise:
            for part in range(count):
                mean[part], scale[part] = mean_and_deviation(self.x, self.train_rows[self.parts.index(part)])
        return mean, scale

    def _standardised_embeddings(self) -> Tensor | None:
        """All embeddings as each training part standardises them, ``(parts · n, dim)``; None where that is too much."""
        if not self.settings.standardise or 4 * self.x.numel() * len(self.mean) > _READY_BYTES:
            return None
        ready = torch.sub(self.x, self.mean[:, None])
        return ready.div_(self.scale[:, None]).flatten(0, 1)

    # --- results ----------------------------------------------------------------------------------------------------

    def best_layers(self) -> tuple[Tensor, Tensor]:
        """Weight ``(members, outputs, dim)`` and bias for embeddings and targets that are not standardised."""
        weight, bias = self.best_weight, self.best_bias
        if self.settings.standardise:
            parts = [self.parts[bundle] for bundle in self.of_member]
            weight = weight / self.scale[parts, None]
            bias = bias - torch.bmm(weight, self.mean[parts, :, None])[..., 0]
        return self.objective.in_own_units(weight, bias, torch.tensor(self.of_member, device=self.x.device))


class _Update:
    """Adam's step for probes of one learning rate and weight decay; their tensors are views of the stack."""

    def __init__(self, stack: Stack, places: list[tuple[int, int]], rate: float, decay: float) -> None:
        self.places, self.rate, self.decay = places, rate, decay
        self.weights = [stack.weight[place] for place in places]
        self.biases = [stack.bias[place] for place in places]
        self.moments = [[moment[place] for place in places] for moment in stack.moments]
        self.steps = [[stack.steps_done[place][which] for place in places] for which in (0, 1)]

    def step(self, gradient: Tensor, bias_gradient: Tensor) -> None:
        gradients = [gradient[place] for place in self.places]
        bias_gradients = [bias_gradient[place] for place in self.places]
        first, second, bias_first, bias_second = self.moments
        self._adam(self.weights, gradients, first, second, self.steps[0], self.decay)
        self._adam(self.biases, bias_gradients, bias_first, bias_second, self.steps[1], 0.0)

    def _adam(
        self,
        values: list[Tensor],
        gradients: list[Tensor],
        first: list[Tensor],
        second: list[Tensor],
        steps: list[Tensor],
        decay: float,
    ) -> None:
        adam(
            values,
            gradients,
            first,
            second,
            [],
            steps,
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=self.rate,
            weight_decay=decay,
            eps=1e-8,
            maximize=False,
        )


def _own(value: float | None, of_settings: float | tuple[float, ...]) -> float:
    if value is not None:
        return value
    if isinstance(of_settings, tuple):
        (of_settings,) = of_settings
    return of_settings


def _numbered(keys: Sequence[Hashable]) -> list[int]:
    known: dict[Hashable, int] = {}
    return [known.setdefault(key, len(known)) for key in keys]


def mean_and_deviation(x: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Per dimension, in float64 and in pieces; a dimension that does not vary keeps its size."""
    total = torch.zeros(x.shape[1], dtype=torch.float64, device=x.device)
    for chunk in in_pieces(rows, x):
        total += x[chunk].sum(dim=0, dtype=torch.float64)
    mean = total / len(rows)
    squares = torch.zeros_like(total)
    for chunk in in_pieces(rows, x):
        squares += (x[chunk].double() - mean).square_().sum(dim=0)
    deviation = (squares / len(rows)).sqrt_()
    deviation = torch.where(deviation > 1e-6 * mean.abs().clamp(min=1e-6), deviation, 1.0)
    return mean.float(), deviation.float()
