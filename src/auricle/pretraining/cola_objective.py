"""COLA's way to learn: two crops of every clip, told to belong together among those of all other clips."""

from collections.abc import Mapping

from accelerate import Accelerator
from torch import Tensor

from auricle.models.byola import BYOLA
from auricle.models.spectrogram import NormalisedEncoder
from auricle.pretraining.byol import effective_rank, spread
from auricle.pretraining.cola import COLA
from auricle.pretraining.recipe import Recipe
from auricle.pretraining.views_objective import ViewsObjective

COLLAPSED_RANK = 2.0


class ColaObjective(ViewsObjective):
    """COLA on views of two log-mel crops of each clip, or of one."""

    tells_clips_apart = True
    network: COLA

    def __init__(self, recipe: Recipe, encoder: NormalisedEncoder, accelerator: Accelerator) -> None:
        super().__init__(recipe, encoder, accelerator)
        assert isinstance(encoder, BYOLA)
        settings = recipe.cola
        self.network = COLA(
            encoder.trunk,
            dim=settings.dim,
            similarity=settings.similarity,
            temperature=settings.temperature,
            seed=recipe.seed,
        )

    def monitors(self, observed: Tensor) -> dict[str, float]:
        """Share of clips whose own crop was the most similar, what a guess reaches; how projections are spread."""
        projections = observed[:, 1:]
        return {
            "accuracy": float(observed[:, 0].mean()),
            "chance": 1 / len(observed),
            "spread": spread(projections),
            "rank": effective_rank(projections),
            "rank_limit": float(min(projections.shape)),
        }

    def in_words(self, monitors: Mapping[str, float]) -> str:
        """Accuracy beside chance, and rank."""
        return (
            f"accuracy {monitors['accuracy']:.1%} (chance {monitors['chance']:.1%})  "
            f"rank {monitors['rank']:.0f}/{monitors['rank_limit']:.0f}"
        )

    def complaint(self, monitors: Mapping[str, float]) -> str | None:
        """Whether all clips give nearly the same projection."""
        if not monitors["rank"] < COLLAPSED_RANK:
            return None
        return (
            f"the representation has collapsed (rank {monitors['rank']:.1f} of {monitors['rank_limit']:.0f}): every "
            "clip gives nearly the same projection; lower learning_rate"
        )
