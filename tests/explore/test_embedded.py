"""An embeddings file in blocks is the same as the whole, and what is none is one sentence."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import auricle
from auricle.embedding import embed_manifest
from auricle.errors import AuricleError
from auricle.explore import embedded as module
from auricle.explore.embedded import Embedded
from auricle.manifest import Manifest
from auricle.neighbours import Scaling, scaled

from .files import embeddings_file, noise, vectors_of


def test_blocks_hold_all_rows_and_clips_come_in_the_order_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK_ROWS", 16)
    vectors = vectors_of(100)
    embedded = Embedded.open(embeddings_file(tmp_path / "e.parquet", vectors, label=list("ab" * 50)))
    assert (embedded.rows, embedded.dim, embedded.columns) == (100, 8, ("path", "label"))
    blocks = list(embedded.blocks())
    assert max(map(len, blocks)) == 16
    np.testing.assert_array_equal(np.concatenate(blocks), vectors)
    np.testing.assert_allclose(embedded.scaling().mean, Scaling.of(vectors).mean)
    assert embedded.clips([7, 99, 0, 7]).to_pylist() == [
        {"path": f"{row}.wav", "label": "ab"[row % 2]} for row in (7, 99, 0, 7)
    ]
    assert embedded.clips([]).num_rows == 0 and embedded.clips([]).column_names == ["path", "label"]
    assert embedded.clips().num_rows == 100


def test_a_file_is_opened_and_streams_by_without_being_held(tmp_path: Path) -> None:
    path, dim = tmp_path / "e.parquet", 64
    schema = pa.schema([("path", pa.string()), ("embedding", pa.list_(pa.float32(), dim))])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, 40_000, 2000):
            block = np.random.default_rng(start).normal(size=2000 * dim).astype(np.float32)
            lists = pa.FixedSizeListArray.from_arrays(pa.array(block), dim)
            writer.write_table(pa.table({"path": ["a"] * 2000, "embedding": lists}, schema=schema))
    code = f"""if True:
        from pyarrow import default_memory_pool
        from auricle.explore.embedded import Embedded
        embedded = Embedded.open({str(path)!r})
        print(default_memory_pool().max_memory())
        print(sum(map(len, embedded.blocks())), default_memory_pool().max_memory())"""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )  # a peak is a process's
    opened, rows, streamed = map(int, ran.stdout.split())
    assert rows == 40_000
    assert opened < 0.25 * path.stat().st_size
    assert streamed < 0.4 * path.stat().st_size


@pytest.mark.parametrize("most", [0, 10**9])
def test_units_are_the_same_in_memory_and_on_disk(most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEMORY_BYTES", most)
    vectors = vectors_of(50)
    with Embedded.open(embeddings_file(tmp_path / "e.parquet", vectors)).units() as units:
        assert isinstance(units, np.memmap) == (most == 0)
        np.testing.assert_allclose(units, scaled(vectors), atol=1e-6)


def test_the_root_is_as_given_else_as_said(tmp_path: Path) -> None:
    embedded = Embedded.open(embeddings_file(tmp_path / "e.parquet", vectors_of(5), root=Path("/field")))
    assert embedded.root() == Path("/field")
    assert embedded.root(Path("/elsewhere")) == Path("/elsewhere")


def test_the_encoder_is_found_by_its_name_and_another_one_is_refused(tmp_path: Path) -> None:
    embedded = Embedded.open(embeddings_file(tmp_path / "e.parquet", vectors_of(5)))
    assert embedded.encoder().name == "logmel-stats"
    with pytest.raises(AuricleError, match=r"was made with logmel-stats of fingerprint .*, but mfcc-stats has"):
        embedded.encoder("mfcc-stats")
    other = Embedded.open(embeddings_file(tmp_path / "o.parquet", vectors_of(5), fingerprint="0123456789abcdef"))
    with pytest.raises(AuricleError, match="of fingerprint 0123456789abcdef, but logmel-stats has"):
        other.encoder()


def test_an_encoder_of_ones_own_is_found_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run's encoder is called what its recipe is called, as are the random weights of that name."""
    monkeypatch.chdir(tmp_path)
    trained = auricle.load("byola-2020-512", seed=7)
    trained.save_pretrained("runs/forest/model")
    noise(tmp_path / "field" / "a.wav", 0)
    made = tmp_path / "e.parquet"
    manifest = Manifest.from_folder(tmp_path / "field")
    embed_manifest(auricle.load("runs/forest"), manifest, out=made, workers=1)
    assert embed_manifest(auricle.load("runs/forest/model"), manifest, out=made, workers=1).was_complete
    with pytest.raises(AuricleError, match=r"its model is runs/forest \w+, not byola-2020-512 \w+"):
        embed_manifest(auricle.load("byola-2020-512"), manifest, out=made, workers=1)
    monkeypatch.chdir("/")
    assert Embedded.open(made).encoder().weights_fingerprint == trained.weights_fingerprint
    shutil.move(tmp_path / "runs", tmp_path / "moved")
    with pytest.raises(AuricleError, match=r"was made with runs/forest of .*: give the same encoder with --model"):
        Embedded.open(made).encoder()
    assert Embedded.open(made).encoder(tmp_path / "moved" / "forest").name == "byola-2020-512"


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("/home/me/runs/forest", "runs/forest"),
        ("/home/me/runs/forest/model", "runs/forest"),
        ("/home/me/runs/forest/model/model.safetensors", "runs/forest"),
        ("/weights/AudioNTT2022.safetensors", "weights/AudioNTT2022.safetensors"),
        ("/model", "model"),
        ("byola-2022", "byola-2022"),
        ("hf:somebody/owls", "somebody/owls"),
        ("yamnet=/models/yamnet.h5", "made by hand"),
        ("", "made by hand"),  # of a file that does not say where its encoder was
    ],
)
def test_an_encoder_is_called_what_its_user_calls_it(place: str, said: str, tmp_path: Path) -> None:
    """As `auricle evaluate` calls it: by its place where it is one's own, else by its name."""
    table = pq.read_table(embeddings_file(tmp_path / "e.parquet", vectors_of(5)))
    pq.write_table(table.replace_schema_metadata({"model": "made by hand", "place": place}), tmp_path / "e.parquet")
    assert Embedded.open(tmp_path / "e.parquet").encoder_name == said


