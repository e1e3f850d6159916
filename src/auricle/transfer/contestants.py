"""The models of an evaluation: found by name, folder or hub id, perhaps one of their layers, loaded when needed."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from auricle.errors import AuricleError
from auricle.models import registry
from auricle.models.encoder import Encoder


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
        Of its weights.
    """

    source: str
    model: str
    fingerprint: str

    @classmethod
    def find(cls, source: str | os.PathLike[str]) -> "Contestant":
        """The model that `source` names.

        Raises
        ------
        AuricleError
            When there is none.
        """
        encoder = registry.load(source if isinstance(source, str) else os.fspath(source))
        return cls(str(source), str(source).rstrip("/"), encoder.weights_fingerprint)

    @property
    def label(self) -> str:
        """One line that tells it from all others."""
        return self.model

    @property
    def names(self) -> dict[str, str | None]:
        """What results call it."""
        return {"model": self.model}

    def load(self, device: torch.device) -> Encoder:
        """The encoder itself, ready to embed."""
        return registry.load(self.source).to(device)
