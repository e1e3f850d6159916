"""A probe on disk: a folder of probe.json and probe.safetensors that says all that is needed to use it.

probe.json names the encoder and the fingerprint of its weights, so that scores never come from another one unnoticed.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from auricle import __version__, audio
from auricle.errors import AuricleError
from auricle.files import atomic_write
from auricle.manifest import Manifest
from auricle.models import registry
from auricle.models.encoder import Encoder
from auricle.models.pooled import pooled
from auricle.transfer.calibration import Calibration
from auricle.transfer.fitted import FittedProbe

PROBE_FILE = "probe.json"
WEIGHTS_FILE = "probe.safetensors"
FORMAT = 1  # of probe.json; raised when an older Auricle could not read a newer folder
_FILES_MEASURED = 500  # to find out how long clips are


@dataclass(frozen=True, kw_only=True)
class SavedProbe:
    """A probe and what it belongs to.

    Attributes
    ----------
    probe
        The layer, its calibration and its thresholds.
    model
        What :func:`auricle.load` takes: a name, a folder, a hub id.
    weights_fingerprint
        Of the encoder that the probe was trained on.
    layer, pooling
        Which of its layers gives the embeddings, and how over time; None for its own.
    window
        Seconds: the median clip that it has learnt from.
    task, protocol
        What it has learnt, and how.
    scores
        Its test scores by metric, as measured.
    """

    probe: FittedProbe
    model: str
    weights_fingerprint: str
    window: float
    layer: str | None = None
    pooling: str | None = None
    task: str = ""
    protocol: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)

    def encoder(self, model: str | Path | None = None) -> Encoder:
        """The encoder that the probe was trained on, perhaps found elsewhere.

        Raises
        ------
        AuricleError
            When it is not there any more, or is another one by now.
        """
        source = self.model if model is None else model
        try:
            encoder = pooled(registry.load(source), layer=self.layer, pooling=self.pooling)
        except AuricleError as error:
            if model is not None:
                raise
            raise AuricleError(f"the probe needs its encoder: {error}; give its place with --model") from error
        if encoder.weights_fingerprint != self.weights_fingerprint:
            raise AuricleError(
                f"the probe was trained on an encoder of fingerprint {self.weights_fingerprint}, but {source} has "
                f"{encoder.weights_fingerprint}: give the right one with --model, or train the probe again"
            )
        return encoder


def save_probe(
    folder: Path,
    fitted: FittedProbe,
    *,
    model: str,
    weights_fingerprint: str,
    manifest: Manifest,
    layer: str | None = None,
    pooling: str | None = None,
    task: str = "",
    protocol: str = "",
    scores: Mapping[str, float] | None = None,
) -> Path:
    """Write a probe to `folder`, each file atomically.

    Parameters
    ----------
    folder
        Where to.
    fitted
        What :func:`auricle.transfer.fit_probe` gave.
    model, weights_fingerprint
        The encoder whose embeddings it takes, as :func:`auricle.load` finds it; a path counts from here.
    manifest
        The clips that it was trained on; their median length becomes the window of `auricle predict`.
    layer, pooling
        Where the embeddings are not the model's own (:func:`auricle.models.pooled.pooled`).
    task, protocol, scores
        What a reader should know of it.

    Raises
    ------
    AuricleError
        When the folder cannot be written, or the model is on disk but in no place that can be named.
    """
    path = Path(model)
    # Beside the probe, the path from the probe to it: both can be moved together.
    place = {"model": model} if not path.exists() else {"model": os.path.relpath(path, folder), "is_path": True}
    description = {
        "format": FORMAT,
        **place,
        "weights_fingerprint": weights_fingerprint,
        "layer": layer,
        "pooling": pooling,
        "task": task,
        "kind": fitted.kind,
        "classes": list(fitted.classes),
        "thresholds": list(fitted.thresholds),
        "calibration": asdict(fitted.calibration),
        "window": window_of(manifest),
        "protocol": protocol,
        "scores": dict(scores or {}),
        "seed": fitted.seed,
        "fold": fitted.fold,
        "learning_rate": fitted.learning_rate,
        "weight_decay": fitted.weight_decay,
        "auricle_version": __version__,
    }
    arrays = {name: np.ascontiguousarray(getattr(fitted, name), dtype=np.float32) for name in ("weight", "bias")}
    for name, content in (
        (WEIGHTS_FILE, save(arrays)),
        (PROBE_FILE, (json.dumps(description, indent=2, ensure_ascii=False) + "\n").encode()),
    ):
        with atomic_write(folder / name) as temporary:
            temporary.write_bytes(content)
    return folder


def holds_probe(folder: Path | str) -> bool:
    """Whether :func:`load_probe` finds one there."""
    return any((place / PROBE_FILE).is_file() for place in _places(Path(folder)))


def refuse_another(saved: SavedProbe, folder: Path | str, weights_fingerprint: str, task: str) -> None:
    """Make sure that a probe in `folder` is of this encoder and task, lest another one is lost.

    Raises
    ------
    AuricleError
        When it is of another.
    """
    if (saved.weights_fingerprint, saved.task) != (weights_fingerprint, task):
        raise AuricleError(
            f"{folder} holds another probe, of {saved.task or 'an unnamed task'} on {saved.model}: it stays as it is, "
            "choose another folder or delete it"
        )


def _places(folder: Path) -> tuple[Path, Path]:
    """Where a folder's probe may be: in itself, or in that of a fine-tuning run."""
    return folder, folder / "probe"


