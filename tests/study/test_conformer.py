"""The study of diets with a conformer in place of BYOL-A, similarity analysis layer by layer included."""

import csv
from pathlib import Path

import auricle
from auricle import results
from auricle.study.definition import load_study
from auricle.study.run import run_study

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "real_study.yaml"
TINY = (
    "objective=conformer-small",
    "data=synth",
    "world.clips=120",
    "diets={speech: speech, non-speech: non-speech}",
    "pretraining.overrides={encoder: {latent_dim: 32, dim: 32, layers: 2, heads: 2, feed_forward: 64, first_kernel: 7, "
    "kernel: 7}, steps: 4, batch_size: 8, crop_seconds: 1.0, clip_seconds: 2.0, statistics_crops: 16, log_every: 2, "
    "workers: 1, warmup_steps: 2}",
    "random_seeds=[0]",
    "models=[random]",
    "tasks=[event]",
    "probe={seeds: [0], overrides: {epochs: 5, learning_rate: 0.01, standardise: true}}",
    "rsa={layers: true, descriptors: [rms_level, spectral_centroid_median], part: all}",
    "tsne=null",
    "map=null",
)


def test_the_example_study_runs_with_another_objective(tmp_path: Path) -> None:
    study = load_study(EXAMPLE, TINY)
    run_study(study, tmp_path)
    rows = results.summary(results.read(tmp_path / "results.parquet"))
    assert {row.model.partition(" ")[0] for row in rows} == {"conformer-small"}
    (trained,) = tmp_path.glob("stages/pretraining/speech-*/model")
    (fresh,) = tmp_path.glob("stages/random/speech-*")
    assert auricle.load(fresh).statistics == auricle.load(trained).statistics  # the random self hears the same
    with (tmp_path / "layers.csv").open() as file:
        layers = list(csv.DictReader(file))
    assert {row["layer"] for row in layers} == {"latents", "layer1", "layer2", "embedding"}
    assert len(layers) == 4 * 2 * 2  # layers × descriptors × diets
    by_layer = {(row["encoder"], row["layer"], row["descriptor"]): float(row["r_s"]) for row in layers}
    for encoder in {row["encoder"] for row in layers}:
        # The conformer's embedding is the mean of its last layer.
        assert by_layer[encoder, "layer2", "rms_level"] == by_layer[encoder, "embedding", "rms_level"]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Layer by layer" in page and "contrastive loss, nats" in page and "BYOL" not in page.split("<pre>")[0]
