"""What models make of a task's clips, and what the clips sound like: embeddings and descriptors, computed once each."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from auricle.embedding import EmbedProgress, embed_manifest
from auricle.embedding.file import rejected_path
from auricle.errors import AuricleError
from auricle.explain.describe import describe_manifest
from auricle.explain.describer import Describer
from auricle.explain.descriptors import COLUMNS
from auricle.explain.dissected import HALVES, WHOLE, Dissected
from auricle.explain.inference import Ceiling, noise_ceiling
from auricle.explain.rdm import FEWEST_CLIPS, Floats, rdm
from auricle.explain.similarity import Representation
from auricle.explain.task_clips import TaskClips
from auricle.manifest import Manifest
from auricle.models import registry
from auricle.stages import Finished, Stage, Stages, fingerprint_of_sound

HEARING_VERSION = 1
DESCRIPTION_VERSION = 1
SEEDS_FOR_A_CEILING = 3
MOST_WITHOUT_HALVES = 0.5  # share of clips too short to be halved beyond which halves say nothing of a task
_CLIP = "clip"  # column of the clips: their own row number, carried along
_EMBEDDINGS, _DESCRIPTIONS = "embeddings.parquet", "descriptors.parquet"
_BY_CHANCE = ("seed", "device", "workers")  # keys of a recipe that may differ where models differ by chance alone

Progress = Callable[[EmbedProgress], None]
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Model:
    """A model that is explained.

    Attributes
    ----------
    name
        What it was called: as :func:`auricle.load` takes it.
    fingerprint
        Of its weights, layers and pooling.
    layers
        Which of its layers are explained too.
    pooling
        Over time; None for its own.
    recipe
        How and on what it was trained, but for the seed; empty where nothing is known.
    """

    name: str
    fingerprint: str
    layers: tuple[str, ...]
    pooling: str | None
    recipe: str

    @classmethod
    def find(cls, source: str, *, layers: bool, pooling: str | None) -> "Model":
        """The model that `source` names.

        Raises
        ------
        AuricleError
            When there is none, or no such pooling.
        """
        encoder = registry.load(source)
        names = encoder.layer_names if layers else ()
        recipe = {key: value for key, value in encoder.card.recipe.items() if key not in _BY_CHANCE}
        common = {"architecture": encoder.architecture, "data": encoder.card.data, "recipe": recipe}
        return cls(
            name=source.rstrip("/"),
            fingerprint=Dissected(encoder, names, pooling=pooling).weights_fingerprint,
            layers=names,
            pooling=pooling,
            recipe=json.dumps(common, sort_keys=True, default=str) if recipe else "",
        )

    def dissected(self) -> Dissected:
        """The encoder, its embedding holding halves and layers too."""
        return Dissected(registry.load(self.name), self.layers, pooling=self.pooling)


@dataclass(frozen=True)
class Heard:
    """What one model makes of the clips of a task: NaN where a clip could not be embedded, or has no direction.

    Attributes
    ----------
    model
        Which.
    whole, halves
        ``(clips, dim)``: of the clip, and of two halves of its frames.
    layers
        Name → ``(clips, dim)``.
    """

    model: Model
    whole: Vectors
    halves: tuple[Vectors, ...]
    layers: dict[str, Vectors]

    @property
    def representations(self) -> list[Representation]:
        """The clip's embedding and every layer."""
        own = Representation(self.model.name, None, self.whole)
        return [own, *(Representation(self.model.name, name, vectors) for name, vectors in self.layers.items())]


def stage_of(model: Model, task: TaskClips) -> Stage:
    """What decides the embeddings of a task's clips."""
    inputs = {"weights": model.fingerprint, "sound": fingerprint_of_sound(task.manifest)}
    return Stage("hearing", f"{task.name}-{model.name}", HEARING_VERSION, inputs)


def hear(
    stages: Stages,
    model: Model,
    task: TaskClips,
    *,
    device: torch.device,
    workers: int | None = None,
    progress: Progress,
) -> Finished:
    """Embed a task's clips by a model, unless it is done; :func:`read_heard` reads them."""

    def work(folder: Path) -> dict[str, Any]:
        encoder = model.dissected().to(device)
        out = folder / _EMBEDDINGS
        done = embed_manifest(encoder, _numbered(task.manifest), out=out, workers=workers, progress=progress)
        return {"rejected": done.rejected, "parts": dict(encoder.parts)}

    return stages.run(stage_of(model, task), work, resumable=True, outputs=[_EMBEDDINGS])


