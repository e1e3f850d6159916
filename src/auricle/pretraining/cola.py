"""COLA: two segments of a clip must be told to belong together among those of all other clips of the batch.

Saeed, Grangier & Zeghidour 2020, "Contrastive learning of general-purpose audio representations" (arXiv 2010.10915):
an encoder, a projection of 512 dimensions (linear, layer-norm, tanh), a bilinear similarity, and cross-entropy over the
batch. The contrastive neighbour that BYOL-A (Niizumi et al. 2021) is compared with on the same encoder.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from auricle import randomness
from auricle.models.byola import Trunk
from auricle.models.global_norm import differentiable_sum_over_processes, world_size
from auricle.pretraining.byol import Branch
from auricle.processes import rows_of_batch

Similarity = Literal["bilinear", "cosine"]


class COLA(nn.Module):
    """An encoder's trunk, its projection, and the contrastive loss between two segments of each clip.

    Parameters
    ----------
    trunk
        The network to pre-train: normalised log-mel → frame embeddings.
    dim
        Dimensions of a projection.
    similarity
        ``bilinear``: xᵀ W y with a matrix that is learnt; ``cosine``, divided by `temperature`.
    temperature
        Of the cosine.
    seed
        For the dropout masks.
    """

    def __init__(
        self,
        trunk: Trunk,
        *,
        dim: int = 512,
        similarity: Similarity = "bilinear",
        temperature: float = 0.2,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.temperature, self.seed = temperature, seed
        projector = nn.Sequential(nn.Linear(trunk.frame_dim, dim), nn.LayerNorm(dim), nn.Tanh())
        self.branch = Branch(trunk, projector)
        self.bilinear = nn.Linear(dim, dim, bias=False) if similarity == "bilinear" else None

    def forward(self, first: Tensor, second: Tensor, index: Tensor, batch: int) -> tuple[Tensor, Tensor]:
        """Mean cross-entropy of telling each first segment's own second one from those of all other clips.

        Parameters
        ----------
        first, second
            ``(rows, mels, frames)`` views of one clip per row, this process's.
        index
            ``(rows,)`` global sample indices, for the dropout masks.
        batch
            Clips of the global batch, all of which are told apart.

        Returns
        -------
        loss
            Scalar, nats; its mean over processes is that of the global batch.
        observed
            ``(rows, 1 + dim)``: 1 where the own segment is the most similar one, and the first segment's L2-normalised
            projection; without gradient.
        """
        anchors, positives = (
            self.branch(view, randomness.keys(self.seed, f"dropout/segment{number}", index)).float()
            for number, view in enumerate((first, second))
        )
        rows = rows_of_batch(batch)
        everyone = _of_all_processes(positives, rows, batch)
        own = torch.arange(batch, device=index.device)[rows]
        with torch.autocast(first.device.type, enabled=False):
            if self.bilinear is not None:
                logits = anchors @ self.bilinear(everyone).T
            else:
                logits = functional.normalize(anchors, dim=1) @ functional.normalize(everyone, dim=1).T
                logits = logits / self.temperature
            # Processes average their losses, and one may have a row more than another.
            loss = functional.cross_entropy(logits, own, reduction="sum") * (world_size() / batch)
        with torch.no_grad():
            others = logits.scatter(1, own[:, None], -torch.inf).amax(dim=1)
            correct = logits.gather(1, own[:, None])[:, 0] > others
            observed = torch.cat([correct[:, None].float(), functional.normalize(anchors, dim=1)], dim=1)
        return loss, observed


def _of_all_processes(mine: Tensor, rows: slice, batch: int) -> Tensor:
    """``(batch, dim)``, of which `mine` are this process's `rows`; the gradient finds its way back to each."""
    if world_size() == 1:
        return mine
    padded = functional.pad(mine, (0, 0, rows.start, batch - rows.stop))
    return differentiable_sum_over_processes(padded)
