"""A search by sound finds what scikit-learn finds, in files that stream by."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sklearn.neighbors import NearestNeighbors

from auricle import audio
from auricle.embedding import embed_manifest
from auricle.errors import AuricleError
from auricle.explore import embedded as module
from auricle.explore.embedded import Embedded
from auricle.explore.search import Queries, embed_queries, search
from auricle.inputs import manifest_of
from auricle.manifest import Manifest
from auricle.models.registry import load
from auricle.neighbours import scaled

from .files import RATE, embeddings_file, noise, vectors_of


def queries_of(vectors: np.ndarray, owner: list[int] | None = None) -> Queries:
    numbers = np.array(owner if owner is not None else range(len(vectors)))
    names = [f"q{number}" for number in range(numbers.max() + 1)]
    return Queries(names, vectors.astype(np.float32), numbers, [(Path(name), None, None) for name in names])


def test_the_nearest_are_those_of_scikit_learn_in_scaled_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_ROWS", 32)
    vectors = vectors_of(300)
    embedded = Embedded.open(embeddings_file(tmp_path / "e.parquet", vectors, label=[str(n % 6) for n in range(300)]))
    table = search(embedded, queries_of(vectors[[3, 40, 41]]), 5)
    units = scaled(vectors)
    model = NearestNeighbors(n_neighbors=5, metric="cosine", algorithm="brute").fit(units)
    distances, rows = model.kneighbors(units[[3, 40, 41]])
    assert table.column_names == ["query", "rank", "similarity", "path", "label"]
    assert table.column("path").to_pylist() == [f"{row}.wav" for row in rows.ravel()]
    assert table.column("label").to_pylist() == [str(row % 6) for row in rows.ravel()]
    np.testing.assert_allclose(table.column("similarity"), 1 - distances.ravel(), atol=1e-5)
    assert table.column("query").to_pylist() == ["q0"] * 5 + ["q1"] * 5 + ["q2"] * 5
    assert table.column("rank").to_pylist() == [1, 2, 3, 4, 5] * 3


def test_a_query_of_several_windows_is_as_near_as_its_nearest_window(tmp_path: Path) -> None:
    vectors = vectors_of(60)
    embedded = Embedded.open(embeddings_file(tmp_path / "e.parquet", vectors))
    table = search(embedded, queries_of(vectors[[10, 20]], owner=[0, 0]), 6)
    units = scaled(vectors)
    best = (units @ units[[10, 20]].T).max(axis=1)
    assert table.column("path").to_pylist() == [f"{row}.wav" for row in np.argsort(-best, kind="stable")[:6]]


def test_a_small_file_gives_all_its_clips(tmp_path: Path) -> None:
    embedded = Embedded.open(embeddings_file(tmp_path / "e.parquet", vectors_of(3)))
    assert search(embedded, queries_of(vectors_of(1)), 10).num_rows == 3
    with pytest.raises(AuricleError, match="k is 0: expected 1 or more"):
        search(embedded, queries_of(vectors_of(1)), 0)


@pytest.fixture
def field(tmp_path: Path) -> Path:
    for seed in range(8):
        noise(tmp_path / "field" / f"{seed}.wav", seed)
    return tmp_path / "field"


@pytest.mark.parametrize("window", [None, 0.25])
def test_queries_are_embedded_as_the_rows_were(window: float | None, field: Path, tmp_path: Path) -> None:
    model = load("logmel-stats")
    out = tmp_path / "field.parquet"
    embed_manifest(model, manifest_of([field]), out=out, window=window, workers=1)
    embedded = Embedded.open(out)
    query = manifest_of([noise(tmp_path / "again.wav", 5), field / "2.wav"])
    table = search(embedded, embed_queries(embedded, model, query), 1)
    assert table.column("path").to_pylist() == ["5.wav", "2.wav"]
    np.testing.assert_allclose(table.column("similarity"), 1.0, atol=1e-4)
    part = Manifest.from_rows([{"path": "7.wav", "start": 0.25, "end": 0.5}], root=field)
    queries = embed_queries(embedded, model, part)
    assert queries.names == [f"{field / '7.wav'} 0.25–0.5 s"] and len(queries.vectors) == 1
    if window is not None:
        assert search(embedded, queries, 1).select(["path", "start", "end"]).to_pylist() == [
            {"path": "7.wav", "start": 0.25, "end": 0.5}
        ]


def test_frames_and_broken_queries_are_one_sentence(field: Path, tmp_path: Path) -> None:
    model = load("logmel-stats")
    frames = Embedded.open(embeddings_file(tmp_path / "f.parquet", vectors_of(5), frames=True))
    with pytest.raises(AuricleError, match="holds frames: search among clips or windows"):
        embed_queries(frames, model, manifest_of([field / "0.wav"]))
    clips = Embedded.open(embeddings_file(tmp_path / "e.parquet", vectors_of(5)))
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    with pytest.raises(AuricleError, match=r"1 of 2 queries cannot be read: .*broken\.wav"):
        embed_queries(clips, model, manifest_of([field / "0.wav", tmp_path / "broken.wav"]))
    with pytest.raises(AuricleError, match=r"the queries have 192 dimensions, the rows of .* have 8"):
        search(clips, embed_queries(clips, model, manifest_of([field / "0.wav"])), 1)


@pytest.mark.real
def test_softer_mp3s_of_real_clips_find_them(real_data: Path, tmp_path: Path) -> None:
    folder = real_data / "ESC-50-master" / "audio"
    files = audio.find(folder)[::80]
    model, out = load("logmel-stats"), tmp_path / "esc.parquet"
    embed_manifest(model, manifest_of(files), out=out, workers=1)
    embedded = Embedded.open(out)
    copies = []
    for file in files[::4]:
        coded = io.BytesIO()
        samples = 0.7 * audio.read(file, sample_rate=RATE)
        soundfile.write(coded, samples, RATE, format="MP3", subtype="MPEG_LAYER_III")
        copies.append(tmp_path / f"{file.stem}.mp3")
        copies[-1].write_bytes(coded.getvalue())
    table = search(embedded, embed_queries(embedded, model, manifest_of(copies)), 3)
    first = [row for row in table.to_pylist() if row["rank"] == 1]
    right = [Path(row["query"]).stem == Path(row["path"]).stem for row in first]
    assert len(right) == 7 and sum(right) >= 6, first
