"""Models on disk and on the hub: a folder of config.json, model.safetensors and README.md. No pickle, ever.

config.json says what the model is: architecture, front end, normalisation statistics, licence, data, recipe and
scores. The weights file repeats it in its header and carries a fingerprint of all that decides an embedding, so that a
file that was damaged, or strayed from another model, is refused instead of giving wrong numbers.
"""

import json
import math
import re
import tempfile
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from auricle import __version__
from auricle.errors import AuricleError
from auricle.files import atomic_write
from auricle.models import places
from auricle.models.architectures import ARCHITECTURES
from auricle.models.encoder import Encoder, ModelCard
from auricle.models.hub_encoder import PREPROCESSOR_FILE, is_transformers_folder, load_transformers_folder

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
CARD_FILE = "README.md"
OTHER_WEIGHTS = ["model-*.safetensors", "*.safetensors.index.json", "pytorch_model*.bin", "*.bin.index.json"]
FORMAT = 1  # of config.json; raised when an older Auricle could not read a newer folder
LICENCE_LINE = re.compile(r"^license:\s*(\S+)", re.MULTILINE)  # of a hub repository's card
PUBLISHED = {  # what a user should know of a hub repository before fetching it: name, size, licence
    "microsoft/wavlm-base-plus": ("WavLM Base+", "378 MB", "MIT"),
}
STATISTICS_TOLERANCE = 1e-6  # relative, for decimals of float32 numbers that a person shortened


def in_half(tensor: Tensor) -> bool:
    """Whether a tensor is one of those that a folder may hold in 16 bits: matrices and kernels."""
    return tensor.is_floating_point() and tensor.ndim > 1


def save_folder(encoder: Encoder, folder: Path, *, half: bool = False) -> Path:
    """Write `encoder` to `folder`, each file atomically; a folder that is being overwritten stays loadable.

    With `half`, matrices and kernels are stored in 16 bits, which they must fit exactly
    (:func:`auricle.models.releasing.release` rounds them).

    Raises
    ------
    AuricleError
        When the folder cannot be written.
    """
    description = describe(encoder)
    header = {"auricle": json.dumps(description), "weights_fingerprint": encoder.weights_fingerprint, "format": "pt"}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in encoder.state_dict().items()}
    if half:
        tensors = {name: tensor.half() if in_half(tensor) else tensor for name, tensor in tensors.items()}
    contents = {
        WEIGHTS_FILE: _in_order(save(tensors, metadata=header)),
        CONFIG_FILE: (json.dumps(description, indent=2) + "\n").encode(),
        CARD_FILE: model_card(encoder, place=encoder.name if half else "PATH_OF_THIS_FOLDER").encode(),
    }
    for name, content in contents.items():
        with atomic_write(folder / name) as temporary:
            temporary.write_bytes(content)
    return folder


