"""Excerpts that overlap are embedded as if each were a file of its own, but every film is decoded once."""

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from auricle import audio
from auricle.datasets.windows import WindowedTask, Windows
from auricle.embedding import EmbedProgress
from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.models import registry
from auricle.stages import Stages
from auricle.transfer import excerpts
from auricle.transfer.clip_sets import Embedded, clip_sets, embed
from auricle.transfer.contestants import Contestant
from auricle.transfer.run import evaluate_models
from auricle.transfer.saved_probe import load_probe
from auricle.transfer.splits import Partition, of_clips
from auricle.transfer.task import Task

SECONDS = 6.0
DETECTION: dict[str, Any] = {"kind": "binary", "positive": "speech", "metric": "average_precision"}
FILMS = {"a": "train", "b": "train", "c": "valid", "d": "test"}


@pytest.fixture
def films(tmp_path: Path, sound_file) -> Path:
    """Four films of noise whose level rises, so that no two excerpts are alike."""
    generator = np.random.default_rng(0)
    for name in FILMS:
        noise = generator.standard_normal(round(16000 * SECONDS)) * np.linspace(0.01, 0.2, round(16000 * SECONDS))
        sound_file(f"{name}.wav", noise.astype(np.float32))
    return tmp_path


def task_of(films: Path, names: str = "abcd", *, hop: float = 0.25) -> Task:
    rows = [
        {"path": f"{name}.wav", "start": start, "end": end, "label": label, "split": FILMS[name], "cluster": name}
        for name in names
        for start, end, label in ((0.0, 2.5, "speech"), (2.5, 5.9, "no_speech"))
    ]
    cut = WindowedTask(Manifest.from_rows(rows, root=films), Windows(hop=hop))
    return Task(name=names, title=names, manifest=cut.manifest, excerpts=cut, **DETECTION)


def embedded(films: Path, task: Task, *, told: list[EmbedProgress] | None = None) -> Embedded[Contestant]:
    (clips,) = clip_sets([task])
    assert clips.excerpts is not None
    report = (told if told is not None else []).append
    model = Contestant.find("logmel-stats")
    return embed(Stages(films / "stages"), model, clips, device=torch.device("cpu"), progress=report)


def test_each_excerpt_is_embedded_as_the_same_sound_in_a_file(films: Path) -> None:
    task = task_of(films)
    rows, vectors = embedded(films, task).of(task)
    # Starts every 0.25 s of one-second excerpts: 7 in 2.5 s, 10 in 3.4 s, in each of four films.
    assert len(rows) == len(task) == 4 * (7 + 10)
    model = registry.load("logmel-stats")
    for row in (0, 6, 7, 40, 67):
        clip = task.select(np.array([row]))
        (path,), (start,) = clip.column("path"), clip.column("start")
        waveform = audio.read(films / path, sample_rate=16000, offset=start, duration=1.0)
        np.testing.assert_allclose(vectors[row], model.embed(waveform, sample_rate=16000), rtol=1e-4, atol=1e-4)


