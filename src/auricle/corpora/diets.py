"""Diets: which corpora an encoder is pre-trained on, and with which weights. Three are built in: Ogg (2025) has them.

A weight counts within an epoch: clips of a corpus of weight 2 come twice as often as those of a corpus of weight 1.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import pydantic

from auricle import settings
from auricle.corpora.registry import corpus
from auricle.errors import AuricleError
from auricle.inputs import joined
from auricle.manifest import Manifest
from auricle.settings import Settings

_PACKAGE = "auricle.corpora"
_COLUMNS = ("path", "start", "end")

Weight = Annotated[float, pydantic.Field(gt=0, le=1000)]


class Diet(Settings):
    """A mixture of corpora.

    Attributes
    ----------
    name
        What it is called.
    corpora
        Weight of each corpus by name.
    musan_speech
        Whether the speech part of MUSAN belongs to it.
    """

    name: str
    corpora: Annotated[dict[str, Weight], pydantic.Field(min_length=1)]
    musan_speech: bool = True

    @pydantic.field_validator("corpora")
    @classmethod
    def _known(cls, corpora: dict[str, float]) -> dict[str, float]:
        try:
            return {corpus(name).name: weight for name, weight in corpora.items()}
        except AuricleError as error:
            raise ValueError(str(error)) from None


@dataclass(frozen=True)
class DietClips:
    """The clips of a diet that are there.

    Attributes
    ----------
    manifest : Manifest
        ``path``, ``start``, ``end``, ``corpus`` and ``weight``.
    absent : dict
        By corpus: what its lists name and is not there, or cannot be read.
    """

    manifest: Manifest
    absent: dict[str, list[str]]


def list_diets() -> list[str]:
    """Names of the built-in diets."""
    return settings.built_in(_PACKAGE)


def load_diet(source: str | Path) -> Diet:
    """A diet by name or from a YAML file.

    Raises
    ------
    SettingsError
        When there is none, or it names a corpus that there is not.
    """
    values = settings.read_yaml(source, package=_PACKAGE, kind="diet")
    return settings.build(Diet, values, name=str(values.get("name", source)))


def clips_of_diet(diet: Diet, root: Path) -> DietClips:
    """All clips of a diet's corpora.

    Raises
    ------
    AuricleError
        When a corpus is not there; it names all of these.
    """
    parts, absent, refused = [], {}, dict[str, str]()
    for name, weight in diet.corpora.items():
        entry, missing = corpus(name), list[str]()
        load = entry.load if diet.musan_speech or entry.without_speech is None else entry.without_speech
        try:
            parts.append(with_corpus(load(root, absent=missing), name, weight))
        except AuricleError as error:
            refused[name] = str(error).removeprefix(f"{name}: ")
        if missing:
            absent[name] = missing
    lines = [f"{name}: {why}" for name, why in refused.items()]
    if lines:
        first = f"{len(lines)} of {len(diet.corpora)} corpora of the diet {diet.name} cannot be used:"
        raise AuricleError(lines[0] if len(lines) == 1 else "\n  ".join([first, *lines]))
    return DietClips(joined(parts, source=f"diet {diet.name}"), absent)


def with_corpus(manifest: Manifest, name: str, weight: float = 1.0) -> Manifest:
    """Clips alone, with the corpus that they are of and its weight, unless they say so themselves."""
    table = manifest.table
    kept = table.select([column for column in (*_COLUMNS, "corpus", "weight") if manifest.has(column)])
    if not manifest.has("corpus"):
        kept = kept.append_column("corpus", pa.array([name] * len(manifest), pa.string()))
    if not manifest.has("weight"):
        kept = kept.append_column("weight", pa.array([weight] * len(manifest), pa.float64()))
    return Manifest(kept, manifest.root, manifest.source)
