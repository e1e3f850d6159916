"""The ablation study: which choices of a pre-training recipe matter, each changed alone.

The rows are the recipe as it is, for each key that the study varies the recipe with each other value of that key, and
rows of its own that change several keys at once; every row's encoder is pre-trained on the same diet with the same
seeds and scored by the same probes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pydantic

from auricle import settings
from auricle.explain.invariance import FEWEST_CLIPS
from auricle.settings import Settings, SettingsError
from auricle.study.base import Pretraining, Probe, Study, Tasks, refuse_doubles, task_name
from auricle.study.encoders import recipe_of

BASE = "the recipe as it is"

Values = Annotated[tuple[Any, ...], pydantic.Field(min_length=1)]
Changes = Annotated[dict[str, Any], pydantic.Field(min_length=1)]


@dataclass(frozen=True)
class Variant:
    """One row.

    Attributes
    ----------
    title
        What the report calls it.
    changes
        Keys of the recipe, with dots, and what they are changed to; none of the recipe as it is.
    pretraining
        How its encoder is then pre-trained.
    """

    title: str
    changes: Mapping[str, Any]
    pretraining: Pretraining

    @property
    def words(self) -> str:
        """The changes as they would be given on the command line."""
        return " ".join(f"{key}={value}" for key, value in self.changes.items())


class Published(Settings):
    """What others found: shown beside the rows, and never compared with them by a test."""

    what: str  # of which system, on which tasks
    source: str
    scores: Annotated[dict[str, float], pydantic.Field(min_length=1)]  # by the titles of rows


class Altered(Settings):
    """Clips on which is measured what embeddings do not change with."""

    task: str | None = None  # one of the study's; its first when not given
    clips: Annotated[int, pydantic.Field(ge=FEWEST_CLIPS)] = 100


class Ablation(Study):
    """One recipe, and that recipe with something changed."""

    kind: Literal["ablation"] = "ablation"
    diet: Annotated[tuple[str, ...], pydantic.Field(min_length=1)]  # folders, manifests, dataset:NAME
    pretraining: Pretraining = Pretraining(recipe="conformer-small")
    vary: dict[str, Values] = pydantic.Field(default_factory=dict)  # key of the recipe, with dots → other values
    rows: dict[str, Changes] = pydantic.Field(default_factory=dict)  # title → all that this row changes
    tasks: Tasks
    probe: Probe = Probe()
    invariance: Altered | None = None
    published: Published | None = None

    @pydantic.field_validator("vary", mode="before")
    @classmethod
    def _one_value_is_a_list(cls, vary: Any) -> Any:
        if not isinstance(vary, dict):
            return vary
        return {key: value if isinstance(value, (list, tuple)) else [value] for key, value in vary.items()}

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> "Ablation":
        refuse_doubles("tasks", self.tasks)
        variants = self.variants()
        titles = [variant.title for variant in variants]
        if len(variants) == 1:
            raise ValueError("nothing is changed: name keys of the recipe under `vary`, or rows under `rows`")
        for title in titles:
            if titles.count(title) > 1:
                raise ValueError(f"two rows are called {title}")
        try:
            base = recipe_of(self.pretraining, seed=0).model_dump()
            for variant in variants[1:]:
                if recipe_of(variant.pretraining, seed=0).model_dump() == base:
                    raise ValueError(f"the row {variant.title} is the recipe as it is: it has {variant.words} already")
        except SettingsError as error:
            raise ValueError(str(error)) from None
        if self.published is not None and (unknown := set(self.published.scores) - set(titles)):
            raise ValueError(f"`published.scores` names {unknown.pop()}, but the rows are {', '.join(titles)}")
        if self.invariance is not None and self.invariance.task not in (None, *map(task_name, self.tasks)):
            raise ValueError(f"`invariance.task` is {self.invariance.task}, but the tasks are {', '.join(self.tasks)}")
        return self

    def variants(self) -> list[Variant]:
        """All rows, the recipe as it is first."""
        found = [Variant(BASE, {}, self.pretraining)]
        for key, values in self.vary.items():
            word = key.rpartition(".")[2].replace("_", " ")
            found += [self._changed(f"{word} {_word(value)}", {key: value}) for value in values]
        return found + [self._changed(title, changes) for title, changes in self.rows.items()]

    def _changed(self, title: str, changes: Mapping[str, Any]) -> Variant:
        overrides = _nested(self.pretraining.overrides)
        settings.override(overrides, _nested(changes), name=self.name)
        return Variant(title, changes, self.pretraining.model_copy(update={"overrides": overrides}))


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
