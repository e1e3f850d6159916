"""A run from a folder of sound to a model: resumed bit for bit, the same at any world size, clear refusals."""

import io
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
from accelerate import Accelerator
from rich.console import Console
from safetensors.torch import load_file

from auricle import audio
from auricle.errors import AuricleError, Interrupted
from auricle.models import registry
from auricle.pretraining import run
from auricle.pretraining.events import Note, Plan, Remark
from auricle.pretraining.recipe import RecipeError, load_recipe
from auricle.pretraining.wav2vec_objective import Wav2VecObjective
from auricle.progress import PretrainingBar
from auricle.training import MetricsFile, list_states

SMALL = [
    "encoder.channels=4",
    "encoder.mlp_hidden=16",
    "projection_hidden=32",
    "projection_dim=16",
    "views.memory=64",
    "batch_size=16",
    "log_every=1",
    "workers=1",
    "device=cpu",
]

SMALL_CONFORMER = [
    "encoder.dim=16",
    "encoder.layers=2",
    "encoder.heads=2",
    "encoder.feed_forward=32",
    "encoder.latent_dim=16",
    "encoder.first_kernel=5",
    "encoder.kernel=3",
    "crop_seconds=1.5",
    "warmup_steps=0",
    "batch_size=16",
    "log_every=1",
    "workers=1",
    "device=cpu",
]


