"""What a run learns by: everything about it that the loop does not know.

The loop in :mod:`auricle.pretraining.run` draws crops, steps the optimiser, writes checkpoints and reports; an
objective makes of a batch of waveforms what its network takes, says how to watch it, and what else it must remember.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from accelerate import Accelerator
from torch import Tensor, nn

from auricle.models.spectrogram import NormalisedEncoder
from auricle.pretraining.recipe import Recipe


@dataclass(frozen=True)
class Batch:
    """What the loop hands over.

    Attributes
    ----------
    waveform
        ``(rows, takes, samples)``: this process's crops, on its device, one or several of each clip.
    lengths
        ``(rows,)`` their true samples; zeros follow.
    index
        ``(batch,)`` global sample indices of the whole batch.
    rows
        Which of them are this process's.
    """

    waveform: Tensor
    lengths: Tensor
    index: Tensor
    rows: slice


class Objective(ABC):
    """An encoder with all that pre-trains it.

    Attributes
    ----------
    network
        Called with what :meth:`inputs` gives, returns the loss, a scalar, and what :meth:`monitors` looks at, one row
        per clip. Its parameters that require a gradient are trained.
    sees_padding
        Whether the zeros that fill a crop up are sound to it. If not, batches may be bucketed by length, log-mel
        statistics are those of true frames, and its monitors can be had of validation data without training.
    tells_clips_apart
        Whether it learns by telling the clips of a batch from each other, for which there must be two.
    """

    family: ClassVar[type[NormalisedEncoder]]
    sees_padding: ClassVar[bool] = True
    tells_clips_apart: ClassVar[bool] = False
    network: nn.Module

    def __init__(self, recipe: Recipe, encoder: NormalisedEncoder, accelerator: Accelerator) -> None:
        self.recipe, self.encoder, self.accelerator = recipe, encoder, accelerator

    @abstractmethod
    def inputs(self, batch: Batch) -> tuple[Any, ...]:
        """Arguments of the network for this process's rows; without gradient."""

    @abstractmethod
    def monitors(self, observed: Tensor) -> dict[str, float]:
        """Numbers to watch, of what the network observed in all processes' rows."""

    @abstractmethod
    def in_words(self, monitors: Mapping[str, float]) -> str:
        """The same for a progress bar."""

    @abstractmethod
    def complaint(self, monitors: Mapping[str, float]) -> str | None:
        """A sentence when these say that nothing is being learnt any more."""

    def after_step(self) -> None:  # noqa: B027 (many need nothing)
        """What follows the optimiser's step."""

    def memory(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and plain values that a checkpoint must hold beside the network and the optimiser."""
        return {}, {}

    def remember(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:  # noqa: B027 (as above)
        """Take back what :meth:`memory` gave."""
