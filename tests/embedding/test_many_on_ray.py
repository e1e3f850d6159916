"""A hundred thousand short real files through Ray with processes killed: nightly, for it takes a quarter of an hour."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
import soundfile

from auricle import audio
from auricle.embedding import EmbedProgress, embed_manifest, read_embeddings
from auricle.embedding.on_ray import embed_on_ray
from auricle.manifest import Manifest
from auricle.models.registry import load

from .sounds import RATE, actors

FILES = int(os.environ.get("AURICLE_MANY_FILES", "100000"))
PIECE_SECONDS = 0.4
SOURCES = ("speech_commands", "nsynth", "VCTK-Corpus-0.92", "unlabelled", "ESC-50-master")
KILLS = {"EncoderActor": 0.2, "DecoderActor": 0.5}  # after which share of the files
COMPARED = 2000  # rows, from the start, with a job without Ray


def short_real_files(data: Path, folder: Path) -> None:
    """Pieces of real recordings, until there are enough."""
    written = 0
    for path in (path for source in SOURCES for path in audio.find(data / source)):
        sound = audio.read(path, sample_rate=RATE)
        for piece in np.split(sound, range(round(PIECE_SECONDS * RATE), len(sound), round(PIECE_SECONDS * RATE))):
            place = folder / f"{written // 1000:04d}"
            place.mkdir(exist_ok=True)
            soundfile.write(place / f"{written % 1000:03d}.wav", piece, RATE)
            written += 1
            if written == FILES:
                return
    raise AssertionError(f"the real data gave {written} pieces only")


@pytest.mark.slow
def test_a_hundred_thousand_short_real_files(
    nightly: bool, announce: Callable[[str], None], real_data: Path, tmp_path: Path
) -> None:
    if not nightly:
        pytest.skip("takes a quarter of an hour: pytest --nightly tests/embedding/test_many_on_ray.py")
    if not real_data.is_dir():
        pytest.skip(f"real audio is not at {real_data}; set AURICLE_DATA")
    (tmp_path / "field").mkdir()
    short_real_files(real_data, tmp_path / "field")
    manifest = Manifest.from_folder(tmp_path / "field")
    out = tmp_path / "o.parquet"
    killed: list[str] = []
    peak = 0.0

    def kill(progress: EmbedProgress) -> None:
        nonlocal peak
        for kind, share in KILLS.items():
            if progress.done >= share * FILES and kind not in killed:
                [process] = actors(kind)
                process.kill()
                killed.append(kind)
        peak = max(peak, psutil.Process().memory_info().rss / 2**20)

    start = time.monotonic()
    summary = embed_on_ray(load("logmel-stats"), manifest, address="local", out=out, progress=kill)
    seconds = time.monotonic() - start
    assert sorted(killed) == sorted(KILLS)
    assert summary.rows + summary.rejected == len(manifest) == FILES
    found = pq.read_table(out, columns=["path"]).column("path").to_pylist()
    there = set(found)
    assert len(there) == summary.rows
    assert found == [path for path in manifest.column("path") if path in there]
    first = tmp_path / "first.parquet"
    few = Manifest(manifest.table.slice(0, COMPARED), manifest.root)
    embed_manifest(load("logmel-stats"), few, out=first, workers=1)
    table, vectors = read_embeddings(first)
    others, all_vectors = read_embeddings(out)
    assert table.column("path").to_pylist() == others.column("path").to_pylist()[: len(table)]
    assert np.allclose(vectors, all_vectors[: len(vectors)], rtol=1e-5, atol=1e-5)
    announce(
        f"{summary.rows:,} rows and {summary.rejected} rejected of {FILES:,} files, {len(killed)} processes killed, "
        f"{seconds:,.0f} s, driver at most {peak:,.0f} MB"
    )
