"""What every kind of study says: where its data is, how encoders are pre-trained and probed, what its seeds are.

A kind of study is a class of settings below :class:`Study`, which its YAML file names by ``kind``, and a function that
does what it says; :mod:`auricle.study.definition` knows them all.
"""

import dataclasses
import os
from pathlib import Path
from typing import Annotated, Any

import pydantic
import yaml

from auricle.datasets.registry import list_datasets
from auricle.errors import AuricleError
from auricle.settings import Settings, SettingsError
from auricle.transfer.probe import ProbeSettings
from auricle.transfer.protocols import protocol

SOUND_WORLD = "synth"
DATASET_PREFIX = "dataset:"
DATA_VARIABLE = "AURICLE_DATA"
_STUDY_SETS = ("data", "seed")  # keys of a recipe that follow from the study

Seeds = Annotated[tuple[int, ...], pydantic.Field(min_length=1)]
Tasks = Annotated[tuple[str, ...], pydantic.Field(min_length=1)]  # names of datasets, or manifests


class World(Settings):
    """The synthetic sound world, for ``data: synth``."""

    clips: Annotated[int, pydantic.Field(ge=120)] = 1200


class Pretraining(Settings):
    """How an encoder is trained on each diet."""

    recipe: str = "byola-2022"  # a name of `auricle pretrain`, or a YAML file
    overrides: dict[str, Any] = pydantic.Field(default_factory=dict)  # of the recipe's keys
    seeds: Seeds = (0,)  # one encoder per diet and seed

    @pydantic.field_validator("overrides")
    @classmethod
    def _not_what_the_study_sets(cls, overrides: dict[str, Any]) -> dict[str, Any]:
        for key in _STUDY_SETS:
            if key in overrides:
                raise ValueError(f"its key `{key}` follows from the study's own diets and seeds; remove it")
        return overrides


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


class Study(Settings):
    """A whole study; relative paths start from the folder of all data."""

    kind: str
    name: str
    title: str | None = None
    seed: int = 0  # of analyses, and of the sound world
    device: str = "auto"  # of embedding and probing; training has its own key
    data: str | None = None  # folder of all data, or `synth`; AURICLE_DATA when not given
    world: World = World()

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


def refuse_doubles(what: str, names: tuple[str, ...]) -> None:
    """Make sure that nothing is named twice, nor two tasks are called alike.

    Raises
    ------
    ValueError
        Which pydantic turns into an error that names the study.
    """
    if len(set(names)) < len(names):
        raise ValueError(f"`{what}` names one of {', '.join(names)} twice")
    titles = [task_name(name) for name in names]
    if what == "tasks" and len(set(titles)) < len(titles):
        raise ValueError(f"two tasks have the same name: {', '.join(titles)}")
