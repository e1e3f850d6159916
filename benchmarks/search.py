"""What a search by sound finds, by the scaling of embeddings; and what it needs, of a file of a million rows.

    auricle embed yamnet ESC-50.csv --out esc50.parquet         (a manifest with labels and folds)
    python benchmarks/search.py esc50.parquet --label label --apart fold
    python benchmarks/search.py --rows 1000000 --dim 256
    python benchmarks/search.py --quick

Of embeddings files: every clip is a query, and the share of the 10 nearest clips that have its label is averaged; clips
with the same value in the column --apart (fold, speaker, instrument) do not count as found, for they may be of one
recording. Compared are raw embeddings, centred ones, those divided by the root of their deviation (as `auricle search`
does), by the deviation itself, and whitened ones.

If usearch is there an index is built too, and its recall printed: the share of the exact 10 nearest that it finds.

Of --rows: a file of that many random rows is written, then ten queries are compared with all of them. Printed are
seconds and the growth of the process's memory.

The last line is JSON: `precision` (one number per scaling, averaged over files), `seconds`, `peak_gb`, `file_gb`,
`recall`; what was not measured is null.
"""

import argparse
import importlib.util
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from auricle.explore.embedded import Embedded
from auricle.explore.index import open_index
from auricle.explore.search import ExactFinder
from auricle.neighbours import scaled, whitened

K = 10
WRITTEN_ROWS = 10_000  # at a time


def units(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(length > 0, length, 1)).astype(np.float32)


def spaces(vectors: np.ndarray) -> dict[str, np.ndarray]:
    """The same embeddings, made comparable in five ways."""
    centred = vectors - vectors.mean(axis=0)
    deviation = centred.std(axis=0)
    return {
        "raw": units(vectors),
        "centred": units(centred),
        "scaled": scaled(vectors),
        "standardised": units(centred / np.maximum(deviation, 1e-6 * deviation.max())),
        "whitened": whitened(vectors),
    }


def precision(vectors: np.ndarray, labels: np.ndarray, apart: np.ndarray) -> dict[str, float]:
    """The share of the K nearest, of those that count, with the query's label."""
    shares = {}
    for name, space in spaces(vectors).items():
        hits = []
        for start in range(0, len(space), 1000):
            block = slice(start, start + 1000)
            similarity = space[block] @ space.T
            similarity[apart[block, None] == apart[None]] = -np.inf
            nearest = np.argpartition(-similarity, K, axis=1)[:, :K]
            hits.append((labels[nearest] == labels[block, None]).mean(axis=1))
        shares[name] = float(np.concatenate(hits).mean())
    return shares


def recall_of(embedded: Embedded) -> float | None:
    """The share of the K nearest of 500 rows, at most, that an index finds; None without usearch."""
    if not importlib.util.find_spec("usearch"):
        return None
    queries = np.concatenate(list(embedded.blocks()))[:: -(-embedded.rows // 500)]
    with tempfile.TemporaryDirectory() as folder:
        found = open_index(embedded, Path(folder))(queries, K)
    exact = ExactFinder.of(embedded)(queries, K)
    shared = [len(set(one) & set(other)) for one, other in zip(exact.rows, found.rows, strict=True)]
    return sum(shared) / exact.rows.size


def of_files(paths: list[Path], label: str, apart: str) -> tuple[dict[str, float], float | None]:
    """Precision and recall for each file, printed; and their means over files."""
    found, recalls = [], []
    for path in paths:
        embedded = Embedded.open(path)
        clips = embedded.clips()
        columns = (np.array([str(value) for value in clips.column(name).to_pylist()]) for name in (label, apart))
        found.append(precision(np.concatenate(list(embedded.blocks())), *columns))
        model = embedded.metadata.get("model", path.stem)
        print(f"{model:20s} {embedded.rows:,} clips  " + "  ".join(f"{k} {v:.1%}" for k, v in found[-1].items()))
        recall = recall_of(embedded)
        if recall is not None:
            recalls.append(recall)
            print(f"{'':20s} recall of an index {recall:.2%}")
    means = {name: float(np.mean([shares[name] for shares in found])) for name in found[0]}
    return means, float(np.mean(recalls)) if recalls else None


def of_rows(rows: int, dim: int) -> dict[str, float]:
    """Seconds and memory of a search among random rows of a thousand kinds."""
    generator = np.random.default_rng(0)
    kinds = generator.normal(size=(1000, dim)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        schema = pa.schema([("path", pa.string()), ("embedding", pa.list_(pa.float32(), dim))])
        with pq.ParquetWriter(path, schema) as writer:
            for start in range(0, rows, WRITTEN_ROWS):
                count = min(WRITTEN_ROWS, rows - start)
                block = kinds[generator.integers(0, len(kinds), count)] + generator.normal(size=(count, dim))
                lists = pa.FixedSizeListArray.from_arrays(pa.array(block.astype(np.float32).reshape(-1)), dim)
                names = [f"{row}.wav" for row in range(start, start + count)]
                writer.write_table(pa.table({"path": names, "embedding": lists}, schema=schema))
        queries = kinds[:10] + generator.normal(size=(10, dim)).astype(np.float32)
        embedded, before = Embedded.open(path), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        clock = time.perf_counter()
        ExactFinder.of(embedded)(queries, K)
        seconds = time.perf_counter() - clock
        peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e6
        size = path.stat().st_size / 1e9
        print(f"{rows:,} rows of {dim}, {size:.2f} GB: exact in {seconds:.1f} s, {peak:.2f} GB more memory")
    return {"seconds": seconds, "peak_gb": peak, "file_gb": size}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="*", help="embeddings files with labels")
    parser.add_argument("--label", default="label", help="the column of labels")
    parser.add_argument("--apart", default="fold", help="the column whose equal values do not count as found")
    parser.add_argument("--rows", type=int, default=0, help="write and search a file of so many rows")
    parser.add_argument("--dim", type=int, default=256, help="their length")
    parser.add_argument("--quick", action="store_true", help="a tiny problem, to see that it runs")
    options = parser.parse_args()
    said: dict[str, object] = {"precision": None, "seconds": None, "peak_gb": None, "file_gb": None, "recall": None}
    if options.quick:
        generator = np.random.default_rng(0)
        vectors = generator.normal(size=(60, 8)).astype(np.float32)
        said["precision"] = precision(vectors, np.arange(60) % 3, np.arange(60))
        options.rows, options.dim = 500, 16
    if options.files:
        said["precision"], said["recall"] = of_files(options.files, options.label, options.apart)
    if options.rows:
        said |= of_rows(options.rows, options.dim)
    print(json.dumps(said))


if __name__ == "__main__":
    main()
