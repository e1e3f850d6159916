"""Clips are embedded once for all tasks over them, and what cannot be read is missing from its own task alone."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
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


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_laying_out_embeddings_takes_no_more_memory_for_more_of_them(tmp_path: Path) -> None:
    dim, group = 1024, 4000  # 16 MB in a row group, as embedding in bulk writes them
    peaks = []
    for groups in (2, 12):
        file = tmp_path / f"{groups}.parquet"
        vector = pa.list_(pa.float32(), dim)
        with pq.ParquetWriter(file, pa.schema([("clip", pa.int64()), ("embedding", vector)])) as writer:
            for number in range(groups):
                values = np.random.default_rng(number).random(group * dim, dtype=np.float32)
                clips = np.arange(number * group, (number + 1) * group)
                columns = [pa.array(clips), pa.FixedSizeListArray.from_arrays(pa.array(values), dim)]
                writer.write_table(pa.table(columns, schema=writer.schema))
        script = (
            "import re, threading, time\nfrom pathlib import Path\nfrom auricle.transfer.clip_sets import lay_out\n"
            "status = Path('/proc/self/status')\n"
            "anonymous = lambda: int(re.search(r'RssAnon:\\s+(\\d+)', status.read_text())[1]) / 1024\n"
            f"before, seen, folder = anonymous(), [0], Path({str(tmp_path)!r})\n"
            "def watch():\n    while True:\n        seen[0] = max(seen[0], anonymous())\n        time.sleep(0.002)\n"
            "threading.Thread(target=watch, daemon=True).start()\n"
            f"lay_out(folder / '{groups}.parquet', vectors=folder / 'v.npy', clips=folder / 'c.npy')\n"
            "print(seen[0] - before)"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        peaks.append(float(done.stdout))
        assert len(np.load(tmp_path / "v.npy", mmap_mode="r")) == groups * group
    # 160 MB more of embeddings; the allocator's moods are below 60 MB.
    assert peaks[1] - peaks[0] < 60
