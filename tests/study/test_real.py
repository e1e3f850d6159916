"""The example study on real audio, shortened: every stage is the real one, only steps, encoder and seeds are few."""

from pathlib import Path

import pytest

from auricle import results
from auricle.study.definition import load_study
from auricle.study.run import run_study

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "real_study.yaml"
SHORT = (
    "pretraining.recipe=byola-2022-small",
    "pretraining.overrides={steps: 60, batch_size: 32, statistics_crops: 320, cache_gib: 0, sampling: duration}",
    "random_seeds=[0]",
    "models=[random, logmel-stats]",
    "tasks=[digits, emodb]",
    "probe={seeds: [0], overrides: {standardise: true, learning_rate: 0.001, epochs: 30}}",
    "rsa={clips: 200}",
    "tsne={clips: 200}",
    "map={task: digits, clips: 60}",
)


@pytest.mark.real
@pytest.mark.slow
def test_the_example_study_on_real_audio(real_data: Path, tmp_path: Path) -> None:
    study = load_study(EXAMPLE, [*SHORT, f"data={real_data}"])
    end = run_study(study, tmp_path)
    rows = [row for row in results.summary(results.read(end.results)) if row.metric == "accuracy"]
    assert len(rows) == 5 * 2  # trained on each diet, their random selves, log-mel statistics; two tasks
    for row in rows:
        assert row.protocol.startswith("ogg2025 (")
        assert row.ci_low is not None
        assert row.ci_high is not None
        assert row.ci_low <= row.value <= row.ci_high
        name = row.task.partition(" (")[0]
        assert row.value > {"digits": 1 / 10, "emodb": 127 / 535}[name]  # of EmoDB's clips 127 are angry
    assert {row.n for row in rows if row.task == "emodb"} == {535}  # all five folds are tested

    page = end.report.read_text(encoding="utf-8")
    for words in ("emodb", "trained on speech", "trained on non-speech", "random weights", "CC BY-SA"):
        assert words in page
    again = run_study(study, tmp_path)
    assert (again.stages, again.cached) == (0, end.stages)
