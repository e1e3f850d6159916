"""Bootstrap your own latent: an online network predicts what a slowly following target network says of another view.

Grill et al. 2020 (arXiv 2006.07733), as used by BYOL-A (Niizumi et al. 2021, 2022): projector and predictor are
two-layer perceptrons with batch-norm, the target is an exponential moving average of the online parameters (buffers are
its own), both networks are in training mode, the two views pass the online network in separate forwards.
"""

import copy
import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from auricle import randomness
from auricle.models.byola import Trunk
from auricle.models.global_norm import world_size
from auricle.models.pooling import pooled


def perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """BYOL's head: linear, batch-norm, ReLU, linear."""
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.BatchNorm1d(hidden), nn.ReLU(inplace=True), nn.Linear(hidden, outputs)
    )


class Branch(nn.Module):
    """A trunk, its pooling over time and a projector: log-mel views → projections."""

    def __init__(self, trunk: Trunk, projector: nn.Module) -> None:
        super().__init__()
        self.trunk, self.projector = trunk, projector

    def forward(self, view: Tensor, dropout_keys: Tensor) -> Tensor:
        """``(batch, mels, frames)`` → ``(batch, dim)``."""
        parts, _ = self.trunk.parts(view, dropout_keys=dropout_keys)
        embeddings = [pooled(part, self.trunk.config.pooling) for part in parts]
        projection: Tensor = self.projector(torch.cat(embeddings, dim=1))
        return projection


def regression_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """2 - 2 cos(prediction, target), averaged over the batch, in float32."""
    cosine = functional.cosine_similarity(prediction.float(), target.float(), dim=-1)
    return (2 - 2 * cosine).mean()


class BYOL(nn.Module):
    """The online and the target network and the loss between them.

    Parameters
    ----------
    trunk
        The network to pre-train: normalised log-mel → frame embeddings.
    hidden, dim
        Width of projector and predictor, and dimensions of a projection.
    seed
        For the dropout masks.
    """

    def __init__(self, trunk: Trunk, *, hidden: int = 4096, dim: int = 256, seed: int = 0) -> None:
        super().__init__()
        self.seed = seed
        self.online = Branch(trunk, perceptron(trunk.frame_dim, hidden, dim))
        self.predictor = perceptron(dim, hidden, dim)
        self.target = copy.deepcopy(self.online).requires_grad_(False)

    def forward(self, first: Tensor, second: Tensor, index: Tensor, batch: int | None = None) -> tuple[Tensor, Tensor]:
        """Symmetric loss of two views.

        Parameters
        ----------
        first, second
            ``(batch, mels, frames)`` views.
        index
            ``(batch,)`` global sample indices, for the dropout masks.
        batch
            Crops of the global batch, of which these may be one process's.

        Returns
        -------
        loss
            Scalar: the sum of both directions, between 0 and 8; its mean over processes is that of the global batch.
        projections
            ``(batch, dim)`` L2-normalised online projections of the first view, detached: what the monitors look at.
        """
        projections, predictions, targets = [], [], []
        for number, view in enumerate((first, second)):
            projection = self.online(view, randomness.keys(self.seed, f"dropout/online{number}", index))
            projections.append(projection)
            predictions.append(self.predictor(projection))
            with torch.no_grad():
                targets.append(self.target(view, randomness.keys(self.seed, f"dropout/target{number}", index)))
        loss = regression_loss(predictions[0], targets[1]) + regression_loss(predictions[1], targets[0])
        if batch is not None:
            # Processes average their losses, and one may have a row more than another.
            loss = loss * (len(index) * world_size() / batch)
        return loss, functional.normalize(projections[0].detach().float(), dim=1)

    @torch.no_grad()
    def update_target(self, ema: float) -> None:
        """Let the target's parameters follow: target = ema · target + (1 - ema) · online."""
        target: list[Tensor] = list(self.target.parameters())
        online: list[Tensor] = list(self.online.parameters())
        torch._foreach_lerp_(target, online, 1 - ema)


def spread(projections: Tensor) -> float:
    """Mean standard deviation of L2-normalised projections ``(batch, dim)``: 1/√dim when spread evenly, 0 collapsed."""
    return float(projections.std(dim=0, unbiased=False).mean())


def effective_rank(projections: Tensor) -> float:
    """Exponential of the entropy of the covariance's spectrum (Roy & Vetterli 2007): 1 collapsed, up to dim."""
    if not bool(torch.isfinite(projections).all()):
        return math.nan
    centred = (projections - projections.mean(dim=0)).double()
    spectrum = torch.linalg.eigvalsh(centred.T @ centred).clamp_min(0)
    total = spectrum.sum()
    if total <= 0:
        return 1.0
    share = spectrum / total
    return float(torch.exp(-(share * torch.log(share.clamp_min(1e-30))).sum()))
