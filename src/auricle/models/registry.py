"""Every model by name: a plain dictionary of entries, and :func:`load`, which also takes folders, files and hub ids.

Names are ``architecture`` (random weights, the control that every trained one has to beat) or ``architecture.tag``
(trained weights); ``yamnet`` is the published model, of which there is one.
"""

import difflib
import fnmatch
import json
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib import metadata
from pathlib import Path

import torch

from auricle.errors import AuricleError
from auricle.files import why_no_file
from auricle.models import checkpoint
from auricle.models.byola import BYOLA2020, BYOLA2022, BYOLA2020Config
from auricle.models.conformer import Conformer, ConformerLarge
from auricle.models.controls import LogMelStats, MFCCStats
from auricle.models.encoder import Encoder
from auricle.models.releasing import released
from auricle.models.yamnet_files import NAME as YAMNET
from auricle.models.yamnet_files import load_yamnet

HUB_PREFIX = "hf:"
HUB_ID = re.compile(r"\w[\w.-]*/[\w.-]+")
ENTRY_POINTS = "auricle.models"  # under which a package names the module that registers its models
FOREIGN_SUFFIXES = (".pth", ".pt", ".ckpt", ".bin")


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """A model that can be loaded by name.

    Attributes
    ----------
    name
        ``architecture`` or ``architecture.tag``.
    build
        Seed → encoder; trained weights ignore the seed.
    parameters
        Number of trainable parameters.
    embedding_dim, sample_rate, frame_rate
        As of :class:`auricle.models.encoder.Encoder`.
    licence
        SPDX identifier of the weights' licence.
    source
        Where the weights come from.
    description
        One line.
    """

    name: str
    build: Callable[[int], Encoder]
    parameters: int
    embedding_dim: int
    sample_rate: int
    frame_rate: float
    licence: str
    source: str
    description: str


_entries: dict[str, ModelEntry] = {}


def register(entry: ModelEntry) -> None:
    """Make a model available by its name."""
    if entry.name in _entries:
        raise ValueError(f"a model named {entry.name} is registered already")
    _entries[entry.name] = entry


def list_models(pattern: str = "*") -> list[str]:
    """Names of all models that match a shell pattern, for instance ``"byola-*"``."""
    _register_installed()
    return fnmatch.filter(_entries, pattern)


@cache
def _register_installed() -> None:
    """Import what installed packages name under the entry-point group, once; each registers its own models.

    A package that cannot be imported costs its models and a warning, not everybody else's.
    """
    for point in metadata.entry_points(group=ENTRY_POINTS):
        try:
            point.load()
        except Exception as error:
            warnings.warn(f"the models of {point.value} are not there: {error}", stacklevel=3)


def entry(name: str) -> ModelEntry:
    """The entry of a model; an :class:`AuricleError` that names the nearest one when there is none."""
    if name not in _entries:
        _register_installed()
    if name in _entries:
        return _entries[name]
    near = [known for known in _entries if known.startswith(name)] or difflib.get_close_matches(name, _entries, n=1)
    base, _, tag = name.partition(".")
    if tag and base in _entries:
        hint = f"{base} has no trained weights called {tag!r} here"
    elif near:
        hint = f"did you mean {' or '.join(near)}?"
    else:
        hint = f"known models: {', '.join(_entries)}"
    raise AuricleError(f"no model, folder or file is called {name!r}; {hint}")


def as_json(entries: list[ModelEntry]) -> str:
    """The facts of some models as a JSON list of objects."""
    facts = [{name: value for name, value in vars(entry).items() if name != "build"} for entry in entries]
    return json.dumps(facts, indent=2)