def _in_order(content: bytes) -> bytes:
    """A safetensors file with its metadata sorted, which safetensors writes in any order: equal models, equal bytes."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # tensors begin at a multiple of eight
    return len(text).to_bytes(8, "little") + text + content[end:]


def describe(encoder: Encoder) -> dict[str, Any]:
    """What config.json holds."""
    return {
        "format": FORMAT,
        "architecture": encoder.architecture,
        "name": encoder.name,
        "config": encoder.config.to_dict(),
        "normalisation": encoder.statistics,
        "sample_rate": encoder.sample_rate,
        "embedding_dim": encoder.embedding_dim,
        "frame_rate": encoder.frame_rate,
        "parameters": encoder.parameters_count,
        "classes": list(encoder.classes),
        "card": asdict(encoder.card),
        "auricle_version": __version__,
    }


def load_folder(folder: Path, *, name: str | None = None) -> Encoder:
    """The encoder that :func:`save_folder` wrote to `folder`, in evaluation mode on the CPU.

    A folder that the transformers library wrote loads as well; it is called `name`, by default as its folder.

    Raises
    ------
    AuricleError
        When a file is missing, damaged or does not belong to the others.
    """
    if is_transformers_folder(folder):
        return load_transformers_folder(folder, name=name or folder.resolve().name, licence=_licence(folder))
    for file in (CONFIG_FILE, WEIGHTS_FILE):
        if not (folder / file).is_file():
            raise AuricleError(f"{folder} is not a saved model: {file} is missing")
    return _load(folder / WEIGHTS_FILE, config=folder / CONFIG_FILE)


def load_file(path: Path) -> Encoder:
    """The encoder in one model.safetensors, whose header says what config.json would."""
    return _load(path, config=None)


def _load(weights: Path, *, config: Path | None) -> Encoder:
    try:
        with safe_open(weights, framework="pt") as opened:
            header = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise AuricleError(f"{weights} is damaged or no safetensors file: {error}") from error
    if config is None and "auricle" not in header:
        raise AuricleError(f"{weights} was not written by Auricle: its header does not say which model it is")
    place = config or weights
    try:
        description = json.loads(header["auricle"] if config is None else config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AuricleError(f"{place} is damaged: {error}") from error
    encoder = _built(description, place)
    try:
        encoder.load_state_dict(tensors)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise AuricleError(f"{weights} does not hold the weights of a {encoder.architecture}: {reason}") from error
    for name, value in description["normalisation"].items():
        held = encoder.statistics.get(name)
        if held is None or not math.isclose(held, value, rel_tol=STATISTICS_TOLERANCE):
            raise AuricleError(
                f"{place} says {name} {value}, but {WEIGHTS_FILE} holds {held}: "
                "one of the two was changed; save the model again instead of editing it"
            )
    expected = header.get("weights_fingerprint")
    if expected is not None and encoder.weights_fingerprint != expected:
        raise AuricleError(
            f"{weights} is damaged or belongs to another {CONFIG_FILE}: "
            f"the model's fingerprint is {encoder.weights_fingerprint}, expected {expected}"
        )
    return encoder.eval()


def _built(description: Any, place: Path) -> Encoder:
    """The encoder that the config.json at `place` describes, its weights still random."""
    if not isinstance(description, dict) or not isinstance(description.get("config"), dict):
        raise AuricleError(f"{place} is not a model's configuration: it has no `architecture` and `config`")
    if description.get("format", FORMAT) > FORMAT:
        raise AuricleError(
            f"{place} is of format {description['format']}, "
            f"this Auricle ({__version__}) reads up to {FORMAT}: update Auricle"
        )
    family = ARCHITECTURES.get(str(description.get("architecture")))
    if family is None:
        raise AuricleError(
            f"{place}: unknown architecture {description.get('architecture')!r} (known: {', '.join(ARCHITECTURES)})"
        )
    try:
        with torch.random.fork_rng(devices=[]):  # loading a model must not move anyone's random numbers
            encoder = family.from_config(description["config"])
        known = {field.name for field in fields(ModelCard)}
        card = {key: value for key, value in description.get("card", {}).items() if key in known}
        encoder.card = ModelCard(**card)
        encoder.classes = tuple(map(str, description.get("classes", ())))
        description["normalisation"] = {
            name: float(value) for name, value in description.get("normalisation", {}).items()
        }
    except (TypeError, ValueError, AttributeError) as error:
        raise AuricleError(f"{place} is damaged: {error}") from error
    encoder.name = str(description.get("name", encoder.architecture))
    return encoder


def model_card(encoder: Encoder, *, place: str = "PATH_OF_THIS_FOLDER") -> str:
    """The README.md of a saved model: what it is, how to load it, where it comes from, what it may be used for."""
    card = encoder.card
    facts = {
        "Architecture": encoder.architecture,
        "Parameters": f"{encoder.parameters_count:,}",
        "Input": f"waveform, mono, {encoder.sample_rate} Hz",
        "Embedding": f"{encoder.embedding_dim} dimensions; a frame every {1000 / encoder.frame_rate:g} ms",
        "Front end": encoder.front_end,
        "Normalisation statistics": ", ".join(f"{name} {value:.6g}" for name, value in encoder.statistics.items())
        or "none",
        "Weights fingerprint": encoder.weights_fingerprint,
        "Source": card.source,
        "Training data": card.data,
        "Licence": card.licence,
    }
    # The hub knows SPDX identifiers in lower case; anything else is "other" there.
    tag = card.licence.lower() if re.fullmatch(r"[\w.+-]+", card.licence) else "other"
    lines = ["---", "library_name: auricle", f"license: {tag}", "tags:", "- audio", "---", ""]
    lines += [f"# {encoder.name}", ""]
    lines += ["```python", "import auricle", "", f'model = auricle.load("{place}")']
    lines += [f'model.embed("dog.wav")  # ({encoder.embedding_dim},) float32', "```", ""]
    lines += ["| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in facts.items()), ""]
    if card.scores:
        lines += ["## Scores", "", "| task | value |", "|---|---|"]
        lines += [*(f"| {task} | {value:.4g} |" for task, value in card.scores.items()), ""]
    if card.about:
        lines += [card.about.strip(), ""]
    if card.recipe:
        lines += ["## Recipe", "", "```json", json.dumps(card.recipe, indent=2), "```", ""]
    return "\n".join(lines)


def load_from_hub(repo_id: str, *, revision: str | None = None) -> Encoder:
    """The encoder in a repository of the Hugging Face hub, Auricle's own or one of the transformers library.

    A folder ``owner/name`` or ``name`` in :mod:`auricle.models.places` comes first, then the hub's local cache.

    Raises
    ------
    AuricleError
        When there is no such repository, or it is neither here nor reachable, or holds no encoder.
    """
    name = repo_id.rpartition("/")[2]
    folder = places.find(repo_id, name)
    if folder is None or not folder.is_dir():
        folder = _downloaded(repo_id, revision, [CONFIG_FILE, WEIGHTS_FILE, CARD_FILE, PREPROCESSOR_FILE])
        if is_transformers_folder(folder) and not (folder / WEIGHTS_FILE).is_file():
            folder = _downloaded(repo_id, revision, OTHER_WEIGHTS)
    return load_folder(folder, name=name)


def _downloaded(repo_id: str, revision: str | None, wanted: list[str]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(repo_id, revision=revision, allow_patterns=wanted))
    except Exception as error:  # it raises its own, its HTTP library's and the operating system's
        if isinstance(error, RepositoryNotFoundError):
            reason = "the Hugging Face hub has no such model, or it is private"
        elif isinstance(error, LocalEntryNotFoundError):
            reason = "it is not in the local cache and the Hugging Face hub cannot be reached"
        else:
            reason = " ".join(str(error).split())
        if repo_id in PUBLISHED:
            title, size, licence = PUBLISHED[repo_id]
            raise AuricleError(
                f"{title} is not on this machine: {size} from the hub id {repo_id} ({licence}); offline, "
                f"put the folder at {places.folders()[0] / repo_id.rpartition('/')[2]} ({reason})"
            ) from error
        raise AuricleError(f"cannot get {repo_id}: {reason}; offline, give the path of a model's folder") from error


def _licence(folder: Path) -> str:
    """What a hub repository's card says."""
    card = folder / CARD_FILE
    line = LICENCE_LINE.search(card.read_text(encoding="utf-8", errors="replace")) if card.is_file() else None
    return "as its publisher states" if line is None else line[1]


def push_to_hub(encoder: Encoder, repo_id: str, *, private: bool = False, token: str | None = None) -> str:
    """Upload `encoder` with its card to the Hugging Face hub; returns the commit's address."""
    from huggingface_hub import HfApi

    api = HfApi(token=token)
    with tempfile.TemporaryDirectory() as folder:
        save_folder(encoder, Path(folder))
        api.create_repo(repo_id, private=private, exist_ok=True)
        commit = api.upload_folder(repo_id=repo_id, folder_path=folder, commit_message=f"Upload {encoder.name}")
    return str(commit.commit_url)
