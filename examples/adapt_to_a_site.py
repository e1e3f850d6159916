"""Adapt an encoder to a new site: go on pre-training with its weights, on unlabelled recordings of that site.

    python examples/adapt_to_a_site.py /field/new-site runs/general/model runs/new-site epochs=20

The normalisation statistics become those of the site. On the command line it is
``auricle pretrain byola-2022 data=/field/new-site init=runs/general/model --out runs/new-site``; whether it helped,
``auricle evaluate runs/general/model runs/new-site/model --manifest labels.csv`` says, on labels of that site.
"""

import csv
import sys
from pathlib import Path

import numpy as np

import auricle
from auricle import audio
from auricle.integrations.scikit_learn import AudioEmbedder
from auricle.pretraining import run
from auricle.pretraining.events import Note, Step
from auricle.pretraining.recipe import load_recipe

LEARNING_RATE = 1e-4  # below that of a new encoder: what it can do already shall stay
LOOKED_AT = 200  # recordings


def show(event: object) -> None:
    match event:
        case Step():
            print(f"step {event.step} of {event.steps}: loss {event.loss:.3f}")
        case Note():
            print(event.text)


def dimensions_used(embeddings: np.ndarray) -> float:
    """Participation ratio of the variances along the principal directions."""
    variances = np.linalg.svd(embeddings - embeddings.mean(axis=0), compute_uv=False) ** 2
    return float(variances.sum() ** 2 / (variances**2).sum())


def main(site: str, model: str, out: str, *overrides: str) -> None:
    given = [f"data={site}", f"init={model}", f"learning_rate={LEARNING_RATE}", *overrides]
    adapted = run.pretrain(load_recipe("byola-2022", given), Path(out), report=show)

    with (Path(out) / "rejected.csv").open(newline="") as file:
        rejected = {Path(row["path"]) for row in csv.DictReader(file)}
    recordings = [path for path in audio.find(Path(site)) if path not in rejected][:LOOKED_AT]
    for name, encoder in (("before", auricle.load(model)), ("after", auricle.load(adapted))):
        used = dimensions_used(AudioEmbedder(encoder).transform(recordings))
        statistics = ", ".join(f"{key} {value:.2f}" for key, value in encoder.statistics.items())
        print(f"{name}: {used:.1f} of {encoder.embedding_dim} dimensions used on the site; log-mel {statistics}")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