def read_heard(finished: Finished, model: Model, task: TaskClips) -> Heard:
    """What :func:`hear` has written."""
    table = pq.read_table(finished.folder / _EMBEDDINGS, columns=[_CLIP, "embedding"])
    parts: dict[str, int] = finished.facts["parts"]
    vectors = np.full((len(task.manifest), sum(parts.values())), np.nan, dtype=np.float32)
    flat = table.column("embedding").combine_chunks().flatten().to_numpy()
    vectors[table.column(_CLIP).to_numpy()] = flat.reshape(len(table), -1)
    ends = np.cumsum(list(parts.values()))[:-1]
    found = dict(zip(parts, np.split(vectors, ends, axis=1), strict=True))
    layers = {name: _directed(found[f"layer {name}"]) for name in model.layers}
    return Heard(model, _directed(found[WHOLE]), tuple(found[name] for name in HALVES), layers)


def _directed(vectors: Vectors) -> Vectors:
    """Vectors with NaN in place of those of length 0 (digital silence, in some layers): they are near nothing."""
    return np.where((vectors == 0).all(axis=1)[:, None], np.float32(np.nan), vectors)


def rejected_of(finished: Finished) -> Path | None:
    """The table of clips that could not be embedded; None where all could."""
    return rejected_path(finished.folder / _EMBEDDINGS) if finished.facts["rejected"] else None


def describe_stage(columns: Sequence[str], task: TaskClips) -> Stage:
    """What decides the descriptors of a task's clips."""
    inputs = {"descriptors": Describer(columns).weights_fingerprint, "sound": fingerprint_of_sound(task.manifest)}
    return Stage("description", task.name, DESCRIPTION_VERSION, inputs)


def describe(
    stages: Stages, columns: Sequence[str], task: TaskClips, *, workers: int | None = None, progress: Progress
) -> dict[str, Floats]:
    """Descriptors of a task's clips as distances are taken of them: column → ``(clips,)``, NaN where there is none."""

    def work(folder: Path) -> dict[str, Any]:
        out = folder / _DESCRIPTIONS
        describe_manifest(_numbered(task.manifest), out=out, names=columns, workers=workers, progress=progress)
        return {}

    finished = stages.run(describe_stage(columns, task), work, resumable=True, outputs=[_DESCRIPTIONS])
    table = pq.read_table(finished.folder / _DESCRIPTIONS, columns=[_CLIP, *columns])
    rows = table.column(_CLIP).to_numpy()
    found = {}
    for column in columns:
        values = np.full(len(task.manifest), np.nan)
        # A logarithm of 0 is no distance either.
        with np.errstate(divide="ignore", invalid="ignore"):
            values[rows] = COLUMNS[column].comparable(table.column(column).to_numpy(zero_copy_only=False))
        found[column] = np.where(np.isfinite(values), values, np.nan)
    return found


def ceilings_of(heard: Sequence[Heard]) -> dict[tuple[str, str | None], Ceiling | str]:
    """Noise ceiling of each model's embedding, or why it has none.

    Where three models or more differ in nothing but the seed of their pre-training, it is how far their RDMs agree;
    else how far those of two halves of each clip's frames do.
    """
    found: dict[tuple[str, str | None], Ceiling | str] = {}
    for one in heard:
        alike = [other for other in heard if one.model.recipe and other.model.recipe == one.model.recipe]
        if len(alike) >= SEEDS_FOR_A_CEILING:
            found[one.model.name, None] = _agreement([other.whole for other in alike])
        else:
            found[one.model.name, None] = _of_halves(one)
    return found


def _of_halves(heard: Heard) -> Ceiling | str:
    embedded = np.isfinite(heard.whole).all(axis=1)
    halved = np.all([embedded & (half != 0).any(axis=1) for half in heard.halves], axis=0)
    if halved.sum() < max(FEWEST_CLIPS, MOST_WITHOUT_HALVES * embedded.sum()):
        return (
            f"no noise ceiling: {embedded.sum() - halved.sum():,} of {embedded.sum():,} clips are too short for two "
            "halves of frames"
        )
    return _agreement([half[halved] for half in heard.halves])


def _agreement(members: Sequence[Vectors]) -> Ceiling | str:
    clips = np.all([np.isfinite(one).all(axis=1) for one in members], axis=0)
    try:
        return noise_ceiling(np.stack([rdm(one[clips]) for one in members]))
    except AuricleError as error:
        return f"no noise ceiling: {error}"


def _numbered(manifest: Manifest) -> Manifest:
    """The clips without what is known of them, numbered."""
    names = [name for name in ("path", "start", "end") if manifest.has(name)]
    plain = Manifest(manifest.table.select(names), manifest.root, manifest.source)
    return plain.with_column(_CLIP, list(range(len(plain))))
