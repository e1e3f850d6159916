"""Where a fine-tuning run is: the classifier as it is and as it was at its best, the optimiser; on disk and back."""

import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor

from auricle.finetuning.classifier import Classifier
from auricle.finetuning.labelled_clips import LabelledClips
from auricle.finetuning.recipe import FineTuning
from auricle.finetuning.scoring import predict
from auricle.training import TrainingState, environment, optimizer_tensors, restore_optimizer, save_state

FALL = 0.3  # of the learning rate on a plateau
FALLS = 2  # then training ends on the next one
_VALUES = ("step", "best_score", "best_step", "waited", "falls", "stopped")


@dataclass
class Run:
    """What a checkpoint holds, and what the loop works on."""

    recipe: FineTuning
    folder: Path
    accelerator: Accelerator
    classifier: Classifier
    optimizer: torch.optim.Optimizer
    best: dict[str, Tensor]  # the classifier's tensors at its best epoch
    best_score: float = -1.0
    best_step: int = 0
    step: int = 0
    waited: int = 0  # epochs since the best one, or since the learning rate fell
    falls: int = 0  # of the learning rate, where it falls on a plateau
    stopped: bool = False  # on the last plateau

    def save(self) -> None:
        """Write the training state; the main process only."""
        tensors = {f"now.{name}": value for name, value in self.classifier.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        tensors |= optimizer_tensors(self.optimizer)
        values = {name: getattr(self, name) for name in _VALUES}
        state = TrainingState(tensors, {**values, "environment": environment()})
        save_state(self.folder / "checkpoints", self.step, state, keep=self.recipe.keep_checkpoints)

    def restore(self, state: TrainingState) -> None:
        """Go back to a state."""
        self.classifier.load_state_dict(_below("now.", state.tensors))
        device = self.accelerator.device
        self.best = {name: value.to(device) for name, value in _below("best.", state.tensors).items()}
        restore_optimizer(self.optimizer, state.tensors)
        for name in _VALUES:
            setattr(self, name, state.values[name])

    def predict(self, data: LabelledClips, part: str, *, precision: str) -> NDArray[np.float32]:
        """Logits ``(clips, outputs)`` of the whole clips of a part, worked out by all processes together."""
        accelerator = self.accelerator
        share = slice(accelerator.process_index, None, accelerator.num_processes)
        return predict(self.classifier, data, getattr(data, part), precision=precision, share=share)

    def keep(self, score: float) -> None:
        """Take what the classifier is now as the best, when its validation score is better than all before.

        Where the schedule is plateau, too many epochs that are not better lower the learning rate, or end the training.
        """
        if score > self.best_score:
            self.best = copy.deepcopy(self.classifier.state_dict())
            self.best_score, self.best_step, self.waited = score, self.step, 0
            return
        self.waited += 1
        if self.recipe.schedule == "plateau" and self.waited >= self.recipe.patience:
            self.stopped = self.falls == FALLS
            self.falls, self.waited = min(self.falls + 1, FALLS), 0


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
