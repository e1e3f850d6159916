"""A stage is done once, and again only when something that decides its outcome has changed."""

from pathlib import Path
from typing import Any

import pytest

from auricle.manifest import Manifest
from auricle.stages import Stage, Stages, fingerprint_of_sound


def write(text: str):
    def work(folder: Path) -> dict[str, Any]:
        (folder / "out.txt").write_text(text)
        return {"length": len(text)}

    return work


def fail(folder: Path) -> dict[str, Any]:
    (folder / "half.txt").write_text("ha")
    raise KeyboardInterrupt


def test_a_finished_stage_is_found_by_its_inputs_and_not_done_again(tmp_path: Path) -> None:
    first = Stages(tmp_path).run(Stage("sum", "a", 1, {"x": 1, "y": 2}), write("three"))
    again = Stages(tmp_path)
    second = again.run(Stage("sum", "a", 1, {"y": 2, "x": 1}), fail)
    assert (first.cached, second.cached) == (False, True)
    assert second.facts == {"length": 5}
    assert (again.done, again.cached) == (0, 1)


@pytest.mark.parametrize("other", [("sum", 1, {"x": 2}), ("sum", 2, {"x": 1}), ("product", 1, {"x": 1})])
def test_another_input_version_or_kind_is_another_stage(tmp_path: Path, other: tuple[str, int, dict[str, int]]) -> None:
    kind, version, inputs = other
    stages = Stages(tmp_path)
    stages.run(Stage("sum", "a", 1, {"x": 1}), write("one"))
    assert not stages.run(Stage(kind, "a", version, inputs), write("two")).cached


def test_what_an_interrupted_stage_left_is_thrown_away_unless_it_can_go_on(tmp_path: Path) -> None:
    stage = Stage("sum", "a", 1, {})
    for resumable in (False, True):
        stages = Stages(tmp_path / str(resumable))
        with pytest.raises(KeyboardInterrupt):
            stages.run(stage, fail)
        assert stages.find(stage) is None
        done = stages.run(stage, write("whole"), resumable=resumable)
        assert (done.folder / "half.txt").exists() == resumable


def test_a_stage_whose_files_were_deleted_or_cut_is_done_again(tmp_path: Path) -> None:
    stage, stages = Stage("sum", "a", 1, {}), Stages(tmp_path)
    done = stages.run(stage, write("whole"))
    (done.folder / "out.txt").write_text("who")
    assert stages.find(stage) is None
    assert not stages.run(stage, write("whole")).cached


def test_a_name_from_outside_stays_inside_the_folder(tmp_path: Path) -> None:
    folder = Stages(tmp_path).folder(Stage("sum", "../../etc/pass wd<script>", 1, {}))
    assert folder.resolve().is_relative_to(tmp_path.resolve() / "sum")


def test_the_fingerprint_of_sound_follows_the_files_and_not_the_labels(tmp_path: Path, sound_file, tone) -> None:
    sound_file("a.wav", tone(440.0))
    rows = [{"path": "a.wav", "start": 0.0, "end": 0.5, "label": "x"}]
    before = fingerprint_of_sound(Manifest.from_rows(rows, root=tmp_path))
    assert fingerprint_of_sound(Manifest.from_rows([{**rows[0], "label": "y"}], root=tmp_path)) == before
    assert fingerprint_of_sound(Manifest.from_rows([{**rows[0], "end": 0.6}], root=tmp_path)) != before
    sound_file("a.wav", tone(440.0, seconds=2.0))
    assert fingerprint_of_sound(Manifest.from_rows(rows, root=tmp_path)) != before
