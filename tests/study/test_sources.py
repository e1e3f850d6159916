"""Where a study's sound comes from, and what it must not hear."""

from pathlib import Path

import pytest

from auricle import synth
from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.study import sources
from auricle.study.sources import find_diet, find_task, overlap
from auricle.transfer.task import Task

ROWS = [
    {"path": "a.wav", "label": "x", "split": "train"},
    {"path": "b.wav", "label": "y", "split": "valid"},
    {"path": "c.wav", "label": "x", "split": "test"},
]


@pytest.fixture
def root(tmp_path: Path, sound_file, tone) -> Path:
    """A folder of all data: three clips, a manifest of them, two more clips without one."""
    for name, hertz in (
        ("a.wav", 300.0),
        ("b.wav", 400.0),
        ("c.wav", 500.0),
        ("more/d.wav", 600.0),
        ("more/e.wav", 700.0),
    ):
        sound_file(name, tone(hertz, seconds=0.3))
    Manifest.from_rows(ROWS, root=tmp_path).write(tmp_path / "task.csv")
    return tmp_path


def test_a_diet_takes_only_the_training_part_of_a_manifest(root: Path) -> None:
    diet = find_diet("both", ["task.csv", "more"], root)
    assert sorted(Path(path).name for path, _, _ in diet.clips()) == ["a.wav", "d.wav", "e.wav"]
    assert sorted(path.name for path in diet.manifest().files) == ["a.wav", "d.wav", "e.wav"]
    assert all(path.is_file() for path in diet.manifest().files)


def test_a_clip_in_two_sources_is_trained_on_once(root: Path) -> None:
    diet = find_diet("twice", ["more", "more"], root)
    assert len(list(diet.clips())) == 4
    assert len(diet.manifest()) == 2


def test_what_is_scored_and_stands_in_a_diet_is_counted(root: Path) -> None:
    task = find_task("task.csv", root)
    assert overlap(find_diet("clean", ["task.csv", "more"], root), task) == 0
    assert overlap(find_diet("all", ["."], root), task) == 2


def test_a_task_with_folds_is_scored_everywhere(root: Path) -> None:
    rows = [{"path": row["path"], "label": row["label"], "fold": fold} for fold, row in enumerate(ROWS, start=1)]
    task = Task(name="folds", title="folds", manifest=Manifest.from_rows(rows, root=root))
    assert overlap(find_diet("all", ["."], root), task) == 3


def test_what_is_not_there_is_named(root: Path) -> None:
    with pytest.raises(AuricleError, match=r"no source nsynth: .* did you mean dataset:nsynth\?"):
        find_diet("notes", ["nsynth"], root)
    with pytest.raises(AuricleError, match=r"no task nothing\.csv: neither a dataset"):
        find_task("nothing.csv", root)
    with pytest.raises(AuricleError, match="no dataset named nsyth; did you mean nsynth"):
        find_diet("notes", ["dataset:nsyth"], root)


def test_the_sound_world_says_what_it_has(tmp_path: Path) -> None:
    world = synth.SoundWorld(tmp_path, 120, 240.0)
    with pytest.raises(AuricleError, match="the sound world has no task rhythm; it has event"):
        sources.world_tasks(world, ["rhythm"])
    with pytest.raises(AuricleError, match="the sound world has no unlabelled music; it has speech, non-speech"):
        sources.world_diet(world, "songs", ["music"])
