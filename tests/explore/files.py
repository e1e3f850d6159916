"""Embeddings files and sounds that tests of searches share."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

from auricle.embedding.file import Job
from auricle.models.registry import load

RATE = 16_000


def embeddings_file(out: Path, vectors: np.ndarray, *, root: Path | None = None, **columns: Any) -> Path:
    """Write `vectors` as `auricle embed logmel-stats` would, whatever they are; by default of 0.wav, 1.wav, …"""
    model = load("logmel-stats")
    names = columns.pop("path", [f"{row}.wav" for row in range(len(vectors))])
    job = Job(
        model=model.name,
        weights_fingerprint=columns.pop("fingerprint", model.weights_fingerprint),
        manifest_fingerprint="",
        root=str(root or out.parent),
        window=columns.pop("window", None),
        hop=columns.pop("hop", None),
        frames=columns.pop("frames", False),
        precision="float32",
        sample_rate=RATE,
        embedding_dim=vectors.shape[1],
    )
    lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors.astype(np.float32).reshape(-1)), vectors.shape[1])
    table = pa.table({"path": names, **columns, "embedding": lists})
    pq.write_table(table.replace_schema_metadata(job.metadata()), out)
    return out


def vectors_of(rows: int, dim: int = 8, *, kinds: int = 6, seed: int = 0) -> np.ndarray:
    """Embeddings of a few kinds of things, away from the origin, of dimensions that differ in their spread."""
    generator = np.random.default_rng(seed)
    centres = 2 * generator.normal(size=(kinds, dim))
    kind = np.arange(rows) % kinds
    return ((centres[kind] + generator.normal(size=(rows, dim))) * np.linspace(0.5, 3, dim) + 5).astype(np.float32)


def noise(path: Path, seed: int, *, seconds: float = 1.0, gain: float = 1.0) -> Path:
    """Noise with a spectrum and a course of its own, as a file; the same seed is the same recording."""
    generator = np.random.default_rng(seed)
    samples = np.convolve(generator.normal(size=round(seconds * RATE)), generator.normal(size=40), "same")
    samples *= np.repeat(generator.uniform(0.1, 1, 20), len(samples) // 20 + 1)[: len(samples)]
    samples *= 0.3 * gain / np.abs(samples).max()
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, RATE)
    return path
