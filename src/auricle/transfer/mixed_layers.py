"""Probes on a learnt weighted sum of an encoder's layers: which layers count is learnt with the probe.

Embeddings are the layers side by side. Every probe has one weight per layer, a softmax as in SUPERB (Yang et al. 2021,
"SUPERB: Speech processing Universal PERformance Benchmark", section 3), equal at first, and one linear layer for their
sum. What comes out is a linear layer for the embeddings side by side, as any other probe's.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from auricle.transfer.layers import BIAS_RATE, MOMENTUM, NOBODY, Layers, Seats

MIX_RATE = 0.01  # share of gradient descent's learning rate that the layers' weights get, lest one of them takes all
_BETAS, _EPSILON = (0.9, 0.999), 1e-8  # of Adam


class MixedLayers(Layers):
    """Weights ``(bundles, seats, outputs, dim)`` and weights of the encoder's layers ``(bundles, seats, layers)``.

    Parameters
    ----------
    bias
        To start from.
    features
        Dimensions of all layers side by side.
    layers
        How many these are.
    descent
        Whether gradient descent with momentum changes them, or Adam.
    """

    def __init__(self, bias: Tensor, features: int, *, layers: int, descent: bool) -> None:
        super().__init__(bias)
        self.descent = descent
        self.weight = bias.new_zeros(*bias.shape, features // layers)
        self.mix = bias.new_zeros(*bias.shape[:2], layers)
        self.moments = self._no_moments()
        self.steps = bias.new_zeros(*bias.shape[:2])
        self._full: Tensor | None = None

    def _no_moments(self) -> list[list[Tensor]]:
        """Of weight, mix and bias: the velocity, or Adam's first and second moment."""
        several = 1 if self.descent else 2
        return [[torch.zeros_like(tensor) for _ in range(several)] for tensor in (self.weight, self.mix, self.bias)]

    @property
    def shares(self) -> Tensor:
        """How much each of the encoder's layers counts, ``(bundles, seats, layers)``."""
        return torch.softmax(self.mix, dim=-1)

    def _side_by_side(self) -> Tensor:
        """The weight for embeddings, ``(bundles, seats, outputs, layers · dim)``."""
        if self._full is None:
            self._full = (self.shares[:, :, None, :, None] * self.weight[:, :, :, None]).flatten(3)
        return self._full

    def logits(self, bundles: slice, x: Tensor) -> Tensor:
        """As :meth:`Layers.logits`."""
        weight, bias = self._side_by_side()[bundles].flatten(1, 2), self.bias[bundles].flatten(1, 2)
        found = torch.baddbmm(bias[:, None], x.expand(len(weight), -1, -1), weight.transpose(1, 2))
        return found.view(*found.shape[:2], -1, self.outputs)

    def step(self, x: Tensor, slope: Tensor, columns: Tensor) -> None:  # noqa: ARG002 (all clips are seen as they are)
        """As :meth:`Layers.step`."""
        active, layers = len(x), self.mix.shape[2]
        gradient = torch.bmm(slope.flatten(2).transpose(1, 2), x)
        gradient = gradient.view(active, -1, self.outputs, layers, x.shape[2] // layers)
        shares = self.shares[:active]
        by_share = torch.einsum("bsod,bsold->bsl", self.weight[:active], gradient)
        of_mix = shares * (by_share - (shares * by_share).sum(dim=2, keepdim=True))
        of_weight = torch.einsum("bsl,bsold->bsod", shares, gradient)
        self.steps[:active] += 1
        self._change(0, self.weight, of_weight, share=1.0, decays=True)
        self._change(1, self.mix, of_mix, share=MIX_RATE if self.descent else 1.0)
        self._change(2, self.bias, slope.sum(dim=1), share=BIAS_RATE if self.descent else 1.0)
        self._full = None

    def _change(self, number: int, values: Tensor, gradient: Tensor, *, share: float, decays: bool = False) -> None:
        """One step of the first bundles; those that have finished their epoch are left alone, momentum included."""
        active = len(gradient)
        values = values[:active]
        shape = (active, -1, *[1] * (values.ndim - 2))
        rate = share * self.rate[:active].view(shape)
        if decays:
            gradient = gradient + self.decay[:active].view(shape) * values
        if self.descent:
            velocity = self.moments[number][0][:active].mul_(MOMENTUM).add_(gradient)
            values.sub_(rate * velocity)
            return
        first, second = (moment[:active] for moment in self.moments[number])
        steps = self.steps[:active].view(shape)
        first.lerp_(gradient, 1 - _BETAS[0])
        second.lerp_(gradient.square(), 1 - _BETAS[1])
        spread = (second / (1 - _BETAS[1] ** steps)).sqrt_().add_(_EPSILON)
        values.sub_(rate / (1 - _BETAS[0] ** steps) * first / spread)

    def layer(self, bundle: int, seat: int) -> tuple[Tensor, Tensor]:
        """As :meth:`Layers.layer`, for embeddings side by side."""
        return self._side_by_side()[bundle, seat], self.bias[bundle, seat]

    def pick(self, chosen: Tensor) -> None:
        """As :meth:`Layers.pick`."""
        self.weight, self.mix, self.bias, self.steps = (
            self._picked(tensor, chosen) for tensor in (self.weight, self.mix, self.bias, self.steps)
        )
        self.moments = [[self._picked(moment, chosen) for moment in moments] for moments in self.moments]
        self._full = None

    def follow(self, seats: Seats, rates: Sequence[float], decays: Sequence[float]) -> None:
        """As :meth:`Layers.follow`; a seat that nobody sits on any more stands still."""
        self.rate, self.decay = (
            self.weight.new_tensor([[values[member] if member != NOBODY else 0.0 for member in row] for row in seats])
            for values in (rates, decays)
        )
