"""Memory that probes take: a large table of embeddings on disk, every configuration and seed of a protocol at once.

    python benchmarks/probe_memory.py [--quick] [--protocol auricle] [--clips 200000] [--dim 3072] [--folder /scratch]

The table (2.5 GB) is written to a folder of its own, below `--folder` where that is given, and deleted at the end.
Training is cut to `--epochs`, which changes how long it takes and not what is in memory: weights, their best and their
momenta, one batch of each seed and the outputs for the validation part are the same in every epoch. Everything else is
as `auricle evaluate` does it: five seeds, nine configurations each, predictions, bootstrap. In the peak of the resident
memory those pages of the table count too that the system holds in memory although it could let go of them.

The last line is JSON: `peak_gb`, the peak of this process's resident memory, and `table_gb` (both 10⁹ bytes).
"""

import argparse
import dataclasses
import json
import resource
import sys
import tempfile
from pathlib import Path

import numpy as np

from auricle.manifest import Manifest
from auricle.transfer import evaluate
from auricle.transfer.protocols import PROTOCOLS

ROWS = 2_000  # written at a time
PARTS = ("train", "train", "train", "train", "train", "train", "train", "train", "valid", "test")


def write_table(path: Path, *, clips: int, dim: int, classes: int) -> None:
    """Embeddings whose class can be learnt, ``(clips, dim)`` float32, a few rows in memory at a time."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(classes, dim)).astype(np.float32)
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(clips, dim))
    for start in range(0, clips, ROWS):
        rows = np.arange(start, min(start + ROWS, clips))
        array[rows] = 0.1 * centres[rows % classes] + rng.standard_normal((len(rows), dim), dtype=np.float32)
    array.flush()


def labels(clips: int, classes: int) -> Manifest:
    """The clips of the table: eight tenths train, one selects, one tests."""
    table = [
        {"path": f"{row}.wav", "label": f"class {row % classes:02d}", "split": PARTS[row // classes % len(PARTS)]}
        for row in range(clips)
    ]
    return Manifest.from_rows(table, root=Path())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small table, to see that it runs")
    parser.add_argument("--protocol", default="auricle", choices=PROTOCOLS)
    parser.add_argument("--clips", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=3072)
    parser.add_argument("--classes", type=int, default=35)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where to write the table, if not in the usual temporary folder")
    given = parser.parse_args()
    if given.quick:
        given.clips, given.dim, given.classes = 2_000, 64, 5
    settings = dataclasses.replace(PROTOCOLS[given.protocol].settings, epochs=given.epochs)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        path = Path(folder) / "embeddings.npy"
        write_table(path, clips=given.clips, dim=given.dim, classes=given.classes)
        found = evaluate(
            np.load(path, mmap_mode="c"),
            labels(given.clips, given.classes),
            task="memory",
            model="normal noise",
            protocol=given.protocol,
            settings=settings,
        )
        table = path.stat().st_size
    score = next(row for row in found.results if row.is_summary)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(f"{given.clips:,} clips × {given.dim:,} dimensions, {given.classes} classes, {score.protocol}")
    print(f"{score.metric} {score.value:.3f} [{score.ci_low:.3f}, {score.ci_high:.3f}]")
    print(f"table {table / 1e9:.2f} GB, peak of resident memory {peak / 1e9:.2f} GB")
    print(json.dumps({"peak_gb": round(peak / 1e9, 3), "table_gb": round(table / 1e9, 3)}))


if __name__ == "__main__":
    main()