PARTS = {"learnt.csv": range(20), "held-out.csv": range(20, 30)}


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty clips between 0.2 and 25 s, of tones and noise, and two broken files."""
    folder = tmp_path_factory.mktemp("sounds")
    generator = np.random.default_rng(0)
    for number in range(30):
        seconds = 0.2 + 1.8 * generator.random() if number else 25.0
        time_axis = np.arange(int(16_000 * seconds)) / 16_000
        tone = np.sin(2 * np.pi * generator.uniform(100, 4000) * time_axis)
        noise = generator.standard_normal(len(time_axis))
        audio.write(folder / f"{number:02d}.wav", (0.2 * tone + 0.05 * noise).astype(np.float32), sample_rate=16_000)
    (folder / "broken.wav").write_bytes(b"RIFF....WAVE")
    (folder / "empty.flac").write_bytes(b"")
    return folder


def manifest(path: Path, sounds: Path, numbers: range) -> Path:
    """A CSV file of some of the sounds."""
    path.write_text("\n".join(["path", *(str(sounds / f"{number:02d}.wav") for number in numbers)]))
    return path


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "auricle", "pretrain", *map(str, arguments)]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model" / "model.safetensors")


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_a_run_leaves_everything_that_it_promises(sounds: Path, tmp_path: Path) -> None:
    events: list[object] = []
    recipe = load_recipe("byola-2022-small", [*SMALL, f"data={sounds}", "steps=6", "checkpoint_every=4"])
    model = run.pretrain(recipe, tmp_path / "run", report=events.append)
    encoder = registry.load(model)
    assert encoder.embed(sounds / "00.wav").shape == (encoder.embedding_dim,)
    plan = next(event for event in events if isinstance(event, Plan))
    assert plan.files == 30 and plan.rejected == 2
    assert plan.clips == 32  # 25 s are two clips of 10 s and one of 5 s
    rejected = (tmp_path / "run" / "rejected.csv").read_text()
    assert "broken.wav" in rejected and "empty.flac" in rejected
    assert load_recipe(tmp_path / "run" / "recipe.yaml") == recipe
    metrics = MetricsFile(tmp_path / "run" / "metrics.jsonl").read()
    assert [row["step"] for row in metrics] == [1, 2, 3, 4, 5, 6]
    assert np.isclose(plan.mean, float(encoder.mean)) and plan.std > 0
    assert not (tmp_path / "run" / "audio").exists()


def test_a_conformer_learns_to_tell_hidden_frames_apart(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for number in range(40):  # sweeps: what is hidden follows from what stands before and after it
        first, last = generator.uniform(100, 7000, 2)
        phase = 2 * np.pi * np.cumsum(np.linspace(first, last, 24_000)) / 16_000
        audio.write(tmp_path / f"{number}.wav", (0.3 * np.sin(phase)).astype(np.float32), sample_rate=16_000)
    extra = [*SMALL_CONFORMER, "steps=100", "learning_rate=0.003", "schedule=constant"]
    model = run.pretrain(load_recipe("conformer-small", [*extra, f"data={tmp_path}"]), tmp_path / "run")
    rows = MetricsFile(tmp_path / "run" / "metrics.jsonl").read()
    assert np.mean([row["loss"] for row in rows[-10:]]) < 0.9 * np.mean([row["loss"] for row in rows[:5]])
    last_rows = {name: np.mean([row[name] for row in rows[-10:]]) for name in ("accuracy", "chance", "target_variance")}
    assert last_rows["accuracy"] > 1.5 * last_rows["chance"]
    assert last_rows["target_variance"] > 0.1
    assert registry.load(model).embed(tmp_path / "1.wav").shape == (16,)


def test_held_out_crops_are_scored_before_while_and_after_it_learns(sounds: Path, tmp_path: Path) -> None:
    learnt, held_out = (manifest(tmp_path / name, sounds, rows) for name, rows in PARTS.items())
    base = [*SMALL_CONFORMER, f"data={learnt}", "steps=6", "precision=float32"]

    def rows(name: str, *extra: str) -> list[dict[str, float]]:
        looking = [f"validation={held_out}", "validate_every=4"]
        run.pretrain(load_recipe("conformer-small", [*base, *looking, *extra]), tmp_path / name)
        return MetricsFile(tmp_path / name / "validation.jsonl").read()

    found = rows("run")
    assert [row["step"] for row in found] == [0, 4, 6]
    assert {"accuracy", "interpolation", "chance", "target_variance", "crops"} <= found[0].keys()
    # The same crops, hidden alike: a guess is worth the same at every step, in whatever batches they come.
    assert len({row["chance"] for row in found}) == 1
    other = rows("other", "batch_size=5", "bucket=false")
    assert other[0] == pytest.approx(found[0], rel=0.02)
    # Looking changes nothing.
    run.pretrain(load_recipe("conformer-small", base), tmp_path / "blind")
    assert same(weights(tmp_path / "blind"), weights(tmp_path / "run"))


def test_an_objective_refuses_an_encoder_that_it_cannot_train(sounds: Path, tmp_path: Path) -> None:
    wrong = load_recipe("byola-2022-small", [f"data={sounds}", "steps=1", "objective=wav2vec2", "device=cpu"])
    with pytest.raises(RecipeError, match="wav2vec2 pre-trains conformer-small and conformer-large, not byola-2022"):
        run.pretrain(wrong, tmp_path / "run")
    with pytest.raises(RecipeError, match="padding=tail"):
        load_recipe("conformer-small", ["padding=centre"])
    with pytest.raises(RecipeError, match="bucket needs objective wav2vec2"):
        load_recipe("byola-2022", ["bucket=true"])


def test_loss_falls(sounds: Path, tmp_path: Path) -> None:
    recipe = load_recipe("byola-2022-small", [*SMALL, f"data={sounds}", "steps=60", "learning_rate=0.003"])
    run.pretrain(recipe, tmp_path / "run")
    losses = [row["loss"] for row in MetricsFile(tmp_path / "run" / "metrics.jsonl").read()]
    assert np.mean(losses[-10:]) < 0.7 * np.mean(losses[:5])


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("byola-2022-small", SMALL),
        ("byola-2022-small", [*SMALL, "precision=float32", "sampling=duration", "cache_gib=0"]),
        ("conformer-small", [*SMALL_CONFORMER, "wav2vec.quantiser=true", "wav2vec.codes=8", "bucket=false"]),
        ("conformer-small", [*SMALL_CONFORMER, "batch_size=4"]),
    ],
)
def test_killed_at_random_and_resumed_equals_undisturbed(
    sounds: Path, tmp_path: Path, name: str, extra: list[str]
) -> None:
    arguments = [*extra, f"data={sounds}", "steps=30", "checkpoint_every=1"]
    run.pretrain(load_recipe(name, arguments), tmp_path / "whole")
    expected = weights(tmp_path / "whole")

    folder = tmp_path / "killed"
    dice = random.Random(0)
    kills = 0
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    while True:
        started = (folder / "recipe.yaml").exists()
        line = command("--resume", folder) if started else command(name, *arguments, "--out", folder)
        process = subprocess.Popen(line, stderr=subprocess.PIPE, text=True, env=environment)
        if kills < 4:
            steps = len(MetricsFile(folder / "metrics.jsonl").read())
            deadline = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < deadline:
                if len(MetricsFile(folder / "metrics.jsonl").read()) > steps:
                    break
                time.sleep(0.01)
            time.sleep(dice.uniform(0, 0.3))  # during a step or a checkpoint's write
            process.send_signal(signal.SIGKILL)
            kills += 1
        errors = process.communicate()[1]
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, errors
    assert same(weights(folder), expected)
    steps_seen = [row["step"] for row in MetricsFile(folder / "metrics.jsonl").read()]
    assert steps_seen == list(range(1, 31))


def test_ctrl_c_saves_and_says_how_to_go_on(sounds: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    line = command("byola-2022-small", *SMALL, f"data={sounds}", "steps=100000", "--out", folder)
    process = subprocess.Popen(line, stderr=subprocess.PIPE, text=True)
    while not MetricsFile(folder / "metrics.jsonl").read() and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert "stopping after this step, which is saved" in errors
    assert f"auricle pretrain --resume {folder}" in errors
    assert "Traceback" not in errors
    step = MetricsFile(folder / "metrics.jsonl").read()[-1]["step"]
    assert (folder / "checkpoints" / f"step-{step:09d}.safetensors").exists()


def test_accumulation_sees_all_crops_of_a_step(sounds: Path, tmp_path: Path) -> None:
    recipe = load_recipe("byola-2022-small", [*SMALL, f"data={sounds}", "steps=3", "accumulate=2"])
    run.pretrain(recipe, tmp_path / "run")
    rows = MetricsFile(tmp_path / "run" / "metrics.jsonl").read()
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert rows[0]["rank_limit"] == 8  # half of the batch at a time


def test_existing_weights_are_gone_on_from(sounds: Path, tmp_path: Path) -> None:
    first = load_recipe("byola-2022-small", [*SMALL, f"data={sounds}", "steps=3"])
    model = run.pretrain(first, tmp_path / "first")
    again = load_recipe(
        "byola-2022-small", [*SMALL, f"data={sounds}", "steps=1", "learning_rate=1e-12", f"init={model}"]
    )
    run.pretrain(again, tmp_path / "second")
    before, after = weights(tmp_path / "first"), weights(tmp_path / "second")
    for name, value in before.items():
        if "running" not in name and "num_batches" not in name:
            assert torch.allclose(value, after[name], atol=1e-6), name


def test_what_cannot_be_done_is_one_sentence(sounds: Path, tmp_path: Path) -> None:
    base = [*SMALL, "steps=2"]
    with pytest.raises(AuricleError, match="no audio files"):
        (tmp_path / "nothing").mkdir()
        run.pretrain(load_recipe("byola-2022-small", [*base, f"data={tmp_path / 'nothing'}"]), tmp_path / "a")
    with pytest.raises(AuricleError, match="gone does not exist: expected an audio file, a folder or a manifest"):
        run.pretrain(load_recipe("byola-2022-small", [*base, f"data={tmp_path / 'gone'}"]), tmp_path / "a")
    with pytest.raises(RecipeError, match="no key `learning_rat`; did you mean `learning_rate`"):
        load_recipe("byola-2022", ["learning_rat=1"])
    with pytest.raises(RecipeError, match=r"no key `views\.mixupp`; did you mean `mixup`"):
        load_recipe("byola-2022", ["views.mixupp=1"])
    with pytest.raises(RecipeError, match="did you mean byola-2022"):
        load_recipe("byola-202")
    with pytest.raises(RecipeError, match="`batch_size` is -3"):
        load_recipe("byola-2022", ["batch_size=-3"])
    with pytest.raises(AuricleError, match="nothing to train on"):
        run.pretrain(load_recipe("byola-2022-small", base), tmp_path / "b")
    with pytest.raises(AuricleError, match="unknown key 'chanels'"):
        run.pretrain(load_recipe("byola-2022-small", [*base, f"data={sounds}", "encoder.chanels=3"]), tmp_path / "c")
    registry.load("logmel-stats").save_pretrained(tmp_path / "e")
    with pytest.raises(AuricleError, match="holds a model already, which would be loaded in place of the trained one"):
        run.pretrain(load_recipe("byola-2022-small", [*base, f"data={sounds}"]), tmp_path / "e")
    run.pretrain(load_recipe("byola-2022-small", [*base, f"data={sounds}"]), tmp_path / "d")
    with pytest.raises(AuricleError, match="already holds a run"):
        run.pretrain(load_recipe("byola-2022-small", [*base, f"data={sounds}"]), tmp_path / "d")
    with pytest.raises(AuricleError, match="holds no run"):
        run.resume(tmp_path / "e")
    with pytest.raises(RecipeError, match="data=/field is no recipe: the name of one comes first"):
        load_recipe("data=/field")


def test_what_is_held_out_is_not_trained_on(sounds: Path, tmp_path: Path) -> None:
    learnt, held_out = (manifest(tmp_path / name, sounds, rows) for name, rows in PARTS.items())
    events: list[object] = []
    for data in (sounds, learnt):
        recipe = load_recipe("conformer-small", [*SMALL_CONFORMER, f"data={data}", f"validation={held_out}", "steps=2"])
        run.pretrain(recipe, tmp_path / data.stem, report=events.append)
    assert [event.files for event in events if isinstance(event, Plan)] == [20, 20]
    assert [event.text for event in events if isinstance(event, Remark)] == [
        "held out: 10 of 30 recordings of `data` are in `validation`, too"
    ]
    assert same(weights(tmp_path / sounds.stem), weights(tmp_path / "learnt"))
    second = tmp_path / "second.csv"  # of a long recording; what follows is not held out
    second.write_text(f"path,start,end\n{sounds / '00.wav'},1,2\n")
    pieces = tmp_path / "pieces.csv"
    pieces.write_text("path,start,end\n" + "".join(f"{sounds / '00.wav'},{n},{n + 1.5}\n" for n in (0, 0.5, 2, 4, 6)))
    recipe = load_recipe(
        "conformer-small",
        [*SMALL_CONFORMER, f"data={pieces}", f"validation={second}", "steps=1", "batch_size=2"],
    )
    run.pretrain(recipe, tmp_path / "pieces", report=events.append)
    assert [event.clips for event in events if isinstance(event, Plan)][-1] == 3
    everything = load_recipe("conformer-small", [*SMALL_CONFORMER, f"data={sounds}", f"validation={sounds}", "steps=1"])
    with pytest.raises(AuricleError, match="nothing to train on: all of `data` is held out by `validation`"):
        run.pretrain(everything, tmp_path / "nothing")


def test_a_start_that_fails_leaves_nothing_that_the_corrected_command_stumbles_over(
    sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = [*SMALL_CONFORMER, f"data={sounds}", "steps=1"]
    decoded: list[object] = []
    with pytest.raises(AuricleError, match=r"nowhere\.csv does not exist"):
        wrong = load_recipe("conformer-small", [*base, f"validation={tmp_path / 'nowhere.csv'}"])
        run.pretrain(wrong, tmp_path / "runs" / "a", report=decoded.append)
    assert not decoded  # it is said before any work
    assert not (tmp_path / "runs").exists()

    def no_memory(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as meddled:
        meddled.setattr(Wav2VecObjective, "inputs", no_memory)  # after decoding and the first checkpoint
        (tmp_path / "b" / "audio").mkdir(parents=True)
        (tmp_path / "b" / "audio" / "mine.txt").write_text("kept")
        with pytest.raises(MemoryError):
            run.pretrain(load_recipe("conformer-small", base), tmp_path / "b")
    assert [path.name for path in (tmp_path / "b").rglob("*")] == ["audio", "mine.txt"]
    run.pretrain(load_recipe("conformer-small", base), tmp_path / "b")
    assert (tmp_path / "b" / "audio" / "mine.txt").exists()


def test_sound_that_another_start_left_is_not_trained_on(sounds: Path, tmp_path: Path) -> None:
    start = command("byola-2022-small", *SMALL, f"data={sounds}", "steps=1", "--out", tmp_path / "run")
    code = f"""
