"""The layers of a stack of probes, and how a step changes them: Adam, or stochastic gradient descent with momentum.

A bundle's layers are multiplied with one batch. Gradient descent never leaves the span of the training clips: where
these are fewer than dimensions, its layers are kept as coefficients of the clips, ``W = A X``. The same steps then need
the clips' products with each other alone, ``W x = A (X x)``, and the gradient of a batch is the slopes themselves.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam

MOMENTUM = 0.9  # of gradient descent
BIAS_RATE = 0.1  # share of gradient descent's learning rate that a bias gets, lest it swings

Seats = Sequence[Sequence[int]]
"""For each bundle the member on each seat, or -1."""

NOBODY = -1


class Layers(ABC):
    """Weights and biases of probes by bundle and seat."""

    bias: Tensor
    """``(bundles, seats, outputs)``"""

    def __init__(self, bias: Tensor) -> None:
        self.bias = bias
        self.outputs = bias.shape[2]

    @abstractmethod
    def logits(self, bundles: slice, x: Tensor) -> Tensor:
        """Outputs for features ``(bundles, clips, features)``, or ``(clips, features)`` that all see.

        ``(bundles, clips, seats, outputs)``.
        """

    @abstractmethod
    def step(self, x: Tensor, slope: Tensor, columns: Tensor) -> None:
        """Change the first bundles by one batch.

        Parameters
        ----------
        x
            ``(bundles, batch, features)``.
        slope
            ``(bundles, batch, seats, outputs)``: derivative of the batch's loss by the logits.
        columns
            ``(bundles, batch)``: which of its bundle's training clips each is.
        """

    @abstractmethod
    def layer(self, bundle: int, seat: int) -> tuple[Tensor, Tensor]:
        """Weight ``(outputs, features)`` and bias ``(outputs,)`` of one probe."""

    @abstractmethod
    def pick(self, chosen: Tensor) -> None:
        """Keep some seats: ``(bundles, seats)`` numbers among all bundles' seats."""

    def _picked(self, tensor: Tensor, chosen: Tensor) -> Tensor:
        flat = tensor.flatten(0, 1)[chosen.flatten().to(tensor.device)]
        return flat.view(*chosen.shape, *tensor.shape[2:])

    @abstractmethod
    def follow(self, seats: Seats, rates: Sequence[float], decays: Sequence[float]) -> None:
        """Take learning rates and weight decays, one per member, for who sits where now."""


class AdamLayers(Layers):
    """Weights ``(bundles, seats, outputs, features)`` that Adam changes (Kingma & Ba 2015, customary settings)."""

    def __init__(self, bias: Tensor, features: int) -> None:
        super().__init__(bias)
        self.weight = bias.new_zeros(*bias.shape, features)
        self.moments = [torch.zeros_like(tensor) for tensor in (self.weight, self.weight, self.bias, self.bias)]
        self.steps = bias.new_zeros(*bias.shape[:2], 2)  # done, of weight and bias
        self.gradient = torch.zeros_like(self.weight)

    def logits(self, bundles: slice, x: Tensor) -> Tensor:
        """As :meth:`Layers.logits`."""
        weight = self.weight[bundles].flatten(1, 2)
        if x.ndim == 2:
            found = torch.addmm(self.bias[bundles].flatten(), x, weight.flatten(0, 1).T)
            return found.view(len(x), len(weight), -1, self.outputs).transpose(0, 1)
        found = torch.baddbmm(self.bias[bundles].flatten(1, 2)[:, None], x, weight.transpose(1, 2))
        return found.view(*x.shape[:2], -1, self.outputs)

    def step(self, x: Tensor, slope: Tensor, columns: Tensor) -> None:  # noqa: ARG002 (Adam has no use for them)
        """As :meth:`Layers.step`."""
        active = len(x)
        torch.bmm(slope.flatten(2).transpose(1, 2), x, out=self.gradient[:active].flatten(1, 2))
        bias_gradient = slope.sum(dim=1)
        first, second, bias_first, bias_second = self.moments
        for (rate, decay), places in self.alike.items():
            # A bundle that has finished its epoch is left alone, momentum included.
            now = [place for place in places if place[0] < active]
            _adam(self.weight, self.gradient, first, second, self.steps[..., 0], now, rate, decay)
            _adam(self.bias, bias_gradient, bias_first, bias_second, self.steps[..., 1], now, rate, 0.0)

    def layer(self, bundle: int, seat: int) -> tuple[Tensor, Tensor]:
        """As :meth:`Layers.layer`."""
        return self.weight[bundle, seat], self.bias[bundle, seat]

    def pick(self, chosen: Tensor) -> None:
        """As :meth:`Layers.pick`."""
        self.weight, self.bias = self._picked(self.weight, chosen), self._picked(self.bias, chosen)
        self.moments = [self._picked(moment, chosen) for moment in self.moments]
        self.steps = self._picked(self.steps, chosen)
        self.gradient = torch.zeros_like(self.weight)

    def follow(self, seats: Seats, rates: Sequence[float], decays: Sequence[float]) -> None:
        """As :meth:`Layers.follow`."""
        self.alike: dict[tuple[float, float], list[tuple[int, int]]] = {}
        for bundle, row in enumerate(seats):
            for seat, member in enumerate(row):
                if member != NOBODY:
                    self.alike.setdefault((rates[member], decays[member]), []).append((bundle, seat))


