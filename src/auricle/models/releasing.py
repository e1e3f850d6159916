"""Weights that come with Auricle: how they are made of a trained encoder, and which there are.

A released model is a folder like any other, ``auricle/weights/NAME``, with its matrices and kernels in 16 bits: half
the size, and rounded once, when it is made, so that everybody loads the same numbers.
"""

import copy
import json
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import torch

from auricle.errors import AuricleError
from auricle.models import checkpoint
from auricle.models.encoder import Encoder

WEIGHTS = Path(str(resources.files("auricle") / "weights"))


def released() -> dict[str, tuple[Path, dict[str, Any]]]:
    """Folder and description of every model that comes with Auricle, by its name."""
    folders = sorted(path.parent for path in WEIGHTS.glob(f"*/{checkpoint.CONFIG_FILE}"))
    return {path.name: (path, json.loads((path / checkpoint.CONFIG_FILE).read_text("utf-8"))) for path in folders}


def release(encoder: Encoder, folder: Path, *, name: str, licence: str, data: str, about: str = "") -> Encoder:
    """Write a trained encoder to a folder as it is to be given to others.

    Parameters
    ----------
    encoder
        Any that was trained; it is left as it is.
    folder
        To write; its name is what the model is then called where Auricle looks for weights.
    name
        Of the model, for instance ``byola-2022.base``.
    licence, data
        SPDX identifier of the weights' licence, and what they were trained on, with its licences.
    about
        Markdown for the card: scores beside controls, what was left out, what it is not good for.

    Returns
    -------
    Encoder
        The encoder that whoever loads the folder gets.

    Raises
    ------
    AuricleError
        When a weight does not fit 16 bits, or the folder cannot be written.
    """
    rounded = copy.deepcopy(encoder)
    with torch.no_grad():
        for key, tensor in rounded.state_dict().items():
            if checkpoint.in_half(tensor):
                half = tensor.half()
                if not torch.isfinite(half).all():
                    raise AuricleError(f"{name} cannot be stored in 16 bits: {key} has values beyond their range")
                tensor.copy_(half)
    rounded.name = name
    rounded.card = replace(encoder.card, licence=licence, data=data, about=about)
    checkpoint.save_folder(rounded, folder, half=True)
    return rounded
