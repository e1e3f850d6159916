"""Settings from YAML: read, overridden by ``key=value``, checked, and refused in one sentence that a person can act on.

Recipes and studies are pydantic models that know their keys. What is wrong with a value is said by key, value and
expectation, and an unknown key by the nearest one that exists; no error message of pydantic's reaches a user.
"""

import difflib
import typing
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, TypeVar

import pydantic
import yaml

from auricle.errors import AuricleError
from auricle.files import why_no_file

YAML_SUFFIXES = (".yaml", ".yml")
_NO_YAML = (yaml.YAMLError, ValueError, RecursionError)  # a date that is none, brackets in brackets without end


class SettingsError(AuricleError):
    """Settings that cannot be used: unknown, with an unknown key, or with a value out of range."""


class Settings(pydantic.BaseModel):
    """Base of all settings: frozen, and a key that does not exist is an error."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


AnySettings = TypeVar("AnySettings", bound=Settings)

Share = Annotated[float, pydantic.Field(ge=0, le=1)]
Positive = Annotated[int, pydantic.Field(ge=1)]


def built_in(package: str) -> list[str]:
    """Names of the YAML files in the folder ``recipes`` of a package."""
    folder = resources.files(package) / "recipes"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def read_yaml(source: str | Path, *, package: str, kind: str) -> dict[str, Any]:
    """The keys and values of a built-in file, by name, or of a YAML file, by path.

    Parameters
    ----------
    source
        A name of :func:`built_in`, or a path that ends in ``.yaml``.
    package
        Where the built-in files are.
    kind
        What an error calls it, for instance ``"recipe"``.

    Raises
    ------
    SettingsError
        When there is no such file, or it does not hold keys and values.
    """
    try:
        values = yaml.safe_load(_text(source, package, kind))
    except _NO_YAML as error:
        raise SettingsError(f"{source} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise SettingsError(f"{source} is not a {kind}: expected keys and values, found {type(values).__name__}")
    return values


def _text(source: str | Path, package: str, kind: str) -> str:
    path = Path(source)
    if path.suffix in YAML_SUFFIXES:
        if not path.is_file():  # of a pipe, one would wait for ever
            raise SettingsError(f"no {kind} file {path}: it {why_no_file(path)}")
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path} cannot be read: {error}") from None
    known = built_in(package)
    if str(source) not in known:
        nearest = difflib.get_close_matches(str(source), known, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(known)}, or give a .yaml file"
        raise SettingsError(f"no {kind} {source}; {hint}")
    return (resources.files(package) / "recipes" / f"{source}.yaml").read_text(encoding="utf-8")


def override(values: dict[str, Any], overrides: Iterable[str] | Mapping[str, Any], *, name: str) -> None:
    """Put values on top of others, in place.

    Parameters
    ----------
    values
        What is changed.
    overrides
        Either ``key=value`` texts, whose values are read as YAML and whose nested keys have dots, or a mapping that may
        be nested.
    name
        What an error calls the settings.

    Raises
    ------
    SettingsError
        When a text is not ``key=value``, or a nested key lies below a single value.
    """
    if isinstance(overrides, Mapping):
        for key, value in overrides.items():
            if isinstance(value, Mapping) and isinstance(values.get(key), dict):
                override(values[key], value, name=name)
            else:
                values[key] = value
        return
    for text in overrides:
        dotted, separator, value = text.partition("=")
        if not separator:
            raise SettingsError(f"expected key=value, got {text!r}")
        *parents, key = dotted.split(".")
        part = values
        for parent in parents:
            part = part.setdefault(parent, {})
            if not isinstance(part, dict):
                raise SettingsError(f"{name} has no key `{dotted}`: `{parent}` is a single value")
        try:
            part[key] = yaml.safe_load(value) if value else None
        except _NO_YAML:
            raise SettingsError(f"{name}: the value of `{dotted}` is not valid YAML: {value!r}") from None


def build(kind: type[AnySettings], values: Mapping[str, Any], *, name: str) -> AnySettings:
    """Settings of plain values.

    Raises
    ------
    SettingsError
        For an unknown key (naming the nearest one) or a value that is missing or out of range.
    """
    try:
        return kind(**values)
    except pydantic.ValidationError as error:
        raise SettingsError(_explain(error, kind, name)) from None


def _explain(error: pydantic.ValidationError, kind: type[Settings], name: str) -> str:
    first = error.errors()[0]
    location = first["loc"]
    key = ".".join(str(step) for step in location)
    if first["type"] == "extra_forbidden":
        nearest = difflib.get_close_matches(str(location[-1]), _known_keys(kind, location[:-1]), n=1)
        hint = f"; did you mean `{nearest[0]}`?" if nearest else ""
        return f"{name} has no key `{key}`{hint}"
    if first["type"] == "missing":
        return f"{name}: `{key}` is missing"
    message = first["msg"].removeprefix("Value error, ")
    if not key:
        return f"{name}: {message}"
    message = message[0].lower() + message[1:]
    return f"{name}: `{key}` is {first['input']!r}: {message}"


def _known_keys(kind: type[Settings], location: tuple[int | str, ...]) -> list[str]:
    """Keys of the settings that lie at a location inside others."""
    for step in location:
        field = kind.model_fields.get(str(step))  # None for an index, or for a key of a mapping
        kind = kind if field is None else next(_settings_in(field.annotation), kind)
    return list(kind.model_fields)


def _settings_in(annotation: Any) -> Iterator[type[Settings]]:
    """The settings that a type is made of, for instance in ``list[Views] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _settings_in(part)
