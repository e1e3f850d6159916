"""Nearest neighbours as a probe that learns nothing: training clips closest in angle vote.

Embeddings are standardised and brought to length one on the training part; similarity is their product. Every neighbour
has one vote (Cover & Hart 1967); votes that are equally many are decided by how near the neighbours are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from auricle.errors import AuricleError
from auricle.transfer.features import mean_and_deviation
from auricle.transfer.objective import Objective
from auricle.transfer.probe_settings import ProbeSettings
from auricle.transfer.splits import Partition, Rows
from auricle.transfer.targets import Targets

_CHUNK = 1 << 23  # similarities in memory at a time
_TIE = 1e-3  # what the neighbours' mean similarity adds to a share of votes: less than one vote of hundreds


@dataclass(frozen=True)
class Votes:
    """What neighbours say of a part's test clips.

    Attributes
    ----------
    scores
        ``(n_test, outputs)``: shares of votes, or the mean target of a regression.
    neighbours
        How many voted.
    """

    scores: NDArray[np.float32]
    neighbours: int


def vote(embeddings: Tensor, targets: Targets, part: Partition, settings: ProbeSettings) -> Votes:
    """Let so many neighbours vote as do best on the validation part.

    Parameters
    ----------
    embeddings
        ``(n, dim)`` float32.
    targets
        What is predicted.
    part
        Its training clips are the neighbours.
    settings
        How many may vote, and whether embeddings are standardised.

    Raises
    ------
    AuricleError
        When there are fewer training clips than the fewest neighbours.
    """
    counts = sorted({count for count in settings.neighbours if count <= len(part.train)})
    if not counts:
        raise AuricleError(
            f"{min(settings.neighbours)} neighbours cannot vote with {len(part.train)} training clips: ask fewer"
        )
    space = _Space(embeddings, targets, part.train, standardise=settings.standardise)
    best = counts[0]
    if len(counts) > 1:
        objective = Objective(
            targets.kind,
            torch.from_numpy(targets.values).to(embeddings.device),
            targets.outputs,
            [torch.from_numpy(part.train).to(embeddings.device)],
        )
        by_count = torch.stack(space.scores(embeddings, part.valid, counts), dim=1)  # (clips, counts, outputs)
        if targets.kind == "regression":
            by_count = (by_count - objective.mean) / objective.scale
        rows = torch.from_numpy(part.valid).to(embeddings.device)[None]
        found = objective.score(by_count[None], torch.zeros(1, dtype=torch.int64, device=rows.device), rows)
        best = counts[int(found[0].argmax())]  # of equally good ones the fewest
    (scores,) = space.scores(embeddings, part.test, [best])
    return Votes(scores.cpu().numpy(), best)


class _Space:
    """Training clips as directions, and what is true of them."""

    def __init__(self, embeddings: Tensor, targets: Targets, train: Rows, *, standardise: bool) -> None:
        rows = torch.from_numpy(train).to(embeddings.device)
        self.mean = torch.zeros(embeddings.shape[1], device=embeddings.device)
        self.scale = torch.ones_like(self.mean)
        if standardise:
            self.mean, self.scale = mean_and_deviation(embeddings, rows)
        self.directions = self._directions(embeddings, rows)
        truth = targets.values[train] if targets.kind == "regression" else targets.indicator[train]
        self.truth = torch.from_numpy(truth.astype(np.float32)).to(embeddings.device).view(len(train), -1)
        self.is_vote = targets.kind != "regression"

    def _directions(self, embeddings: Tensor, rows: Tensor) -> Tensor:
        return torch.nn.functional.normalize((embeddings[rows] - self.mean).div_(self.scale), dim=1)

    def scores(self, embeddings: Tensor, rows: Rows, counts: Sequence[int]) -> list[Tensor]:
        """For each number of neighbours ``(len(rows), outputs)``."""
        found: list[list[Tensor]] = [[] for _ in counts]
        clips = max(1, _CHUNK // max(len(self.directions), max(counts) * self.truth.shape[1]))
        for chunk in torch.split(torch.from_numpy(rows).to(embeddings.device), clips):
            nearness, who = (self._directions(embeddings, chunk) @ self.directions.T).topk(max(counts), dim=1)
            votes = self.truth[who]  # (clips, neighbours, outputs)
            for position, count in enumerate(counts):
                share = votes[:, :count].mean(dim=1)
                if self.is_vote:
                    share += _TIE * (votes[:, :count] * nearness[:, :count, None]).mean(dim=1)
                found[position].append(share)
        return [torch.cat(parts) for parts in found]
