"""Weights that others published: the authors' ``.pth`` files of BYOL-A and the study's checkpoints.

Names and shapes of the tensors tell the generation: ``features.{0,1,4,5,8,9}`` is the encoder of 2020,
``features.{0,1,4,5}`` that of 2022; ``fc.{0,3}`` follows in both. Files are read by ``torch.load(weights_only=True)``,
so that none can run code. They carry no normalisation statistics, without which an embedding is meaningless: these are
asked for, never guessed.
"""

import csv
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from auricle.errors import AuricleError
from auricle.mel import MelRecipe
from auricle.models.byola import BYOLA, BYOLA2020, BYOLA2022, BYOLA2020Config, BYOLA2022Config
from auricle.models.encoder import ModelCard
from auricle.models.statistics import statistics_of_recordings

FIRST_TENSOR = "features.0.weight"
NOT_THE_ENCODER = {"target", "teacher", "ema", "momentum"}  # a moving average beside the encoder that was trained
WRAPPERS = ("state_dict", "model_state_dict", "model", "encoder", "weights")
STUDY_WEIGHTS, STUDY_STATISTICS = "checkpoint.pth", "stats.csv"
MelScale = Literal["slaney", "htk"]


def import_weights(
    source: Path,
    *,
    mean: float | None = None,
    std: float | None = None,
    stats_from: Path | None = None,
    mel_scale: MelScale | None = None,
) -> BYOLA:
    """The encoder in a published weight file, in evaluation mode.

    Parameters
    ----------
    source
        A ``.pth`` file, or the study's folder of ``checkpoint.pth`` and ``stats.csv`` (columns mean, std).
    mean, std
        Log-mel normalisation statistics (natural-log units).
    stats_from
        Folder or manifest of recordings to compute them from instead.
    mel_scale
        ``"slaney"``: slaney scale and area norm, on which the authors' files of both generations were trained;
        ``"htk"``: HTK scale and no norm, with which the study extracted. When not given: htk for the study's folder,
        slaney for a file.

    Raises
    ------
    AuricleError
        When the file is missing, damaged, holds code or another network, or when statistics are missing.
    """
    weights, stored = source, None
    if source.is_dir():
        weights = source / STUDY_WEIGHTS
        if not weights.is_file():
            raise AuricleError(f"{source} holds no {STUDY_WEIGHTS}: expected a weight file or the study's folder")
        if (source / STUDY_STATISTICS).is_file():
            stored = read_statistics(source / STUDY_STATISTICS)
    given = _given_statistics(mean, std)
    if given is not None and stats_from is not None:
        raise AuricleError("give either --mean and --std, or --stats-from, not both")
    if given is None and stats_from is None and stored is None:
        raise AuricleError(
            f"statistics are not in this file ({source}): give --mean and --std, or --stats-from MANIFEST_OR_FOLDER"
        )
    encoder = encoder_of(
        read_tensors(weights), mel_scale=mel_scale or ("htk" if source.is_dir() else "slaney"), origin=weights
    )
    found = statistics_of_recordings(stats_from, encoder.log_mel) if stats_from is not None else given or stored
    assert found is not None
    encoder.set_statistics(mean=found[0], std=found[1])
    encoder.name = f"{encoder.name}.{source.name if source.is_dir() else source.stem}"
    encoder.card = ModelCard(
        licence="as the file's owner states (BYOL-A's published weights: evaluation only, no redistribution)",
        source=f"imported from {weights.name}",
        data="as the file's owner states",
    )
    return encoder.eval()


def _given_statistics(mean: float | None, std: float | None) -> tuple[float, float] | None:
    if mean is None and std is None:
        return None
    if mean is None or std is None:
        raise AuricleError("give both --mean and --std")
    return mean, std


