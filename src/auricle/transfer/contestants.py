"""The models of an evaluation: found by name, folder or hub id, perhaps one of their layers, loaded when needed."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from auricle.datasets.registry import list_datasets
from auricle.errors import AuricleError
from auricle.models import registry
from auricle.models.encoder import Encoder
from auricle.models.pooled import pooled
from auricle.models.pooling import POOLINGS


def find_contestants(
    sources: Sequence[str], *, layer: str | None = None, pooling: str | None = None
) -> tuple[list["Contestant"], list[str]]:
    """Models by what :func:`auricle.load` takes, and what a reader of their scores should know.

    A model that has no such layer takes part as it is, unless none has it.

    Raises
    ------
    AuricleError
        When a model is not there or given twice, no model has the layer, or there is no such pooling.
    """
    if pooling is not None and pooling not in POOLINGS:
        raise AuricleError(f"pooling is {pooling!r}: expected {', '.join(POOLINGS)}")
    found, without = [], []
    for source in dict.fromkeys(sources):
        plain = Contestant.find(source, pooling=pooling)
        try:
            found.append(plain if layer is None else Contestant.find(source, layer=layer, pooling=pooling))
        except AuricleError as error:
            found.append(plain)
            without.append(error)
    if without and len(without) == len(found):
        raise without[0]
    refuse_same_weights(found)
    return found, [f"{error}; it is evaluated by its own embedding" for error in without]


def refuse_same_weights(contestants: Sequence["Contestant"]) -> None:
    """Make sure that no model is compared with itself under another name.

    Raises
    ------
    AuricleError
        When two have the same weights.
    """
    seen: dict[str, Contestant] = {}
    for model in contestants:
        first = seen.setdefault(model.fingerprint, model)
        if first is not model:
            raise AuricleError(f"{first.model} and {model.model} are the same model: give it once")


@dataclass(frozen=True)
class Contestant:
    """A model that is evaluated.

    Attributes
    ----------
    source
        What :func:`auricle.load` takes.
    model
        What results call it.
    fingerprint
        Of its weights, layer and pooling.
    layer, pooling
        Which of its layers gives the embeddings, and how over time; None for its own.
    """

    source: str
    model: str
    fingerprint: str
    layer: str | None = None
    pooling: str | None = None

    @classmethod
    def find(cls, source: str, *, layer: str | None = None, pooling: str | None = None) -> "Contestant":
        """The model that `source` names.

        Raises
        ------
        AuricleError
            When there is none, or it has no such layer.
        """
        try:
            encoder = registry.load(source)
        except AuricleError as error:
            if source.lower().replace("_", "-") in list_datasets():
                raise AuricleError(f"{source} is a task, not a model: give every task its own --task") from error
            raise
        fingerprint = pooled(encoder, layer=layer, pooling=pooling).weights_fingerprint
        return cls(source, source.rstrip("/"), fingerprint, layer, pooling)

    @property
    def label(self) -> str:
        """One line that tells it from all others."""
        choices = [choice for choice in (self.layer, self.pooling) if choice is not None]
        return f"{self.model} ({', '.join(choices)})" if choices else self.model

    @property
    def names(self) -> dict[str, str | None]:
        """What results call it."""
        return {"model": self.model, "layer": self.layer, "pooling": self.pooling}

    def load(self, device: torch.device) -> Encoder:
        """The encoder itself, ready to embed."""
        return pooled(registry.load(self.source), layer=self.layer, pooling=self.pooling).to(device)
