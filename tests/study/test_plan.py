"""What a study takes is said before it runs, and nothing of it is done."""

import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from auricle import audio
from auricle.cli import app
from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.study.definition import load_study, plan_of


def eight_clips(folder: Path, *manifests: str) -> None:
    """Clips of 2 s, half of them to train, under each of these names."""
    for number in range(8):
        audio.write(folder / f"{number}.wav", 0.1 * np.ones(32_000, dtype=np.float32), sample_rate=16_000)
    splits = ("train", "valid", "test", "train")
    rows = [{"path": f"{number}.wav", "label": str(number % 2), "split": splits[number // 2]} for number in range(8)]
    for name in manifests:
        Manifest.from_rows(rows, root=folder).write(folder / name)


def test_the_published_study_lacks_what_is_not_there(tmp_path: Path, tiny) -> None:
    (training,) = (setting for setting in tiny if setting.startswith("pretraining.overrides="))
    training = training.replace("steps: 8", "epochs: 100").replace("batch_size: 16", "batch_size: 256")
    study = load_study("ogg2025", [f"data={tmp_path}", training, "models=[random, logmel-stats]"])
    lines = list(plan_of(study))
    assert "diet all: 3,849,615 clips, 10,224.7 h" in lines  # Table I
    assert "diet speech: 1,948,108 clips, 4,995.2 h" in lines
    assert sum(line.endswith("  missing") for line in lines) == 2 * 12 + 7
    assert f"missing: {12 + 7}; the study cannot run before they are there" in lines
    assert f"  all: 1 × {-(-100 * 3_849_615 // 256):,} steps of 256" in lines
    assert any(re.match(r"pre-training +[\d,.]+ (h|min) +[\d.]+ GB +at [\d,]+ crops/s", line) for line in lines)
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_measured_and_own_corpora_are_counted(tmp_path: Path, tiny) -> None:
    (training,) = (setting for setting in tiny if setting.startswith("pretraining.overrides="))
    eight_clips(tmp_path, "a.csv", "b.csv")
    (tmp_path / "study.yaml").write_text(
        "diets: {x: [a.csv, b.csv], y: [.]}\ntasks: [a.csv, b.csv]\nleave_own_corpus_out: true\n"
        "models: [logmel-stats]\n"
        "pretraining: {seeds: [0, 1, 2]}\n"
    )
    study = load_study(tmp_path / "study.yaml", [f"data={tmp_path}", training])
    before = set(tmp_path.iterdir())
    lines = list(plan_of(study))
    assert set(tmp_path.iterdir()) == before
    assert "diet y: 8 clips, 0.3 min" in lines
    assert "diet x: 8 clips, 0.3 min" in lines  # two training parts of four clips
    assert "pre-training of 9 encoders" in " ".join(lines)
    assert "  x: 6 × 8 steps of 16, 2 parts of it" in lines
    assert "  y: 3 × 8 steps of 16" in lines
    assert lines[-1] == "nothing is missing"


def test_an_ablation_is_timed_once_for_each_kind_of_step(tiny) -> None:
    (training,) = (setting for setting in tiny if setting.startswith("pretraining.overrides="))
    study = load_study(
        "byola-ablation", ["data=synth", "tasks=[vowels]", "invariance=null", "published=null", training]
    )
    lines = list(plan_of(study))
    assert lines[0] == "byola-ablation: 24 pre-trainings, 1 tasks; nothing is run"
    rows = [
        line for line in lines if re.search(r" 1 × 8 steps of 16, [\d,]+ parameters, [\d,]+ clips/s, [\d.]+ min$", line)
    ]
    assert len(rows) == 24
    rates = {row.strip().rsplit("  ", 1)[0].strip(): row.rpartition("parameters, ")[2] for row in rows}
    same = ("the recipe as it is", "learning rate 0.0003", "learning rate 0.003", "ema 0.97", "ema 0.997")
    assert len({rates[title] for title in same}) == 1  # another rate is the same work
    kinds = next(int(line.split()[-5]) for line in lines if line.startswith("timing this machine"))
    assert len(set(rates.values())) <= kinds == len(rows) - len(same) + 1
    assert lines[-1] == "nothing is missing"


def test_a_scaling_study_is_planned_by_width_and_says_when_the_diet_is_too_short(tmp_path: Path, tiny) -> None:
    (training,) = (setting for setting in tiny if setting.startswith("pretraining.overrides="))
    eight_clips(tmp_path, "a.csv")
    given = [f"data={tmp_path}", "diet=[.]", "tasks=[a.csv]", training.replace("steps: 8, ", "")]
    given += [
        "widths={encoder.channels: [2, 4], encoder.mlp_hidden: [8, 16]}",
        "steps=[2, 4]",
        "pretraining.seeds=[0, 1]",
    ]
    lines = list(plan_of(load_study("scaling", [*given, "hours=[0.001, 0.002]"])))
    assert "timing this machine on noise, 2 kinds of step …" in lines
    assert lines[0] == "scaling: 8 pre-trainings, 1 tasks; nothing is run"  # 2 × 2 × 2 axes share their largest point
    assert sum("channels 4, mlp hidden 16, 0.002 h, 4 steps" in line for line in lines) == 1
    assert lines[-1] == "nothing is missing"
    lines = list(plan_of(load_study("scaling", [*given, "hours=[0.001, 4]"])))
    assert lines[-1] == "  `hours` goes up to 4, but the diet is 0.004444 h long"


def test_the_command_plans_and_other_kinds_are_refused(tmp_path: Path, tiny) -> None:
    done = CliRunner().invoke(app, ["study", "run", "demo", *tiny, "--plan", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "data: the sound world, 120 clips, made in seconds" in done.output
    assert not (tmp_path / "out").exists()
    said = "label-efficiency is a study of kind label-efficiency: --plan is for kinds diets, ablation, scaling"
    with pytest.raises(AuricleError, match=said):
        plan_of(load_study("label-efficiency"))