class DescentLayers(Layers):
    """Weights ``(bundles, features, seats · outputs)`` that gradient descent with momentum changes, as torch's SGD.

    Parameters
    ----------
    bias
        To start from.
    features
        Dimensions, or training clips where weights are coefficients of these.
    in_span
        Whether they are.
    """

    def __init__(self, bias: Tensor, features: int, *, in_span: bool) -> None:
        super().__init__(bias)
        bundles, seats, outputs = bias.shape
        self.in_span = in_span
        self.weight = bias.new_zeros(bundles, features, seats * outputs)
        self.velocity = torch.zeros_like(self.weight)
        self.bias_velocity = torch.zeros_like(bias)

    def logits(self, bundles: slice, x: Tensor) -> Tensor:
        """As :meth:`Layers.logits`."""
        weight, bias = self.weight[bundles], self.bias[bundles].flatten(1, 2)[:, None]
        found = torch.baddbmm(bias, x.expand(len(weight), -1, -1), weight)
        return found.view(*found.shape[:2], -1, self.outputs)

    def step(self, x: Tensor, slope: Tensor, columns: Tensor) -> None:
        """As :meth:`Layers.step`."""
        slope = slope.flatten(2)
        for bundle in range(len(x)):  # one after the other, for a bundle's layers fit the processor's cache
            weight, velocity = self.weight[bundle], self.velocity[bundle]
            if self.in_span:
                velocity.mul_(MOMENTUM).index_add_(0, columns[bundle], slope[bundle])
            else:
                velocity.addmm_(x[bundle].T, slope[bundle], beta=MOMENTUM)
            if self.decays:
                velocity.addcmul_(weight, self.decay[bundle])
            weight.addcmul_(velocity, self.rate[bundle], value=-1.0)
        active = len(x)
        velocity = self.bias_velocity[:active]
        velocity.mul_(MOMENTUM).add_(slope.sum(dim=1).view_as(velocity))
        rate = self.rate[:active].view_as(velocity)
        self.bias[:active].addcmul_(velocity, rate, value=-BIAS_RATE)

    def layer(self, bundle: int, seat: int) -> tuple[Tensor, Tensor]:
        """As :meth:`Layers.layer`."""
        own = slice(seat * self.outputs, (seat + 1) * self.outputs)
        return self.weight[bundle, :, own].T, self.bias[bundle, seat]

    def pick(self, chosen: Tensor) -> None:
        """As :meth:`Layers.pick`."""
        self.weight, self.velocity = (self._picked_columns(tensor, chosen) for tensor in (self.weight, self.velocity))
        self.bias, self.bias_velocity = (self._picked(tensor, chosen) for tensor in (self.bias, self.bias_velocity))

    def _picked_columns(self, tensor: Tensor, chosen: Tensor) -> Tensor:
        by_seat = tensor.view(*tensor.shape[:2], -1, self.outputs).transpose(1, 2)
        return self._picked(by_seat, chosen).transpose(1, 2).flatten(2).contiguous()

    def follow(self, seats: Seats, rates: Sequence[float], decays: Sequence[float]) -> None:
        """As :meth:`Layers.follow`."""

        def by_column(values: Sequence[float]) -> Tensor:
            # A seat that nobody sits on any more stands still.
            of_seat = [[values[member] if member != NOBODY else 0.0 for member in row] for row in seats]
            return self.weight.new_tensor(of_seat).repeat_interleave(self.outputs, dim=1)

        self.rate, self.decay = by_column(rates), by_column(decays)
        self.decays = any(decay > 0 for decay in decays)


def _adam(
    values: Tensor,
    gradients: Tensor,
    first: Tensor,
    second: Tensor,
    steps: Tensor,
    places: Sequence[tuple[int, int]],
    rate: float,
    decay: float,
) -> None:
    """One step of torch's Adam for the layers in some places, which are views of the stack."""
    if not places:
        return

    def views(tensor: Tensor) -> list[Tensor]:
        return [tensor[place] for place in places]

    adam(
        views(values),
        views(gradients),
        views(first),
        views(second),
        [],
        views(steps),
        fused=True,
        amsgrad=False,
        beta1=0.9,
        beta2=0.999,
        lr=rate,
        weight_decay=decay,
        eps=1e-8,
        maximize=False,
    )
