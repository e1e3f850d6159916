"""The whole explanation: every comparison made once, whatever stops it, and a report that stands by itself."""

import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from matplotlib.figure import Figure
from typer.testing import CliRunner

from auricle import synth
from auricle.cli import app
from auricle.errors import AuricleError
from auricle.explain import tables
from auricle.explain.descriptors import DESCRIPTORS as ALL_DESCRIPTORS
from auricle.explain.events import End, Notice
from auricle.explain.outcome import REPORT, TABLE
from auricle.explain.rsa import rdm, spearman
from auricle.explain.run import explain_models, explained_columns
from auricle.explain.task_clips import task_clips
from auricle.manifest import Manifest
from auricle.models.registry import load
from auricle.report.heat import heat

MODELS = ("logmel-stats", "byola-2020-512")
DESCRIPTORS = ("rms_level", "spectral_centroid_median", "spectral_flux_median", "f0_median")
QUICK = {"descriptors": DESCRIPTORS, "permutations": 49, "draws": 20, "workers": 1, "device": "cpu"}
COLUMNS = (  # what the table promises
    "kind", "model", "layer", "other", "task", "r_s", "r_partial", "p_mantel", "q", "ci_low", "ci_high",
    "ceiling_low", "ceiling_high", "p_naive", "n",
)  # fmt: skip


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory):
    world = synth.make(tmp_path_factory.mktemp("world"), clips=240, seed=2)
    return [task_clips(str(world.tasks["pitch"]), clips=20), task_clips(str(world.root / "clips"), clips=16)]


