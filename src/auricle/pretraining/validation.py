"""How an objective does on held-out crops, before, during and after training: always the same crops, hidden alike."""

from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from auricle.crops import Crops
from auricle.pretraining.objective import Batch, Objective
from auricle.pretraining.recipe import Recipe


class Validation:
    """Monitors of an objective over up to `validation_crops` held-out crops, without dropout and without learning.

    Every process works on all of them, so that the numbers do not depend on how many there are.
    """

    def __init__(self, recipe: Recipe, objective: Objective, crops: Crops, accelerator: Accelerator) -> None:
        self._recipe, self._objective, self._accelerator = recipe, objective, accelerator
        self.crops = crops
        self._count = min(recipe.validation_crops, len(crops))

    def measure(self, network: nn.Module) -> dict[str, Any]:
        """The objective's monitors; `network` as the loop calls it, in training mode again afterwards."""
        device = self._accelerator.device
        wanted = torch.arange(self._count)
        # By length, so that little is padded; the numbers do not depend on it.
        wanted = wanted[torch.from_numpy(self.crops.samples(wanted)).argsort(stable=True)]
        batches = torch.split(wanted, self._recipe.batch_size // self._recipe.accumulate)
        found = []
        network.eval()
        with torch.no_grad():
            stream = self.crops.stream(batches, workers=self._recipe.workers, trimmed=True)
            for index, (waveform, clips) in zip(batches, stream, strict=True):
                lengths = self.crops.lengths(clips).clamp_max(waveform.shape[2]).to(device)
                batch = Batch(waveform.to(device), lengths, index.to(device), slice(None))
                _, observed = network(*self._objective.inputs(batch))
                found.append(observed)
        network.train()
        return {"crops": self._count, **self._objective.monitors(torch.cat(found))}
