"""An index finds nearly what an exact search finds, and is one of the file as it is now."""

import sys
from pathlib import Path

import numpy as np
import pytest

from auricle.errors import AuricleError
from auricle.explore.embedded import Embedded
from auricle.explore.index import GRAPH_FILE, default_folder, open_index
from auricle.explore.search import ExactFinder

from .files import embeddings_file, vectors_of

usearch = pytest.importorskip("usearch", reason="usearch is not installed (extra `search`)")


def test_its_recall_is_above_98_of_a_hundred(tmp_path: Path) -> None:
    vectors = vectors_of(6000, 32, kinds=40)
    embedded = Embedded.open(embeddings_file(tmp_path / "e.parquet", vectors))
    shares: list[float] = []
    finder = open_index(embedded, report=lambda what, share: shares.append(share))
    queries = vectors_of(200, 32, kinds=40, seed=0) + 0.1
    exact, found = ExactFinder.of(embedded)(queries, 10), finder(queries, 10)
    hits = [len(set(one) & set(other)) for one, other in zip(exact.rows, found.rows, strict=True)]
    assert sum(hits) / exact.rows.size >= 0.98
    np.testing.assert_allclose(found.similarity[:, 0], exact.similarity[:, 0], atol=2e-3)
    assert shares[-1] == 1.0


def test_it_is_kept_and_built_again_when_the_file_has_changed(tmp_path: Path) -> None:
    vectors = vectors_of(50)
    embedded = Embedded.open(embeddings_file(tmp_path / "e.parquet", vectors))
    open_index(embedded)
    graph = default_folder(embedded) / GRAPH_FILE
    assert graph.parent == tmp_path / "e.index"
    built = graph.stat().st_mtime_ns
    assert open_index(embedded)(vectors[:3], 1).rows.ravel().tolist() == [0, 1, 2]
    assert graph.stat().st_mtime_ns == built
    changed = Embedded.open(embeddings_file(tmp_path / "e.parquet", vectors[::-1]))
    assert open_index(changed)(vectors[:3], 1).rows.ravel().tolist() == [49, 48, 47]
    assert graph.stat().st_mtime_ns != built
    graph.write_bytes(b"damaged")
    assert open_index(changed)(vectors[:1], 1).rows.ravel().tolist() == [49]


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    embedded = Embedded.open(embeddings_file(tmp_path / "e.parquet", vectors_of(10)))
    with pytest.raises(AuricleError, match="holds something else than an index"):
        open_index(embedded, tmp_path)


def test_without_the_extra_it_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    embedded = Embedded.open(embeddings_file(tmp_path / "e.parquet", vectors_of(10)))
    with pytest.raises(AuricleError, match=r'pip install "auricle\[search\]"; or give --exact'):
        open_index(embedded)
    assert not default_folder(embedded).exists()
