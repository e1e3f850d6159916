"""What this machine does, measured here and now by a few seconds of a study's own work on noise."""

import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from auricle import audio
from auricle.manifest import Manifest
from auricle.models import registry
from auricle.models.encoder import Encoder
from auricle.pretraining import run as pretraining_run
from auricle.pretraining.events import Step
from auricle.pretraining.recipe import Recipe
from auricle.study.base import Probe
from auricle.transfer.evaluation import evaluate

STEPS = 3  # of pre-training that are timed, the first of them apart
NOISE_SECONDS = 30.0  # of sound that is embedded
PROBED_CLIPS = 400  # random embeddings that are probed
CLASSES = 10
_MODEL_COPIES = 4  # of all weights in a checkpoint: online, target or not, and the optimiser's two moments


@dataclass(frozen=True)
class Timed:
    """What pre-training by a recipe takes.

    Attributes
    ----------
    crops
        Crops that are learnt from in a second.
    parameters, embedding_dim
        Of its encoder.
    sound
        Seconds of sound that its encoder embeds in a second.
    disk
        Bytes that a finished run leaves.
    """

    crops: float
    parameters: int
    embedding_dim: int
    sound: float
    disk: int


def noise(sample_rate: int) -> np.ndarray:
    """Some sound: ``(samples,)`` float32."""
    draw = np.random.default_rng(0).uniform(-0.3, 0.3, round(NOISE_SECONDS * sample_rate))
    return draw.astype(np.float32)


def time_recipe(recipe: Recipe, device: torch.device) -> Timed:
    """Time a few steps of pre-training, and the embedding of some noise by the encoder that comes of them."""
    with tempfile.TemporaryDirectory(prefix="auricle-plan-") as folder:
        sound, rate = Path(folder) / "sound", pretraining_run.build_encoder(recipe).sample_rate
        audio.write(sound / "noise.wav", noise(rate), sample_rate=rate)
        changes = {"steps": STEPS, "log_every": 1, "statistics_crops": 8, "workers": 1, "checkpoint_every": STEPS}
        values = recipe.model_dump(mode="json", exclude={"epochs", "validation", *changes}) | changes
        told: list[Step] = []
        model = pretraining_run.pretrain(
            type(recipe).model_validate(values | {"data": [str(sound)]}),
            Path(folder) / "run",
            report=lambda event: told.append(event) if isinstance(event, Step) else None,
        )
        trained = registry.load(model).to(device)
        return Timed(
            crops=max(step.clips_per_second for step in told[1:]),
            parameters=trained.parameters_count,
            embedding_dim=trained.embedding_dim,
            sound=time_encoder(trained),
            disk=trained.parameters_count * 4 * (1 + _MODEL_COPIES * recipe.keep_checkpoints),
        )


def time_encoder(encoder: Encoder) -> float:
    """Seconds of sound that are embedded in a second; the faster of two."""
    taken = []
    for _ in range(2):
        start = time.perf_counter()
        encoder.embed(noise(encoder.sample_rate))
        taken.append(time.perf_counter() - start)
    return NOISE_SECONDS / min(taken)


def time_probe(probe: Probe, dim: int, device: torch.device) -> float:
    """Seconds of one clip of `dim` numbers in one probe of one seed."""
    generator = np.random.default_rng(0)
    rows = [
        {
            "path": f"{row}.wav",
            "label": str(row % CLASSES),
            "split": ("train", "train", "valid", "test")[row // CLASSES % 4],
        }
        for row in range(PROBED_CLIPS)
    ]
    start = time.perf_counter()
    evaluate(
        generator.standard_normal((PROBED_CLIPS, dim)).astype(np.float32),
        Manifest.from_rows(rows, root=Path()),
        task="noise",
        model="noise",
        protocol=probe.protocol,
        settings=probe.settings(),
        seeds=probe.seeds,
        device=device,
    )
    return (time.perf_counter() - start) / PROBED_CLIPS / len(probe.seeds)


def peak_bytes(device: torch.device) -> int:
    """The most memory that was used, a GPU's own where the work is done there."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
