"""What a study is: diets, a pre-training recipe, encoders to compare with, tasks and analyses, in one YAML file.

``auricle study run STUDY.yaml`` takes it from there. Built-in studies (`demo`) ship with the package; ``key=value``
overrides go on top, nested keys with dots (``pretraining.overrides.steps=200``).
"""

import dataclasses
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import yaml

from auricle import settings
from auricle.datasets.registry import list_datasets
from auricle.errors import AuricleError
from auricle.explain.descriptors import columns_of
from auricle.settings import Settings, SettingsError
from auricle.transfer.probe import ProbeSettings
from auricle.transfer.protocols import protocol

SOUND_WORLD = "synth"
DATASET_PREFIX = "dataset:"
RANDOM = "random"
DATA_VARIABLE = "AURICLE_DATA"
_PACKAGE = "auricle.study"
_STUDY_SETS = ("data", "seed")  # keys of a recipe that follow from the study

Part = Literal["valid", "all"]
Seeds = Annotated[tuple[int, ...], pydantic.Field(min_length=1)]


class World(Settings):
    """The synthetic sound world, for ``data: synth``."""

    clips: Annotated[int, pydantic.Field(ge=40)] = 1200


class Pretraining(Settings):
    """How an encoder is trained on each diet."""

    recipe: str = "byola-2022"  # a name of `auricle pretrain`, or a YAML file
    overrides: dict[str, Any] = pydantic.Field(default_factory=dict)  # of the recipe's keys
    seeds: Seeds = (0,)  # one encoder per diet and seed


class Probe(Settings):
    """How tasks are scored."""

    protocol: str = "ogg2025"
    seeds: Seeds = (0, 1, 2)
    overrides: dict[str, Any] = pydantic.Field(default_factory=dict)  # of the protocol's settings; results name them

    @pydantic.model_validator(mode="after")
    def _usable(self) -> "Probe":
        try:
            self.settings()
        except AuricleError as error:
            raise ValueError(str(error)) from None
        return self

    def settings(self) -> ProbeSettings:
        """The protocol's settings with the overrides on top."""
        values = dataclasses.asdict(protocol(self.protocol).settings)
        for key in self.overrides:
            if key not in values:
                raise SettingsError(f"a probe has no setting `{key}`; it has {', '.join(values)}")
        try:
            return pydantic.TypeAdapter(ProbeSettings).validate_python({**values, **self.overrides})
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"]))
            raise SettingsError(f"`{key}` is {first['input']!r}: {first['msg'].lower()}") from None


class Rsa(Settings):
    """Representational similarity analysis."""

    descriptors: tuple[str, ...] = ("rms_level", "spectral_centroid_median", "f0_median")
    pitched: tuple[str, ...] | None = None  # tasks for which pitch means something; all when not given
    clips: Annotated[int, pydantic.Field(ge=10, le=1000)] = 1000
    part: Part = "valid"  # of a task: what selects probes, or all clips

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


class Study(Settings):
    """A whole study; relative paths start from the folder of all data."""

    name: str
    title: str | None = None
    seed: int = 0  # of analyses, and of the sound world
    device: str = "auto"  # of embedding and probing; pre-training has its own key
    data: str | None = None  # folder of all data, or `synth`; AURICLE_DATA when not given
    world: World = World()
    diets: Annotated[dict[str, tuple[str, ...]], pydantic.Field(min_length=1)]  # folders, manifests, dataset:NAME
    pretraining: Pretraining = Pretraining()
    models: tuple[str, ...] = (RANDOM, "logmel-stats", "mfcc-stats")
    random_seeds: Seeds = (0, 1, 2)
    tasks: Annotated[tuple[str, ...], pydantic.Field(min_length=1)]  # names of datasets, or manifests
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
    def _consistent(self) -> "Study":
        for name, sources in self.diets.items():
            if not sources:
                raise ValueError(f"diet {name} has no source: give a folder, a manifest or {DATASET_PREFIX}NAME")
        for key in _STUDY_SETS:
            if key in self.pretraining.overrides:
                raise ValueError(
                    f"`pretraining.overrides.{key}` follows from the study's own diets and seeds; remove it"
                )
        for what, names in (("models", self.models), ("tasks", self.tasks)):
            if len(set(names)) < len(names):
                raise ValueError(f"`{what}` names one of {', '.join(names)} twice")
        titles = [task_name(task) for task in self.tasks]
        if len(set(titles)) < len(titles):
            raise ValueError(f"two tasks have the same name: {', '.join(titles)}")
        for what, named, known in self._references(titles):
            for name in named:
                if name not in known:
                    raise ValueError(f"`{what}` is {name}, but there are {', '.join(known)}")
        return self

    def _references(self, tasks: list[str]) -> Iterator[tuple[str, Iterable[str], list[str]]]:
        """Keys that name tasks or diets, what they name, and what there is."""
        diets = list(self.diets)
        if self.rsa:
            yield "rsa.pitched", self.rsa.pitched or (), tasks
        if self.tsne:
            yield "tsne.diets", self.tsne.diets or (), diets
        if self.map:
            yield "map.task", [self.map.task] if self.map.task else (), tasks
            yield "map.diet", [self.map.diet] if self.map.diet else (), diets

    @property
    def is_synthetic(self) -> bool:
        """Whether the data is the sound world that Auricle makes itself."""
        return self.data == SOUND_WORLD

    def data_folder(self) -> Path:
        """The folder of all data.

        Raises
        ------
        SettingsError
            When none is given, or it is not there.
        """
        given = self.data or os.environ.get(DATA_VARIABLE)
        if not given:
            raise SettingsError(
                f"{self.name}: where is the data? Give data=FOLDER, or data=synth for the sound world that Auricle "
                f"makes itself, or set the variable {DATA_VARIABLE}"
            )
        folder = Path(given).expanduser()
        if not folder.is_dir():
            raise SettingsError(f"{self.name}: the folder of all data, {folder}, is not there")
        return folder

    def as_yaml(self) -> str:
        """Everything resolved, as a study file."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def task_name(task: str) -> str:
    """What a task is called: a dataset's name, or that of a manifest's file."""
    key = task.lower().replace("_", "-")
    return key if key in list_datasets() else Path(task).stem


def list_studies() -> list[str]:
    """Names of the built-in studies."""
    return settings.built_in(_PACKAGE)


def load_study(source: str | Path, overrides: Iterable[str] = ()) -> Study:
    """Read a study by name or from a YAML file and put ``key=value`` overrides on top.

    Raises
    ------
    SettingsError
        For an unknown study, an unknown key (naming the nearest one) or a value that makes no sense.
    """
    values = settings.read_yaml(source, package=_PACKAGE, kind="study")
    name = str(values.setdefault("name", Path(source).stem))
    settings.override(values, overrides, name=name)
    return settings.build(Study, values, name=name)
