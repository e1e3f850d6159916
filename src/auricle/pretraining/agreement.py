"""What all processes of a run must have in common before the first step: recipe, versions, state and sound.

Order, crops, views and masks follow from the recipe's seed and the clips, in every process for itself. Were two of
them given different recipes or different files, they would train on without an error, on something that nobody meant.
"""

import hashlib
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch

from auricle import __version__, processes
from auricle.crops import Crops
from auricle.errors import AuricleError
from auricle.models.global_norm import world_size
from auricle.packing.reader import PackedClips
from auricle.pretraining.recipe import Recipe
from auricle.training import TrainingState, list_states, load_state


def refuse_different_setups(recipe: Recipe) -> None:
    """Refuse processes of different recipes or versions, and more of them than a batch has crops.

    Raises
    ------
    AuricleError
        Which of these it is, and where. Only where the sound lies may differ.
    """
    if world_size() == 1:
        return
    settings = recipe.model_dump(mode="json", exclude={"data", "validation"})
    processes.agree("recipes", settings, "start all of them with the same command")
    versions = {"auricle": __version__, "torch": torch.__version__, "python": platform.python_version()}
    processes.agree("versions", versions, "install the same ones on all nodes")
    crops = recipe.batch_size // recipe.accumulate
    if world_size() > crops:
        error = AuricleError(
            f"{world_size()} processes cannot share a batch of {crops} crops (batch_size {recipe.batch_size}, "
            f"accumulate {recipe.accumulate}): start at most {crops}, or raise batch_size in a new run"
        )
        error.everywhere = True
        raise error


def newest_state(checkpoints: Path) -> TrainingState | None:
    """The newest state as the main process sees it, the same for all; None when there is none.

    Raises
    ------
    AuricleError
        When it cannot be read, by whichever process.
    """
    states = list_states(checkpoints)
    name = processes.from_main(states[-1].name if states else None)
    if name is None:
        return None
    with processes.all_or_none():
        return load_state(checkpoints / name)


def refuse_different_data(crops: Crops) -> None:
    """Refuse processes that found different clips.

    Raises
    ------
    AuricleError
        Of two processes that differ, what they found.
    """
    if world_size() > 1:
        processes.agree("data", _summary(crops), "put the same files on all nodes, or a copy of the same pack")


def _summary(crops: Crops) -> dict[str, Any]:
    """Number and length of the clips, and a fingerprint of which they are.

    Packed clips are told apart by the checksums of their samples, files by names and lengths.
    """
    clips = crops.clips
    digest = hashlib.blake2b(digest_size=8)
    for column in (clips.stretch, clips.first, clips.samples):
        digest.update(np.ascontiguousarray(column).data)
    if isinstance(crops.reader, PackedClips):
        for name in ("checksum", "weight"):
            for chunk in crops.reader.pack.table.column(name).chunks:
                digest.update(chunk.buffers()[1])
    else:
        for stretch in clips.stretches:
            digest.update(f"{stretch.path}\0{stretch.start}\0{stretch.end}\n".encode())
    return {"number of clips": len(clips), "hours": round(clips.hours, 3), "fingerprint": digest.hexdigest()}