def load_probe(folder: Path | str) -> SavedProbe:
    """What :func:`save_probe` wrote, or the probe in the folder of a fine-tuning run.

    Raises
    ------
    AuricleError
        When there is none, or it is damaged.
    """
    folder = next((place for place in _places(Path(folder)) if (place / PROBE_FILE).is_file()), Path(folder))
    if not (folder / PROBE_FILE).is_file():
        raise AuricleError(
            f"{folder} holds no probe: expected a {PROBE_FILE}, as `auricle evaluate … --save-probe DIR` writes it"
        )
    try:
        values = json.loads((folder / PROBE_FILE).read_text(encoding="utf-8"))
        if values["format"] > FORMAT:
            raise AuricleError(
                f"{folder / PROBE_FILE} is of format {values['format']}, "
                f"this Auricle ({__version__}) reads up to {FORMAT}: update Auricle"
            )
        arrays = load_file(folder / WEIGHTS_FILE)
        calibration = Calibration(*(tuple(values["calibration"][name]) for name in ("slope", "offset")))
        fitted = FittedProbe(
            weight=arrays["weight"],
            bias=arrays["bias"],
            classes=tuple(values["classes"]),
            kind=values["kind"],
            seed=values["seed"],
            fold=values["fold"],
            learning_rate=values["learning_rate"],
            weight_decay=values["weight_decay"],
            calibration=calibration,
            thresholds=tuple(values["thresholds"]),
        )
        if len(fitted.bias) != len(fitted.outputs) or len(calibration.slope) != len(fitted.outputs):
            raise ValueError(f"{len(fitted.bias)} outputs for {len(fitted.outputs)} classes")
        model = values["model"]
        return SavedProbe(
            probe=fitted,
            model=str((folder / model).resolve()) if values.get("is_path") else model,
            weights_fingerprint=values["weights_fingerprint"],
            window=float(values["window"]),
            layer=values["layer"],
            pooling=values["pooling"],
            task=values["task"],
            protocol=values["protocol"],
            scores=values["scores"],
        )
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise AuricleError(f"the probe in {folder} is damaged: {' '.join(str(error).split())}") from error


def window_of(manifest: Manifest) -> float:
    """Seconds of the median clip, to three digits; of a large manifest, of clips evenly spread over it."""
    starts, ends = (
        manifest.column(name) if manifest.has(name) else [None] * len(manifest) for name in ("start", "end")
    )
    files = manifest.files
    seconds = []
    for row in np.unique(np.linspace(0, len(manifest) - 1, _FILES_MEASURED).round().astype(int)):
        end = ends[row]
        if end is None:
            try:
                end = audio.info(files[row]).seconds
            except audio.AudioError:
                continue
        seconds.append(end - (starts[row] or 0.0))
    if not seconds:
        raise AuricleError(f"{manifest.source}: no clip can be read")
    return float(f"{np.median(seconds):.3g}")
