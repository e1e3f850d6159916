"""From a model and a task to a model that knows the task: resumed bit for bit, best epoch kept, clear refusals."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import average_precision_score

import auricle
from auricle import audio, results
from auricle.errors import AuricleError, Interrupted
from auricle.finetuning import run
from auricle.finetuning.events import End, Plan, Step
from auricle.finetuning.outcome import read_predictions
from auricle.finetuning.recipe import make_recipe, read_recipe
from auricle.models.byola import BYOLA2022, BYOLA2022Config
from auricle.training import MetricsFile
from auricle.transfer.saved_probe import load_probe

PITCHES = {"low": 300.0, "middle": 1200.0, "high": 4000.0}
QUICK = {"batch_size": 8, "log_every": 1, "workers": 1, "device": "cpu", "precision": "float32"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small encoder whose batch-norms have seen sound, as those of a pre-trained one have."""
    torch.manual_seed(0)
    encoder = BYOLA2022(BYOLA2022Config(channels=4, mlp_hidden=16)).train()
    for _ in range(50):
        encoder(0.1 * torch.randn(8, 16_000))
    return encoder.save_pretrained(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tones of three pitches in noise, 0.3 to 1.6 s long; of each twelve to train, six to select and six to score."""
    folder = tmp_path_factory.mktemp("tones")
    generator = np.random.default_rng(0)
    lines = ["path,label,split,group"]
    for pitch, hertz in PITCHES.items():
        for number in range(24):
            seconds = generator.uniform(0.3, 1.6)
            at = np.arange(int(16_000 * seconds)) / 16_000
            tone = 0.2 * np.sin(2 * np.pi * hertz * generator.uniform(0.8, 1.25) * at)
            noise = 0.05 * generator.standard_normal(len(at))
            audio.write(folder / f"{pitch}{number}.wav", (tone + noise).astype(np.float32), sample_rate=16_000)
            split = "train" if number < 12 else "valid" if number < 18 else "test"
            lines.append(f"{pitch}{number}.wav,{pitch},{split},{pitch}{number}")
    (folder / "broken.wav").write_bytes(b"RIFF....WAVE")
    lines.append("broken.wav,low,train,x")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder / "labels.csv"


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model" / "model.safetensors")


def test_a_run_leaves_everything_that_it_promises(model: Path, labels: Path, tmp_path: Path) -> None:
    events: list[object] = []
    recipe = make_recipe({**QUICK, "epochs": 16, "learning_rate": 0.003}, model=str(model), task=str(labels))
    written = run.finetune(recipe, tmp_path / "run", report=events.append)
    plan = next(event for event in events if isinstance(event, Plan))
    assert (plan.train, plan.valid, plan.test, plan.rejected, plan.classes) == (36, 18, 18, 1, 3)
    assert plan.steps == 72  # 16 epochs of 36 clips in batches of 8
    encoder = auricle.load(written)
    assert encoder.embed(labels.parent / "low0.wav").shape == (encoder.embedding_dim,)
    assert auricle.load(tmp_path / "run").weights_fingerprint == encoder.weights_fingerprint
    assert encoder.weights_fingerprint != auricle.load(model).weights_fingerprint
    assert "broken.wav" in (tmp_path / "run" / "rejected.csv").read_text()
    assert read_recipe(tmp_path / "run" / "recipe.yaml") == recipe
    rows = MetricsFile(tmp_path / "run" / "metrics.jsonl").read()
    assert [row["step"] for row in rows] == list(range(1, 73))
    scores = [row["valid"] for row in rows if row["valid"] is not None]
    assert len(scores) == 16 and rows[-1]["best"] == max(scores)
    found = results.read(tmp_path / "run" / "results.parquet")
    assert [row.metric for row in found] == ["accuracy", "balanced_accuracy"]
    accuracy = found[0]
    assert accuracy.n == 18 and accuracy.weights_fingerprint == encoder.weights_fingerprint
    assert accuracy.value > 0.6  # by chance one of 200 runs would have 12 of 18 right in three classes
    assert accuracy.ci_low is not None and accuracy.ci_low <= accuracy.value <= (accuracy.ci_high or 0)
    assert encoder.card.scores[f"{labels.parent.name} accuracy"] == accuracy.value
    # The head, as a probe on embeddings that the saved model makes, scores what the run said.
    saved = load_probe(tmp_path / "run")
    assert saved.encoder().weights_fingerprint == encoder.weights_fingerprint
    names = [(pitch, f"{pitch}{number}.wav") for pitch in PITCHES for number in range(18, 24)]
    scores = saved.probe.scores(np.stack([encoder.embed(labels.parent / name) for _, name in names]))
    guesses = [saved.probe.classes[best] for best in scores.argmax(axis=1)]
    assert np.mean([guess == pitch for guess, (pitch, _) in zip(guesses, names, strict=True)]) == accuracy.value
    assert not (tmp_path / "run" / "audio").exists()
    again: list[object] = []
    run.resume(tmp_path / "run", report=again.append)  # nothing is left to do
    assert [type(event) for event in again] == [End]


def test_several_labels_at_once(model: Path, labels: Path, tmp_path: Path) -> None:
    rows = ["path,labels,split"]
    for line in labels.read_text().splitlines()[1:-1]:
        path, pitch, split, _ = line.split(",")
        rows.append(f"{path},{'tone' if pitch == 'middle' else f'tone;{pitch}'},{split}")
    (labels.parent / "several.csv").write_text("\n".join(rows) + "\n")
    recipe = make_recipe(
        {**QUICK, "epochs": 8, "learning_rate": 0.003}, model=str(model), task=str(labels.parent / "several.csv")
    )
    run.finetune(recipe, tmp_path / "run")
    found = {row.metric: row.value for row in results.read(tmp_path / "run" / "results.parquet")}
    # What a guess would have on average is the prevalence of each label.
    assert found["prevalence"] == pytest.approx((1 + 1 / 3 + 1 / 3) / 3)
    assert found["mean_average_precision"] > found["prevalence"] + 0.1
    saved = load_probe(tmp_path / "run" / "probe")
    assert saved.probe.kind == "multi-label" and saved.probe.outputs == ("high", "low", "tone")


def test_tagging_as_for_audioset(model: Path, labels: Path, tmp_path: Path) -> None:
    """Several labels, balanced sampling, mixup, masks, the mean of frame embeddings, a share of the labels."""
    rows = ["path,labels,split,cluster"]
    for number, line in enumerate(labels.read_text().splitlines()[1:-1]):
        path, pitch, split, _ = line.split(",")
        rows.append(f"{path},{'tone' if pitch == 'middle' else f'tone;{pitch}'},{split},video{number % 9}")
    (labels.parent / "tags.csv").write_text("\n".join(rows) + "\n")
    options = {
        **QUICK,
        "epochs": 3,
        "pooling": "mean",
        "mixup": 0.5,
        "balance": 1.0,
        "label_share": 0.5,
        "epoch_clips": 36,
        "specaugment": {"time_masks": 1, "frequency_masks": 1},
    }
    recipe = make_recipe(options, model=str(model), task=str(labels.parent / "tags.csv"))
    plans: list[Plan] = []
    folder = run.finetune(
        recipe, tmp_path / "run", report=lambda e: plans.append(e) if isinstance(e, Plan) else None
    ).parent
    assert (plans[0].train, plans[0].steps) == (18, 14)  # half of 36 clips; three epochs of 36 in batches of 8
    found = {row.metric: row for row in results.read(folder / "results.parquet")}
    precision = found["mean_average_precision"]
    assert precision.ci_low is not None and precision.ci_low <= precision.value <= (precision.ci_high or 0)
    truth = np.array([["tone" in row, "low" in row, "high" in row] for row in rows[1:]])[:, [2, 1, 0]]
    at, logits = read_predictions(folder / "predictions.parquet")
    ours = average_precision_score(truth[at], logits, average="macro")  # scikit-learn's
    assert precision.value == pytest.approx(ours, abs=1e-6)
    # The head on the mean over time is linear: a clip's logits are the mean of its frames' logits.
    saved = load_probe(folder)
    encoder = saved.encoder()
    waveform = torch.from_numpy(audio.read(labels.parent / "low20.wav", sample_rate=16_000))
    frames, _ = encoder.frames(waveform)
    weight, bias = torch.from_numpy(saved.probe.weight), torch.from_numpy(saved.probe.bias)
    row = [line.split(",")[0] for line in rows[1:]].index("low20.wav")
    assert (frames @ weight.T + bias).mean(dim=0).tolist() == pytest.approx(logits[at == row][0].tolist(), abs=1e-3)


def test_audioset_in_its_layout(model: Path, tmp_path: Path) -> None:
    root, generator = tmp_path / "data" / "AudioSet", np.random.default_rng(0)
    names = {"/m/a": 300.0, "/m/b": 1200.0, "/m/c": 4000.0}
    lines = ["index,mid,display_name", *(f"{at},{mid},Sound {mid[-1]}" for at, mid in enumerate(names))]
    root.mkdir(parents=True)
    (root / "class_labels_indices.csv").write_text("\n".join(lines) + "\n")
    at = np.arange(8000) / 16_000
    for part, videos in (("balanced_train_segments", 40), ("eval_segments", 12)):
        rows = ["# Segments csv", "# num_ytids", "# YTID, start_seconds, end_seconds, positive_labels"]
        for number in range(videos):
            mids = sorted(generator.choice(list(names), size=1 + number % 2, replace=False))
            rows.append(f'{part[:3]}video{number:03}, 0.000, 10.000, "{",".join(mids)}"')
            sound = sum(0.1 * np.sin(2 * np.pi * names[mid] * at) for mid in mids)
            (root / part).mkdir(exist_ok=True)
            audio.write(root / part / f"{part[:3]}video{number:03}.wav", sound.astype(np.float32), sample_rate=16_000)
        (root / f"{part}.csv").write_text("\n".join(rows) + "\n")
    options = {**QUICK, "epochs": 2, "balance": 1.0, "mixup": 0.5, "specaugment": {"time_masks": 1}}
    recipe = make_recipe(options, model=str(model), task="audioset-balanced", root=str(tmp_path / "data"))
    plans: list[Plan] = []
    run.finetune(recipe, tmp_path / "run", report=lambda e: plans.append(e) if isinstance(e, Plan) else None)
    assert plans[0].train + plans[0].valid == 40 and plans[0].valid > 0 and plans[0].test == 12
    found = {row.metric: row for row in results.read(tmp_path / "run" / "results.parquet")}
    precision = found["mean_average_precision"]
    assert precision.n == 12 and precision.ci_low is not None and precision.ci_low < precision.value
    assert load_probe(tmp_path / "run").probe.outputs == ("Sound a", "Sound b", "Sound c")


def test_training_ends_on_a_plateau_and_goes_on_where_it_was(model: Path, labels: Path, tmp_path: Path) -> None:
    # At a rate that teaches nothing: it falls twice, each time after two epochs without a better one, then the end.
    options = {**QUICK, "epochs": 40, "schedule": "plateau", "patience": 2, "learning_rate": 1e-12, "warmup": 0.0}
    recipe = make_recipe(options, model=str(model), task=str(labels))
    decoded = tmp_path / "decoded"
    run.finetune(recipe, tmp_path / "whole", decoded=decoded)
    rows = MetricsFile(tmp_path / "whole" / "metrics.jsonl").read()
    best, waited, factor, ended = -1.0, 0, 1.0, False
    for row in (row for row in rows if row["valid"] is not None):
        assert not ended and row["learning_rate"] == pytest.approx(1e-12 * factor)
        waited = 0 if row["valid"] > best else waited + 1
        best = max(best, row["valid"])
        if waited == 2:
            ended, factor, waited = factor < 0.1, 0.3 * factor, 0
    assert ended
    assert decoded.is_dir() and not (tmp_path / "whole" / "audio").exists()

    def stop(event: object) -> None:
        if isinstance(event, Step) and event.step == rows[len(rows) // 2]["step"]:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted):
        run.finetune(recipe, tmp_path / "stopped", decoded=decoded, report=stop)
    run.resume(tmp_path / "stopped", decoded=decoded)
    again = MetricsFile(tmp_path / "stopped" / "metrics.jsonl").read()
    assert [{**row, "clips_per_second": None} for row in again] == [{**row, "clips_per_second": None} for row in rows]
    (tmp_path / "stopped" / "results.parquet").unlink()  # as if killed before it was written
    run.resume(tmp_path / "stopped", decoded=decoded)
    assert len(MetricsFile(tmp_path / "stopped" / "metrics.jsonl").read()) == len(rows)


def test_the_best_epoch_is_what_is_kept(model: Path, labels: Path, tmp_path: Path) -> None:
    # A rate that grows until it destroys what was learnt: an epoch before the last is the best, unless chance, which
    # differs between processors, lets the last one be as good; then another seed is asked.
    for seed in range(6):
        recipe = make_recipe(
            {**QUICK, "epochs": 8, "warmup": 1.0, "learning_rate": 1.0, "layer_decay": 1.0, "seed": seed},
            model=str(model),
            task=str(labels),
        )
        steps: list[Step] = []
        folder = tmp_path / f"run-{seed}"
        run.finetune(recipe, folder, report=lambda e, to=steps: to.append(e) if isinstance(e, Step) else None)
        scores = [step.valid for step in steps if step.valid is not None]
        if scores[-1] < max(scores):
            break
    assert scores[-1] < max(scores) == steps[-1].best
    state = load_file(sorted((folder / "checkpoints").iterdir())[-1])
    name = "trunk.fc.0.weight"
    kept = tensors(folder)[name]
    assert torch.equal(kept, state[f"best.encoder.{name}"]) and not torch.equal(kept, state[f"now.encoder.{name}"])


def test_killed_at_random_and_resumed_equals_undisturbed(model: Path, labels: Path, tmp_path: Path) -> None:
    options = {**QUICK, "epochs": 3, "checkpoint_every": 1, "mixup": 0.3, "precision": "bfloat16"}
    texts = [f"{key}={value}" for key, value in options.items()]
    texts += ["specaugment.time_masks=1", "specaugment.frequency_masks=1"]
    recipe = make_recipe(texts, model=str(model), task=str(labels))
    run.finetune(recipe, tmp_path / "whole")

    folder = tmp_path / "killed"
    start = ["finetune", str(model), "--manifest", str(labels), "--out", str(folder), *texts]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    dice = random.Random(0)
    kills = 0
    while True:
        line = ["finetune", "--resume", str(folder)] if (folder / "recipe.yaml").exists() else start
        process = subprocess.Popen(
            [sys.executable, "-m", "auricle", *line], stderr=subprocess.PIPE, text=True, env=environment
        )
        if kills < 2:
            steps = len(MetricsFile(folder / "metrics.jsonl").read())
            while process.poll() is None and len(MetricsFile(folder / "metrics.jsonl").read()) == steps:
                time.sleep(0.005)
            time.sleep(dice.uniform(0, 0.1))  # during a step, a validation or a checkpoint's write
            process.send_signal(signal.SIGKILL)
            kills += 1
        errors = process.communicate(timeout=120)[1]
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, errors
    assert kills == 2
    expected, found = tensors(tmp_path / "whole"), tensors(folder)
    assert expected.keys() == found.keys() and all(torch.equal(expected[name], found[name]) for name in expected)
    assert results.read(folder / "results.parquet") == results.read(tmp_path / "whole" / "results.parquet")
    rows = [MetricsFile(place / "metrics.jsonl").read() for place in (folder, tmp_path / "whole")]
    seen = [[{**row, "clips_per_second": None} for row in of_run] for of_run in rows]
    assert seen[0] == seen[1] and len(seen[0]) == 14  # 3 epochs of 36 clips in batches of 8


def test_two_processes_train_as_one(labels: Path, tmp_path: Path) -> None:
    # Without dropout, whose masks are each process's own.
    torch.manual_seed(0)
    model = BYOLA2022(BYOLA2022Config(channels=4, mlp_hidden=16, dropout=0.0)).save_pretrained(tmp_path / "model")
    options = {**QUICK, "epochs": 1, "mixup": 0.5}
    run.finetune(make_recipe(options, model=str(model), task=str(labels)), tmp_path / "one")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "auricle"]
    line = [*torchrun, "finetune", str(model), "--manifest", str(labels), "--out", str(tmp_path / "two")]
    line += [f"{key}={value}" for key, value in options.items()]
    done = subprocess.run(line, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'two' / 'model'}\n"
    one, two = (MetricsFile(tmp_path / name / "metrics.jsonl").read() for name in ("one", "two"))
    losses = [[row["loss"] for row in rows] for rows in (one, two)]
    assert np.isclose(losses[0][0], losses[1][0], rtol=1e-5) and np.allclose(losses[0], losses[1], rtol=1e-2)
    assert one[-1]["valid"] == pytest.approx(two[-1]["valid"], abs=1 / 18 + 1e-9)


def test_ctrl_c_saves_and_says_how_to_go_on(model: Path, labels: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    line = [sys.executable, "-m", "auricle", "finetune", str(model), "--manifest", str(labels), "--out", str(folder)]
    line += [f"{key}={value}" for key, value in QUICK.items()] + ["epochs=100000"]
    process = subprocess.Popen(line, stderr=subprocess.PIPE, text=True)
    while not MetricsFile(folder / "metrics.jsonl").read() and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert f"auricle finetune --resume {folder}" in errors and "Traceback" not in errors


def test_what_cannot_be_done_is_one_sentence(model: Path, labels: Path, tmp_path: Path) -> None:
    with pytest.raises(AuricleError, match=r"logmel-stats has no weights to fine-tune; .* auricle evaluate logmel"):
        run.finetune(make_recipe(QUICK, model="logmel-stats", task=str(labels)), tmp_path / "a")
    with pytest.raises(AuricleError, match="no key `layer_deca`; did you mean `layer_decay`"):
        make_recipe(["layer_deca=0.5"], model=str(model), task=str(labels))
    with pytest.raises(AuricleError, match=r"`layer_decay` is 1\.5"):
        make_recipe(["layer_decay=1.5"], model=str(model), task=str(labels))
    with pytest.raises(AuricleError, match="has no fold 2: it has a split"):
        run.finetune(make_recipe(QUICK, model=str(model), task=str(labels), fold=2), tmp_path / "b")
    with pytest.raises(AuricleError, match="holds no run to resume"):
        run.resume(tmp_path / "c")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "recipe.yaml").write_text(json.dumps({"name": "byola-2022", "data": []}))
    with pytest.raises(AuricleError, match="is no recipe of fine-tuning"):
        run.resume(tmp_path / "d")
    with pytest.raises(AuricleError, match="already holds a run"):
        run.finetune(make_recipe(QUICK, model=str(model), task=str(labels)), tmp_path / "d")
    with pytest.raises(AuricleError, match=r"loss is not finite; last good checkpoint \d+; lower learning_rate"):
        wild = {**QUICK, "learning_rate": 1e38, "warmup": 0.0, "epochs": 50}
        run.finetune(make_recipe(wild, model=str(model), task=str(labels)), tmp_path / "e")
