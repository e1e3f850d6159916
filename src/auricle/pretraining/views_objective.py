"""What the ways to learn from two views of a clip share: BYOL-A's views, and the memory that mixup draws from."""

from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from auricle.models.byola import BYOLA
from auricle.models.global_norm import sum_over_processes
from auricle.models.spectrogram import NormalisedEncoder
from auricle.pretraining.objective import Batch, Objective
from auricle.pretraining.recipe import Recipe
from auricle.pretraining.views import MixupMemory, make_view, standardise
from auricle.processes import gather_rows


class ViewsObjective(Objective):
    """An objective whose network is called with two views, this process's indices, and the clips of the whole batch."""

    family = BYOLA
    encoder: BYOLA

    def __init__(self, recipe: Recipe, encoder: NormalisedEncoder, accelerator: Accelerator) -> None:
        super().__init__(recipe, encoder, accelerator)
        mel = encoder.config.mel
        self._mixed = MixupMemory.empty(
            recipe.views.memory if recipe.views.mixup > 0 else 0,
            mel.n_mels,
            mel.frames_of(round(recipe.crop_seconds * encoder.sample_rate)),
            device=accelerator.device,
        )

    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        """This process's rows of two views, ``(rows, mels, frames)`` float32, their indices, and the global batch.

        Both are of the same crop, or of one crop each where a clip gives two.
        """
        with torch.no_grad():
            crops = [self._log_mel(crop, len(batch.index)) for crop in batch.waveform.unbind(dim=1)]
            settings = self.recipe.views
            first, second = (
                make_view(
                    crops[number % len(crops)],
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

    def _log_mel(self, waveform: Tensor, batch: int) -> Tensor:
        """Normalised log-mel of the whole batch, of which `waveform` is this process's."""
        return gather_rows(self.encoder.normalised_log_mel(waveform)[0], batch)

    def memory(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The mixup memory and its write position."""
        return {"memory.crops": self._mixed.crops}, {"written": self._mixed.written}

    def remember(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Take the mixup memory back."""
        self._mixed.crops.copy_(tensors["memory.crops"])
        self._mixed.written = values["written"]