import os, sys
from auricle.pretraining import corpus
corpus.statistics = lambda *_, **__: os._exit(9)  # killed when all is decoded
sys.argv = {["auricle", *start[3:]]!r}
from auricle.cli import main
main()
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=120).returncode == 9
    assert (tmp_path / "run" / "audio" / "files.json").exists()
    events: list[object] = []
    few = manifest(tmp_path / "few.csv", sounds, range(3))
    run.pretrain(
        load_recipe("byola-2022-small", [*SMALL, f"data={few}", "steps=1"]), tmp_path / "run", report=events.append
    )
    assert [event.files for event in events if isinstance(event, Plan)] == [3]


@pytest.mark.parametrize("length", ["steps=3", "epochs=2"])
def test_a_finished_run_is_not_decoded_again(sounds: Path, tmp_path: Path, length: str) -> None:
    recipe = load_recipe("byola-2022-small", [*SMALL, f"data={sounds}", length, "keep_checkpoints=1"])
    model = run.pretrain(recipe, tmp_path / "run")
    before = weights(tmp_path / "run")
    for again in (lambda say: run.resume(tmp_path / "run", report=say), None):
        events: list[object] = []
        if again is None:
            found = run.pretrain(recipe, tmp_path / "run", go_on=True, report=events.append)
        else:
            found = again(events.append)
        assert found == model
        assert [event.text for event in events if isinstance(event, Remark)] == [
            f"complete already at step {3 if length == 'steps=3' else 4}, nothing to do"
        ]
        assert len(events) == 1
    assert same(weights(tmp_path / "run"), before)
    # Of more epochs than it was trained for it is not complete.
    longer = tmp_path / "run" / "recipe.yaml"
    longer.write_text(longer.read_text().replace("epochs: 2", "epochs: 3").replace("steps: 3", "steps: 6"))
    run.resume(tmp_path / "run")
    assert MetricsFile(tmp_path / "run" / "metrics.jsonl").read()[-1]["step"] == 6


