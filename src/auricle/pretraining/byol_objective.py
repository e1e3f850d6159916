"""BYOL-A's way to learn: two views of every crop, an online network that predicts what the target says of the other."""

import math
from collections.abc import Mapping

from accelerate import Accelerator
from torch import Tensor

from auricle.models.byola import BYOLA
from auricle.models.spectrogram import NormalisedEncoder
from auricle.pretraining.byol import BYOL, effective_rank, spread
from auricle.pretraining.recipe import Recipe
from auricle.pretraining.views_objective import ViewsObjective

COLLAPSED_SPREAD = 0.2  # of 1/√dim, the spread of evenly distributed projections
COLLAPSED_RANK = 2.0


class ByolObjective(ViewsObjective):
    """BYOL on views of log-mel crops."""

    network: BYOL

    def __init__(self, recipe: Recipe, encoder: NormalisedEncoder, accelerator: Accelerator) -> None:
        super().__init__(recipe, encoder, accelerator)
        assert isinstance(encoder, BYOLA)
        self.network = BYOL(encoder.trunk, hidden=recipe.projection_hidden, dim=recipe.projection_dim, seed=recipe.seed)

    def after_step(self) -> None:
        """The target follows."""
        self.network.update_target(self.recipe.ema)

    def monitors(self, observed: Tensor) -> dict[str, float]:
        """How evenly projections are spread: their mean deviation, and the effective rank of at most `rank_limit`."""
        return {
            "spread": spread(observed),
            "rank": effective_rank(observed),
            "rank_limit": float(min(observed.shape)),
        }

    def in_words(self, monitors: Mapping[str, float]) -> str:
        """Spread and rank."""
        return f"spread {monitors['spread']:.4f}  rank {monitors['rank']:.0f}/{monitors['rank_limit']:.0f}"

    def complaint(self, monitors: Mapping[str, float]) -> str | None:
        """Whether all clips give nearly the same projection."""
        flat = monitors["spread"] < COLLAPSED_SPREAD / math.sqrt(self.recipe.projection_dim)
        if not flat and not monitors["rank"] < COLLAPSED_RANK:
            return None
        return (
            f"the representation has collapsed (spread {monitors['spread']:.4f}, rank {monitors['rank']:.1f} of "
            f"{monitors['rank_limit']:.0f}): every clip gives nearly the same projection; lower learning_rate, "
            "raise ema or batch_size"
        )