def test_a_film_is_decoded_once(films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    reading = audio.read

    def counted(path: Path, **arguments: Any) -> audio.Waveform:
        read.append(path.name)
        return reading(path, **arguments)

    monkeypatch.setattr(audio, "read", counted)
    embedded(films, task_of(films))
    assert read == ["a.wav", "b.wav", "c.wav", "d.wav"]


def test_a_long_film_is_read_in_stretches(films: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = task_of(films)
    _, whole = embedded(films, task).of(task)
    monkeypatch.setattr(excerpts, "STRETCH_SECONDS", 2.0)
    (films / "again").mkdir()
    (clips,) = clip_sets([task])
    again = embed(
        Stages(films / "again"),
        Contestant.find("logmel-stats"),
        clips,
        device=torch.device("cpu"),
        progress=lambda _: None,
    )
    np.testing.assert_allclose(again.of(task)[1], whole, rtol=1e-5, atol=1e-5)


def test_it_goes_on_after_the_last_finished_film(films: Path) -> None:
    task = task_of(films)
    (clips,) = clip_sets([task])
    model = Contestant.find("logmel-stats")

    def stop(now: EmbedProgress) -> None:
        if now.done > 40:  # in the third film of 17 excerpts each
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed(Stages(films / "stages"), model, clips, device=torch.device("cpu"), progress=stop)
    told: list[EmbedProgress] = []
    rows, vectors = embedded(films, task, told=told).of(task)
    assert told[0].done > 34
    undisturbed = Stages(films / "other")
    expected = embed(undisturbed, model, clips, device=torch.device("cpu"), progress=lambda _: None)
    assert np.array_equal(vectors, expected.of(task)[1])
    assert len(rows) == 68


def test_a_film_that_cannot_be_read_costs_its_own_excerpts(films: Path) -> None:
    (films / "b.wav").write_bytes(b"this is no audio")
    task = task_of(films)
    found = embedded(films, task)
    rows, vectors = found.of(task)
    assert rows.tolist() == [*range(17), *range(34, 68)]
    assert np.isfinite(vectors).all()
    assert (vectors != 0).any(axis=1).all()
    assert found.rejected is not None
    assert "b.wav" in found.rejected.read_text()


def test_nothing_that_can_be_read_is_one_sentence(films: Path) -> None:
    for name in FILMS:
        (films / f"{name}.wav").write_bytes(b"this is no audio")
    with pytest.raises(AuricleError, match=r"no clip of .* can be embedded"):
        embedded(films, task_of(films))


def test_a_task_over_some_of_the_films_is_embedded_with_the_other(films: Path) -> None:
    everything, some, coarse = task_of(films), task_of(films, "acd"), task_of(films, "cd", hop=0.5)
    (one,) = clip_sets([some, everything])
    assert one.name == "abcd"
    assert one.rows["acd"].tolist() == [*range(17), *range(34, 68)]
    # Other starts are other excerpts.
    assert [clips.name for clips in clip_sets([everything, coarse])] == ["abcd", "cd"]


def test_a_task_of_excerpts_is_scored_and_kept_without_a_table_of_them(
    films: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in FILMS:  # speech is a tone, to be found
        noise = audio.read(films / f"{name}.wav", sample_rate=16000)
        noise[:40_000] += 0.3 * np.sin(2 * np.pi * 500 * np.arange(40_000) / 16000).astype(np.float32)
        audio.write(films / f"{name}.wav", noise.clip(-1, 1), sample_rate=16000)
    task = task_of(films, hop=0.01)
    longest: list[int] = []
    made = Manifest.__post_init__

    def watched(manifest: Manifest) -> None:
        made(manifest)
        longest.append(len(manifest))

    monkeypatch.setattr(Manifest, "__post_init__", watched)
    out = tmp_path / "scores.parquet"
    run = evaluate_models(["logmel-stats"], [task], out=out, probe_folder=tmp_path / "probe", seeds=[0], workers=1)
    # 151 starts in 2.5 s and 241 in 3.4 s.
    assert len(task) == 4 * (151 + 241)
    assert max(longest, default=0) <= 8  # the annotated segments
    (score,) = [row for row in run.results if row.is_summary and row.metric == "average_precision"]
    assert (score.n, score.value) == (151 + 241, 1.0)
    (prevalence,) = [row for row in run.results if row.is_summary and row.metric == "prevalence"]
    assert prevalence.value == pytest.approx(151 / 392)
    (table,) = [pq.read_table(path) for path in (tmp_path / "scores.work").glob("probing/*/predictions.parquet")]
    rows = table.to_pylist()
    assert {row["path"] for row in rows} == {"d.wav"}
    assert [row["row"] for row in rows] == list(range(3 * 392, 4 * 392))
    assert [row["start"] for row in rows][:3] == [0.0, 0.01, 0.02]
    assert rows[-1]["end"] == 5.9
    assert load_probe(tmp_path / "probe").window == 1.0


def test_a_part_of_the_films_scores_the_same_beside_all_of_them(films: Path, tmp_path: Path) -> None:
    (films / "a.wav").write_bytes(b"this is no audio")
    some = task_of(films, "bcd")
    scored = {"seeds": [0], "protocols": ["ogg2025"], "workers": 1}
    beside = evaluate_models(["logmel-stats"], [task_of(films), some], out=tmp_path / "x.parquet", **scored)  # type: ignore[arg-type]
    alone = evaluate_models(["logmel-stats"], [some], out=tmp_path / "y.parquet", **scored)  # type: ignore[arg-type]
    assert [row for row in beside.results if row.task == "bcd"] == alone.results
    assert {row.n for row in alone.results} == {17}
    tables = [
        pq.read_table(path)
        for run in ("x", "y")
        for path in (tmp_path / f"{run}.work").glob("probing/bcd-*/predictions.parquet")
    ]
    assert tables[0].equals(tables[1])
    assert tables[0].column("row").to_pylist() == list(range(2 * 17, 3 * 17))


def test_millions_of_excerpts_become_a_task_in_a_few_bytes_each() -> None:
    minutes = 15
    rows = [
        {
            "path": f"{film}.wav",
            "start": 60.0 * minute,
            "end": 60.0 * (minute + 1),
            "label": ("speech", "no_speech")[minute % 2],
            "split": "valid" if film < 20 else "test",
            "cluster": str(film),
        }
        for film in range(40)
        for minute in range(minutes)
    ]
    manifest = Manifest.from_rows(rows, root=Path("/nowhere"))
    tracemalloc.start()
    task = Task(name="films", title="films", manifest=manifest, kind="binary", excerpts=WindowedTask(manifest))
    (clips,) = clip_sets([task])
    assert task.rows is not None
    spread = of_clips(Partition(None, *(np.arange(first, 600, 3) for first in range(3))), task.rows)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(task) == len(clips) == len(np.concatenate([spread.train, spread.valid, spread.test])) == 600 * 5901
    # The row of each, its place in the set, and its number in one of three parts: 4 + 8 + 8 bytes.
    assert held < 21 * len(task)
    assert peak < 40 * len(task)


def test_excerpts_are_counted_by_what_their_segments_say_and_few_can_be_listed(films: Path) -> None:
    task = task_of(films, hop=0.5)
    assert task.counts("label") == {"speech": 4 * 4, "no_speech": 4 * 5}  # 4 starts in 2.5 s, 5 in 3.4 s
    assert task.counts("split") == {"train": 18, "valid": 9, "test": 9}
    listed = task.listed()
    assert (len(listed), listed.excerpts, listed.rows) == (36, None, None)
    assert listed.counts("label") == task.counts("label")
    assert listed.manifest.table.equals(task.select(np.arange(36)).table)
    assert listed.fingerprint != task.fingerprint != task_of(films, hop=0.25).fingerprint
