"""Embeddings on disk stay there: what a probe needs of memory is what it learns from at a time."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROBING = """
import sys
import threading, time
from pathlib import Path
import numpy as np
from auricle.manifest import Manifest
from auricle.transfer import ProbeSettings, evaluate

def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024

path, rows = sys.argv[1], int(sys.argv[2])
x = np.load(path, mmap_mode="r")
labels = np.arange(rows) % 5
part = np.array(["train", "train", "train", "valid", "test"])[np.arange(rows) // 5 % 5]
columns = [{"path": f"{n}.wav", "split": str(part[n]), "label": str(labels[n])} for n in range(rows)]
manifest = Manifest.from_rows(columns, root=Path())
settings = ProbeSettings(
    epochs=1, learning_rate=(1e-3, 1e-2), standardise=True, early_stopping=2, batch_size=256
)
evaluate(x[:500], manifest.select(range(500)), task="t", model="m", settings=settings, seeds=[0])
before, peak = anonymous(), 0.0

done = threading.Event()
def watch():
    global peak
    while not done.is_set():
        peak = max(peak, anonymous())
        time.sleep(0.002)
watcher = threading.Thread(target=watch)
watcher.start()
evaluate(x, manifest, task="t", model="m", settings=settings, seeds=[0], replicates=20)
done.set()
watcher.join()
print(peak - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="memory is read from /proc")
def test_embeddings_on_disk_are_not_taken_into_memory(tmp_path: Path) -> None:
    rows, dim = 100_000, 1024  # what does not grow with the table is then a small part of it
    path = tmp_path / "vectors.npy"
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(rows, dim))
    rng = np.random.default_rng(0)
    for start in range(0, rows, 4000):
        array[start : start + 4000] = rng.normal(size=(4000, dim))
    array.flush()
    del array
    command = [sys.executable, "-c", PROBING, str(path), str(rows)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    grown = float(done.stdout)
    size = rows * dim * 4 / 2**20
    assert size > 390
    assert grown < size / 2, f"{grown:.0f} MiB for embeddings of {size:.0f} MiB"
