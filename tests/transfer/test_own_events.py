"""A user's table of what sounds when, followed through whole recordings from the command line."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from auricle import cli, results
from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.transfer.splits import partitions
from auricle.transfer.task_source import Own, find_task

SECONDS = 4.0
WHISTLE, HUM = (1.0, 2.5), (2.0, 3.0)  # seconds, in every recording; they overlap


@pytest.fixture
def field(tmp_path: Path, sound_file) -> Path:
    """Nine recordings of soft noise, with a whistle in each and a hum in all but the first."""
    generator = np.random.default_rng(0)
    rows = []
    time = np.arange(int(SECONDS * 16000)) / 16000
    for number in range(9):
        sound = 0.01 * generator.standard_normal(len(time))
        for label, hertz, (start, end) in (("whistle", 2000, WHISTLE), ("hum", 150, HUM)):
            if number or label == "whistle":
                sound += np.where((time >= start) & (time < end), 0.3 * np.sin(2 * np.pi * hertz * time), 0)
                rows.append({"path": f"{number}.wav", "start": start, "end": end, "label": label, "day": number % 4})
        sound_file(f"{number}.wav", sound.astype(np.float32))
    Manifest.from_rows(rows, root=tmp_path).write(tmp_path / "events.csv")
    return tmp_path


def test_events_are_followed_over_time_from_the_command_line(field: Path) -> None:
    command = ["evaluate", "logmel-stats", "--manifest", str(field / "events.csv"), "--over-time", "whole"]
    command += ["--group", "day", "--seeds", "1", "--workers", "1", "--out", str(field / "x.parquet")]
    done = CliRunner().invoke(cli.app, command)
    assert done.exit_code == 0, done.output
    assert "recordings were drawn into five folds" in done.stderr.replace("\n", " ")
    scores = {row.metric: row for row in results.summary(results.read(field / "x.parquet"))}
    assert scores["frame_average_precision"].value > 0.9
    # Of 9 · 4 s whistles are 13.5 s and hums 8 s: the mean over both labels.
    assert scores["prevalence"].value == pytest.approx((13.5 + 8) / 2 / 36, abs=0.02)
    assert scores["event_onset_f1"].value > 0.8
    assert {row.n for row in scores.values()} == {36}  # segments of one second


def test_only_what_rows_cover_counts_where_nobody_listened_to_the_rest(field: Path) -> None:
    rows = Manifest.read(field / "events.csv").table.to_pylist()
    quiet = [{**row, "start": 0.0, "end": 1.0, "label": None} for row in rows if row["label"] == "whistle"]
    Manifest.from_rows([*rows, *quiet], root=field).write(field / "parts.csv")
    task = find_task(str(field / "parts.csv"), own=Own(over_time="rows", positive="whistle"))
    assert (task.kind, task.positive, len(task.manifest)) == ("frames", "whistle", 26)
    whole = find_task(str(field / "events.csv"), own=Own(over_time="whole"))
    added = [row for row in whole.manifest.table.to_pylist() if row["label"] is None]
    assert [(row["start"], row["end"]) for row in added] == [(0.0, SECONDS)] * 9


def test_several_labels_of_one_segment_are_events_of_their_own(field: Path) -> None:
    spans = [(0.0, 1.0, ""), (1.0, 2.0, "whistle"), (2.0, 2.5, "whistle;hum"), (2.5, 3.0, "hum")]
    lines = [f"{number}.wav,{start},{end},{labels}" for number in range(5) for start, end, labels in spans]
    (field / "several.csv").write_text("\n".join(["path,start,end,labels", *lines]) + "\n")
    task = find_task(str(field / "several.csv"), own=Own(over_time="rows"))
    first = [row for row in task.manifest.table.to_pylist() if row["path"] == "0.wav"]
    assert [(row["start"], row["label"]) for row in first] == [
        *((0.0, None), (1.0, "whistle"), (2.0, "whistle"), (2.0, "hum"), (2.5, "hum"))
    ]


def test_a_recording_stands_in_one_fold_and_a_group_too(field: Path) -> None:
    for group in (None, "day"):
        task = find_task(str(field / "events.csv"), own=Own(group=group, over_time="whole"))
        column = "path" if group is None else "day"
        pairs = set(zip(task.manifest.column(column), task.manifest.column("fold"), strict=True))
        assert len(pairs) == len(set(task.manifest.column(column)))
        assert len(partitions(task.manifest)) >= 4
        assert ("without --group COLUMN" in task.notices[0]) == (group is None)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([{"path": "0.wav", "label": "a"}], "has no column `start`: labels over time are segments of recordings"),
        (
            [{"path": "0.wav", "start": 0.0, "end": 1.0, "label": None}],
            "has no label at all: there is nothing to follow",
        ),
        ([{"path": "0.wav", "start": 0.0, "end": None, "label": "a"}], r"row 1 \(0.wav\) has no end"),
        (
            [{"path": f"{n}.wav", "start": 0.0, "end": 1.0, "label": "a"} for n in (0, 1)],
            "has 2 recordings: labels over",
        ),
    ],
)
def test_what_cannot_be_followed_is_one_sentence(field: Path, rows: list[dict[str, object]], sentence: str) -> None:
    given = Manifest(pa.Table.from_pylist(rows), field)
    given.write(field / "given.parquet")
    with pytest.raises(AuricleError, match=sentence):
        find_task(str(field / "given.parquet"), own=Own(over_time="rows"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--positive", "frog"], "events.csv has no label 'frog' to detect; it has hum, whistle"),
        (["--protocol", "knn"], "the protocol knn trains no probe, which tasks of frames need"),
        (["--k-shot", "3"], "events is a task of frames, which has no few-shot variant"),
        (["--layer", "weighted"], "events is a task over time, whose layers are not weighed"),
    ],
)
def test_what_cannot_be_scored_over_time_is_said_first(field: Path, options: list[str], sentence: str) -> None:
    command = ["evaluate", "logmel-stats", "--manifest", str(field / "events.csv"), "--over-time", "whole", *options]
    done = CliRunner().invoke(cli.app, [*command, "--out", str(field / "x.parquet")])
    assert done.exit_code == 1
    assert sentence in str(done.exception)
    assert not (field / "x.work").exists()


def test_a_probe_over_time_is_not_saved_and_that_is_said_first(field: Path) -> None:
    command = ["evaluate", "logmel-stats", "--manifest", str(field / "events.csv"), "--over-time", "whole"]
    done = CliRunner().invoke(cli.app, [*command, "--save-probe", str(field / "p"), "--out", str(field / "x.parquet")])
    assert done.exit_code == 1
    assert "events is a task over time: a probe to be saved is trained on clips" in str(done.exception)
    assert not (field / "x.work").exists()
