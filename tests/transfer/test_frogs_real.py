"""From windows that were marked on a map to where the same calls are in recordings that nobody has looked at."""

import csv
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from auricle import audio, cli, results
from auricle.manifest import Manifest

RATE = 16_000
SECONDS = 5.0  # of an ESC-50 clip
FROGS = (1, 4, 6)  # places in a recording of eight clips
RECORDINGS, MARKED = 13, 10

Spans = list[tuple[float, float]]


def recording(data: Path, path: Path, frogs: list[str], others: list[str]) -> Spans:
    """Write eight ESC-50 clips as one recording; where in it frogs call."""
    spans: Spans = []
    parts: list[np.ndarray] = []
    for place in range(len(frogs) + len(others)):
        is_frog = place in FROGS
        name = (frogs if is_frog else others).pop()
        clip = audio.read(data / "ESC-50-master" / "audio" / name, sample_rate=RATE)[: int(SECONDS * RATE)]
        parts.append(np.pad(clip, (0, int(SECONDS * RATE) - len(clip))))
        if is_frog:
            heard = np.flatnonzero(np.abs(clip) > 0.05 * np.abs(clip).max())
            spans.append((place * SECONDS + heard[0] / RATE, place * SECONDS + heard[-1] / RATE))
    audio.write(path, np.concatenate(parts).clip(-1, 1), sample_rate=RATE)
    return spans


@pytest.mark.real
def test_frogs_marked_on_a_map_are_found_in_the_field(real_data: Path, tmp_path: Path) -> None:
    by_class: dict[str, list[str]] = {}
    with (real_data / "ESC-50-master" / "meta" / "esc50.csv").open() as listed:
        for row in csv.DictReader(listed):
            by_class.setdefault(row["category"], []).append(f"{Path(row['filename']).stem}.ogg")
    frogs = by_class.pop("frog")
    others = [file for number in range(2) for files in by_class.values() for file in files[number : number + 1]]
    field, elsewhere = tmp_path / "field", tmp_path / "elsewhere"
    calls: dict[str, Spans] = {}
    marked = []
    for number in range(RECORDINGS):
        folder = field if number < MARKED else elsewhere
        name = f"night{number:02d}.flac"
        calls[name] = recording(
            real_data, folder / name, [frogs.pop() for _ in FROGS], [others.pop() for _ in range(5)]
        )
        if number < MARKED:  # as the map saves what was marked: windows of the embeddings
            marked += [
                {"path": name, "start": SECONDS * place, "end": SECONDS * (place + 1), "label": label, "night": number}
                for place in range(8)
                for label in ("frog" if place in FROGS else "other",)
            ]
    Manifest.from_rows(marked, root=field).write(field / "frogs.csv")

    run = CliRunner()
    told = ["evaluate", "mfcc-stats", "--manifest", str(field / "frogs.csv"), "--group", "night", "--k-shot", "10"]
    done = run.invoke(cli.app, [*told, "--workers", "1", "--save-probe", str(tmp_path / "frogs")])
    assert done.exit_code == 0, done.output
    (accuracy,) = [
        row
        for row in results.summary(results.read(tmp_path / "frogs" / "scores.parquet"))
        if row.metric == "balanced_accuracy"
    ]
    assert (accuracy.k, accuracy.n) == (10, 80)
    assert accuracy.value > 0.7

    listen = ["predict", str(tmp_path / "frogs"), str(elsewhere), "--window", "2.5", "--hop", "1.25", "--only", "frog"]
    for name in ("x.parquet", "x.csv", "x.raven.txt"):
        done = run.invoke(cli.app, [*listen, "--workers", "1", "--out", str(tmp_path / name)])
        assert done.exit_code == 0, done.output
    done = run.invoke(cli.app, [*listen, "--workers", "1", "--format", "audacity", "--out", str(tmp_path / "x")])
    assert done.exit_code == 0, done.output

    events = [(row["path"], row["start"], row["end"]) for row in pq.read_table(tmp_path / "x.parquet").to_pylist()]
    overlapping = [
        any(path == name and start < end_of and start_of < end for path, start_of, end_of in events)
        for name in list(calls)[MARKED:]
        for start, end in calls[name]
    ]
    assert sum(overlapping) >= 7  # of nine calls
    heard = sum(end - start for _, start, end in events)
    assert heard < 75  # of 120 s, of which 45 s hold frogs: an alarm that never stops would find them all

    # The same events in all formats, each in its own way to say when.
    with (tmp_path / "x.csv").open() as file:
        assert [(row["path"], float(row["start"]), float(row["end"])) for row in csv.DictReader(file)] == events
    with (tmp_path / "x.raven.txt").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    first = {path: 40.0 * number for number, path in enumerate(list(calls)[MARKED:])}
    for row, (path, start, end) in zip(rows, events, strict=True):
        assert (row["Begin File"], float(row["File Offset (s)"])) == (path, pytest.approx(start))
        assert float(row["Begin Time (s)"]) == pytest.approx(first[path] + start)
        assert float(row["End Time (s)"]) - float(row["Begin Time (s)"]) == pytest.approx(end - start)
    labels = [
        (path, *map(float, line.split("\t")[:2]))
        for path in sorted(first)
        for line in (tmp_path / "x" / f"{path}.txt").read_text().splitlines()
    ]
    assert labels == [(path, pytest.approx(start), pytest.approx(end)) for path, start, end in events]
