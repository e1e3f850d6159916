"""Downloading a dataset: from a real server on this machine to its native layout, once, whatever happens."""

import hashlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from auricle.datasets import esc50
from auricle.datasets.download import DOWNLOADS, Downloaded, Unpacking, download
from auricle.datasets.entry import DatasetEntry, RemoteFile
from auricle.errors import AuricleError
from auricle.fetching import FetchProgress, Patience
from serving import Fault, FileServer, file_server

QUICK = Patience(timeout=0.5, attempts=2, wait=0.01)
SOUND = random.Random(4).randbytes(1_000_000)


def zipped(content: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return file.getvalue()


def tarred(content: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


ESC50 = zipped({"ESC-50-master/meta/esc50.csv": b"filename\n", "ESC-50-master/audio/1-1-A-0.wav": SOUND})


def md5(data: bytes) -> str:
    return f"md5:{hashlib.md5(data).hexdigest()}"


def entry_of(*files: RemoteFile) -> DatasetEntry:
    return replace(esc50.ENTRY, files=files)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as running:
        yield running


@pytest.fixture
def esc(server: FileServer) -> DatasetEntry:
    return entry_of(RemoteFile(server.add("ESC-50/master.zip", ESC50), checksum=md5(ESC50)))


def files_of(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def data_of(root: Path) -> list[str]:
    return [name for name in files_of(root) if not name.startswith(DOWNLOADS)]


def test_a_dataset_comes_and_a_second_run_does_nothing(esc: DatasetEntry, server: FileServer, tmp_path: Path) -> None:
    told: list[FetchProgress | Unpacking] = []
    assert download(esc, tmp_path / "data", report=told.append) == Downloaded(tmp_path / "data", ("master.zip",), ())
    assert data_of(tmp_path / "data") == ["ESC-50-master/audio/1-1-A-0.wav", "ESC-50-master/meta/esc50.csv"]
    assert (tmp_path / "data/ESC-50-master/audio/1-1-A-0.wav").read_bytes() == SOUND
    assert FetchProgress("master.zip", len(ESC50), len(ESC50)) in told
    assert any(isinstance(event, Unpacking) and event.done >= len(SOUND) for event in told)
    asked = len(server.requests)
    assert download(esc, tmp_path / "data") == Downloaded(tmp_path / "data", (), ("master.zip",))
    assert len(server.requests) == asked
    kept = sum(path.stat().st_size for path in (tmp_path / "data" / DOWNLOADS).rglob("*") if path.is_file())
    assert kept < 1000  # the archive is gone


def test_the_datasets_own_folder_is_as_good_as_the_folder_of_all_data(esc: DatasetEntry, tmp_path: Path) -> None:
    download(esc, tmp_path / "ESC-50-master")
    assert data_of(tmp_path) == ["ESC-50-master/audio/1-1-A-0.wav", "ESC-50-master/meta/esc50.csv"]


def test_what_was_deleted_since_is_fetched_again(esc: DatasetEntry, tmp_path: Path) -> None:
    download(esc, tmp_path)
    shutil.rmtree(tmp_path / "ESC-50-master")
    assert download(esc, tmp_path).fetched == ("master.zip",)
    assert len(data_of(tmp_path)) == 2


def test_several_files_go_where_they_belong_and_only_the_missing_one_comes(server: FileServer, tmp_path: Path) -> None:
    parts = {split: tarred({f"nsynth-{split}/examples.json": b"{}"}) for split in ("train", "valid")}
    files = [
        RemoteFile(server.add(f"{split}.tar.gz", parts[split]), checksum=md5(parts[split]), into="nsynth")
        for split in parts
    ]
    labels = RemoteFile(server.add("labels.csv", b"a,b\n"), unpack=False, into="nsynth/labels")
    entry = entry_of(*files, labels)
    good, server.files["valid.tar.gz"].body = server.files["valid.tar.gz"].body, b"nonsense"
    with pytest.raises(AuricleError, match=r"valid\.tar\.gz gives out another file"):
        download(entry, tmp_path, patience=QUICK)
    server.files["valid.tar.gz"].body = good
    assert download(entry, tmp_path) == Downloaded(tmp_path, ("valid.tar.gz", "labels.csv"), ("train.tar.gz",))
    assert data_of(tmp_path) == [
        "nsynth/labels/labels.csv",
        "nsynth/nsynth-train/examples.json",
        "nsynth/nsynth-valid/examples.json",
    ]
    assert [path for method, path, _ in server.requests if method == "GET"].count("train.tar.gz") == 1


@pytest.mark.skipif(shutil.which("zip") is None, reason="needs Info-ZIP's zip, which makes split archives")
def test_a_split_zip_is_fetched_whole_and_unpacked_once(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "in/FSD50K.dev_audio").mkdir(parents=True)
    for number in range(4):
        (tmp_path / f"in/FSD50K.dev_audio/{number}.wav").write_bytes(SOUND[number * 50_000 :][:50_000])
    subprocess.run(["zip", "-q", "-r", "-s", "64k", "../dev.zip", "."], cwd=tmp_path / "in", check=True)
    names = ["dev.zip", *(path.name for path in sorted(tmp_path.glob("dev.z0*"), reverse=True))]  # in any order
    entry = entry_of(*(RemoteFile(server.add(name, (tmp_path / name).read_bytes()), into="FSD50K") for name in names))
    assert set(download(entry, tmp_path / "data").fetched) == set(names)
    found = tmp_path / "data/FSD50K/FSD50K.dev_audio"
    assert b"".join((found / f"{number}.wav").read_bytes() for number in range(4)) == SOUND[:200_000]
    assert download(entry, tmp_path / "data").fetched == ()


def test_a_zip_that_was_cut_up_is_joined(server: FileServer, tmp_path: Path) -> None:
    whole = zipped({"0/a.mp3": SOUND[:400_000], "1/b.mp3": SOUND[400_000:700_000]})
    cuts = [whole[:300_000], whole[300_000:600_000], whole[600_000:]]
    files = [RemoteFile(server.add(f"mp3.zip.{n:03}", cut), md5(cut), into="mtt") for n, cut in enumerate(cuts, 1)]
    lists = RemoteFile(server.add("annotations.csv", b"a"), unpack=False, into="mtt")
    assert len(download(entry_of(lists, *files), tmp_path).fetched) == 4
    assert data_of(tmp_path) == ["mtt/0/a.mp3", "mtt/1/b.mp3", "mtt/annotations.csv"]
    assert (tmp_path / "mtt/1/b.mp3").read_bytes() == SOUND[400_000:700_000]


def test_tasks_over_one_dataset_fetch_it_once(esc: DatasetEntry, tmp_path: Path) -> None:
    download(esc, tmp_path)
    assert download(replace(esc, name="esc10"), tmp_path).fetched == ()


def test_a_broken_download_goes_on_where_it_was(esc: DatasetEntry, server: FileServer, tmp_path: Path) -> None:
    server.files["ESC-50/master.zip"].faults = [Fault(drop_after=300_000), Fault(status=404)]
    with pytest.raises(AuricleError, match="404"):
        download(esc, tmp_path, patience=QUICK)
    assert data_of(tmp_path) == []
    download(esc, tmp_path, patience=QUICK)
    assert server.ranges == [None, "bytes=300000-", "bytes=300000-"]
    assert len(data_of(tmp_path)) == 2


def test_an_archive_with_a_way_out_is_refused(server: FileServer, tmp_path: Path) -> None:
    entry = entry_of(RemoteFile(server.add("a.zip", zipped({"ok.txt": b"", "../../evil.txt": b"x"}))))
    with pytest.raises(AuricleError, match="leads out of the folder"):
        download(entry, tmp_path / "a/b/data", patience=QUICK)
    assert [name for name in files_of(tmp_path) if "evil" in name or "ok" in name] == []


def test_what_cannot_be_fetched_says_where_it_comes_from(tmp_path: Path) -> None:
    with pytest.raises(AuricleError) as error:
        download(replace(esc50.ENTRY, files=()), tmp_path)
    assert "cannot be fetched over HTTP: get it from" in str(error.value)
    assert esc50.ENTRY.licence in str(error.value) and "ESC-50-master/meta/esc50.csv" in str(error.value)


def test_a_disk_too_small_for_archive_and_content_is_known_before_anything_is_fetched(
    esc: DatasetEntry, server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1_500_000))
    with pytest.raises(AuricleError, match=r"this download needs 2\.0 MB, but .* has 1\.5 MB free"):
        download(esc, tmp_path)
    assert [method for method, _, _ in server.requests] == ["HEAD"]


DOWNLOAD = """
import sys
from dataclasses import replace
from auricle.datasets import download, esc50
from auricle.datasets.entry import RemoteFile
from auricle.errors import AuricleError, Interrupted
try:
    download.download(replace(esc50.ENTRY, files=(RemoteFile(sys.argv[1], sys.argv[2]),)), sys.argv[3])
except AuricleError as error:
    print(error)
    sys.exit(130 if isinstance(error, Interrupted) else 1)
"""


def started(esc: DatasetEntry, root: Path) -> subprocess.Popen[str]:
    [file] = esc.files
    return subprocess.Popen(
        [sys.executable, "-c", DOWNLOAD, file.url, str(file.checksum), str(root)], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGKILL])
def test_one_process_at_a_time_and_a_stopped_one_is_gone_on_with(
    esc: DatasetEntry, server: FileServer, tmp_path: Path, kill: int
) -> None:
    server.files["ESC-50/master.zip"].faults = [Fault(hang_after=400_000)]
    part = tmp_path / DOWNLOADS / "ESC-50-master" / "master.zip.part"
    with started(esc, tmp_path) as process:
        until = time.monotonic() + 300
        while not (part.exists() and part.stat().st_size == 400_000) and time.monotonic() < until:
            time.sleep(0.02)
        with pytest.raises(AuricleError, match=f"is being written by process {process.pid}"):
            download(esc, tmp_path, patience=QUICK)
        os.kill(process.pid, kill)
        said, _ = process.communicate(timeout=30)
    if kill == signal.SIGINT:
        assert process.returncode == 130
        assert said == "stopped; 400 kB of master.zip are kept, and the same command goes on from there\n"
    assert data_of(tmp_path) == []
    download(esc, tmp_path, patience=QUICK)
    assert server.ranges == [None, "bytes=400000-"]
    assert len(data_of(tmp_path)) == 2


def test_a_process_killed_while_unpacking_leaves_no_half_folder(esc: DatasetEntry, tmp_path: Path) -> None:
    """What such a process leaves, by the order of its steps: the archive, and a hidden folder beside its place."""
    work = tmp_path / DOWNLOADS / "ESC-50-master"
    work.mkdir(parents=True)
    (work / "master.zip").write_bytes(ESC50)
    half = tmp_path / ".unpacking-master.zip" / "ESC-50-master" / "audio"
    half.mkdir(parents=True)
    (half / "9-9-A-9.wav").write_bytes(b"half")
    download(esc, tmp_path)
    assert data_of(tmp_path) == ["ESC-50-master/audio/1-1-A-0.wav", "ESC-50-master/meta/esc50.csv"]


def test_an_archive_that_a_killed_process_did_not_delete_is_deleted(esc: DatasetEntry, tmp_path: Path) -> None:
    download(esc, tmp_path)
    archive = tmp_path / DOWNLOADS / "ESC-50-master" / "master.zip"
    archive.write_bytes(ESC50)
    assert download(esc, tmp_path).fetched == ()
    assert not archive.exists()
    assert json.loads(archive.with_name("master.zip.done.json").read_text())["made"] == ["ESC-50-master"]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_must_not_be_written_is_one_sentence(esc: DatasetEntry, tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(AuricleError, match="permission denied"):
        download(esc, tmp_path)
