"""The stack in which probes are trained: one batched matrix product for all of them, over and over.

Probes that differ in learning rate or weight decay alone see the same clips in the same order; they are a *bundle*,
whose batch is gathered and multiplied once. A probe that has stopped leaves the stack as soon as the stack gets smaller
by it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from auricle import randomness
from auricle.errors import AuricleError
from auricle.transfer.features import Features, numbered
from auricle.transfer.layers import NOBODY, AdamLayers, DescentLayers, Layers
from auricle.transfer.mixed_layers import MixedLayers
from auricle.transfer.objective import Objective
from auricle.transfer.probe_settings import ProbeSettings
from auricle.transfer.targets import Kind

Rows = NDArray[np.int64]

_LOGITS = 1 << 23  # outputs of all probes in memory at a time
_CLIPS = 1 << 23  # numbers of the validation part's features in memory at a time


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


Progress = Callable[[float], None]


def say_nothing(share: float) -> None:
    """The default progress."""


class Stack:
    """Probes in training.

    Parameters
    ----------
    embeddings, targets, probes, kind, outputs, settings
        As in :func:`auricle.transfer.probe.train_probes`.
    bundles
        Positions among `probes`, bundle by bundle, those with the most training clips first.
    layers
        How many layers of an encoder embeddings are, side by side, for each probe to weigh; 1 for none.
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
        layers: int = 1,
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
        self.views = numbered([data.bundle[:2] for data in self.data])
        descent = settings.optimiser == "descent"
        self.features = Features(
            embeddings,
            self.train_rows,
            standardise=settings.standardise,
            gain=(dim // layers) ** -0.5 if descent else 1.0,
            in_span=descent and layers == 1,
        )
        # Who sits where: numbers among the members, of bundles that are still in training.
        numbers = iter(range(len(self.members)))
        self.of_member = [number for number, bundle in enumerate(bundles) for _ in bundle]
        self.bundles = list(range(len(bundles)))
        width = max(len(bundle) for bundle in bundles)
        self.seats = [[next(numbers) for _ in bundle] + [NOBODY] * (width - len(bundle)) for bundle in bundles]
        # Weights start from 0: random ones would go on answering, whatever the labels, where there is nothing to learn.
        bias = self.objective.first_bias(self.train_rows)[:, None].repeat(1, width, 1)
        self.layers: Layers
        if layers > 1:
            self.layers = MixedLayers(bias, self.features.width, layers=layers, descent=descent)
        elif descent:
            self.layers = DescentLayers(bias, self.features.width, in_span=self.features.in_span)
        else:
            self.layers = AdamLayers(bias, self.features.width)
        self.rate = [_own(probe.learning_rate, settings.learning_rate) for probe in self.members]
        self.decay = [_own(probe.weight_decay, settings.weight_decay) for probe in self.members]
        self.has_changed = True  # who sits where, or how fast they learn
        # What is kept of each member.
        count = len(self.members)
        self.best_weight = torch.zeros(count, outputs, self.features.width, device=device)
        self.best_bias = torch.zeros(count, outputs, device=device)
        self.best_score = torch.full((count,), -torch.inf, device=device)
        self.best_epoch, self.waited = [0] * count, [0] * count
        self.history: list[Tensor] = []

    # --- training ---------------------------------------------------------------------------------------------------

    def train(self, progress: Progress) -> None:
        """Train until the last epoch, or until all have stopped; `progress` is told the share of epochs that is over.

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
                if member != NOBODY
            ]
            taken = torch.tensor([(bundle, seat) for bundle, seat, _ in seated], device=loss.device).T
            members = torch.tensor([member for _, _, member in seated], device=loss.device)
            loss, score = loss[taken[0], taken[1]], score[taken[0], taken[1]]
            score = torch.where(torch.isfinite(loss), score, -torch.inf)
            record = torch.full((len(self.members),), torch.nan, device=loss.device)
            record[members] = loss
            self.history.append(record)
            before = self.best_score[members]
            better = score >= before if self.settings.select_by == "score" else score > before
            better &= torch.isfinite(score)
            self.best_score[members] = torch.where(better, score, before)
            for (bundle, seat, member), improved in zip(seated, better.tolist(), strict=True):
                self._judge(bundle, seat, member, epoch=epoch, improved=improved)
            self._let_go(torch.isfinite(loss).tolist(), seated, epoch)
            self._close_ranks()
            progress((epoch + 1) / self.settings.epochs)
            if not self.bundles:
                break

    def _judge(self, bundle: int, seat: int, member: int, *, epoch: int, improved: bool) -> None:
        """Keep what is better; lower the learning rate, or end the training, of what has not got better for long."""
        if improved:
            self.best_weight[member], self.best_bias[member] = self.layers.layer(bundle, seat)
            self.best_epoch[member] = epoch
        since = epoch - self.best_epoch[member]
        self.waited[member] = 0 if improved else self.waited[member] + 1
        if self.settings.patience is not None and self.waited[member] >= self.settings.patience:
            self.rate[member] *= self.settings.reduction
            self.waited[member] = 0
            self.has_changed = True
        if self.settings.early_stopping is not None and since >= self.settings.early_stopping:
            self.seats[bundle][seat] = NOBODY
            self.has_changed = True

    def _let_go(self, finite: Sequence[bool], seated: Sequence[tuple[int, int, int]], epoch: int) -> None:
        """End the training of probes that have run away; others of their bundle may do better.

        Raises
        ------
        AuricleError
            When a bundle has no other.
        """
        for (bundle, seat, member), is_finite in zip(seated, finite, strict=True):
            if is_finite:
                continue
            self.seats[bundle][seat] = NOBODY
            self.has_changed = True
            others = [other for other, own in enumerate(self.of_member) if own == self.of_member[member]]
            best = bool(torch.isinf(self.best_score[others]).all())
            if best and all(other == NOBODY for other in self.seats[bundle]):
                raise AuricleError(
                    f"the validation loss of a probe is not finite after epoch {epoch + 1}: "
                    "are the embeddings of a reasonable size? standardising them may help"
                )

    def _train_epoch(self, epoch: int) -> None:
        if self.has_changed:
            self.layers.follow(self.seats, self.rate, self.decay)
            self.has_changed = False
        size = self.settings.batch_size
        trains = [self.train_rows[bundle] for bundle in self.bundles]
        steps = [-(-len(train) // size) for train in trains]
        shape = (len(trains), max(steps) * min(size, len(trains[0])))
        rows = torch.zeros(shape, dtype=torch.int64, device=self.x.device)
        columns = torch.zeros_like(rows)
        counts = torch.zeros(shape, device=self.x.device)  # 1 for a clip, 0 for the filling of a last batch
        for position, (bundle, train) in enumerate(zip(self.bundles, trains, strict=True)):
            data = self.data[bundle]
            order = randomness.permutation(data.seed, f"probe order, fold {data.fold}", epoch, len(train))
            columns[position, : len(train)] = order.to(self.x.device)
            rows[position, : len(train)] = train[columns[position, : len(train)]]
            counts[position, : len(train)] = 1.0
        number = torch.tensor(self.bundles, device=self.x.device)
        weights = counts.mul_(self.objective.clip_weights(number, rows))
        for step in range(max(steps)):
            active = sum(count > step for count in steps)
            batch = (slice(active), slice(step * size, (step + 1) * size))
            self._step(number[:active], rows[batch], weights[batch], columns[batch])

    def _step(self, number: Tensor, rows: Tensor, weights: Tensor, columns: Tensor) -> None:
        """One step of the first bundles: rows, weights and columns of their batches are ``(bundles, batch)``."""
        x = self.features.gather(number.tolist(), rows)
        logits = self.layers.logits(slice(len(rows)), x)
        share = weights / weights.sum(dim=1, keepdim=True)
        slope = self.objective.slope(logits, number, rows).mul_(share[:, :, None, None])
        self.layers.step(x, slope, columns)

    def _close_ranks(self) -> None:
        """Make the stack smaller when seats are empty in all bundles, or all seats of a bundle are."""
        present = [[seat for seat, member in enumerate(row) if member != NOBODY] for row in self.seats]
        left = [position for position, seats in enumerate(present) if seats]
        width = max((len(seats) for seats in present), default=0)
        if len(left) == len(self.bundles) and width == len(self.seats[0]):
            return
        old_width = len(self.seats[0])
        # An empty seat is filled with the bundle's first probe, which then is nobody's.
        chosen = [(present[position] + present[position][:1] * width)[:width] for position in left]
        self.layers.pick(
            torch.tensor(
                [[position * old_width + seat for seat in seats] for position, seats in zip(left, chosen, strict=True)],
                dtype=torch.int64,
            ).view(len(left), width)
        )
        self.seats = [
            [self.seats[position][seat] for seat in present[position]] + [NOBODY] * (width - len(present[position]))
            for position in left
        ]
        self.bundles = [self.bundles[position] for position in left]
        self.has_changed = True

    # --- validation -------------------------------------------------------------------------------------------------

    def _validate(self) -> tuple[Tensor, Tensor]:
        """Loss of every seat on its validation part, and what it is judged by, higher being better."""
        loss = torch.empty(self.layers.bias.shape[:2], device=self.x.device)
        score = torch.empty_like(loss)
        for same, rows in self._by_part():
            number = torch.tensor(self.bundles[same], device=self.x.device)
            bundles = len(number)
            total, norm = torch.zeros_like(loss[same]), torch.zeros_like(loss[same])
            kept = []
            clips = min(_CLIPS // self.features.width, _LOGITS // self.layers.bias[same].numel())
            for chunk in torch.split(rows, max(1, clips)):
                seen = self.features.gather(number[:1].tolist(), chunk[None])[0]
                logits = self.layers.logits(same, seen)
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

    # --- results ----------------------------------------------------------------------------------------------------

    def best_layers(self) -> tuple[Tensor, Tensor]:
        """Weight ``(members, outputs, dim)`` and bias for embeddings and targets that are not standardised."""
        found = [
            self.features.for_embeddings(bundle, self.best_weight[member], self.best_bias[member])
            for member, bundle in enumerate(self.of_member)
        ]
        weight, bias = (torch.stack(part) for part in zip(*found, strict=True))
        return self.objective.in_own_units(weight, bias, torch.tensor(self.of_member, device=self.x.device))


def _own(value: float | None, of_settings: float | tuple[float, ...]) -> float:
    if value is not None:
        return value
    if isinstance(of_settings, tuple):
        (of_settings,) = of_settings
    return of_settings
