"""Embedding on a real Ray cluster of this machine: the file of a job without Ray, also when processes are killed."""

import http.server
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import soundfile

from auricle.embedding import EmbedProgress, cluster, embed_manifest, on_ray
from auricle.embedding.cluster import connected
from auricle.embedding.on_ray import embed_on_ray
from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.models.registry import load

from .sounds import RATE, actors, excerpts, folder_of_sounds, noise
from .test_memory import recording

BATCH = 2.0  # seconds, so that there are many pools
STARTS = 5  # on a busy machine Ray gives up starting after half a minute


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """A cluster with room for one encoder and its decoder, to which this process is connected."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray = pytest.importorskip("ray")
    for left in reversed(range(STARTS)):
        try:
            ray.init(num_cpus=2, object_store_memory=200 << 20, include_dashboard=False, log_to_driver=False)
            break
        except Exception:
            ray.shutdown()
            if not left:
                raise
    yield ray
    ray.shutdown()


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    folder = folder_of_sounds(tmp_path_factory.mktemp("field"), 150)
    soundfile.write(folder / "0070-long.wav", noise(70.0), RATE)
    (folder / "0005-broken.wav").write_bytes(b"RIFF")
    return Manifest.from_folder(folder)


@pytest.fixture(scope="module")
def undisturbed(field: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "o.parquet"
    embed_manifest(load("logmel-stats"), field, out=out, workers=1, batch_seconds=BATCH)
    return out


def same(out: Path, undisturbed: Path) -> bool:
    """Rows, their order, every value, and what was rejected."""
    rejected = [path.with_suffix(".rejected.csv").read_text() for path in (out, undisturbed)]
    return pq.read_table(out).equals(pq.read_table(undisturbed)) and rejected[0] == rejected[1]


@pytest.mark.slow
def test_killed_encoders_and_decoders_lose_nothing_and_double_nothing(
    ray: Any, field: Manifest, undisturbed: Path, tmp_path: Path
) -> None:
    killed = []

    def kill(progress: EmbedProgress) -> None:
        for kind, when in (("EncoderActor", 20), ("DecoderActor", 80)):
            if progress.done >= when and kind not in killed:
                [process] = actors(kind)
                process.kill()
                killed.append(kind)

    summary = embed_on_ray(
        load("logmel-stats"), field, address="auto", out=tmp_path / "o.parquet", batch_seconds=BATCH, progress=kill
    )
    assert killed == ["EncoderActor", "DecoderActor"]
    assert (summary.rows, summary.clips, summary.rejected) == (151, 152, 1)
    assert same(tmp_path / "o.parquet", undisturbed)
    assert not (tmp_path / "o.parquet.parts").exists()


@pytest.mark.slow
def test_who_dies_again_and_again_ends_the_job_and_it_goes_on_without_ray(
    ray: Any, field: Manifest, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_ray, "DEATHS", 1)
    out = tmp_path / "o.parquet"

    def kill(progress: EmbedProgress) -> None:
        if progress.done >= 20:
            for process in actors("EncoderActor"):
                process.kill()

    with pytest.raises(AuricleError, match=r"processes that embed clips \d+ to \d+, from .*\.wav on, died 1 times"):
        embed_on_ray(load("logmel-stats"), field, address="auto", out=out, batch_seconds=BATCH, progress=kill)
    assert pq.read_table(tmp_path / "o.parquet.parts").num_rows >= 19
    done = []
    embed_manifest(
        load("logmel-stats"),
        field,
        out=out,
        workers=1,
        batch_seconds=BATCH,
        progress=lambda event: done.append(event.done),
    )
    assert done[0] >= 19 and same(out, undisturbed)


# Arguments: a JSON object of inputs, out, address and batch_seconds.
_DRIVER = """
import json, sys, time
from auricle import load
from auricle.embedding import parts
from auricle.embedding.on_ray import embed_on_ray
from auricle.inputs import manifest_of

