"""Clips are embedded once for all tasks over them, and what cannot be read is missing from its own task alone."""

from pathlib import Path

import numpy as np
import pytest
import torch

from auricle.embedding import EmbedProgress
from auricle.manifest import Manifest
from auricle.models import registry
from auricle.stages import Stages
from auricle.transfer.clip_sets import clip_sets, embed
from auricle.transfer.contestants import Contestant
from auricle.transfer.task import Task

ROWS = [
    {"path": "a.wav", "label": "x", "split": "train"},
    {"path": "b.wav", "label": "y", "split": "valid"},
    {"path": "c.wav", "label": "x", "split": "test"},
]


@pytest.fixture
def root(tmp_path: Path, sound_file, tone) -> Path:
    """A folder of three clips and a manifest of them."""
    for name, hertz in (("a.wav", 300.0), ("b.wav", 400.0), ("c.wav", 500.0)):
        sound_file(name, tone(hertz, seconds=0.3))
    Manifest.from_rows(ROWS, root=tmp_path).write(tmp_path / "task.csv")
    return tmp_path


def test_tasks_over_the_same_clips_share_them_in_any_order(root: Path) -> None:
    def task(name: str, *numbers: int) -> Task:
        return Task(name=name, title=name, manifest=Manifest.from_rows([ROWS[n] for n in numbers], root=root))

    (one,) = clip_sets([task("few", 2, 0), task("all", 0, 1, 2)])
    assert one.name == "all"
    assert {name: rows.tolist() for name, rows in one.rows.items()} == {"all": [0, 1, 2], "few": [2, 0]}
    assert [clips.name for clips in clip_sets([task("left", 0, 1), task("right", 1, 2)])] == ["left", "right"]


def test_a_clip_that_cannot_be_read_is_left_out_of_its_task_alone(root: Path) -> None:
    (root / "b.wav").write_bytes(b"broken")
    task = Task(name="task", title="task", manifest=Manifest.read(root / "task.csv"))
    (clips,) = clip_sets([task])
    encoder = Contestant.find("logmel-stats")
    told: list[EmbedProgress] = []
    embedded = embed(Stages(root / "stages"), encoder, clips, device=torch.device("cpu"), progress=told.append)
    rows, vectors = embedded.of(task)
    assert rows.tolist() == [0, 2]
    expected = [registry.load("logmel-stats").embed(root / name) for name in ("a.wav", "c.wav")]
    np.testing.assert_allclose(vectors, expected, rtol=1e-4, atol=1e-4)
    assert told[-1].rejected == 1
