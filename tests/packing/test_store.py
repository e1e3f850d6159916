"""A pack in an object store is the pack of a folder: the same bytes, and the same when it was stopped."""

import json
import shutil
import sys
from pathlib import Path

import fsspec
import pytest

from auricle.errors import AuricleError, Interrupted
from auricle.manifest import Manifest
from auricle.packing.reader import is_pack, open_pack, open_packed
from auricle.packing.run import pack
from auricle.packing.store import RemoteStore
from auricle.packing.verify import verify

from .sounds import content, noise, write

SHARD = 100_000  # bytes: one clip each


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("recordings")
    for number in range(4):
        write(root / f"{number}.wav", noise(3.5, 16_000, seed=number), 16_000)
    return root


@pytest.fixture(scope="module")
def local(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("packs") / "pack"
    pack(Manifest.from_folder(folder), out, workers=1, shard_bytes=SHARD)
    return out


def remote_content(url: str) -> dict[str, bytes]:
    system, root = fsspec.core.url_to_fs(url)
    return {name.removeprefix(root).lstrip("/"): system.cat_file(name) for name in system.find(root)}


def test_a_url_holds_the_same_files(folder: Path, local: Path, tmp_path: Path) -> None:
    url = f"memory://packs/{tmp_path.name}"
    assert not is_pack(url)
    summary = pack(Manifest.from_folder(folder), url, workers=1, shard_bytes=SHARD, work=tmp_path)
    assert summary.location == url and remote_content(url) == content(local)
    assert not list(tmp_path.iterdir())  # nothing is left behind
    assert pack(Manifest.from_folder(folder), url, workers=1, shard_bytes=SHARD, work=tmp_path).was_complete
    assert is_pack(url) and verify(url, workers=1).is_whole
    cutting = {"sample_rate": 16_000, "clip_seconds": 10.0, "crop_seconds": 0.95}
    here, there = open_packed(local, **cutting), open_packed(url, **cutting)
    assert all((here.read(clip, 300, 15_200) == there.read(clip, 300, 15_200)).all() for clip in range(4))


def test_stopped_by_the_store_it_goes_on(
    folder: Path, local: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"file://{tmp_path}/store/pack"
    take, calls = RemoteStore.take, []

    def refused(self: RemoteStore, name: str, file: Path) -> None:
        calls.append(name)
        if len(calls) == 3:
            raise AuricleError(f"cannot write {name}: the line was cut")
        take(self, name, file)

    with monkeypatch.context() as patch:
        patch.setattr(RemoteStore, "take", refused)
        with pytest.raises(AuricleError, match="the line was cut"):
            pack(Manifest.from_folder(folder), url, workers=1, shard_bytes=SHARD, work=tmp_path / "work")
    with pytest.raises(AuricleError, match="is not finished"):
        open_pack(url)
    pack(Manifest.from_folder(folder), url, workers=1, shard_bytes=SHARD, work=tmp_path / "work")
    assert content(tmp_path / "store" / "pack") == content(local)


def test_on_another_machine_it_goes_on_after_the_last_shard(folder: Path, local: Path, tmp_path: Path) -> None:
    url = f"file://{tmp_path}/pack"

    def stop(event: object) -> None:
        if getattr(event, "clips", None) == 3 and hasattr(event, "all_clips"):
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        pack(Manifest.from_folder(folder), url, workers=1, shard_bytes=SHARD, work=tmp_path / "here", report=stop)
    shutil.rmtree(tmp_path / "here")
    pack(Manifest.from_folder(folder), url, workers=1, shard_bytes=SHARD, work=tmp_path / "there")
    assert content(tmp_path / "pack") == content(local)


def test_a_machine_elsewhere_keeps_this_one_out(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "lock.json").write_text(json.dumps({"host": "elsewhere"}))
    with pytest.raises(AuricleError, match=r"written by a process on elsewhere; if .*delete .*lock\.json"):
        pack(Manifest.from_folder(folder), f"file://{tmp_path}/pack", workers=1, work=tmp_path / "work")


def test_an_unknown_store_is_one_sentence(folder: Path) -> None:
    with pytest.raises(AuricleError, match="cannot be opened: Protocol not known: nowhere"):
        pack(Manifest.from_folder(folder), "nowhere://pack", workers=1)


def test_a_package_that_a_store_needs_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(AuricleError, match=r"s3://bucket/pack cannot be opened: .*s3fs.*`pip install s3fs` for s3://"):
        pack(Manifest.from_folder(folder), "s3://bucket/pack", workers=1)
