"""A tiny ablation from end to end: every row against the recipe as it is."""

import csv
import json
from pathlib import Path

import pytest
import yaml

from auricle import results
from auricle.explain.invariance import ALTERATIONS
from auricle.settings import SettingsError
from auricle.study import events
from auricle.study.ablation.definition import BASE, Ablation
from auricle.study.definition import load_study
from auricle.study.run import run_study

TINY = (
    "data=synth",
    "world.clips=120",
    "diet=[speech, non-speech]",
    "tasks=[event]",
    "pretraining.overrides={encoder: {latent_dim: 32, dim: 32, layers: 2, heads: 2, feed_forward: 64, first_kernel: 7, "
    "kernel: 7}, steps: 6, batch_size: 8, crop_seconds: 1.0, clip_seconds: 2.0, statistics_crops: 16, log_every: 2, "
    "checkpoint_every: 3, workers: 1, warmup_steps: 2}",
    "vary={wav2vec.mask_span: 1, encoder.stack: [8]}",
    "probe={seeds: [0], overrides: {epochs: 5, learning_rate: 0.01, standardise: true}}",
)


def test_every_row_changes_one_key_and_is_compared_with_the_base(tmp_path: Path) -> None:
    told: list[events.Event] = []
    run_study(load_study("conformer-ablation", TINY), tmp_path, report=told.append)
    rows = {row.model: row for row in results.read(tmp_path / "results.parquet") if row.metric == "accuracy"}
    changed = {"conformer-small", "conformer-small wav2vec.mask_span=1", "conformer-small encoder.stack=8"}
    assert {row.model for row in results.summary(rows.values())} <= changed == set(rows)
    recipes = {}
    for path in tmp_path.glob("stages/pretraining/*/recipe.yaml"):
        recipe = yaml.safe_load(path.read_text())
        recipes[recipe["wav2vec"]["mask_span"], recipe["encoder"].get("stack")] = recipe
    assert recipes.keys() == {(3, None), (1, None), (3, 8)}
    base, span = dict(recipes[3, None]), dict(recipes[1, None])
    assert {key for key in base if base[key] != span[key]} == {"data", "wav2vec"}  # data: a stage's own folder
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for words in (BASE, "mask span 1", "stack 8", "guessing", "wav2vec.mask_span=1"):
        assert words in page
    end = told[-1]
    assert isinstance(end, events.End) and end.in_short[0] == "2 changes of conformer-small, each on its own."
    assert run_study(load_study("conformer-ablation", TINY), tmp_path).stages == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("vary={wav2vec.mask_spam: 1}", r"no key `wav2vec.mask_spam`; did you mean `mask_span`\?"),
        (
            "vary={wav2vec.mask_span: 3}",
            "the row mask span 3 is the recipe as it is: it has wav2vec.mask_span=3 already",
        ),
        ("vary={}", "nothing is changed: name keys of the recipe under `vary`, or rows under `rows`"),
        ("pretraining.overrides.seed=1", "its key `seed` follows from the study"),
    ],
)
def test_what_is_wrong_is_named(change: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load_study("conformer-ablation", [*TINY[:-2], change])


SMALL = (
    *TINY[:4],
    "pretraining.overrides={encoder: {architecture: byola-2022, channels: 4, mlp_hidden: 16}, projection_hidden: 32, "
    "projection_dim: 16, cola: {dim: 16}, views: {memory: 32}, steps: 4, batch_size: 8, statistics_crops: 16, "
    "log_every: 2, checkpoint_every: 4, workers: 1, precision: float32, warmup_steps: 1}",
    "vary={encoder.parts: convolution, pre_norm: false}",
    "rows={plain cola: {objective: cola, views.mixup: 0.0, views.crop: false}}",
    "published={what: an average, source: nobody, scores: {plain cola: 60.9}}",
    "invariance={clips: 10}",
    "probe={seeds: [0], overrides: {epochs: 5, learning_rate: 0.01, standardise: true}}",
)


def test_rows_may_change_several_keys_and_what_embeddings_ignore_is_measured(tmp_path: Path) -> None:
    run_study(load_study("byola-ablation", SMALL), tmp_path)
    recipes = [yaml.safe_load(path.read_text()) for path in tmp_path.glob("stages/pretraining/*/recipe.yaml")]
    found = {(one["objective"], one["pre_norm"], one["encoder"].get("parts", "both")) for one in recipes}
    assert found == {
        ("byol", True, "both"), ("byol", True, "convolution"), ("byol", False, "both"), ("cola", True, "both"),
    }  # fmt: skip
    cola = next(one for one in recipes if one["objective"] == "cola")
    assert cola["views"]["mixup"] == 0 and cola["views"]["crop"] is False
    models = [json.loads(path.read_text()) for path in tmp_path.glob("stages/pretraining/*/done.json")]
    statistics = sorted(tuple(one["facts"]["statistics"].values()) for one in models)
    assert statistics.count((0.0, 1.0)) == 1  # the one that is not normalised
    with (tmp_path / "invariance.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4 * len(ALTERATIONS) and {row["clips"] for row in rows} == {"10"}
    assert all(0 <= float(row["ci_low"]) <= float(row["moved"]) <= float(row["ci_high"]) for row in rows)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    published = "published<small>average, %"
    for words in ("plain cola", "views.crop=False", published, "60.9", "level<small>−6 dB", "speed<small>× 1.25"):
        assert words in page
    assert run_study(load_study("byola-ablation", SMALL), tmp_path).stages == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("rows={pre norm off: {pre_norm: false}}", "two rows are called pre norm off"),
        ("published.scores={mixup: 1.0}", "`published.scores` names mixup, but the rows are"),
        ("invariance.task=esc50", "`invariance.task` is esc50, but the tasks are event"),
        ("invariance.clips=5", "invariance.clips"),
    ],
)
def test_what_is_wrong_with_rows_is_named(change: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load_study("byola-ablation", [*SMALL, change])


def test_the_shipped_study_has_the_published_rows_under_their_own_titles() -> None:
    study = load_study("byola-ablation")
    assert isinstance(study, Ablation)
    changes = {variant.title: dict(variant.changes) for variant in study.variants()}
    assert changes["crop alone"] == {"views.fader": 0.0, "views.mixup": 0.0}
    assert study.published is not None and study.published.scores["mixup and crop"] == 72.3
    assert changes["post norm off"] == {"views.post_norm": False}


def test_the_shipped_study_varies_what_the_paper_considers() -> None:
    study = load_study("conformer-ablation")
    keys = set(study.model_dump()["vary"])
    assert keys >= {
        f"wav2vec.{key}" for key in ("mask_probability", "mask_span", "negatives", "temperature", "quantiser")
    }
    assert "encoder.stack" in keys
