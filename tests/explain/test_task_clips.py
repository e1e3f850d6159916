"""Which clips models are explained on."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from auricle import synth
from auricle.datasets.registry import dataset
from auricle.errors import AuricleError
from auricle.explain.task_clips import TaskClips, task_clips
from auricle.manifest import Manifest


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> synth.SoundWorld:
    return synth.make(tmp_path_factory.mktemp("world"), clips=120, seed=1)


def test_the_validation_part_is_drawn_from_at_random_and_no_other(world: synth.SoundWorld) -> None:
    found = task_clips(str(world.tasks["pitch"]), clips=8, seed=3)
    assert len(found.manifest) == 8
    assert set(found.manifest.column("split")) == {"valid"}
    assert found.available == Manifest.read(world.tasks["pitch"]).column("split").count("valid")
    again = task_clips(str(world.tasks["pitch"]), clips=8, seed=3)
    other = task_clips(str(world.tasks["pitch"]), clips=8, seed=4)
    assert found.manifest.column("path") == again.manifest.column("path") != other.manifest.column("path")


def test_of_folds_the_last_but_one_is_drawn_from(world: synth.SoundWorld) -> None:
    found = task_clips(str(world.tasks["event"]))
    assert set(found.manifest.column("fold")) == {4} and found.part == "fold 4"
    assert len(found.manifest) == found.available


def test_a_folder_without_split_is_drawn_from_whole(world: synth.SoundWorld) -> None:
    found = task_clips(str(world.root / "clips"), clips=50)
    assert (found.name, found.part, found.available, len(found.manifest)) == ("clips", "clips", 120, 50)


def test_clips_belong_to_what_they_say_and_excerpts_to_their_recording(world: synth.SoundWorld) -> None:
    manifest = Manifest.from_folder(world.root / "clips").select(range(12))
    assert TaskClips(name="files", manifest=manifest, part="clips", available=12).clusters is None
    windows = Manifest.from_rows(
        [
            {"path": name, "start": start, "end": start + 0.2}
            for name in ("a.wav", "b.wav")
            for start in (0.0, 0.2, 0.4)
        ],
        root=world.root,
    )
    found = TaskClips(name="windows", manifest=windows, part="clips", available=6)
    assert (found.clustered_by, found.clusters) == ("path", ["a.wav"] * 3 + ["b.wav"] * 3)
    sites = ["north", "north", "south", "south", None, "east"]
    found = replace(found, manifest=windows.with_column("group", sites))
    assert (found.clustered_by, found.clusters) == ("group", ["north", "north", "south", "south", "clip 4", "east"])
    found = replace(found, manifest=found.manifest.with_column("cluster", ["film"] * 6))
    assert (found.clustered_by, set(found.clusters or [])) == ("cluster", {"film"})


def test_pitch_means_something_where_every_clip_has_one(world: synth.SoundWorld) -> None:
    assert task_clips(str(world.tasks["pitch"])).is_pitched
    assert not task_clips(str(world.root / "clips")).is_pitched


def test_what_cannot_be_drawn_from_is_one_sentence(world: synth.SoundWorld, tmp_path: Path) -> None:
    with pytest.raises(AuricleError, match="no task nothing: neither a dataset"):
        task_clips("nothing")
    with pytest.raises(AuricleError, match="esc50 is a dataset: give --root"):
        task_clips("esc50")
    with pytest.raises(AuricleError, match="clips is 3: distances between clips need 4 or more"):
        task_clips(str(world.tasks["event"]), clips=3)


@pytest.mark.real
def test_published_tasks_give_the_parts_that_the_study_validated_on(real_data: Path) -> None:
    esc50 = task_clips("esc50", real_data)
    assert set(esc50.manifest.column("fold")) == {4} and len(esc50.manifest) == 400
    notes = task_clips("nsynth", real_data, clips=300)
    assert set(notes.manifest.column("split")) == {"valid"} and notes.is_pitched and notes.available == 908
    assert set(notes.clusters or []) == set(notes.manifest.column("instrument"))
    assert not esc50.is_pitched


@pytest.mark.real
def test_films_are_cut_into_seconds(real_data: Path) -> None:
    films = task_clips("ava-speech", real_data, clips=200)
    starts, ends = (films.manifest.column(name) for name in ("start", "end"))
    assert {round(end - start, 6) for start, end in zip(starts, ends, strict=True)} == {1.0}
    manifest = dataset("ava-speech").load(real_data)
    films_and_splits = zip(manifest.column("film"), manifest.column("split"), strict=True)
    valid = [film for film, split in films_and_splits if split == "valid"]
    assert set(films.manifest.column("film")) <= set(valid)
    assert films.available > 10_000
    assert films.name == "ava-speech (local: 40 films, 1,100 clips)"  # for it is not the release
    assert max(Counter(films.manifest.column("film")).values()) < 60  # no film has more than a share