@pytest.fixture(scope="module")
def out(tasks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explanation") / "why"
    explain_models(MODELS, tasks, out=folder, command="auricle explain …", **QUICK)
    return folder


@pytest.fixture(scope="module")
def rows(out: Path) -> list[dict]:
    table = pq.read_table(out / TABLE)
    assert set(COLUMNS) <= set(table.column_names)
    return table.to_pylist()


def test_every_model_and_layer_meets_every_descriptor_that_its_task_has(rows, tasks) -> None:
    found = [(row["model"], row["layer"], row["other"], row["task"]) for row in rows if row["kind"] == "descriptor"]
    layers = [("logmel-stats", None)]
    layers += [("byola-2020-512", layer) for layer in (None, *load("byola-2020-512").layer_names)]
    pitch, plain = (task.name for task in tasks)
    expected = [(*one, other, pitch) for one in layers for other in DESCRIPTORS]
    expected += [(*one, other, plain) for one in layers for other in DESCRIPTORS[:-1]]  # no pitch without notes
    assert sorted(map(str, found)) == sorted(map(str, expected))


def test_correlations_are_those_of_embeddings_and_descriptors(rows, tasks) -> None:
    task = tasks[0]
    encoder = load("byola-2020-512")
    embeddings = np.stack([encoder.embed(file) for file in task.manifest.files])
    level = np.array(task.manifest.column("loudness"))  # what the clip was brought to: its level
    row = next(
        row
        for row in rows
        if (row["model"], row["layer"], row["other"], row["task"]) == ("byola-2020-512", None, "rms_level", task.name)
    )
    assert row["r_s"] == pytest.approx(spearman(rdm(embeddings), rdm(level)), abs=0.01)
    assert row["n"] == len(level) and 0.02 <= row["p_mantel"] <= 1
    assert row["ci_low"] < row["r_s"] < row["ci_high"]
    assert 0 < row["ceiling_low"] <= row["ceiling_high"] <= 1
    assert -1 <= row["r_partial"] <= 1


def test_models_and_layers_are_compared_with_each_other(rows) -> None:
    between = [row for row in rows if row["kind"] == "model" and row["layer"] is None and row["other_layer"] is None]
    assert {(row["model"], row["other"]) for row in between} == {("logmel-stats", "byola-2020-512")}
    assert all(0 < row["cka"] < 1 and row["r_s"] is not None for row in between)
    assert any(row["kind"] == "model" and row["layer"] == "conv1" and row["other_layer"] == "conv2" for row in rows)


def test_false_discovery_rates_are_over_all_tasks(rows) -> None:
    p = np.array([row["p_mantel"] for row in rows if row["kind"] == "descriptor"])
    q = np.array([row["q"] for row in rows if row["kind"] == "descriptor"])
    order = np.argsort(p)
    largest = np.minimum.accumulate((p[order] * len(p) / np.arange(1, len(p) + 1))[::-1])[::-1]
    assert q[order] == pytest.approx(np.minimum(largest, 1.0))


def test_a_second_run_does_nothing_and_another_model_embeds_only_itself(out: Path, tasks, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    events: list[object] = []
    explain_models(MODELS, tasks, out=out, command="auricle explain …", report=events.append, **QUICK)
    end = events[-1]
    assert isinstance(end, End) and end.stages == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    explain_models((*MODELS, "mfcc-stats"), tasks, out=out, report=events.append, **QUICK)
    end = events[-1]
    # Two embeddings, two comparisons, one report.
    assert isinstance(end, End) and end.stages == 5


def test_the_report_stands_by_itself_and_links_figures_to_tables(out: Path) -> None:
    page = (out / REPORT).read_text(encoding="utf-8")
    assert not re.findall(r"(?:src|href)=\"(?!#|data:)", page)
    assert "default-src 'none'" in page
    for identity in ("descriptors", "models", "layers", "ceilings"):
        assert f'href="#table-{identity}"' in page and f'id="table-{identity}"' in page
    assert page.count("<svg") >= 5
    assert page.count("<figcaption>") == page.count("<svg")


def test_clips_that_cannot_be_read_are_left_out_and_said(tasks, tmp_path: Path) -> None:
    root = tmp_path / "field"
    root.mkdir()
    for number, file in enumerate(tasks[0].manifest.files[:8]):
        sound, rate = soundfile.read(file)
        soundfile.write(root / f"{number}.wav", sound, rate)
    (root / "broken.wav").write_bytes(b"RIFF nothing")
    found: list[object] = []
    explained = explain_models(
        ["logmel-stats"], [task_clips(str(root))], out=tmp_path / "why", report=found.append, **QUICK
    )
    assert {row.n for row in explained.rows} == {8}
    assert any(isinstance(event, Notice) and "1 clip of field cannot be read" in event.text for event in found)


def test_what_belongs_to_a_recording_alone_is_no_evidence(tmp_path: Path) -> None:
    """Three recordings of noise, each at a level of its own: its excerpts differ from recording to recording only."""
    random = np.random.default_rng(5)
    rows = []
    for number, level in enumerate((0.003, 0.03, 0.3)):
        soundfile.write(tmp_path / f"{number}.wav", level * random.uniform(-1, 1, 16_000 * 8), 16_000)
        rows += [{"path": f"{number}.wav", "start": float(start), "end": start + 1.0} for start in range(8)]
    Manifest.from_rows(rows, root=tmp_path).write(tmp_path / "windows.csv")
    quick = {**QUICK, "descriptors": ["rms_level", "spectral_centroid"]}
    told: list[object] = []
    task = task_clips(str(tmp_path / "windows.csv"))
    explained = explain_models(["logmel-stats"], [task], out=tmp_path / "why", report=told.append, **quick)
    level = explained.described("logmel-stats", "rms_level", "windows")
    assert level is not None and (level.r_s or 0) > 0.5 and (level.p_mantel or 0) > 0.05 > (level.p_naive or 1)
    notices = [event.text for event in told if isinstance(event, Notice)]
    assert any(
        "clips of windows are of fewer than 5 recordings: intervals take clips for indep" in one for one in notices
    )
    page = re.sub(r"<svg.*?</svg>", "", (tmp_path / "why" / REPORT).read_text(encoding="utf-8"), flags=re.DOTALL)
    assert "3 recordings<small>largest 8</small>" in page
    # One model and one task are spoken of as one.
    assert "1 model × 2 descriptors × 1 task ·" in page and "24 clips of 1 task:" in page
    for plural in ("1 models", "1 tasks", "over all tasks", "of 1 task<"):
        assert plural not in page


def test_to_name_descriptors_and_families_is_to_have_fewer_of_them() -> None:
    every = explained_columns(None)
    assert len(every) == len(ALL_DESCRIPTORS)
    some = explained_columns(["spectral shape", "level", "f0"])
    assert set(some) < set(every) and "spectral_centroid_median" in some and "f0_median" in some
    assert explained_columns(["spectral_centroid"]) == ("spectral_centroid_median",)
    assert explained_columns(["level", "spectral_centroid_iqr"])[-1] == "spectral_centroid_iqr"


def test_nothing_is_less_than_zero_by_nothing() -> None:
    assert (tables.number(-0.004), tables.number(-0.006)) == ("0.00", "−0.01")
    axes = Figure().subplots()
    heat(axes, np.array([[-0.004, -0.006, 0.004]]), "abc", top=1.0, width=2.0)
    assert [text.get_text() for text in axes.texts] == ["0.00", "−0.01", "0.00"]


def test_a_hostile_name_is_shown_as_text(tasks, tmp_path: Path) -> None:
    path = tmp_path / "<b>notes.csv"
    manifest = tasks[0].manifest
    Manifest(manifest.table, manifest.root.resolve(), "x").with_column(
        "path", [str(file.resolve()) for file in manifest.files]
    ).write(path)
    explained = explain_models(["logmel-stats"], [task_clips(str(path))], out=tmp_path / "why", **QUICK)
    page = (tmp_path / "why" / REPORT).read_text(encoding="utf-8")
    assert explained.tasks[0].name == "<b>notes"
    assert "<b>notes" not in page and "&lt;b&gt;notes" in page


def test_what_cannot_be_explained_is_one_sentence(tasks, tmp_path: Path) -> None:
    with pytest.raises(AuricleError, match="nothing to explain"):
        explain_models([], tasks, out=tmp_path / "a")
    with pytest.raises(AuricleError, match="two tasks are called pitch"):
        explain_models(MODELS, [tasks[0], tasks[0]], out=tmp_path / "a")
    with pytest.raises(AuricleError, match="did you mean"):
        explain_models(MODELS, tasks, out=tmp_path / "a", descriptors=["spectral_centroids"])


def test_the_command_explains_a_folder_and_says_where_it_wrote(tasks, tmp_path: Path) -> None:
    root = tasks[0].manifest.root / "clips"
    arguments = ["logmel-stats", "--manifest", str(root), "--out", str(tmp_path / "why"), "--clips", "12"]
    arguments += ["--only", "rms_level", "--only", "attack_time", "--permutations", "19", "--draws", "10"]
    done = CliRunner().invoke(app, ["explain", *arguments, "--workers", "1"])
    assert done.exit_code == 0, done.output
    assert f"table: {tmp_path / 'why' / TABLE}" in done.stdout
    rows = pq.read_table(tmp_path / "why" / TABLE).to_pylist()
    assert [(row["other"], row["n"]) for row in rows] == [("rms_level", 12), ("attack_time", 12)]


def test_a_command_without_tasks_says_what_to_give() -> None:
    done = CliRunner().invoke(app, ["explain", "logmel-stats", "--out", "why"])
    assert done.exit_code == 2 and "give --task NAME" in done.output
