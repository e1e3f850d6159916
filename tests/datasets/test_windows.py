"""Excerpts of annotated films: counts by arithmetic on the annotation, after the recipe of Ogg (2025)."""

import tracemalloc
from collections import Counter

import numpy as np
import pytest

from auricle.datasets.registry import dataset
from auricle.datasets.windows import WindowedTask, Windows
from auricle.errors import AuricleError
from auricle.manifest import Manifest

from . import layouts


def films(segments, *, number=1, split="test"):
    """`number` films, each of these (start, end, label)."""
    rows = [
        {"path": f"f{film}.wav", "start": start, "end": end, "label": label, "split": split, "cluster": f"f{film}"}
        for film in range(number)
        for start, end, label in segments
    ]
    return Manifest.from_rows(rows, root=".")


def test_a_second_every_ten_milliseconds_wholly_inside_one_annotation(tmp_path):
    layouts.ava_speech(tmp_path, films=21, gone=0)
    manifest = dataset("ava-speech").load(tmp_path)
    task = WindowedTask(manifest, dataset("ava-speech").windows)
    # 3.5 s, 0.5 s and 2 s: 251, no and 101 places for a second on a grid of 10 ms.
    assert task.counts == {
        ("train", "no_speech"): 251,
        ("train", "speech"): 101,
        ("valid", "no_speech"): 2510,
        ("valid", "speech"): 1010,
        ("test", "no_speech"): 2510,
        ("test", "speech"): 1010,
    }
    assert len(task) == 21 * 352
    for film in task:
        starts, ends = (np.array(manifest.column(name))[film.rows] for name in ("start", "end"))
        assert (film.starts >= starts).all() and (film.starts + 1.0 <= ends + 1e-9).all()
    assert film.starts[[0, 1, 250]].tolist() == [900.0, 900.01, 902.5]


def test_excerpts_of_one_film_as_a_manifest(tmp_path):
    layouts.ava_speech(tmp_path, films=21, gone=0)
    task = WindowedTask(dataset("ava-speech").load(tmp_path))
    clips = task.select(task.numbers("film007")).validate(files=True)
    assert Counter(clips.column("annotation")) == {"NO_SPEECH": 251, "SPEECH_WITH_MUSIC": 101}
    assert (clips.column("start")[:2], clips.column("end")[:2]) == ([900.0, 900.01], [901.0, 901.01])
    assert clips.column("end")[-1] == 906.0
    assert set(clips.column("film")) == {"film007"}
    with pytest.raises(AuricleError, match="has no film nosferatu"):
        task.film("nosferatu")


def test_fifteen_minutes_of_one_annotation_stay_below_the_cap_of_a_scored_film():
    # The study's cap of 90,000 is all that fits: (900 - 1) / 0.01 + 1.
    assert len(WindowedTask(films([(900.0, 1800.0, "speech")]))) == 89_901


def test_training_is_capped_by_label_and_film_the_rest_by_film():
    segments = [(0.0, 400.0, "speech"), (400.0, 700.0, "no_speech")]
    assert WindowedTask(films(segments, number=2, split="train")).counts == {
        ("train", "no_speech"): 20_000,
        ("train", "speech"): 20_000,
    }
    scored = WindowedTask(films(segments, number=2), Windows(scored_clips=5000))
    assert len(scored) == 10_000
    share = scored.counts["test", "speech"] / 10_000
    assert share == pytest.approx(39_901 / (39_901 + 29_901), abs=0.02)  # not balanced: as much speech as there is


def test_the_draw_is_of_the_seed_and_the_film_alone():
    segments = [(0.0, 100.0, "speech"), (100.0, 150.0, "no_speech")]
    windows = Windows(train_clips=50)
    two, three = (WindowedTask(films(segments, number=number, split="train"), windows) for number in (2, 3))
    assert np.array_equal(two.film("f1").starts, three.film("f1").starts)
    assert not np.array_equal(two.film("f0").starts, two.film("f1").starts)
    other = WindowedTask(films(segments, split="train"), windows, seed=1)
    assert not np.array_equal(two.film("f0").starts, other.film("f0").starts)
    assert (np.diff(two.film("f0").starts[two.film("f0").rows == 0]) > 0).all()  # none twice


def test_length_and_hop_are_free():
    task = WindowedTask(films([(0.0, 10.0, "speech")]), Windows(seconds=2.0, hop=0.5))
    assert task.film("f0").starts.tolist() == (0.5 * np.arange(17)).tolist()
    with pytest.raises(AuricleError, match="need a length, a hop and caps above 0, got 1 s every 0 s"):
        Windows(hop=0.0)


def test_excerpts_are_numbered_film_after_film():
    segments = [(0.0, 3.0, "speech"), (3.0, 3.5, "no_speech"), (4.0, 6.0, "no_speech")]
    task = WindowedTask(films(segments, number=3), Windows(hop=0.5))
    # 5, 0 and 3 starts of one second every half second.
    assert task.sizes == {"f0": 8, "f1": 8, "f2": 8}
    assert task.rows.tolist() == [0] * 5 + [2] * 3 + [3] * 5 + [5] * 3 + [6] * 5 + [8] * 3
    assert task.numbers("f1").tolist() == list(range(8, 16))
    asked = np.array([23, 4, 8, 13])
    assert task.starts(asked).tolist() == [5.0, 2.0, 0.0, 4.0]
    some = task.select(asked)
    assert some.column("path") == ["f2.wav", "f0.wav", "f1.wav", "f1.wav"]
    assert some.column("label") == ["no_speech", "speech", "speech", "no_speech"]
    assert (some.column("start"), some.column("end")) == ([5.0, 2.0, 0.0, 4.0], [6.0, 3.0, 1.0, 5.0])


def test_a_film_without_room_for_an_excerpt_has_no_number():
    rows = [("a", 2.0), ("b", 0.5), ("c", 2.0)]
    manifest = Manifest.from_rows(
        [
            {"path": name, "start": 0.0, "end": end, "label": "speech", "split": "test", "cluster": name}
            for name, end in rows
        ],
        root=".",
    )
    task = WindowedTask(manifest, Windows(hop=1.0))
    assert (task.sizes, len(task)) == ({"a": 2, "b": 0, "c": 2}, 4)
    assert task.select(np.arange(4)).column("path") == ["a", "a", "c", "c"]


def test_millions_of_excerpts_need_the_memory_of_one_film():
    task = WindowedTask(films([(0.0, 900.0, "speech")], number=40))
    tracemalloc.start()
    total = sum(len(film.starts) for film in task)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 40 * 89_901
    assert peak < 10e6 < 8 * total  # bytes: their starts alone would be 29 MB, a table of all many times that
