"""What other programs read: pandas reads the Parquet, and the rows of TensorBoard's tables are the embeddings."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import NearestNeighbors

from auricle.errors import AuricleError
from auricle.explore.embedded import Embedded
from auricle.explore.exports import export, for_embedding_atlas, for_tensorboard
from auricle.neighbours import scaled

from .files import embeddings_file, vectors_of


def test_embedding_atlas_gets_places_and_neighbours_by_row_number(tmp_path: Path) -> None:
    vectors = vectors_of(60)
    path = embeddings_file(tmp_path / "e.parquet", vectors, label=["a", "b"] * 30, split=["train"] * 60)
    told: list[tuple[str, float]] = []
    report = lambda what, share: told.append((what, share))  # noqa: E731
    for_embedding_atlas(Embedded.open(path), tmp_path / "atlas.parquet", method="pca", k=5, report=report)
    assert told[-1] == ("laying out", 1.0)  # nothing is left standing half done
    table = pd.read_parquet(tmp_path / "atlas.parquet")
    assert list(table.columns) == ["path", "label", "split", "projection_x", "projection_y", "neighbors"]
    assert np.isfinite(table[["projection_x", "projection_y"]].to_numpy()).all()
    model = NearestNeighbors(n_neighbors=5, metric="cosine", algorithm="brute").fit(scaled(vectors))
    distances, rows = model.kneighbors()
    for row, near in enumerate(table["neighbors"]):
        assert near["ids"].tolist() == [row, *rows[row]]
        np.testing.assert_allclose(near["distances"], [0.0, *distances[row]], atol=1e-5)


def test_tensorboard_gets_vectors_names_and_a_configuration(tmp_path: Path) -> None:
    vectors = vectors_of(30)
    names = ["a\tb.wav", "c\nd.wav", *[f"{row}.wav" for row in range(28)]]
    path = embeddings_file(tmp_path / "e.parquet", vectors, path=names, labels=[["x", "y"], []] * 15, level=[None] * 30)
    said = export(path, tmp_path / "log", program="tensorboard")
    assert f"tensorboard --logdir {tmp_path / 'log'}" in said
    np.testing.assert_allclose(np.loadtxt(tmp_path / "log" / "vectors.tsv", delimiter="\t"), vectors, rtol=1e-5)
    lines = (tmp_path / "log" / "metadata.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[:3] == ["path\tlabels\tlevel", "a b.wav\tx;y\t", "c d.wav\t\t"] and len(lines) == 31
    configuration = (tmp_path / "log" / "projector_config.pbtxt").read_text(encoding="utf-8")
    assert dict(re.findall(r'(\w+): "(.*)"', configuration)) == {
        "tensor_name": "logmel-stats",
        "tensor_path": "vectors.tsv",
        "metadata_path": "metadata.tsv",
    }


def test_a_single_column_has_no_line_of_names_for_tensorboard_takes_it_for_a_clip(tmp_path: Path) -> None:
    for_tensorboard(Embedded.open(embeddings_file(tmp_path / "e.parquet", vectors_of(7))), tmp_path / "log")
    assert (tmp_path / "log" / "metadata.tsv").read_text().splitlines() == [f"{row}.wav" for row in range(7)]


def test_mistakes_are_one_sentence(tmp_path: Path) -> None:
    path = embeddings_file(tmp_path / "e.parquet", vectors_of(7))
    with pytest.raises(AuricleError, match=r"reads Parquet: give --out FILE\.parquet, not atlas\.csv"):
        export(path, Path("atlas.csv"), program="embedding-atlas")
    with pytest.raises(AuricleError, match="k is 0"):
        export(path, tmp_path / "a.parquet", program="embedding-atlas", k=0)
    few = embeddings_file(tmp_path / "few.parquet", vectors_of(3))
    with pytest.raises(AuricleError, match="at least 5 clips, got 3"):
        export(few, tmp_path / "a.parquet", program="embedding-atlas")