def report(encoder: BYOLA) -> str:
    """One line that says what was recognised and which front end and statistics are used from now on."""
    mel, statistics = encoder.config.mel, encoder.statistics
    return (
        f"{encoder.architecture}, {encoder.embedding_dim}-d, {encoder.parameters_count:,} parameters; "
        f"mel scale {mel.mel_scale} with {'area' if mel.norm else 'no'} norm; "
        f"mean {statistics['mean']:.6g}, std {statistics['std']:.6g}"
    )


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a PyTorch weight file, of a wrapping ``state_dict`` too, by name.

    Raises
    ------
    AuricleError
        When the file is missing, damaged, or would run code.
    """
    if not path.is_file():
        raise AuricleError(f"{path} does not exist")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # arbitrary bytes make the reader stumble in any way
        if isinstance(error, pickle.UnpicklingError) and "unsupported global" in str(error).lower():
            raise AuricleError(
                f"{path} holds more than tensors, code that would run on loading: it is not read; "
                "ask its author for a file of a plain state_dict"
            ) from error
        raise AuricleError(f"{path} is damaged or no PyTorch weight file") from error
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    named = content if isinstance(content, Mapping) else {}
    tensors = {str(name): value for name, value in named.items() if isinstance(value, Tensor)}
    if not tensors:
        raise AuricleError(f"{path} holds no named tensors")
    return tensors


def encoder_of(tensors: Mapping[str, Tensor], *, mel_scale: MelScale, origin: Path) -> BYOLA:
    """The BYOL-A encoder, of any size, whose tensors these are; `origin` is named in errors.

    Raises
    ------
    AuricleError
        When they are not the tensors of one BYOL-A encoder.
    """
    trunk = _without_prefix(tensors, origin)
    convolutions = sorted(
        int(name.split(".")[1]) for name in trunk if name.startswith("features.") and trunk[name].ndim == 4
    )
    blocks = {(0, 4): 2, (0, 4, 8): 3}.get(tuple(convolutions))
    if blocks is None or "fc.0.weight" not in trunk or "fc.3.weight" not in trunk:
        raise AuricleError(
            f"{origin} is no BYOL-A encoder: expected features.{{0,1,4,5}} (2022) or features.{{0,1,4,5,8,9}} (2020) "
            f"and fc.{{0,3}}, got {', '.join(sorted({'.'.join(name.split('.')[:2]) for name in trunk}))}"
        )
    channels = len(trunk[FIRST_TENSOR])
    hidden, flattened = trunk["fc.0.weight"].shape
    mel = MelRecipe(
        n_mels=(flattened // channels) << blocks,
        mel_scale=mel_scale,
        norm="slaney" if mel_scale == "slaney" else None,
    )
    encoder: BYOLA
    if blocks == 3:
        encoder = BYOLA2020(BYOLA2020Config(mel=mel, channels=channels, mlp_hidden=hidden))
        encoder.name = f"byola-2020-{hidden}"
    else:
        encoder = BYOLA2022(BYOLA2022Config(mel=mel, channels=channels, mlp_hidden=hidden))
    expected = encoder.trunk.state_dict()
    for name, tensor in expected.items():
        if name.endswith("num_batches_tracked"):  # old files lack it and nothing here uses it
            continue
        if name not in trunk:
            raise AuricleError(f"{origin} is incomplete: {name} is missing")
        if trunk[name].shape != tensor.shape:
            raise AuricleError(
                f"{origin}: {name} has shape {tuple(trunk[name].shape)}, expected {tuple(tensor.shape)} "
                f"for a {encoder.architecture} of {channels} channels and width {hidden}"
            )
    encoder.trunk.load_state_dict({**expected, **{name: trunk[name] for name in expected if name in trunk}})
    return encoder


def read_statistics(path: Path) -> tuple[float, float]:
    """Mean and standard deviation from the first row of a CSV file with columns ``mean`` and ``std``."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            row = next(csv.DictReader(file), None)
        if row is None:
            raise KeyError("no row")
        values = {key.strip().lower(): value for key, value in row.items() if key}
        return float(values["mean"]), float(values["std"])
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise AuricleError(f"{path}: expected a CSV file with one row and the columns mean and std") from error


def _without_prefix(tensors: Mapping[str, Tensor], origin: Path) -> dict[str, Tensor]:
    """The tensors of the encoder alone, their names without what wrapped it (``module.``, ``online_encoder.``, …)."""
    prefixes = [name.removesuffix(FIRST_TENSOR) for name in tensors if name.endswith(FIRST_TENSOR)]
    prefixes = [prefix for prefix in prefixes if prefix == "" or prefix.endswith(".")]
    trained = [prefix for prefix in prefixes if not NOT_THE_ENCODER & set(re.split(r"[._]", prefix.lower()))]
    if not trained:
        some = ", ".join(list(tensors)[:4])
        raise AuricleError(f"{origin} is no BYOL-A encoder: no tensor is called {FIRST_TENSOR} (it holds {some}, …)")
    # The same network under two names (self.net and self.online.net) is one network.
    first, *others = trained
    for other in others:
        if not torch.equal(tensors[first + FIRST_TENSOR], tensors[other + FIRST_TENSOR]):
            raise AuricleError(f"{origin} holds several encoders ({', '.join(trained)}): save the one you want alone")
    return {
        name.removeprefix(first): value
        for name, value in tensors.items()
        if name.startswith((first + "features.", first + "fc."))
    }
