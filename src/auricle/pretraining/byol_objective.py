"""BYOL-A's way to learn: two views of every crop, an online network that predicts what the target says of the other."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from auricle.models.byola import BYOLA
from auricle.models.global_norm import sum_over_processes
from auricle.models.spectrogram import NormalisedEncoder
from auricle.pretraining.byol import BYOL, effective_rank, spread
from auricle.pretraining.objective import Batch, Objective
from auricle.pretraining.recipe import Recipe
from auricle.pretraining.views import MixupMemory, make_view, standardise
from auricle.processes import gather_rows

COLLAPSED_SPREAD = 0.2  # of 1/√dim, the spread of evenly distributed projections
COLLAPSED_RANK = 2.0


class ByolObjective(Objective):
    """BYOL on views of log-mel crops, with the memory that mixup draws from."""

    family = BYOLA
    network: BYOL

    def __init__(self, recipe: Recipe, encoder: NormalisedEncoder, accelerator: Accelerator) -> None:
        super().__init__(recipe, encoder, accelerator)
        assert isinstance(encoder, BYOLA)
        self.network = BYOL(encoder.trunk, hidden=recipe.projection_hidden, dim=recipe.projection_dim, seed=recipe.seed)
        mel = encoder.config.mel
        self._mixed = MixupMemory.empty(
            recipe.views.memory if recipe.views.mixup > 0 else 0,
            mel.n_mels,
            mel.frames_of(round(recipe.crop_seconds * encoder.sample_rate)),
            device=accelerator.device,
        )

    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        """This process's rows of two views, ``(rows, mels, frames)`` float32, their indices, and the global batch."""
        with torch.no_grad():
            log_mel, _ = self.encoder.normalised_log_mel(batch.waveform)
            everyone = gather_rows(log_mel, len(batch.index))
            settings = self.recipe.views
            first, second = (
                make_view(
                    everyone,
                    self._mixed,
                    batch.index,
                    settings=settings,
                    seed=self.recipe.seed,
                    view=number,
                    rows=batch.rows,
                )
                for number in range(2)
            )
            if settings.post_norm:
                first, second = standardise([first, second], reduce=sum_over_processes)
            return first, second, batch.index[batch.rows], len(batch.index)

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

    def memory(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The mixup memory and its write position."""
        return {"memory.crops": self._mixed.crops}, {"written": self._mixed.written}

    def remember(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Take the mixup memory back."""
        self._mixed.crops.copy_(tensors["memory.crops"])
        self._mixed.written = values["written"]
