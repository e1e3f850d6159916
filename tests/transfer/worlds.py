"""Embeddings of which it is known what they are good for, and the manifests that go with them."""

from pathlib import Path

import numpy as np

from auricle.manifest import Manifest


def clips(labels: np.ndarray, **columns: np.ndarray) -> Manifest:
    """One clip per label, with further columns."""
    rows = [
        {"path": f"{row}.wav", "label": str(label), **{name: values[row].item() for name, values in columns.items()}}
        for row, label in enumerate(labels)
    ]
    return Manifest.from_rows(rows, root=Path())


def blobs(n: int = 400, classes: int = 4, noise: float = 1.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings (n, 10), normal around the centre of their class, and the classes."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=n)
    x = rng.normal(size=(classes, 10))[labels] + noise * rng.normal(size=(n, 10))
    return x.astype(np.float32), labels
