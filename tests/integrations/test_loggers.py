"""What TensorBoard, W&B and MLflow hold after a run is what metrics.jsonl holds; all three are read back."""

import json
from pathlib import Path

import numpy as np
import pytest
import wandb
from mlflow.tracking import MlflowClient
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from typer.testing import CliRunner

from auricle import audio
from auricle.cli import app
from auricle.errors import AuricleError
from auricle.finetuning import events as finetuning
from auricle.integrations.loggers import Reports
from auricle.pretraining.events import Note, Plan, Step
from auricle.results import Result

PLAN = Plan(3, 0, 0.1, 9, 9, 0.0, -7.0, 4.0, 6, 2, 0)


def step(number: int, loss: float) -> Step:
    return Step(number, 6, number / 3, loss, 1e-3, 100.0, {"spread": 0.5}, "spread 0.5")


def scalars(folder: Path, name: str) -> list[tuple[int, float]]:
    read = EventAccumulator(str(folder / "tensorboard")).Reload()
    return [(event.step, event.value) for event in read.Scalars(name)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps, started on the command line with all loggers."""
    folder = tmp_path_factory.mktemp("run")
    noise = 0.1 * np.random.default_rng(0).standard_normal((4, 32_000)).astype(np.float32)
    for number, waveform in enumerate(noise):
        audio.write(folder / "field" / f"{number}.wav", waveform, sample_rate=16_000)
    given = ["byola-2022-small", f"data={folder / 'field'}", "steps=2", "batch_size=4", "statistics_crops=4"]
    given += ["log_every=1", "workers=1", "--out", str(folder / "out")]
    logs = ["--log", "tensorboard", "--log", "wandb", "--log", "mlflow"]
    done = CliRunner(env={"WANDB_MODE": "offline", "MLFLOW_TRACKING_URI": ""}).invoke(app, ["pretrain", *given, *logs])
    assert done.exit_code == 0, done.output
    wandb.teardown()  # as the end of a process does: only then is all of its file written
    return folder / "out"


def test_every_tool_holds_the_metrics_of_the_run(run: Path) -> None:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2]
    assert scalars(run, "loss") == [(row["step"], pytest.approx(row["loss"], rel=1e-6)) for row in rows]
    client = MlflowClient(tracking_uri=(run / "mlruns").resolve().as_uri())
    (found,) = client.search_runs([client.get_experiment_by_name("auricle").experiment_id])
    assert [metric.value for metric in client.get_metric_history(found.info.run_id, "loss")] == [
        r["loss"] for r in rows
    ]
    assert found.info.status == "FINISHED"
    assert found.data.params["batch_size"] == "4"
    (written,) = (run / "wandb").glob("offline-run-*/run-*.wandb")
    content = written.read_bytes()
    assert b"learning_rate" in content
    assert b"clips_per_second" in content
    assert written.stem.removeprefix("run-") == (run / "wandb-run").read_text()


def test_steps_after_the_last_checkpoint_of_a_killed_run_are_replaced(tmp_path: Path) -> None:
    seen = []
    with pytest.raises(KeyboardInterrupt), Reports(seen.append, names=["tensorboard"], folder=tmp_path) as report:
        for event in (PLAN, step(1, 3.0), step(2, 2.0), step(3, 1.0), Note("collapsed")):
            report(event)
        raise KeyboardInterrupt
    with Reports(seen.append, names=["tensorboard"], folder=tmp_path) as report:
        for event in (Plan(*list(vars(PLAN).values())[:-1], 2), step(3, 1.5), step(4, 1.2)):
            report(event)
    assert len(seen) == 8
    assert scalars(tmp_path, "loss") == [(1, 3.0), (2, 2.0), (3, 1.5), (4, pytest.approx(1.2))]
    assert scalars(tmp_path, "spread")[0] == (1, 0.5)


def test_fine_tuning_ends_with_its_test_scores(tmp_path: Path) -> None:
    with Reports(lambda event: None, names=["mlflow"], folder=tmp_path) as report:
        report(finetuning.Plan("esc50", 8, 2, 2, 0, 50, 4, 1.0, 2, 4, 0))
        report(finetuning.Step(1, 2, 0.5, 3.0, 1e-3, 50.0, "accuracy", None, None))
        report(finetuning.Step(2, 2, 1.0, 2.0, 1e-3, 50.0, "accuracy", 0.5, 0.5))
        report(finetuning.End([Result(model="m", task="esc50", protocol="p", metric="accuracy", value=0.25, n=8)]))
    client = MlflowClient(tracking_uri=(tmp_path / "mlruns").resolve().as_uri())
    number = (tmp_path / "mlflow-run").read_text()
    metrics = client.get_run(number).data.metrics
    assert metrics["test/accuracy"] == 0.25
    assert metrics["valid"] == 0.5
    assert len(client.get_metric_history(number, "valid")) == 1


def test_an_unknown_logger_and_one_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AuricleError, match="choose tensorboard, wandb, mlflow"):
        Reports(print, names=["tensorbord"], folder=tmp_path)
    monkeypatch.setattr("auricle.integrations.loggers.find_spec", lambda name: None)
    with pytest.raises(AuricleError, match=r'pip install "auricle\[wandb\]"'):
        Reports(print, names=["wandb"], folder=tmp_path)
