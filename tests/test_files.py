import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from auricle import files
from auricle.errors import AuricleError
from auricle.files import (
    LOCK_NAME,
    FolderLock,
    atomic_write,
    fill_holes,
    in_units,
    refuse_small_disk,
    sha256_of_file,
)


def test_sha256_of_abc_is_the_published_one(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-4, example B.1
    assert sha256_of_file(tmp_path / "abc") == expected


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_write(path) as temporary:
        temporary.write_text("half of the n")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_replaces_the_file_and_makes_its_folder(tmp_path):
    path = tmp_path / "a" / "b" / "scores.csv"
    for text in ("first", "second"):
        with atomic_write(path) as temporary:
            assert temporary.suffix == ".csv"
            assert not path.exists() or path.read_text() == "first"
            temporary.write_text(text)
    assert path.read_text() == "second"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_written_has_the_rights_of_any_new_file(tmp_path):
    (tmp_path / "plain").write_text("")
    with atomic_write(tmp_path / "atomic") as temporary:
        temporary.write_text("")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_full_disk_is_one_sentence(tmp_path):
    expected = pytest.raises(AuricleError, match=r"disk full while writing .*big\.bin; free some space")
    with expected, atomic_write(tmp_path / "big.bin"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_really_full_device_is_one_sentence(tmp_path):
    with pytest.raises(AuricleError, match="disk full"), atomic_write(tmp_path / "out"):
        Path("/dev/full").write_bytes(b"x")


def test_a_folder_in_the_way_is_said(tmp_path):
    (tmp_path / "out.csv").mkdir()
    with pytest.raises(AuricleError, match="a folder of that name"), atomic_write(tmp_path / "out.csv"):
        pass
    (tmp_path / "file").write_text("")
    with pytest.raises(AuricleError, match="is a file, not a folder"), atomic_write(tmp_path / "file" / "out.csv"):
        pass


def test_a_second_process_is_refused_and_told_who_owns_the_folder(tmp_path):
    program = "import sys; from auricle.files import FolderLock\nwith FolderLock(sys.argv[1]): pass"
    with FolderLock(tmp_path / "run"):
        second = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / "run")], capture_output=True, text=True, check=False
        )
        assert second.returncode == 1
        assert f"is being written by process {os.getpid()} since " in second.stderr
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "run")], check=True)
    assert not (tmp_path / "run" / LOCK_NAME).exists()


def test_the_lock_of_a_process_that_was_killed_is_taken_over(tmp_path):
    program = "import os, sys; from auricle.files import FolderLock\nFolderLock(sys.argv[1]).__enter__(); os._exit(9)"
    killed = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert killed.returncode == 9
    assert (tmp_path / LOCK_NAME).exists()
    with FolderLock(tmp_path):
        assert json.loads((tmp_path / LOCK_NAME).read_text())["process"] == os.getpid()


def test_the_lock_of_a_dead_process_whose_number_was_given_away_is_taken_over(tmp_path):
    lock = FolderLock(tmp_path)
    with lock:
        written = json.loads(lock.path.read_text())
    # This very process has the number, but the lock's owner was started at another time.
    (tmp_path / LOCK_NAME).write_text(json.dumps(written | {"process_started": "1"}))
    with FolderLock(tmp_path):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no flock")
def test_a_process_that_stops_while_it_takes_a_folder_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    monkeypatch.setattr(files, "_PATIENCE", 0.2)
    handle = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(AuricleError, match=r"has begun to take .* and does not go on"):
            FolderLock(tmp_path).__enter__()
    finally:
        os.close(handle)
    with FolderLock(tmp_path):
        pass


def test_a_lock_from_another_machine_is_believed(tmp_path):
    with FolderLock(tmp_path) as lock:
        written = json.loads(lock.path.read_text())
    (tmp_path / LOCK_NAME).write_text(json.dumps(written | {"host": "elsewhere"}))
    with pytest.raises(AuricleError, match=r"on elsewhere since .*; if that process is gone, delete"):
        FolderLock(tmp_path).__enter__()


def test_a_lock_cut_off_in_writing_is_taken_over(tmp_path):
    (tmp_path / LOCK_NAME).write_text('{"host": "her')
    with FolderLock(tmp_path):
        pass


def test_a_file_where_the_folder_should_be_is_said(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(AuricleError, match="is a file, not a folder"):
        FolderLock(tmp_path / "run").__enter__()


def test_bytes_are_written_as_people_write_them():
    assert [in_units(count) for count in (12, 1500, 3_000_000, 25_400_000_000, 254_000_000_000)] == [
        "12 bytes",
        "1.5 kB",
        "3.0 MB",
        "25.4 GB",
        "254 GB",
    ]


def test_what_the_disk_cannot_hold_is_refused_before_its_folder_is_there(tmp_path):
    refuse_small_disk(tmp_path / "not" / "yet", 1000, "it")
    with pytest.raises(AuricleError, match=r"it needs 1,000,000,000 GB, but .*yet has .* GB free"):
        refuse_small_disk(tmp_path / "not" / "yet", 10**18, "it")


def test_a_folder_that_its_last_owner_removes_meanwhile_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "parts"
    removed = []

    def remove_once(lock: FolderLock) -> None:
        if not removed:
            folder.rmdir()
            removed.append(folder)

    monkeypatch.setattr(FolderLock, "_refuse_a_living_owner", remove_once)
    with FolderLock(folder):
        assert removed
        assert (folder / LOCK_NAME).is_file()


@pytest.fixture
def read_only_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", disk], capture_output=True, check=False
    ).returncode:
        pytest.skip("this user may not mount a file system")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a tmpfs")
def test_a_read_only_disk_is_one_sentence(read_only_disk):
    sentence = r"cannot write .*scores.json: the disk is read-only; choose another place"
    with pytest.raises(AuricleError, match=sentence), atomic_write(read_only_disk / "new" / "scores.json"):
        pass
    for folder in (read_only_disk, read_only_disk / "new"):
        with pytest.raises(AuricleError, match=rf"cannot write {folder}: the disk is read-only"), FolderLock(folder):
            pass


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system cannot reserve space")
def test_holes_are_filled_before_a_map_runs_into_them(tmp_path):
    path = tmp_path / "array"
    with path.open("wb") as file:
        file.truncate(1 << 20)
    assert path.stat().st_blocks < 100
    fill_holes(path)
    assert path.stat().st_blocks * 512 >= 1 << 20
    assert path.read_bytes() == bytes(1 << 20)
