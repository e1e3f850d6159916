"""One command scores models on tasks: every piece of work once, whatever stops it, and results that can be merged."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from auricle import cli, results
from auricle.errors import AuricleError, Interrupted
from auricle.files import FolderLock
from auricle.manifest import Manifest
from auricle.transfer import events
from auricle.transfer.bootstrap import paired_difference
from auricle.transfer.evaluation import Evaluation
from auricle.transfer.run import RunSummary, evaluate_models
from auricle.transfer.run_files import merged
from auricle.transfer.saved_probe import load_probe
from auricle.transfer.task import Task
from auricle.transfer.task_source import Own, find_task, own_task

MODELS = ("logmel-stats", "mfcc-stats")
COMMAND = (sys.executable, "-m", "auricle", "evaluate")
PITCHES = {"low": 300.0, "middle": 340.0, "high": 380.0}


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tones in noise of three close pitches by ten singers, and one broken file."""
    import soundfile

    folder = tmp_path_factory.mktemp("sounds")
    generator = np.random.default_rng(0)
    rows = []
    for number in range(120):
        singer, pitch = number % 10, list(PITCHES)[number // 10 % 3]
        hertz = PITCHES[pitch] * (1 + 0.03 * generator.standard_normal())
        time = np.arange(4800) / 16000
        waveform = 0.3 * np.sin(2 * np.pi * hertz * time) + 0.2 * generator.standard_normal(4800)
        soundfile.write(folder / f"{number:03d}.wav", waveform.clip(-1, 1), 16000)
        rows.append({"path": f"{number:03d}.wav", "label": pitch, "singer": f"s{singer}"})
    (folder / "007.wav").write_bytes(b"this is no audio")
    Manifest.from_rows(rows, root=folder).write(folder / "pitch.csv")
    Manifest.from_rows(rows[:90], root=folder).write(folder / "fewer.csv")
    return folder


def tasks_of(sounds: Path) -> list[Task]:
    return [find_task(str(sounds / name), own=Own(group="singer")) for name in ("pitch.csv", "fewer.csv")]


@pytest.fixture(scope="module")
def finished(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunSummary, list[events.Event]]:
    """Both models on both tasks, and what was reported."""
    told: list[events.Event] = []
    out = tmp_path_factory.mktemp("run") / "scores.parquet"
    return evaluate_models(
        MODELS, tasks_of(sounds), out=out, seeds=[0, 1], protocols=["ogg2025"], workers=1, report=told.append
    ), told


def state_of(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.rglob("*") if path.is_file()}


def test_every_model_has_scores_with_intervals_on_every_task(finished) -> None:
    summary, _ = finished
    rows = results.summary(results.read(summary.out))
    scored = {(row.model, row.task) for row in rows if row.metric == "accuracy" and row.ci_low is not None}
    assert scored == {(model, task) for model in MODELS for task in ("pitch", "fewer")}
    assert {row.n for row in rows if row.task == "pitch"} == {119}
    assert {row.seed for row in results.read(summary.out)} == {None, 0, 1}


def test_clips_that_tasks_share_are_embedded_once(finished) -> None:
    summary, _ = finished
    arrays = list(summary.out.with_suffix(".work").glob("embedding/*/vectors.npy"))
    assert [len(np.load(path, mmap_mode="r")) for path in arrays] == [119, 119]
    assert not list(summary.out.with_suffix(".work").glob("embedding/*/*.parquet"))


def test_what_cannot_be_read_is_reported_once_with_its_reason(finished, sounds: Path) -> None:
    summary, told = finished
    assert summary.rejected == 1
    lines = summary.rejected_path.read_text().splitlines()
    assert len(lines) == 2
    assert lines[1].startswith(str(sounds / "007.wav"))
    assert any(
        "1 file that cannot be read is left out" in event.text for event in told if isinstance(event, events.Notice)
    )


def test_every_pair_of_models_is_compared_on_the_clips_of_every_task(finished) -> None:
    summary, _ = finished
    (table,) = summary.tables
    assert [found.task for found in table.comparisons] == table.tasks
    # The same by hand, from the predictions that were kept.
    scores = {}
    for folder in summary.out.with_suffix(".work").glob("probing/pitch-*"):
        rows = results.read(folder / "results.parquet")
        scores[rows[0].model] = Evaluation(rows, pq.read_table(folder / "predictions.parquet")).correctness()
    (rows, a, cluster), (_, b, _) = (scores[model] for model in MODELS)
    expected = paired_difference(a, b, cluster)
    assert (table.comparisons[0].difference, table.comparisons[0].p) == (expected.difference, expected.p)
    assert 7 not in rows
    assert rows.max() == 119
    assert len(set(cluster)) == 10


def test_a_second_run_does_nothing_and_finds_the_same(finished, sounds: Path) -> None:
    summary, told = finished
    work = summary.out.with_suffix(".work")
    before = state_of(work / "probing") | state_of(work / "embedding") | state_of(work / "comparison")
    again = evaluate_models(
        MODELS, tasks_of(sounds), out=summary.out, seeds=[0, 1], protocols=["ogg2025"], workers=1, report=told.append
    )
    assert state_of(work / "probing") | state_of(work / "embedding") | state_of(work / "comparison") == before
    end = told[-1]
    assert isinstance(end, events.End)
    assert end.stages == 0
    assert again.results == summary.results
    assert again.rejected == 1


def test_another_label_of_the_same_sound_is_not_embedded_again(finished, sounds: Path, tmp_path: Path) -> None:
    summary, _ = finished
    work = summary.out.with_suffix(".work")
    before = state_of(work / "embedding")
    task = find_task(str(sounds / "pitch.csv"), own=Own(label="singer"))
    evaluate_models(MODELS[:1], [task], out=summary.out, seeds=[0], protocols=["ogg2025"], workers=1)
    assert state_of(work / "embedding") == before
    evaluate_models(
        MODELS, tasks_of(sounds), out=summary.out, seeds=[0, 1], protocols=["ogg2025"], workers=1
    )  # as the other tests know it


def test_models_that_were_evaluated_apart_are_compared_when_merged(finished, sounds: Path, tmp_path: Path) -> None:
    summary, _ = finished
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for model, file in zip(MODELS, files, strict=True):
        evaluate_models([model], tasks_of(sounds), out=file, seeds=[0, 1], protocols=["ogg2025"], workers=1)
    rows, (table,) = merged(files)
    assert sorted(map(repr, rows)) == sorted(map(repr, summary.results))
    assert table.comparisons == summary.tables[0].comparisons
    # Without the predictions there are the scores, and nothing is claimed.
    (tmp_path / "b.work" / "predictions.json").unlink()
    _, (table,) = merged(files)
    assert table.comparisons == []
    assert table.notes()[0].startswith("No paired test")


def test_a_merged_table_shows_what_the_field_reports_of_a_dataset(tmp_path: Path) -> None:
    given = {"model": "a", "protocol": "auricle", "value": 0.5, "n": 9}
    for task in ("emodb", "emodb (own labels)"):
        rows = [results.Result(task=task, metric=metric, **given) for metric in ("accuracy", "balanced_accuracy")]
        results.write(tmp_path / f"{task}.csv", rows)
    _, (table,) = merged([tmp_path / "emodb.csv", tmp_path / "emodb (own labels).csv"])
    assert table.tasks == ["emodb (balanced accuracy, %)", "emodb (own labels) (accuracy, %)"]


def test_files_that_disagree_are_refused(finished, tmp_path: Path) -> None:
    summary, _ = finished
    rows = results.read(summary.out)
    other = tmp_path / "other.parquet"
    results.write(other, [type(row)(**{**vars(row), "value": row.value / 2}) for row in rows])
    with pytest.raises(
        AuricleError, match=r"scores\.parquet and .*other\.parquet disagree on accuracy of logmel-stats"
    ):
        merged([summary.out, other])
    assert merged([summary.out, summary.out])[0] == rows


def test_a_probe_to_be_used_is_saved_with_what_it_scored(sounds: Path, tmp_path: Path) -> None:
    task = tasks_of(sounds)[0]
    folder = tmp_path / "probe"
    summary = evaluate_models(
        MODELS[:1], [task], out=tmp_path / "x.parquet", seeds=[0], protocols=["ogg2025"], workers=1, probe_folder=folder
    )
    saved = load_probe(folder)
    assert (saved.model, saved.task, saved.window) == (MODELS[0], "pitch", 0.3)
    assert saved.probe.classes == ("high", "low", "middle")
    assert saved.scores == {row.metric: row.value for row in results.summary(summary.results)}
    with pytest.raises(AuricleError, match="one model, one task and one protocol"):
        evaluate_models(MODELS, [task], out=tmp_path / "x.parquet", probe_folder=folder)
    before = (folder / "probe.json").read_bytes()
    for other in ((MODELS[1], task), (MODELS[0], tasks_of(sounds)[1])):
        with pytest.raises(AuricleError, match=f"holds another probe, of pitch on {MODELS[0]}: it stays as it is"):
            evaluate_models([other[0]], [other[1]], out=tmp_path / "y.parquet", probe_folder=folder)
    assert (folder / "probe.json").read_bytes() == before
    evaluate_models(
        MODELS[:1], [task], out=tmp_path / "x.parquet", seeds=[0], protocols=["ogg2025"], workers=1, probe_folder=folder
    )  # the same command again


def test_scores_and_confusions_of_single_classes_add_up(finished) -> None:
    summary, _ = finished
    scores = pd.read_csv(summary.out.with_suffix(".per_class.csv"))
    assert set(scores["label"]) == set(PITCHES)
    own = scores[(scores["task"] == "pitch") & (scores["model"] == MODELS[0])]
    assert own["n"].sum() == 119
    balanced = [row for row in results.summary(summary.results) if row.metric == "balanced_accuracy"]
    expected = next(row.value for row in balanced if (row.task, row.model) == ("pitch", MODELS[0]))
    assert own["recall"].mean() == pytest.approx(expected)
    confusion = pd.read_csv(summary.out.with_suffix(".confusion.csv"))
    own = confusion[(confusion["task"] == "pitch") & (confusion["model"] == MODELS[0])]
    accuracy = own[own["label"] == own["predicted"]]["count"].sum() / own["count"].sum()
    scored = [row for row in results.summary(summary.results) if row.metric == "accuracy"]
    expected = next(row.value for row in scored if (row.task, row.model) == ("pitch", MODELS[0]))
    assert accuracy == pytest.approx(expected)


def test_few_shots_neighbours_and_pooling_are_said_in_the_results(sounds: Path, tmp_path: Path) -> None:
    task = tasks_of(sounds)[0]
    out = tmp_path / "x.parquet"
    shots = evaluate_models(MODELS, [task], out=out, protocols=["knn"], k=3, workers=1)
    assert {row.k for row in shots.results} == {3}
    plain = evaluate_models(MODELS, [task], out=out, protocols=["knn"], pooling="max", workers=1)
    assert {(row.protocol, row.pooling) for row in plain.results} == {("knn", "max")}
    assert len(plain.tables) == 1
    with pytest.raises(AuricleError, match="has no layers to choose from, but 'conv2' was asked for"):
        evaluate_models(MODELS, [task], out=out, layer="conv2")
    with pytest.raises(AuricleError, match="esc50 is a task, not a model"):
        evaluate_models(["esc50"], [task], out=out)


def test_what_stands_on_both_sides_of_a_split_is_said_first(sounds: Path, tmp_path: Path) -> None:
    manifest = Manifest.read(sounds / "pitch.csv")
    split = ["train", "valid", "test"]
    leaking = manifest.with_column("split", [split[row // 4 % 3] for row in range(len(manifest))])
    leaking.write(sounds / "leaking.csv")
    told: list[events.Event] = []
    task = find_task(str(sounds / "leaking.csv"), own=Own(group="singer"))
    out = tmp_path / "x.parquet"
    evaluate_models(MODELS[:1], [task], out=out, protocols=["knn"], workers=1, report=told.append)
    notices = [event.text for event in told if isinstance(event, events.Notice)]
    assert any("10 singers" in text for text in notices), notices
    embedding = next(n for n, event in enumerate(told) if isinstance(event, events.Work) and event.kind == "embedding")
    assert embedding > max(
        n for n, event in enumerate(told) if isinstance(event, events.Notice) and "10 singers" in event.text
    )
    pairs = pd.read_csv(out.with_suffix(".leaks.csv"))
    assert set(pairs[pairs["kind"] == "group"]["shared"]) == {f"s{number}" for number in range(10)}


def test_voice_activity_is_followed_through_whole_recordings(tmp_path: Path, sound_file) -> None:
    generator = np.random.default_rng(0)
    rows = []
    for number in range(9):
        time = np.arange(4 * 16000) / 16000
        tone = np.where((time > 1) & (time < 2.5), 0.3 * np.sin(2 * np.pi * 440 * time), 0)
        sound_file(f"{number}.wav", (tone + 0.01 * generator.standard_normal(len(time))).astype(np.float32))
        for start, end, label in ((0.0, 1.0, "no"), (1.0, 2.5, "yes"), (2.5, 4.0, "no")):
            part = ("train", "valid", "test")[number % 3]
            rows.append({"path": f"{number}.wav", "start": start, "end": end, "label": label, "split": part})
    manifest = Manifest.from_rows(rows, root=tmp_path)
    task = Task(
        name="tones", title="tones", manifest=manifest, kind="frames", positive="yes", metric="frame_average_precision"
    )
    summary = evaluate_models(MODELS, [task], out=tmp_path / "x.parquet", seeds=[0], workers=1)
    scores = {(row.model, row.metric): row.value for row in results.summary(summary.results)}
    assert scores["logmel-stats", "frame_average_precision"] > 0.95
    assert scores["logmel-stats", "prevalence"] == pytest.approx(1.5 / 4, abs=0.02)
    assert len(summary.tables[0].comparisons) == 1


def test_a_second_process_is_refused(sounds: Path, tmp_path: Path) -> None:
    with FolderLock(tmp_path / "x.work"), pytest.raises(AuricleError, match="is being written by process"):
        evaluate_models(MODELS[:1], tasks_of(sounds), out=tmp_path / "x.parquet")


def test_stopped_by_the_user_it_says_how_to_go_on(sounds: Path, tmp_path: Path) -> None:
    def stop(event: events.Event) -> None:
        if isinstance(event, events.Work):
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="the same command goes on where it was"):
        evaluate_models(MODELS[:1], tasks_of(sounds), out=tmp_path / "x.parquet", report=stop)


def test_what_makes_no_sense_is_one_sentence(sounds: Path, tmp_path: Path) -> None:
    tasks = tasks_of(sounds)
    with pytest.raises(AuricleError, match="give at least one model and one task"):
        evaluate_models([], tasks, out=tmp_path / "x.parquet")
    with pytest.raises(AuricleError, match=r"a results file ends in \.parquet or \.csv"):
        evaluate_models(MODELS, tasks, out=tmp_path / "x.txt")
    labels = (sounds / "pitch.csv").read_bytes()
    with pytest.raises(AuricleError, match=r"pitch\.csv is there and holds no results"):
        evaluate_models(MODELS, tasks, out=sounds / "pitch.csv")
    assert (sounds / "pitch.csv").read_bytes() == labels
    with pytest.raises(AuricleError, match="two tasks are called pitch"):
        evaluate_models(MODELS, [tasks[0], tasks[0]], out=tmp_path / "x.parquet")
    with pytest.raises(AuricleError, match="there is no protocol 'ogg'"):
        evaluate_models(MODELS, tasks, out=tmp_path / "x.parquet", protocols=["ogg"])
    with pytest.raises(AuricleError, match="are the same model: give it once"):
        saved = tmp_path / "copy"
        import auricle

        auricle.load("logmel-stats").save_pretrained(saved)
        evaluate_models(["logmel-stats", str(saved)], tasks, out=tmp_path / "x.parquet")


@pytest.mark.parametrize(
    ("name", "start"),
    [("t.md", "Protocol: "), ("t.csv", "protocol,model,"), ("t.html", "<!doct"), ("t.tex", r"\begin")],
)
def test_the_command_writes_every_format(finished, tmp_path: Path, name: str, start: str) -> None:
    summary, _ = finished
    done = CliRunner().invoke(cli.app, ["results", str(summary.out), "--out", str(tmp_path / name)])
    assert done.exit_code == 0, done.output
    assert (tmp_path / name).read_text().startswith(start)


def test_the_command_merges_rows_and_refuses_a_format_that_it_cannot_tell(finished, tmp_path: Path) -> None:
    summary, _ = finished
    done = CliRunner().invoke(cli.app, ["results", str(summary.out), "--out", str(tmp_path / "all.parquet")])
    assert done.exit_code == 0
    assert results.read(tmp_path / "all.parquet") == summary.results
    done = CliRunner().invoke(cli.app, ["results", str(summary.out), "--out", str(tmp_path / "t.docx")])
    assert isinstance(done.exception, AuricleError)
    assert "cannot tell the format of" in str(done.exception)


def test_what_cannot_be_scored_is_refused_before_anything_is_embedded(sounds: Path, tmp_path: Path) -> None:
    manifest = Manifest.read(sounds / "pitch.csv")
    elsewhere = Manifest(manifest.table, tmp_path / "elsewhere", "pitch.csv")
    one = manifest.with_column("label", ["low"] * len(manifest))
    for given, options, sentence in (
        (elsewhere, {}, r"pitch.csv: none of its 120 files is there, expected .*elsewhere/000.wav and so on"),
        (one, {}, "pitch.csv has only the class 'low': a probe needs at least two"),
        (manifest, {"k": 30}, "class 'high' has .. training clips when fold 1 is tested, fewer than 30 shots"),
        (manifest, {"seeds": []}, "a score needs at least one seed"),
    ):
        with pytest.raises(AuricleError, match=sentence):
            evaluate_models(MODELS[:1], [own_task(given, "pitch")], out=tmp_path / "x.parquet", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "x.work").exists()


def test_a_wrong_name_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(AuricleError, match=r"no task esc5: neither a dataset \(did you mean esc50\?\)"):
        find_task("esc5", tmp_path)
