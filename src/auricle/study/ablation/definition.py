"""The ablation study: which choices of a pre-training recipe matter, each changed alone.

The rows are the recipe as it is and, for each key that the study varies, the recipe with each other value of that key;
every row's encoder is pre-trained on the same diet with the same seeds and scored by the same probes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pydantic

from auricle import settings
from auricle.settings import SettingsError
from auricle.study.base import Pretraining, Probe, Study, Tasks, refuse_doubles
from auricle.study.encoders import recipe_of

BASE = "the recipe as it is"

Values = Annotated[tuple[Any, ...], pydantic.Field(min_length=1)]


@dataclass(frozen=True)
class Variant:
    """One row: what is changed, to what, and how its encoder is then pre-trained."""

    title: str
    key: str | None
    value: Any
    pretraining: Pretraining


class Ablation(Study):
    """One recipe, and that recipe with one key changed."""

    kind: Literal["ablation"] = "ablation"
    diet: Annotated[tuple[str, ...], pydantic.Field(min_length=1)]  # folders, manifests, dataset:NAME
    pretraining: Pretraining = Pretraining(recipe="conformer-small")
    vary: Annotated[dict[str, Values], pydantic.Field(min_length=1)]  # key of the recipe, with dots → other values
    tasks: Tasks
    probe: Probe = Probe()

    @pydantic.field_validator("vary", mode="before")
    @classmethod
    def _one_value_is_a_list(cls, vary: Any) -> Any:
        if not isinstance(vary, dict):
            return vary
        return {key: value if isinstance(value, (list, tuple)) else [value] for key, value in vary.items()}

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> "Ablation":
        refuse_doubles("tasks", self.tasks)
        try:
            base = recipe_of(self.pretraining, seed=0).model_dump()
            for variant in self.variants()[1:]:
                if recipe_of(variant.pretraining, seed=0).model_dump() == base:
                    raise ValueError(f"`vary.{variant.key}` names {variant.value}, which the recipe has already")
        except SettingsError as error:
            raise ValueError(str(error)) from None
        return self

    def variants(self) -> list[Variant]:
        """All rows, the recipe as it is first."""
        found = [Variant(BASE, None, None, self.pretraining)]
        for key, values in self.vary.items():
            for value in values:
                overrides = _nested(self.pretraining.overrides)
                settings.override(overrides, _nested({key: value}), name=self.name)
                changed = self.pretraining.model_copy(update={"overrides": overrides})
                found.append(Variant(f"{key.rpartition('.')[2].replace('_', ' ')} {_word(value)}", key, value, changed))
        return found


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Keys with dots as mappings inside mappings, copied."""
    found: dict[str, Any] = {}
    for dotted, value in values.items():
        *parents, key = dotted.split(".")
        part = found
        for parent in parents:
            part = part.setdefault(parent, {})
        part[key] = _nested(value) if isinstance(value, Mapping) else value
    return found


def _word(value: Any) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
