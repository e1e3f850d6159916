"""The study of diets: encoders pre-trained on each of several mixtures of corpora, beside others, on tasks (Ogg 2025).

``kind: diets``, which a study file need not say. Nested keys are overridden with dots
(``pretraining.overrides.steps=200``); ``objective`` puts another recipe in the place of the study's own.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

import pydantic

from auricle import synth
from auricle.datasets.registry import list_datasets
from auricle.errors import AuricleError
from auricle.explain.descriptors import columns_of
from auricle.settings import Settings
from auricle.study.base import DATASET_PREFIX, Pretraining, Probe, Seeds, Study, Tasks, refuse_doubles, task_name

RANDOM = "random"

Part = Literal["valid", "all"]


class Rsa(Settings):
    """Representational similarity analysis."""

    descriptors: tuple[str, ...] = ("rms_level", "spectral_centroid_median", "f0_median")
    pitched: tuple[str, ...] | None = None  # tasks for which pitch means something; all when not given
    clips: Annotated[int, pydantic.Field(ge=10, le=1000)] = 1000
    part: Part = "valid"  # of a task: what selects probes, or all clips
    layers: bool = False  # every layer of the trained encoders too

    @pydantic.field_validator("descriptors")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return columns_of(names)
        except AuricleError as error:
            raise ValueError(str(error)) from None


class Tsne(Settings):
    """Pictures of the embeddings."""

    clips: Annotated[int, pydantic.Field(ge=10, le=2000)] = 2000
    part: Part = "valid"
    diets: tuple[str, ...] | None = None  # whose encoders; the last diet's when not given


class SoundMap(Settings):
    """The map in the report that plays sound."""

    task: str | None = None  # the first one when not given
    diet: str | None = None  # whose encoder; the last diet's when not given
    part: Part = "all"
    clips: Annotated[int, pydantic.Field(ge=10, le=5000)] = 600
    megabytes: Annotated[float, pydantic.Field(gt=0, le=100)] = 8.0  # of audio in the report


class Diets(Study):
    """Diets × models × tasks."""

    kind: Literal["diets"] = "diets"
    # Folders, manifests, dataset:NAME (its training part), corpus:NAME, or diet:NAME, of `auricle corpora`.
    diets: Annotated[dict[str, tuple[str, ...]], pydantic.Field(min_length=1)]
    equal_hours: bool = False  # every diet as long as the shortest, by a random draw of clips
    leave_own_corpus_out: bool = False  # score a task by encoders that were trained without its dataset
    leave_out: dict[str, tuple[str, ...]] = pydantic.Field(default_factory=dict)  # column → patterns: in no diet
    hop: Annotated[float, pydantic.Field(gt=0)] | None = None  # seconds between excerpts of tasks that are cut so
    matches: dict[str, tuple[str, ...]] | None = None  # tasks that are of a diet's own kind, for the effect of that
    confounds: tuple[str, ...] = ()  # what differs between the diets besides their kind, for the report
    objective: str | None = None  # a recipe in place of `pretraining.recipe`, whose overrides it keeps
    pretraining: Pretraining = Pretraining()
    models: tuple[str, ...] = (RANDOM, "logmel-stats", "mfcc-stats")
    random_seeds: Seeds = (0, 1, 2)
    tasks: Tasks
    probe: Probe = Probe()
    rsa: Rsa | None = Rsa()
    tsne: Tsne | None = Tsne()
    map: SoundMap | None = SoundMap()

    @pydantic.field_validator("diets", mode="before")
    @classmethod
    def _one_source_is_a_list(cls, diets: Any) -> Any:
        if not isinstance(diets, dict):
            return diets
        return {name: [sources] if isinstance(sources, str) else sources for name, sources in diets.items()}

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> "Diets":
        for name, sources in self.diets.items():
            if not sources:
                raise ValueError(f"diet {name} has no source: give a folder, a manifest or {DATASET_PREFIX}NAME")
        refuse_doubles("models", self.models)
        refuse_doubles("tasks", self.tasks)
        for what, named, known in self._references([task_name(task) for task in self.tasks]):
            for name in named:
                if name not in known:
                    raise ValueError(f"`{what}` is {name}, but there are {', '.join(known)}")
        return self

    def _references(self, tasks: list[str]) -> Iterator[tuple[str, Iterable[str], list[str]]]:
        """Keys that name tasks or diets, what they name, and what there is."""
        diets = list(self.diets)
        if self.matches:
            yield "matches", self.matches, diets
            known = sorted({*tasks, *list_datasets(), *(task.name for task in synth.TASKS)})
            for diet, matched in self.matches.items():
                yield f"matches.{diet}", matched, known
        if self.rsa:
            yield "rsa.pitched", self.rsa.pitched or (), tasks
        if self.tsne:
            yield "tsne.diets", self.tsne.diets or (), diets
        if self.map:
            yield "map.task", [self.map.task] if self.map.task else (), tasks
            yield "map.diet", [self.map.diet] if self.map.diet else (), diets

    @property
    def learning(self) -> Pretraining:
        """How encoders are pre-trained, the objective considered."""
        return self.pretraining.model_copy(update={"recipe": self.objective} if self.objective else {})
