"""A probe finds tones where they were planted; its tables are what Raven and Audacity read; a killed job goes on."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from typer.testing import CliRunner

from auricle.cli import app
from auricle.embedding import embed_manifest
from auricle.errors import AuricleError
from auricle.inputs import manifest_of
from auricle.manifest import Manifest
from auricle.models import registry
from auricle.transfer.predict import predict
from auricle.transfer.saved_probe import SavedProbe, load_probe, save_probe

from .probes import ENCODER, RATE, pitch_probe, planted, tone

EVENTS = [(3.0, 5.0, 500.0), (7.0, 8.0, 4000.0), (7.5, 8.5, 4000.0), (14.0, 16.0, 500.0)]


@pytest.fixture
def probe(tmp_path: Path) -> Path:
    clip = planted(tmp_path / "training" / "clip.wav", 1.0, [])
    fingerprint = registry.load(ENCODER).weights_fingerprint
    manifest = Manifest.from_folder(clip.parent)
    return save_probe(
        tmp_path / "probe", pitch_probe(), model=ENCODER, weights_fingerprint=fingerprint, manifest=manifest
    )


@pytest.fixture
def field(tmp_path: Path) -> Path:
    planted(tmp_path / "field" / "a" / "one.wav", 20.0, EVENTS)
    planted(tmp_path / "field" / "b" / "two.wav", 10.0, [(2.0, 4.0, 4000.0)])
    (tmp_path / "field" / "b" / "broken.wav").write_bytes(b"RIFF....WAVE")
    return tmp_path / "field"


def found(probe: Path, inputs: Path, out: Path, **options: object) -> list[tuple[str, float, float, str]]:
    saved = load_probe(probe)
    predict(saved, saved.encoder(), manifest_of([inputs]), out=out, workers=1, **options)  # type: ignore[arg-type]
    rows = pq.read_table(out).to_pylist()
    return [(row["path"], row["start"], row["end"], row["label"]) for row in rows if row["label"] != "silence"]


def test_tones_are_found_where_they_were_planted(probe: Path, field: Path, tmp_path: Path) -> None:
    events = found(probe, field, tmp_path / "events.parquet", hop=0.25)
    assert [(path, label) for path, _, _, label in events] == [
        ("a/one.wav", "low"),
        ("a/one.wav", "high"),
        ("a/one.wav", "low"),
        ("b/two.wav", "high"),
    ]
    for (_, start, end, _), (begins, ends) in zip(events, [(3, 5), (7, 8.5), (14, 16), (2, 4)], strict=True):
        # Windows of 1 s that hold mostly the tone: the event lies within, and at most a window sticks out.
        assert begins - 1 <= start <= begins and ends <= end <= ends + 1
    scores = pq.read_table(tmp_path / "events.scores.parquet")
    assert scores.schema.field("scores").type.list_size == 3
    assert scores.schema.metadata[b"names"] == b'["high", "low", "silence"]'
    assert "broken.wav" in (tmp_path / "events.scores.rejected.csv").read_text()


def test_each_window_may_be_an_event_of_its_own(probe: Path, field: Path, tmp_path: Path) -> None:
    events = found(probe, field / "b" / "two.wav", tmp_path / "events.parquet", merge=False, hop=1.0, window=1.0)
    assert [(start, end) for _, start, end, _ in events] == [(2.0, 3.0), (3.0, 4.0)]
    # Windows that only touch are joined too, as long as nothing lies between them.
    joined = found(probe, field / "b" / "two.wav", tmp_path / "joined.parquet", hop=1.0, window=1.0)
    assert [(start, end) for _, start, end, _ in joined] == [(2.0, 4.0)]
    apart = found(probe, field / "b" / "two.wav", tmp_path / "apart.parquet", hop=1.0, window=0.5)
    assert [(start, end) for _, start, end, _ in apart] == [(2.0, 2.5), (3.0, 3.5)]


def test_another_threshold_costs_no_second_hearing(probe: Path, field: Path, tmp_path: Path) -> None:
    out = tmp_path / "events.parquet"
    saved = load_probe(probe)
    first = predict(saved, saved.encoder(), manifest_of([field]), out=out, workers=1)
    again = predict(saved, saved.encoder(), manifest_of([field]), out=out, threshold=1.0, only=["low"], workers=1)
    assert not first.scored.was_complete and again.scored.was_complete
    assert first.events > again.events == pq.read_metadata(out).num_rows
    (tmp_path / "events.scores.parquet").unlink()
    with pytest.raises(AuricleError, match=r"events.parquet exists, without the events.scores.parquet"):
        predict(saved, saved.encoder(), manifest_of([field]), out=out)


@pytest.mark.parametrize("name", ["labels.csv", "labels.txt", "labels.parquet"])
def test_what_is_no_table_of_events_is_never_overwritten(probe: Path, field: Path, tmp_path: Path, name: str) -> None:
    saved, recording = load_probe(probe), manifest_of([field / "b" / "two.wav"])
    program = "audacity" if name.endswith("txt") else "raven"
    predict(saved, saved.encoder(), recording, out=tmp_path / name, workers=1, program=program)
    first = (tmp_path / name).read_bytes()
    predict(saved, saved.encoder(), recording, out=tmp_path / name, workers=1, program=program)  # its own is replaced
    assert (tmp_path / name).read_bytes() == first
    # The user's own file, beside scores that are there already.
    rows = [{"path": "two.wav", "start": 0.0, "end": 1.0, "label": "wren"}]
    Manifest.from_rows(rows, root=tmp_path).write(tmp_path / "own.csv")
    own = (tmp_path / "own.csv").read_bytes()
    if name.endswith("parquet"):
        Manifest.read(tmp_path / "own.csv").write(tmp_path / name)
        own = (tmp_path / name).read_bytes()
    else:
        (tmp_path / name).write_bytes(own)
    with pytest.raises(AuricleError, match=rf"{name} is there and holds no events of a probe: it stays as it is"):
        predict(saved, saved.encoder(), recording, out=tmp_path / name, workers=1, program=program)
    assert (tmp_path / name).read_bytes() == own


def test_a_label_of_several_is_found_beside_the_others(field: Path, tmp_path: Path) -> None:
    # Sigmoids that all say yes: three events over the whole recording, and one more with a higher threshold.
    flat = pitch_probe(kind="multi-label", weight=np.zeros((3, 192), dtype=np.float32), bias=np.ones(3, np.float32))
    encoder = registry.load(ENCODER)
    saved = SavedProbe(probe=flat, model=ENCODER, weights_fingerprint=encoder.weights_fingerprint, window=1.0)
    manifest = manifest_of([field / "b" / "two.wav"])
    assert predict(saved, encoder, manifest, out=tmp_path / "e.csv", workers=1).events == 3
    rows = list(csv.DictReader((tmp_path / "e.csv").open()))
    assert {row["label"] for row in rows} == {"high", "low", "silence"}
    assert all((float(row["start"]), float(row["end"])) == (0.0, 10.0) for row in rows)


def test_columns_of_the_manifest_come_along_and_events_are_a_manifest(probe: Path, field: Path, tmp_path: Path) -> None:
    rows = [
        {"path": "a/one.wav", "start": 12.0, "end": 18.0, "site": "hill", "label": "x"},
        {"path": "a/one.wav", "start": 2.0, "end": 6.0, "site": "pond", "label": "y"},
    ]
    Manifest.from_rows(rows, root=field).write(field / "parts.csv")
    saved = load_probe(probe)
    predict(saved, saved.encoder(), manifest_of([field / "parts.csv"]), out=tmp_path / "e.csv", only=["low"], workers=1)
    events = Manifest.read(tmp_path / "e.csv", root=field).table.to_pylist()
    assert [(event["site"], event["label"]) for event in events] == [("hill", "low"), ("pond", "low")]
    assert 13 <= events[0]["start"] <= 14 and 5 <= events[1]["end"] <= 6
    out = tmp_path / "embedded.parquet"
    assert embed_manifest(registry.load(ENCODER), Manifest.read(tmp_path / "e.csv", root=field), out=out).rows == 2


def test_ravens_table_of_one_recording(probe: Path, field: Path, tmp_path: Path) -> None:
    saved = load_probe(probe)
    out = tmp_path / "e.txt"
    predict(saved, saved.encoder(), manifest_of([field / "b" / "two.wav"]), out=out, only=["high"], hop=1.0, workers=1)
    header, line = out.read_text().splitlines()
    # The columns of Raven Pro's own selection tables, tab by tab.
    assert header.split("\t")[:7] == [
        *("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)")
    ]
    assert line.split("\t")[:7] == ["1", "Spectrogram 1", "1", "2.000000", "4.000000", "0.0", "8000.0"]
    row = dict(zip(header.split("\t"), line.split("\t"), strict=True))
    assert (row["Label"], row["Begin File"], row["File Offset (s)"]) == ("high", "two.wav", "2.000000")
    assert Path(row["Begin Path"]) == (field / "b" / "two.wav").resolve()  # by which Raven opens the sound


def test_ravens_times_over_several_recordings_count_from_the_first(probe: Path, field: Path, tmp_path: Path) -> None:
    saved = load_probe(probe)
    out = tmp_path / "e.raven.txt"
    predict(saved, saved.encoder(), manifest_of([field]), out=out, only=["high"], hop=1.0, workers=1)
    rows = list(csv.DictReader(out.open(), delimiter="\t"))
    assert [row["Begin File"] for row in rows] == ["one.wav", "two.wav"]
    assert [row["Selection"] for row in rows] == ["1", "2"]
    assert float(rows[1]["File Offset (s)"]) == 2.0
    # The first recording is 20 s long, and the broken one has no length.
    assert float(rows[1]["Begin Time (s)"]) == 20.0 + 2.0
    assert Path(rows[1]["Begin Path"]).samefile(field / "b" / "two.wav")


def test_audacitys_labels_are_one_file_per_recording(probe: Path, field: Path, tmp_path: Path) -> None:
    saved = load_probe(probe)
    options = {"program": "audacity", "only": ["high"], "hop": 1.0, "workers": 1}
    predict(saved, saved.encoder(), manifest_of([field / "b" / "two.wav"]), out=tmp_path / "e.txt", **options)  # type: ignore[arg-type]
    assert (tmp_path / "e.txt").read_text() == "2.000000\t4.000000\thigh\n"
    predict(saved, saved.encoder(), manifest_of([field]), out=tmp_path / "labels", **options)  # type: ignore[arg-type]
    assert (tmp_path / "labels" / "b" / "two.wav.txt").read_text() == "2.000000\t4.000000\thigh\n"
    assert (tmp_path / "labels" / "a" / "one.wav.txt").read_text() == "7.000000\t9.000000\thigh\n"
    again = {**options, "only": ["low"]}
    predict(saved, saved.encoder(), manifest_of([field]), out=tmp_path / "labels", **again)  # type: ignore[arg-type]
    assert (tmp_path / "labels" / "b" / "two.wav.txt").read_text() == ""
    with pytest.raises(AuricleError, match=r"one file per recording, and there are 3: give a folder, not .*all.txt"):
        predict(saved, saved.encoder(), manifest_of([field]), out=tmp_path / "all.txt", **options)  # type: ignore[arg-type]


def test_what_cannot_be_done_is_one_sentence(probe: Path, field: Path, tmp_path: Path) -> None:
    saved = load_probe(probe)
    manifest, encoder = manifest_of([field]), saved.encoder()
    for options, sentence in [
        ({"out": tmp_path / "e.wav"}, r"FILE.parquet, FILE.csv or FILE.txt, not to .*e.wav"),
        ({"out": tmp_path / "e"}, "has no suffix"),
        ({"out": tmp_path / "e.csv", "only": ["frog"]}, "knows no 'frog'; it knows high, low, silence"),
        ({"out": tmp_path / "e.csv", "threshold": 70}, "above 0 and up to 1, got 70"),
    ]:
        with pytest.raises(AuricleError, match=sentence):
            predict(saved, encoder, manifest, **options)  # type: ignore[arg-type]
    predict(saved, encoder, manifest, out=tmp_path / "e.csv", workers=1)
    with pytest.raises(AuricleError, match=r"e.scores.parquet is of another job \(its hop is 0.5, not 0.25\)"):
        predict(saved, encoder, manifest, out=tmp_path / "e.csv", hop=0.25)


def test_killed_and_started_again_it_ends_as_an_undisturbed_job(probe: Path, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for number in range(14):
        hertz = [0.0, 500.0, 4000.0][number % 3]
        planted(tmp_path / "many" / f"{number:02d}.wav", float(generator.uniform(10, 20)), [(1.0, 4.0, hertz)])
    # A part of the work is put down after every pool, so that little is lost.
    script = (
        "import time\nfrom auricle.embedding import bulk, parts\nfrom auricle import cli, progress\n"
        "parts.PART_SECONDS = 0.0\nbulk.POOL_BATCHES = 1\n"
        "show = progress.EmbeddingBar.__call__\n"
        "progress.EmbeddingBar.__call__ = lambda bar, now: (show(bar, now), time.sleep(0.05))\ncli.main()\n"
    )
    options = ["--window", "1", "--hop", "0.25", "--workers", "1", "--device", "cpu", "--out"]
    line = [sys.executable, "-c", script, "predict", str(probe), str(tmp_path / "many"), *options]
    undisturbed = CliRunner().invoke(app, [*line[3:], str(tmp_path / "whole.csv")])
    assert undisturbed.exit_code == 0, undisturbed.output
    out, parts = tmp_path / "killed.csv", tmp_path / "killed.scores.parquet.parts"
    process = subprocess.Popen([*line, str(out)], stderr=subprocess.PIPE, text=True)
    while process.poll() is None and len(list(parts.glob("part-*"))) < 3:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and not out.exists()
    kept = len(list(parts.glob("part-*.parquet")))
    assert kept >= 2
    done = subprocess.run([*line, str(out)], capture_output=True, text=True, env=os.environ, timeout=120)
    assert done.returncode == 0, done.stderr
    assert out.read_text() == (tmp_path / "whole.csv").read_text()
    assert not parts.exists()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_length_of_the_sound(probe: Path, tmp_path: Path) -> None:
    script = (
        "import resource\nfrom auricle import cli\n"
        "try:\n    cli.main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)\n"
    )
    peaks = []
    for minutes in (10, 60):
        path = tmp_path / f"{minutes}.wav"
        with soundfile.SoundFile(path, "w", RATE, 1) as file:
            for _ in range(minutes):  # minute by minute: a child process begins with its parent's peak
                file.write(minute_with_a_tone())
        options = ["--hop", "1", "--only", "low", "--workers", "1", "--device", "cpu", "--out", f"{path}.csv"]
        line = [sys.executable, "-c", script, "predict", str(probe), str(path), *options]
        done = subprocess.run(line, capture_output=True, text=True, check=True, timeout=300)
        peaks.append(int(done.stdout.splitlines()[-1]))
        with Path(f"{path}.csv").open() as found:
            spans = [(float(row["start"]), float(row["end"])) for row in csv.DictReader(found)]
        # Second by second: the tone of each minute is found to the second, at the end of the hour as at its beginning.
        assert spans == [(60.0 * minute + 10.0, 60.0 * minute + 12.0) for minute in range(minutes)]
    assert peaks[1] < peaks[0] + 60  # MB; what is heard in between is 190 MB


def minute_with_a_tone() -> np.ndarray:
    """A minute of soft noise, with a tone of 500 Hz from the tenth to the twelfth second."""
    minute = 0.001 * np.random.default_rng(0).standard_normal(60 * RATE).astype(np.float32)
    minute[10 * RATE : 12 * RATE] += tone(2.0, 500.0)
    return minute
