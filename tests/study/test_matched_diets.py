"""Whether the diet has to match the task: own corpora left out, equal hours, the effect in the report."""

import json
from pathlib import Path

import numpy as np
import pytest

from auricle import audio, results
from auricle.manifest import Manifest
from auricle.settings import SettingsError
from auricle.study.definition import load_study
from auricle.study.run import run_study

SEEDS = (0, 1)
STUDY = """
diets:
  tones: [tones.csv, more]
  noises: [noises.csv, still-more]
equal_hours: true
leave_own_corpus_out: true
matches:
  tones: [tones]
  noises: [noises]
confounds: [All tones are short.]
models: [logmel-stats]
tasks: [tones.csv, noises.csv]
rsa:
tsne:
  part: all
  clips: 20
map:
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tasks of eighteen clips in two classes, and more sound for each diet."""
    folder = tmp_path_factory.mktemp("matched")
    generator = np.random.default_rng(0)
    for kind in ("tones", "noises"):
        rows = []
        for number in range(18):
            high = number % 2
            sound = generator.standard_normal(16_000)
            if kind == "tones":
                sound = np.sin(2 * np.pi * (2000 if high else 300) * np.arange(16_000) / 16_000) + 0.1 * sound
            elif high:
                sound = np.diff(sound, prepend=0.0)
            path = f"{kind}/{number:02}.wav"
            audio.write(folder / path, (0.1 * sound).astype(np.float32), sample_rate=16_000)
            split = ("train", "valid", "test")[number // 6]
            rows.append({"path": path, "label": "high" if high else "low", "split": split})
        Manifest.from_rows(rows, root=folder).write(folder / f"{kind}.csv")
    for number in range(5):
        for place in ("more", "still-more"):
            sound = 0.1 * generator.standard_normal(16_000)
            audio.write(folder / place / f"{number}.wav", sound, sample_rate=16_000)
    (folder / "study.yaml").write_text(STUDY)
    return folder


def test_each_task_is_scored_by_encoders_that_never_heard_its_corpus(root: Path, tiny, tmp_path: Path) -> None:
    (training,) = (setting for setting in tiny if setting.startswith("pretraining.overrides="))
    probe = "probe={seeds: [0], overrides: {epochs: 5, learning_rate: 0.01, standardise: true}}"
    overrides = [training, probe, f"pretraining.seeds={list(SEEDS)}", f"data={root}"]
    end = run_study(load_study(root / "study.yaml", overrides), tmp_path)
    trained = {}
    for done in (tmp_path / "stages" / "pretraining").glob("*/done.json"):
        facts = json.loads(done.read_text())["facts"]
        trained[facts["weights_fingerprint"]] = (done.parent.name.rpartition("-seed")[0], facts["hours"])
    assert {name for name, _ in trained.values()} == {
        "tones", "tones-without-tones", "noises", "noises-without-noises",
    }  # fmt: skip
    hours = [hours for _, hours in trained.values()]
    assert max(hours) == pytest.approx(5 / 3600) == min(hours)  # the five clips beside each task's own
    heard = {}
    for row in results.summary(results.read(end.results)):
        if row.metric == "accuracy" and row.diet is not None:
            heard.setdefault((row.diet, row.task), []).append(trained[row.weights_fingerprint][0])
    assert heard == {
        ("tones", "tones"): ["tones-without-tones"] * len(SEEDS),
        ("tones", "noises"): ["tones"] * len(SEEDS),
        ("noises", "tones"): ["noises"] * len(SEEDS),
        ("noises", "noises"): ["noises-without-noises"] * len(SEEDS),
    }
    page = end.report.read_text(encoding="utf-8")
    assert "Does the diet have to match the task?" in page
    assert "Domain specificity: the diet of a task" in page
    assert "mean of 2 seeds" in page
    assert "<h2>What stays confounded</h2>" in page and "<li>All tones are short.</li>" in page


def test_a_match_of_an_unknown_diet_or_task_is_refused(root: Path) -> None:
    with pytest.raises(SettingsError, match=r"`matches` is birds, but there are tones, noises"):
        load_study(root / "study.yaml", ["matches={birds: [tones]}"])
    with pytest.raises(SettingsError, match=r"`matches.tones` is chirps, but there are .*noises.*tones"):
        load_study(root / "study.yaml", ["matches={tones: [chirps]}"])
