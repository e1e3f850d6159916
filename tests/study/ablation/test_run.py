"""A tiny ablation from end to end: one key changed per row, every row against the recipe as it is."""

from pathlib import Path

import pytest
import yaml

from auricle import results
from auricle.settings import SettingsError
from auricle.study import events
from auricle.study.ablation.definition import BASE
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
    assert isinstance(end, events.End) and end.in_short[0] == "2 changes of conformer-small, one at a time."
    assert run_study(load_study("conformer-ablation", TINY), tmp_path).stages == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("vary={wav2vec.mask_spam: 1}", r"no key `wav2vec.mask_spam`; did you mean `mask_span`\?"),
        ("vary={wav2vec.mask_span: 3}", "`vary.wav2vec.mask_span` names 3, which the recipe has already"),
        ("vary={}", "`vary` is {}"),
        ("pretraining.overrides.seed=1", "its key `seed` follows from the study"),
    ],
)
def test_what_is_wrong_is_named(change: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load_study("conformer-ablation", [*TINY[:-2], change])


def test_the_shipped_study_varies_what_the_paper_considers() -> None:
    study = load_study("conformer-ablation")
    keys = set(study.model_dump()["vary"])
    assert keys >= {
        f"wav2vec.{key}" for key in ("mask_probability", "mask_span", "negatives", "temperature", "quantiser")
    }
    assert "encoder.stack" in keys