given = json.loads(sys.argv[1])
parts.PART_SECONDS = 0.0
embed_on_ray(
    load("logmel-stats"),
    manifest_of([given["inputs"]]),
    address=given["address"],
    out=given["out"],
    batch_seconds=given["batch_seconds"],
    progress=lambda event: time.sleep(0.1),
)
"""


@pytest.mark.slow
def test_a_driver_that_was_killed_goes_on(ray: Any, field: Manifest, undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.parquet"
    address = ray.get_runtime_context().gcs_address
    given = {"inputs": str(field.root), "out": str(out), "address": address, "batch_seconds": BATCH}
    driver = subprocess.Popen([sys.executable, "-c", _DRIVER, json.dumps(given)], stderr=subprocess.PIPE, text=True)
    while len(list((tmp_path / "o.parquet.parts").glob("part-*.parquet"))) < 2:
        assert driver.poll() is None, driver.communicate()
        time.sleep(0.05)
    with pytest.raises(AuricleError, match=rf"is being written by process {driver.pid} since"):
        embed_on_ray(load("logmel-stats"), field, address="auto", out=out)
    driver.send_signal(signal.SIGKILL)
    driver.communicate()
    assert not out.exists()
    done = []
    embed_on_ray(
        load("logmel-stats"),
        field,
        address="auto",
        out=out,
        batch_seconds=BATCH,
        progress=lambda event: done.append(event.done),
    )
    assert done[0] > 0 and same(out, undisturbed)


def stored_megabytes() -> float:
    """What the cluster's object store holds."""
    from ray._private.internal_api import memory_summary

    found = re.search(r"Plasma memory usage ([\d.]+) MiB", memory_summary(stats_only=True))
    assert found
    return float(found[1])


@pytest.mark.slow
def test_who_is_ahead_waits(ray: Any, tmp_path: Path) -> None:
    # 307 MB of sound go through the cluster's store while the driver dawdles; a pool is 2.6 MB.
    path = recording(tmp_path / "a.wav", 80)
    manifest = excerpts(path, 2000, 2.4, root=tmp_path)
    stored = []

    def dawdle(progress: EmbedProgress) -> None:
        time.sleep(0.02)
        if progress.done // 200 > len(stored):
            stored.append(stored_megabytes())

    summary = embed_on_ray(
        load("logmel-stats"), manifest, address="auto", out=tmp_path / "o.parquet", batch_seconds=10.0, progress=dawdle
    )
    assert summary.rows == 2000
    assert 1.0 < max(stored) < 40.0


def test_a_cluster_that_does_not_answer_is_said() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    pytest.importorskip("ray").shutdown()
    start = time.monotonic()
    with pytest.raises(AuricleError, match=rf"no Ray cluster answers at 127\.0\.0\.1:{port} \(Connection refused\)"):
        connected(f"127.0.0.1:{port}").__enter__()
    assert time.monotonic() - start < 60


@pytest.mark.parametrize("answers", [True, False])
def test_another_server_is_no_cluster(answers: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray").shutdown()
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 1.0)
    if answers:
        server = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
        threading.Thread(target=server.handle_request, daemon=True).start()
        address, sentence = f"127.0.0.1:{server.server_port}", "is no Ray cluster; give the port"
    else:
        mute = socket.create_server(("127.0.0.1", 0))
        address, sentence = f"127.0.0.1:{mute.getsockname()[1]}", r"no Ray cluster answers at .* \(timed out\)"
    start = time.monotonic()
    with pytest.raises(AuricleError, match=sentence):
        connected(address).__enter__()
    assert time.monotonic() - start < 60


@pytest.mark.parametrize("address", ["ray://head:10001", "head", "head:port", ":6379", "head:99999"])
def test_what_is_no_address_is_said(address: str) -> None:
    pytest.importorskip("ray").shutdown()
    with pytest.raises(AuricleError, match="expected HOST:PORT, auto or local"):
        connected(address).__enter__()


def test_ray_is_an_extra(field: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(AuricleError, match=r'needs the `ray` extra: pip install "auricle\[ray\]"'):
        embed_on_ray(load("logmel-stats"), field, address="local", out=tmp_path / "o.parquet")
    assert not list(tmp_path.iterdir())
