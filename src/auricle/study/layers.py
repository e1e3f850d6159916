"""Similarity to acoustic descriptors layer by layer, of the encoders that a study has trained."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow as pa
import pyarrow.csv
import torch

from auricle.explain import heard
from auricle.explain.descriptors import COLUMNS
from auricle.explain.heard import Model, Progress
from auricle.explain.similarity import Inference, Representation, similarities, with_q
from auricle.explain.task_clips import TaskClips
from auricle.files import atomic_write
from auricle.stages import Finished, Stage, Stages
from auricle.study.analyses import PERMUTATIONS, Described
from auricle.study.encoders import StudyEncoder

LAYERS_VERSION = 1
EMBEDDING = "embedding"  # the clip's own, after all layers


@dataclass(frozen=True)
class LayerSimilarity:
    """How well one layer of one encoder orders the clips of one task as one descriptor does.

    Attributes
    ----------
    task, descriptor, encoder, layer
        Names; the encoder's is its label, the last layer's :data:`EMBEDDING`.
    diet
        What the encoder was trained on.
    r_s
        Spearman's correlation of their distances; None where they cannot be compared.
    p_mantel, q
        Of Mantel's permutation test, and its false discovery rate over the encoder's tests on the task.
    clips
        How many were compared.
    """

    task: str
    descriptor: str
    encoder: str
    diet: str
    layer: str
    r_s: float | None
    p_mantel: float | None
    q: float | None
    clips: int


def hear_layers(
    stages: Stages, described: Described, encoder: StudyEncoder, *, device: torch.device, progress: Progress
) -> tuple[Model, TaskClips, Finished]:
    """Embed the described clips by every layer of an encoder, unless it is done."""
    model = Model.find(encoder.source, layers=True, pooling=None)
    manifest = described.task.select(described.rows)
    clips = TaskClips(name=described.task.name, manifest=manifest, part="clips", available=len(manifest))
    return model, clips, heard.hear(stages, model, clips, device=device, progress=progress)


def layer_similarity(
    stages: Stages,
    described: Described,
    encoder: StudyEncoder,
    hearing: tuple[Model, TaskClips, Finished],
    *,
    seed: int,
) -> list[LayerSimilarity]:
    """Similarity analysis of all layers of one encoder on one task, unless it is done."""
    model, clips, finished = hearing

    def work(folder: Path) -> dict[str, Any]:
        own = heard.read_heard(finished, model, clips)
        representations = [Representation(encoder.label, name, vectors) for name, vectors in own.layers.items()]
        representations.append(Representation(encoder.label, EMBEDDING, own.whole))
        values = {name: COLUMNS[name].comparable(column) for name, column in described.values.items()}
        inference = Inference(permutations=PERMUTATIONS, draws=0, seed=seed)
        rows = [row for row in similarities(representations, values, inference=inference) if row.kind == "descriptor"]
        plain = [
            dataclasses.asdict(
                LayerSimilarity(
                    task=described.task.name,
                    descriptor=row.other,
                    encoder=encoder.label,
                    diet=encoder.diet or "",
                    layer=row.layer or EMBEDDING,
                    r_s=row.r_s,
                    p_mantel=row.p_mantel,
                    q=row.q,
                    clips=row.n,
                )
            )
            for row in with_q(rows)
        ]
        with atomic_write(folder / "layers.json") as temporary:
            temporary.write_text(json.dumps(plain, indent=1))
        return {}

    inputs = {
        "description": described.key,
        "weights": model.fingerprint,
        "encoder": encoder.label,
        "permutations": PERMUTATIONS,
        "seed": seed,
    }
    name = f"{described.task.name}-{encoder.label}"
    done = stages.run(Stage("layers", name, LAYERS_VERSION, inputs), work)
    return [LayerSimilarity(**row) for row in json.loads((done.folder / "layers.json").read_text())]


def mean_by_layer(found: Sequence[LayerSimilarity]) -> dict[str, float]:
    """Layer → mean correlation over encoders that differ in their seed, in the order of the computation."""
    layers = dict.fromkeys(one.layer for one in found if one.r_s is not None)
    return {layer: fmean(one.r_s for one in found if one.layer == layer and one.r_s is not None) for layer in layers}


def write_layers(found: Sequence[LayerSimilarity], path: Path) -> None:
    """Write every row as CSV."""
    table = pa.Table.from_pylist([dataclasses.asdict(one) for one in found])
    with atomic_write(path) as temporary:
        pyarrow.csv.write_csv(table, temporary)
