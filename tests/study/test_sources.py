"""Where a study's sound comes from, and what it must not hear."""

from pathlib import Path

import pytest

from auricle import synth
from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.study import sources
from auricle.study.sources import find_diet, find_diets, find_part, find_task, of_equal_hours, overlap, served
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
    with pytest.raises(AuricleError, match=r"nothing\.csv does not exist: expected a \.csv or \.parquet file"):
        find_task("nothing.csv", root)
    with pytest.raises(AuricleError, match="no dataset named nsyth; did you mean nsynth"):
        find_diet("notes", ["dataset:nsyth"], root)


def test_the_sound_world_says_what_it_has(tmp_path: Path) -> None:
    world = synth.SoundWorld(tmp_path, 120, 240.0)
    with pytest.raises(AuricleError, match="the sound world has no task rhythm; it has event"):
        sources.world_tasks(world, ["rhythm"])
    with pytest.raises(AuricleError, match="the sound world has no unlabelled music; it has speech, non-speech"):
        sources.world_part(world, "music")


def test_what_a_task_is_made_of_is_left_out_of_its_diets(root: Path) -> None:
    Manifest.from_rows(ROWS, root=root).write(root / "other.csv")
    tasks = [find_task(name, root) for name in ("task.csv", "other.csv")]
    diets = [find_diet("wide", ["task.csv", "more"], root), find_diet("narrow", ["more"], root)]
    heard = served(diets, tasks)
    assert heard["wide", "task"].name == "wide without task"
    assert heard["wide", "task"].sources == ("more",)
    assert {heard["wide", "other"].name, heard["narrow", "task"].name} == {"wide", "narrow"}
    with pytest.raises(AuricleError, match="task cannot be scored without it"):
        find_diet("own", ["task.csv"], root).without("task")


def test_who_speaks_in_a_task_can_be_left_out_of_every_diet(root: Path) -> None:
    speakers = ("p310", "p31", "p3100")
    rows = [{"path": row["path"], "speaker": speaker} for row, speaker in zip(ROWS, speakers, strict=True)]
    Manifest.from_rows(rows, root=root).write(root / "spoken.csv")
    diet = find_diet("spoken", ["spoken.csv", "more"], root, leave_out={"speaker": ["p31?"]})
    assert sorted(path.name for path in diet.manifest().files) == ["b.wav", "c.wav", "d.wav", "e.wav"]
    with pytest.raises(AuricleError, match=r"`leave_out` leaves nothing of .*spoken\.csv: every speaker"):
        find_diet("spoken", ["spoken.csv"], root, leave_out={"speaker": ["p*"]})


def test_diets_of_equal_hours_are_as_long_as_the_shortest(root: Path, sound_file, tone) -> None:
    sound_file("long/f.wav", tone(800.0, seconds=2.0))
    diets = [find_diet(name, [name], root) for name in ("more", "long")]
    short, cut = of_equal_hours(diets, seed=0)
    assert short.most_seconds == pytest.approx(0.6)  # two clips of 0.3 s
    assert cut.most_seconds == pytest.approx(0.6)
    assert [end for _, _, end in cut.clips()] == [pytest.approx(0.6)]
    assert of_equal_hours(diets, seed=0)[1].sound == cut.sound


def test_a_mixture_of_diets_has_the_same_share_of_each(root: Path, sound_file, tone) -> None:
    sound_file("long/f.wav", tone(800.0, seconds=2.0))
    diets = find_diets(
        {"short": ["more"], "long": ["long", "task.csv"], "both": ["short", "long"]},
        lambda source: find_part(source, root),
    )
    assert diets[2].sources == ("more", "long", "task.csv")
    assert diets[2].most_seconds == pytest.approx(1.2)
    *_, both = of_equal_hours(diets, seed=0)
    spans = {Path(path).parent.name: 0.0 for path, _, _ in both.clips()}
    assert both.most_seconds == pytest.approx(0.6)
    for (path, _, _), seconds in both.lengths[0].items():
        spans[Path(path).parent.name] += seconds
    assert spans["more"] == pytest.approx(0.3)
    without = diets[2].without("task")
    assert without is not None
    assert (without.sources, without.mixed) == (("more", "long"), ("short", "long"))