def as_text(entries: list[ModelEntry]) -> str:
    """The facts of some models as an aligned table."""
    rows = [("name", "parameters", "dim", "frames/s", "Hz", "licence", "description")]
    rows += [
        (
            entry.name,
            f"{entry.parameters:,}",
            f"{entry.embedding_dim}",
            f"{entry.frame_rate:g}",
            f"{entry.sample_rate}",
            entry.licence,
            entry.description,
        )
        for entry in entries
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    numeric = range(1, 5)
    return "\n".join(
        "  ".join(
            cell.rjust(width) if index in numeric else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def load(source: str | Path, *, seed: int = 0) -> Encoder:
    """A ready encoder, in evaluation mode on the CPU.

    Parameters
    ----------
    source
        A name of :func:`list_models`, a folder that ``save_pretrained`` (Auricle's or that of transformers) or a
        pre-training run wrote, a ``model.safetensors`` file, the id of a Hugging Face hub repository (``owner/name`` or
        ``hf:owner/name``), or ``yamnet=PATH`` of YAMNet's published weights.
    seed
        Of random weights; the same seed gives the same weights.

    Raises
    ------
    AuricleError
        When nothing is found there, or what is found is damaged.

    Examples
    --------
    >>> load("logmel-stats").embedding_dim
    192
    """
    encoder = _found(source, seed)
    encoder.place = str(source if str(source) in _entries or not Path(source).exists() else Path(source).resolve())
    return encoder


def _found(source: str | Path, seed: int) -> Encoder:
    name = str(source)
    if isinstance(source, str) and name in _entries:
        return _entries[name].build(seed).eval()
    if name.startswith(f"{YAMNET}="):
        return load_yamnet(Path(name.removeprefix(f"{YAMNET}=")).expanduser())
    path = Path(source)
    if path.is_dir():
        # A run's folder holds its model one level below.
        inside = path / "model"
        if not (path / checkpoint.CONFIG_FILE).exists() and (inside / checkpoint.CONFIG_FILE).is_file():
            return checkpoint.load_folder(inside)
        return checkpoint.load_folder(path)
    if path.is_file():
        if path.suffix in FOREIGN_SUFFIXES:
            raise AuricleError(
                f"statistics are not in this file ({path}): run `auricle import {path} --out DIR` with --mean and "
                "--std, or --stats-from MANIFEST_OR_FOLDER, and load DIR"
            )
        if path.name == checkpoint.CONFIG_FILE:
            return checkpoint.load_folder(path.parent)
        return checkpoint.load_file(path)
    if name.startswith(HUB_PREFIX):
        return checkpoint.load_from_hub(name.removeprefix(HUB_PREFIX))
    if isinstance(source, str) and HUB_ID.fullmatch(name):
        try:
            return checkpoint.load_from_hub(name)
        except AuricleError as error:
            raise AuricleError(f"{name} is no folder here, and as a hub id: {error}") from error
    if isinstance(source, Path) or "/" in name:
        wrong = why_no_file(path)
        raise AuricleError(f"{name} {wrong}: expected a folder that holds a model, or its model.safetensors")
    return entry(name).build(seed)


def _random(build: Callable[[], Encoder], name: str, seed: int) -> Encoder:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        encoder = build()
    encoder.name = name
    return encoder.eval()


def _register_random(
    name: str,
    build: Callable[[], Encoder],
    *,
    parameters: int,
    embedding_dim: int,
    frame_rate: float,
    description: str,
    source: str = "random weights",
) -> None:
    register(
        ModelEntry(
            name=name,
            build=partial(_random, build, name),
            parameters=parameters,
            embedding_dim=embedding_dim,
            sample_rate=16_000,
            frame_rate=frame_rate,
            licence="Apache-2.0",
            source=source,
            description=description,
        )
    )


def register_released() -> None:
    """Make the weights that come with Auricle available by their names."""
    for name, (folder, said) in released().items():
        register(
            ModelEntry(
                name=name,
                build=partial(_released, folder),
                parameters=said["parameters"],
                embedding_dim=said["embedding_dim"],
                sample_rate=said["sample_rate"],
                frame_rate=said["frame_rate"],
                licence=said["card"]["licence"],
                source="comes with Auricle",
                description=f"pre-trained on {said['card']['data']}",
            )
        )


def _released(folder: Path, _: int) -> Encoder:
    return checkpoint.load_folder(folder)


_register_random(
    "byola-2022",
    BYOLA2022,
    parameters=6_333_376,
    embedding_dim=3072,
    frame_rate=25.0,
    description="BYOL-A's encoder of 2022, untrained",
)
for _width, _parameters in ((512, 600_192), (1024, 1_649_792), (2048, 5_321_856)):
    _register_random(
        f"byola-2020-{_width}",
        partial(BYOLA2020, BYOLA2020Config(mlp_hidden=_width)),
        parameters=_parameters,
        embedding_dim=_width,
        frame_rate=12.5,
        description=f"BYOL-A's encoder of 2020, {_width} wide, untrained",
    )
_register_random(
    "conformer-small",
    Conformer,
    parameters=18_362_368,
    embedding_dim=256,
    frame_rate=25.0,
    description="conformer wav2vec 2.0's small encoder, untrained",
)
_register_random(
    "conformer-large",
    ConformerLarge,
    parameters=87_935_488,
    embedding_dim=768,
    frame_rate=25.0,
    description="conformer wav2vec 2.0's large encoder, untrained",
)
_register_random(
    "logmel-stats",
    LogMelStats,
    parameters=0,
    embedding_dim=192,
    frame_rate=100.0,
    source="no weights",
    description="control: mean, deviation and maximum over time of 64 mel bands",
)
_register_random(
    "mfcc-stats",
    MFCCStats,
    parameters=0,
    embedding_dim=60,
    frame_rate=100.0,
    source="no weights",
    description="control: mean, deviation and maximum over time of 20 cepstral coefficients",
)
register_released()
register(
    ModelEntry(
        name=YAMNET,
        build=lambda _: load_yamnet(),
        parameters=3_729_481,
        embedding_dim=1024,
        sample_rate=16_000,
        frame_rate=16_000 / 7_680,
        licence="Apache-2.0",
        source="yamnet.h5 or yamnet.tflite on this machine",
        description="YAMNet as published, supervised on AudioSet",
    )
)