def test_what_is_no_embeddings_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(AuricleError, match="does not exist: expected an embeddings file"):
        Embedded.open(tmp_path / "no.parquet")
    (tmp_path / "text.parquet").write_text("no")
    with pytest.raises(AuricleError, match=r"text\.parquet cannot be read as Parquet: expected an embeddings file, as"):
        Embedded.open(tmp_path / "text.parquet")
    with pytest.raises(AuricleError, match="is a directory"):
        Embedded.open(tmp_path)
    pq.write_table(pa.table({"path": ["a"], "level": [1.0]}), tmp_path / "described.parquet")
    with pytest.raises(AuricleError, match="has no column `embedding`: expected what `auricle embed` writes"):
        Embedded.open(tmp_path / "described.parquet")
    with pytest.raises(AuricleError, match="holds no embeddings"):
        Embedded.open(embeddings_file(tmp_path / "e.parquet", np.zeros((0, 4))))
    pq.write_table(pa.table({"path": ["a", "b"], "embedding": [[1.0, 2.0], [1.0]]}), tmp_path / "ragged.parquet")
    with pytest.raises(AuricleError, match="lists of different lengths"):
        list(Embedded.open(tmp_path / "ragged.parquet").blocks())
    broken = embeddings_file(tmp_path / "n.parquet", np.array([[1.0, 2.0], [np.nan, 1.0]]))
    with pytest.raises(AuricleError, match="row 2 has an embedding that is not finite"):
        list(Embedded.open(broken).blocks())
