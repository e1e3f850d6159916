"""A pre-training recipe: every number of a run, typed, checked, and stored resolved beside the weights.

A recipe is a YAML file; built-in ones (`byola-2022`, `cola`, `conformer-small` …) ship with the package and hold
the papers' values. ``key=value`` overrides go on top, nested keys with dots (``views.mixup=0.4``). A key that a recipe
does not have is an error that names the nearest one.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from auricle import settings
from auricle.settings import Positive, Settings, SettingsError, Share
from auricle.training import TrainingSettings

_PACKAGE = "auricle.pretraining"

RecipeError = SettingsError  # what a recipe that cannot be used raises


class Views(Settings):
    """How two views are made of one crop; 0 or false turns a block off."""

    mixup: Share = 0.2  # upper end of the mixing ratio with the memory
    memory: Annotated[int, pydantic.Field(ge=0)] = 2048  # crops that the mixup memory holds
    noise: Share = 0.0  # upper end of the mixing ratio with Gaussian noise (the papers' ablation)
    crop: bool = True  # random resize crop
    virtual_crop: tuple[float, float] = (1.0, 1.5)  # canvas relative to the crop, (frequency, time)
    frequency_scale: tuple[float, float] = (0.6, 1.5)  # range of a view's height relative to the crop's
    time_scale: tuple[float, float] = (0.6, 1.5)  # range of a view's width relative to the crop's
    fader: Annotated[float, pydantic.Field(ge=0)] = 1.0  # gain of the random linear fader, in natural-log units
    post_norm: bool = True  # standardise the views of the global batch


class Cola(Settings):
    """What of a clip is told to belong together, and by what; counts only where `objective` is cola."""

    crops: Literal[1, 2] = 2  # different crops of a clip, as COLA has it; 1: two views of one crop, as BYOL-A has it
    dim: Positive = 512  # of a projection
    similarity: Literal["bilinear", "cosine"] = "bilinear"
    temperature: Annotated[float, pydantic.Field(gt=0)] = 0.2  # of the cosine


class Wav2Vec(Settings):
    """What is hidden, and what it is told apart from; counts only where `objective` is wav2vec2."""

    mask_probability: Annotated[float, pydantic.Field(gt=0, le=1)] = 0.3  # share of frames hidden, at most
    mask_span: Positive = 3  # frames of 40 ms
    negatives: Positive = 100  # for each hidden frame, from the same clip
    temperature: Annotated[float, pydantic.Field(gt=0)] = 0.1  # wav2vec 2.0's; the conformer's paper is silent
    centre: bool = False  # similarities of vectors less their mean over the clip's hidden frames; ours
    quantiser: bool = False  # wav2vec 2.0's quantiser of targets, with its numbers
    codebooks: Positive = 2
    codes: Positive = 320
    gumbel_temperature: tuple[float, float, float] = (2.0, 0.5, 0.999995)  # first, last, factor of a step
    diversity_weight: Annotated[float, pydantic.Field(ge=0)] = 0.1


class Recipe(TrainingSettings):
    """Every number of one pre-training run.

    Sources: BYOL-A (Niizumi et al. 2021, 2022); COLA (Saeed et al. 2020); conformer wav2vec 2.0 (Srivastava et al.
    2022); keys that the papers do not have (`schedule`, `sampling`, `cache_gib`, `clip_seconds`) are ours and default
    to what the papers do, where they do something.
    """

    name: str
    objective: Literal["byol", "cola", "wav2vec2"] = "byol"
    data: list[str] = pydantic.Field(default_factory=list)
    init: str | None = None  # existing weights to go on from: a model's name, folder or file
    encoder: dict[str, Any]  # `architecture` and the fields of that architecture's configuration
    views: Views = Views()
    cola: Cola = Cola()
    wav2vec: Wav2Vec = Wav2Vec()

    steps: Positive | None = None
    epochs: Positive | None = None
    schedule: Literal["constant", "cosine"] = "constant"
    adam_betas: tuple[float, float] = (0.9, 0.999)
    warmup_steps: Annotated[int, pydantic.Field(ge=0)] = 0
    ema: Share = 0.99  # target = ema * target + (1 - ema) * online, after each optimiser step
    projection_hidden: Positive = 4096
    projection_dim: Positive = 256

    crop_seconds: Annotated[float, pydantic.Field(gt=0)] = 0.95
    clip_seconds: Annotated[float, pydantic.Field(gt=0)] = 10.0  # long recordings are cut into clips of this length
    sampling: Literal["clip", "duration"] = "clip"  # one crop per clip and epoch, or crops in proportion to length
    padding: Literal["tail", "centre"] = "tail"  # where a clip shorter than a crop lies in its zeros
    bucket: bool = False  # batches of crops of like length, about as many frames as batch_size full crops have
    pre_norm: bool = True  # standardise log-mel by its mean and deviation over `statistics_crops`
    statistics_crops: Positive = 10_000
    validation: list[str] = pydantic.Field(default_factory=list)  # held out: scored as it is trained, never learnt from
    validation_crops: Positive = 256
    validate_every: Positive = 1000  # steps; and before the first and after the last

    @property
    def takes(self) -> int:
        """Crops that a step draws from each clip."""
        return self.cola.crops if self.objective == "cola" else 1

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> "Recipe":
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give either steps or epochs, not both and not neither")
        if "architecture" not in self.encoder:
            raise ValueError("encoder.architecture is missing")
        if self.objective == "wav2vec2" and self.padding != "tail":
            raise ValueError("wav2vec2 needs padding=tail: it hides true frames only, and they come first")
        if self.objective != "wav2vec2" and (self.bucket or self.validation):
            key, ours = "bucket" if self.bucket else "validation", self.objective
            raise ValueError(f"{key} needs objective wav2vec2: {ours} learns from crops of one length, by their views")
        return self


def list_recipes() -> list[str]:
    """Names of the built-in recipes."""
    return settings.built_in(_PACKAGE)


def load_recipe(source: str | Path, overrides: Iterable[str] | Mapping[str, Any] = ()) -> Recipe:
    """Read a recipe by name or from a YAML file and put overrides on top.

    Parameters
    ----------
    source
        A built-in name (see :func:`list_recipes`) or the path of a YAML file.
    overrides
        For instance ``["data=/field", "steps=2000", "encoder.channels=32"]``, values read as YAML, or the same as a
        mapping. `steps` replaces `epochs`, and the other way round.

    Raises
    ------
    RecipeError
        For an unknown recipe, an unknown key (naming the nearest one) or a value out of range.
    """
    if "=" in str(source) and not Path(source).exists():
        raise RecipeError(
            f"{source} is no recipe: the name of one comes first, or its file, and what is changed in it after it, as "
            f"in byola-2022 {source}"
        )
    values = settings.read_yaml(source, package=_PACKAGE, kind="recipe")
    name = str(values.get("name", source))
    changes: dict[str, Any] = {}
    settings.override(changes, overrides, name=name)
    if "steps" in changes or "epochs" in changes:
        values.pop("steps", None)
        values.pop("epochs", None)
    settings.override(values, changes, name=name)
    for key in ("data", "validation"):
        if isinstance(values.get(key), str):
            values[key] = [values[key]]
    return build_recipe(values)


def build_recipe(values: dict[str, Any]) -> Recipe:
    """Make a :class:`Recipe` of plain values; an error names the key, the value and what was expected."""
    return settings.build(Recipe, values, name=str(values.get("name", "recipe")))
