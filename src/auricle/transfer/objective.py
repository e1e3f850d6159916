"""What probes minimise and what they are selected by, for a whole stack of them at once.

A softmax with cross-entropy for one class of several, a sigmoid with binary cross-entropy per class for labels that
may go together, and squares of the standardised error for numbers. Logits come as ``(bundles, clips, probes,
outputs)``: a bundle is probes that see the same clips in the same order.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from auricle.transfer.targets import Kind


class Objective:
    """Loss, its slope and the validation score of stacked probes.

    Parameters
    ----------
    kind
        What is predicted; see `auricle.transfer.targets.Targets`.
    targets
        ``(n,)`` int64 classes, ``(n, outputs)`` bool, or ``(n,)`` floats.
    outputs
        Of one probe.
    train
        The training rows of every bundle, from which class weights and the targets' own scale are taken.
    class_weighted
        Weigh each class by n / (classes · clips of the class); one of several classes and yes or no only.
    divisor
        What the loss is divided by.
    """

    def __init__(
        self,
        kind: Kind,
        targets: Tensor,
        outputs: int,
        train: Sequence[Tensor],
        *,
        class_weighted: bool = False,
        divisor: float = 1.0,
    ) -> None:
        self.kind, self.targets, self.outputs, self.divisor = kind, targets, outputs, divisor
        self.class_weight: Tensor | None = None
        if class_weighted and kind in ("multi-class", "binary"):
            self.class_weight = torch.stack([self._class_weights(rows) for rows in train])
        if kind == "regression":
            self.targets = targets.to(torch.float32)
            parts = [targets[rows].double() for rows in train]
            self.mean = torch.stack([part.mean() for part in parts]).float()
            self.scale = torch.stack([part.std(correction=0) for part in parts]).float()

    def _class_weights(self, rows: Tensor) -> Tensor:
        classes = max(self.outputs, 2)
        clips = torch.bincount(self.targets[rows], minlength=classes)
        return len(rows) / (classes * clips.clamp(min=1)).to(torch.float32)

    def first_bias(self, train: Sequence[Tensor]) -> Tensor:
        """Where training starts, ``(bundles, outputs)``: sigmoids at the share of their label, all else at 0."""
        if self.kind not in ("binary", "multi-label") or self.class_weight is not None:
            return torch.zeros(len(train), self.outputs, device=self.targets.device)
        shares = [(self.targets[rows].view(len(rows), -1).sum(dim=0) + 0.5) / (len(rows) + 1) for rows in train]
        return torch.logit(torch.stack(shares))

    def clip_weights(self, bundles: Tensor, rows: Tensor) -> Tensor:
        """How much each clip counts in its bundle: rows ``(bundles, clips)`` → the same shape."""
        if self.class_weight is None:
            return torch.ones(rows.shape, device=rows.device)
        return self.class_weight[bundles].gather(1, self.targets[rows])

    def slope(self, logits: Tensor, bundles: Tensor, rows: Tensor) -> Tensor:
        """Derivative of each clip's loss by its logits, of their shape; logits are overwritten."""
        if self.kind == "multi-class":
            slope = torch.softmax(logits, dim=-1)
            index = self.targets[rows][:, :, None, None].expand(-1, -1, logits.shape[2], 1)
            slope.scatter_add_(3, index, torch.full((1,), -1.0, device=logits.device).expand(index.shape))
        elif self.kind == "regression":
            slope = logits.sub_(self._standardised(bundles, rows)).mul_(2.0)
        else:
            slope = logits.sigmoid_().sub_(self._wanted(rows).to(logits.dtype)).div_(self.outputs)
        return slope if self.divisor == 1.0 else slope.div_(self.divisor)

    def clip_loss(self, logits: Tensor, bundles: Tensor, rows: Tensor) -> Tensor:
        """Loss of each clip under each probe, ``(bundles, clips, probes)``."""
        if self.kind == "multi-class":
            index = self.targets[rows][:, :, None, None].expand(-1, -1, logits.shape[2], 1)
            loss = (torch.logsumexp(logits, dim=-1, keepdim=True) - logits.gather(3, index))[..., 0]
        elif self.kind == "regression":
            loss = (logits - self._standardised(bundles, rows)).square()[..., 0]
        else:
            wanted = self._wanted(rows).to(logits.dtype).expand(logits.shape)
            loss = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none").mean(dim=-1)
        return loss / self.divisor

    def score(self, logits: Tensor, bundles: Tensor, rows: Tensor) -> Tensor:
        """How good each probe is, higher being better, ``(bundles, probes)``.

        Accuracy, average precision (over the classes that occur, their mean; equal scores in the clips' order) or R².
        """
        if self.kind == "multi-class":
            return (logits.argmax(dim=-1) == self.targets[rows][:, :, None]).float().mean(dim=1)
        if self.kind == "regression":
            wanted = self._standardised(bundles, rows)[..., 0]
            spread = (wanted - wanted.mean(dim=1, keepdim=True)).square().sum(dim=1).clamp(min=1e-12)
            return 1.0 - (logits[..., 0] - wanted).square().sum(dim=1) / spread
        positive = self._wanted(rows).to(torch.float32)
        found = positive.expand(logits.shape).gather(1, logits.argsort(dim=1, descending=True, stable=True))
        rank = torch.arange(1, logits.shape[1] + 1, device=logits.device)[:, None, None]
        clips = positive.sum(dim=1)
        average = (found.cumsum(dim=1) / rank * found).sum(dim=1) / clips.clamp(min=1)
        return average.sum(dim=-1) / (clips > 0).sum(dim=-1).clamp(min=1)

    def in_own_units(self, weight: Tensor, bias: Tensor, bundles: Tensor) -> tuple[Tensor, Tensor]:
        """Weight ``(probes, outputs, dim)`` and bias ``(probes, outputs)`` for targets that are not standardised."""
        if self.kind != "regression":
            return weight, bias
        scale, mean = self.scale[bundles], self.mean[bundles]
        return weight * scale[:, None, None], bias * scale[:, None] + mean[:, None]

    def _wanted(self, rows: Tensor) -> Tensor:
        """What the sigmoids should say, ``(bundles, clips, 1, outputs)``."""
        wanted = self.targets[rows]
        return wanted[..., None, None] if self.kind == "binary" else wanted[:, :, None]

    def _standardised(self, bundles: Tensor, rows: Tensor) -> Tensor:
        standard = (self.targets[rows] - self.mean[bundles, None]) / self.scale[bundles, None]
        return standard[..., None, None]