def test_silence_is_said_and_not_trained_on(tmp_path: Path) -> None:
    almost = np.zeros(80_000, np.float32)
    almost[::20_000] = 1 / 32_768
    audio.write(tmp_path / "silent.wav", almost, sample_rate=16_000)
    recipe = load_recipe("byola-2022-small", [*SMALL, f"data={tmp_path / 'silent.wav'}", "steps=1"])
    with pytest.raises(AuricleError, match=r"the sound is silent in every random crop that was measured .*: 1\)"):
        run.pretrain(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_one_clip_is_enough_but_for_what_tells_clips_apart(sounds: Path, tmp_path: Path) -> None:
    one = [*SMALL, f"data={sounds / '01.wav'}", "steps=2"]
    run.pretrain(load_recipe("byola-2022-small", one), tmp_path / "byol")
    assert all(np.isfinite(row["loss"]) for row in MetricsFile(tmp_path / "byol" / "metrics.jsonl").read())
    with pytest.raises(AuricleError, match="cola learns to tell clips apart and needs two of them at least"):
        run.pretrain(load_recipe("byola-2022-small", [*one, "objective=cola"]), tmp_path / "cola")


def test_ctrl_c_before_the_first_step_says_what_is_kept(
    sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pressed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    recipe = load_recipe("byola-2022-small", [*SMALL, f"data={sounds}", "steps=4", "checkpoint_every=2"])
    with monkeypatch.context() as meddled:
        meddled.setattr(audio, "stream", pressed)  # while it decodes
        with pytest.raises(Interrupted, match=r"nothing is kept, and the same command begins anew .*`auricle pack`"):
            run.pretrain(recipe, tmp_path / "run")
        assert not (tmp_path / "run").exists()
    run.pretrain(recipe, tmp_path / "run")
    newest = list_states(tmp_path / "run" / "checkpoints")[-1]
    newest.unlink()
    with monkeypatch.context() as meddled:
        meddled.setattr(audio, "stream", pressed)
        with pytest.raises(Interrupted, match="the last checkpoint is kept, continue with: auricle pretrain --resume"):
            run.resume(tmp_path / "run")
    assert not (tmp_path / "run" / "audio").exists()
    run.resume(tmp_path / "run")
    assert newest.exists()


def test_with_torchrun_it_is_torchrun_that_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = load_recipe("byola-2022-small", [*SMALL, "data=sounds", "steps=4"])
    held.write(tmp_path / "recipe.yaml")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr("auricle.processes.join", lambda: None)
    with pytest.raises(AuricleError, match=r"with: torchrun \[its options as before\] -m auricle pretrain --resume "):
        run.pretrain(held, tmp_path)


def test_a_loss_that_is_not_finite_stops_the_run(sounds: Path, tmp_path: Path) -> None:
    recipe = load_recipe(
        "byola-2022-small", [*SMALL, f"data={sounds}", "steps=200", "learning_rate=1e38", "checkpoint_every=5"]
    )
    with pytest.raises(AuricleError, match=r"loss is not finite; last good checkpoint \d+; lower learning_rate"):
        run.pretrain(recipe, tmp_path / "run")


def test_collapse_is_said_aloud(sounds: Path, tmp_path: Path) -> None:
    # Without views that differ and with a target that copies the online network, nothing keeps projections apart.
    events: list[object] = []
    recipe = load_recipe(
        "byola-2022-small",
        [*SMALL, f"data={sounds}", "steps=80", "learning_rate=1.0", "ema=0.0", "views.post_norm=false"],
    )
    run.pretrain(recipe, tmp_path / "run", report=events.append)
    notes = [event.text for event in events if isinstance(event, Note)]
    assert any("collapsed" in note for note in notes)


def test_a_conformers_collapse_is_not_a_batch_of_steady_sounds() -> None:
    recipe = load_recipe("conformer-small", SMALL_CONFORMER)
    objective = Wav2VecObjective(recipe, run.build_encoder(recipe), Accelerator(cpu=True))
    complaint = objective.complaint({"accuracy": 0.02, "chance": 0.019, "target_variance": 0.005})
    assert complaint is not None and "the targets have collapsed" in complaint
    assert objective.complaint({"accuracy": 0.06, "chance": 0.019, "target_variance": 0.005}) is None
    assert objective.complaint({"accuracy": 0.02, "chance": 0.019, "target_variance": 0.1}) is None


def test_one_is_no_plural() -> None:
    shown = io.StringIO()
    plan = {"rejected": 0, "hours": 0.5, "crops_per_epoch": 1, "padding_share": 0.0, "mean": 0.0, "std": 1.0}
    PretrainingBar(Console(file=shown))(Plan(files=1, clips=1, steps=1, batch_size=16, first_step=0, **plan))
    assert shown.getvalue().splitlines()[0] == "1 file · 0.50 h · 1 clip"
    assert shown.getvalue().splitlines()[-1] == "plan: 1 step of 16"


def test_the_command_prints_where_the_model_is(sounds: Path, tmp_path: Path) -> None:
    line = command("byola-2022-small", *SMALL, f"data={sounds}", "steps=2", "--out", tmp_path / "run")
    done = subprocess.run(line, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "run" / "model")
    assert "30 files" in done.stderr and "2 unreadable" in done.stderr
    assert json.loads((tmp_path / "run" / "model" / "config.json").read_text())["architecture"] == "byola-2022"
