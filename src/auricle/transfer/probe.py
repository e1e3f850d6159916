"""Linear probes on frozen embeddings: folds, seeds, learning rates and weight decays trained at once.

Probes are independent of each other, so their weights are stacked and every step is one batched matrix product
(`auricle.transfer.probe_stack`). What is trained side by side, and in how many pieces, changes no probe: its draws
depend on its own seed and fold alone. The recipes are those of the papers (`auricle.transfer.protocols`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from auricle.transfer.probe_settings import ProbeSettings as ProbeSettings
from auricle.transfer.probe_stack import ProbeData as ProbeData
from auricle.transfer.probe_stack import Progress as Progress
from auricle.transfer.probe_stack import Rows, Stack
from auricle.transfer.probe_stack import say_nothing as say_nothing
from auricle.transfer.targets import Kind
from auricle.transfer.vectors import in_pieces

_STATE_BYTES = 1 << 31  # of weights, their best, gradients and moments that are trained side by side
_COPIES = 5


@dataclass(frozen=True)
class TrainedProbes:
    """Probes at their best validation epochs, for embeddings as they are: standardisation is folded in.

    Attributes
    ----------
    weight : Tensor
        ``(probes, outputs, dim)``.
    bias : Tensor
        ``(probes, outputs)``.
    best_epoch : list of int
        From 0.
    valid_loss : Tensor
        ``(epochs, probes)``; NaN after a probe has stopped.
    valid_score : Tensor
        ``(probes,)``: what the best epoch was chosen by, higher being better; the loss with a minus.
    """

    weight: Tensor
    bias: Tensor
    best_epoch: list[int]
    valid_loss: Tensor
    valid_score: Tensor

    def logits(self, probe: int, embeddings: Tensor, rows: Rows) -> Tensor:
        """Outputs of one probe, ``(len(rows), outputs)``."""
        parts = [
            functional.linear(embeddings[chunk], self.weight[probe], self.bias[probe])
            for chunk in in_pieces(torch.from_numpy(rows).to(embeddings.device), embeddings)
        ]
        return torch.cat(parts)


def train_probes(
    embeddings: Tensor,
    targets: Tensor,
    probes: Sequence[ProbeData],
    *,
    kind: Kind,
    outputs: int,
    settings: ProbeSettings,
    layers: int = 1,
    progress: Progress = say_nothing,
) -> TrainedProbes:
    """Train linear probes.

    A probe's draws depend on its seed and fold alone, not on the others that are trained beside it.

    Parameters
    ----------
    embeddings
        ``(n, dim)`` float32, held once for all probes.
    targets
        As in `auricle.transfer.targets.Targets`.
    probes
        What each learns from.
    kind
        What is predicted.
    outputs
        Number of outputs.
    settings
        How to train.
    layers
        How many layers of an encoder embeddings are, side by side; each probe then learns how to weigh them
        (`auricle.transfer.mixed_layers`).
    progress
        Is told the share of epochs that is over; training may end before the last.

    Raises
    ------
    AuricleError
        When a loss is not finite.
    """
    stacks = _stacks(probes, outputs * embeddings.shape[1])
    trained: list[tuple[list[int], TrainedProbes]] = []
    with torch.no_grad():
        for number, bundles in enumerate(stacks):

            def of_all(share: float, number: int = number) -> None:
                progress((number + share) / len(stacks))

            stack = Stack(
                embeddings, targets, probes, bundles, kind=kind, outputs=outputs, settings=settings, layers=layers
            )
            stack.train(of_all)
            members = [probe for bundle in bundles for probe in bundle]
            found = TrainedProbes(*stack.best_layers(), stack.best_epoch, torch.stack(stack.history), stack.best_score)
            trained.append((members, found))
    back = torch.tensor([probe for members, _ in trained for probe in members]).argsort()
    epochs = max(len(found.valid_loss) for _, found in trained)
    losses = [
        functional.pad(found.valid_loss, (0, 0, 0, epochs - len(found.valid_loss)), value=torch.nan)
        for _, found in trained
    ]
    best_epoch = [epoch for _, found in trained for epoch in found.best_epoch]
    return TrainedProbes(
        weight=torch.cat([found.weight for _, found in trained])[back],
        bias=torch.cat([found.bias for _, found in trained])[back],
        best_epoch=[best_epoch[position] for position in back.tolist()],
        valid_loss=torch.cat(losses, dim=1)[:, back],
        valid_score=torch.cat([found.valid_score for _, found in trained])[back],
    )


def every_configuration(data: ProbeData, settings: ProbeSettings) -> list[ProbeData]:
    """One probe for each pair of learning rate and weight decay."""
    return [replace(data, learning_rate=rate, weight_decay=decay) for rate, decay in settings.configurations]


def _stacks(probes: Sequence[ProbeData], numbers: int) -> list[list[list[int]]]:
    """Positions of probes by stack and bundle; `numbers` is the size of one probe's weight."""
    bundles: dict[tuple[bytes, bytes, int, int | None], list[int]] = {}
    for position, probe in enumerate(probes):
        bundles.setdefault(probe.bundle, []).append(position)
    # More steps per epoch come first: bundles with steps left are then always the first of the stack. Equal training
    # parts stand together.
    ordered = sorted(bundles.items(), key=lambda item: (-len(probes[item[1][0]].train), item[0][0]))
    room = max(1, _STATE_BYTES // (4 * _COPIES * numbers))
    stacks: list[list[list[int]]] = [[]]
    taken = 0
    for _, bundle in ordered:
        for start in range(0, len(bundle), room):
            piece = bundle[start : start + room]
            if taken and taken + len(piece) > room:
                stacks.append([])
                taken = 0
            stacks[-1].append(piece)
            taken += len(piece)
    return stacks
