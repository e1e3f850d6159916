"""How probes are trained: the settings that protocols fix and users may depart from."""

import itertools
from dataclasses import dataclass
from typing import Literal

from auricle.errors import AuricleError


@dataclass(frozen=True)
class ProbeSettings:
    """How a probe is trained.

    The defaults are those of the study (Ogg 2025), which states epochs, learning rate, optimiser, patience and that the
    loss is class-weighted; what it leaves open is our choice and is marked so.

    Attributes
    ----------
    epochs : int
    learning_rate : float or tuple of float
        Adam's, with its customary betas 0.9 and 0.999 and epsilon 1e-8; of several, validation data choose.
    batch_size : int
        Our choice.
    patience : int or None
        Epochs without improvement on validation data after which the learning rate falls; None to let it be.
    reduction : float
        What the learning rate is then multiplied by; our choice, the default of torch's ReduceLROnPlateau.
    class_weighted : bool
        Weigh each class by n / (classes · clips of the class) in training and validation loss; the formula is ours.
        Applies to multi-class and binary tasks.
    standardise : bool
        Bring every dimension to mean 0 and deviation 1 on the training part; the study does not mention it.
    weight_decay : float or tuple of float
        Times half the squared weights (not the bias) is added to the loss, as in torch's Adam; of several, validation
        data choose.
    early_stopping : int or None
        Epochs without improvement after which training ends; None for never.
    select_by : {"loss", "score"}
        What improvement and choice go by: validation loss, or accuracy, average precision or R² by the kind of task.
        An equal score counts as an improvement, an equal loss does not.
    loss_over_classes : bool
        Divide the cross-entropy by the number of classes.
    optimiser : {"adam", "descent"}
        Adam, or stochastic gradient descent with momentum 0.9, which sees embeddings divided by the square root of
        their number of dimensions, so that a learning rate means the same for all; a bias learns at a tenth of it.
    neighbours : tuple of int
        With any, nothing is trained: so many nearest neighbours vote, validation data choose how many.
    """

    epochs: int = 50
    learning_rate: float | tuple[float, ...] = 1e-4
    batch_size: int = 64
    patience: int | None = 5
    reduction: float = 0.1
    class_weighted: bool = True
    standardise: bool = False
    weight_decay: float | tuple[float, ...] = 0.0
    early_stopping: int | None = None
    select_by: Literal["loss", "score"] = "loss"
    loss_over_classes: bool = False
    optimiser: Literal["adam", "descent"] = "adam"
    neighbours: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be trained."""
        for name, least in (("epochs", 1), ("batch_size", 1), ("patience", 1), ("early_stopping", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise AuricleError(f"a probe's {name} is at least {least}, got {value}")
        if not self.configurations:
            raise AuricleError("a probe needs at least one learning rate and one weight decay")
        for rate, decay in self.configurations:
            if not (rate > 0 and decay >= 0):
                raise AuricleError(
                    f"a probe's learning rate is above 0 and its weight decay not below, got {rate} and {decay}"
                )
        if any(count < 1 for count in self.neighbours):
            raise AuricleError(f"at least one neighbour votes, got {self.neighbours}")

    @property
    def configurations(self) -> list[tuple[float, float]]:
        """All pairs of learning rate and weight decay."""
        return list(itertools.product(_several(self.learning_rate), _several(self.weight_decay)))


def _several(value: float | tuple[float, ...]) -> tuple[float, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,)
