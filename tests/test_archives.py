"""Unpacking: archives of every kind come out whole; archives that mean harm, or are broken, leave nothing."""

import gzip
import io
import os
import random
import shutil
import stat
import struct
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from auricle import archives
from auricle.archives import unpack
from auricle.errors import AuricleError

NOISE = random.Random(3).randbytes(200_000)
CONTENT = {"set/readme.txt": b"hello", "set/audio/a.wav": NOISE, "set/audio/empty.wav": b"", "list.csv": b"a,b\n" * 50}


def zip_of(path: Path, content: dict[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def tar_of(path: Path, content: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


MAKERS: dict[str, Callable[[Path, dict[str, bytes]], Path]] = {
    "zip": zip_of,
    "stored zip": lambda path, content: zip_of(path, content, compression=zipfile.ZIP_STORED),
    "tar": lambda path, content: tar_of(path, content, "w:"),
    "tar.gz": tar_of,
    "tar.bz2": lambda path, content: tar_of(path, content, "w:bz2"),
    "tar.xz": lambda path, content: tar_of(path, content, "w:xz"),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_every_kind_comes_out_whole_whatever_it_is_called(kind: str, tmp_path: Path) -> None:
    archive = MAKERS[kind](tmp_path / "download", CONTENT)
    told: list[int] = []
    assert unpack(archive, tmp_path / "data", report=told.append) == ["list.csv", "set"]
    assert files_of(tmp_path / "data") == CONTENT
    assert told == sorted(told) and told[-1] >= sum(map(len, CONTENT.values()))


def test_what_the_systems_own_tools_pack_comes_out(tmp_path: Path) -> None:
    for name, data in CONTENT.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(data)
    subprocess.run(["tar", "-czf", tmp_path / "a.tgz", "-C", tmp_path / "in", "."], check=True)
    unpack(tmp_path / "a.tgz", tmp_path / "data")
    assert files_of(tmp_path / "data") == CONTENT


def test_it_goes_beside_what_is_there_and_replaces_the_same_file(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "set" / "audio").mkdir(parents=True)
    (data / "set" / "audio" / "a.wav").write_bytes(b"half of")
    (data / "set" / "mine.txt").write_bytes(b"keep")
    unpack(zip_of(tmp_path / "a.zip", CONTENT), data)
    assert files_of(data) == {**CONTENT, "set/mine.txt": b"keep"}


def test_a_folder_in_the_way_of_a_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "data" / "list.csv").mkdir(parents=True)
    with pytest.raises(AuricleError, match=r"list\.csv is in the way"):
        unpack(zip_of(tmp_path / "a.zip", CONTENT), tmp_path / "data")


def test_rights_and_owners_of_an_archive_mean_nothing(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        member = tarfile.TarInfo("run.sh")
        member.mode, member.uid, member.size = 0o6777, 12345, 2
        archive.addfile(member, io.BytesIO(b"hi"))
    unpack(tmp_path / "a.tar", tmp_path / "data")
    plain = tmp_path / "plain"
    plain.touch()
    found = (tmp_path / "data" / "run.sh").stat()
    assert (found.st_mode, found.st_uid) == (plain.stat().st_mode, plain.stat().st_uid)


OUTSIDE = ["../evil", "a/../../evil", "/tmp/evil", "..\\evil", "C:\\evil", "C:evil", "\\\\host\\share\\evil", "a/../b"]


@pytest.mark.parametrize("make", [zip_of, tar_of])
@pytest.mark.parametrize("name", OUTSIDE)
def test_a_path_outside_the_target_is_refused(make: Callable[..., Path], name: str, tmp_path: Path) -> None:
    archive = make(tmp_path / "a", {"good.txt": b"good", name: b"bad"})
    with pytest.raises(AuricleError, match=r"is not unpacked: .* (leads out of the folder|is an absolute path)"):
        unpack(archive, tmp_path / "deep" / "data")
    assert files_of(tmp_path) == {"a": archive.read_bytes()}
    assert not Path("/tmp/evil").exists()


def test_a_null_byte_in_a_name_is_refused(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "a.zip", {"good.txt_evil": b"bad"})
    archive.write_bytes(archive.read_bytes().replace(b"good.txt_evil", b"good.txt\0evil"))
    with pytest.raises(AuricleError):
        unpack(archive, tmp_path / "data")
    assert files_of(tmp_path / "data") == {}


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (tarfile.SYMTYPE, "a link"),
        (tarfile.LNKTYPE, "a link"),
        (tarfile.CHRTYPE, "neither file nor folder"),
        (tarfile.BLKTYPE, "neither file nor folder"),
        (tarfile.FIFOTYPE, "neither file nor folder"),
    ],
)
def test_links_and_devices_in_a_tar_are_refused(kind: bytes, said: str, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        member = tarfile.TarInfo("set")
        member.type, member.linkname = kind, "/etc"
        archive.addfile(member)
        below = tarfile.TarInfo("set/passwd")
        archive.addfile(below, io.BytesIO())
    with pytest.raises(AuricleError, match=f"'set' in it is {said}"):
        unpack(tmp_path / "a.tar", tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize(
    ("mode", "said"), [(stat.S_IFLNK, "a link"), (stat.S_IFIFO, "neither file nor folder"), (0, None)]
)
def test_links_in_a_zip_are_refused(mode: int, said: str | None, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        member = zipfile.ZipInfo("set")
        member.external_attr = (mode | 0o777) << 16
        archive.writestr(member, "/etc")
    if said is None:
        assert unpack(tmp_path / "a.zip", tmp_path / "data") == ["set"]
        return
    with pytest.raises(AuricleError, match=f"'set' in it is {said}"):
        unpack(tmp_path / "a.zip", tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize("content", [{"a": b"1", "a/b": b"2"}, {"a/b": b"2", "a": b"1"}])
@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_a_file_that_is_also_a_folder_is_refused(make: Callable[..., Path], content: dict, tmp_path: Path) -> None:
    with pytest.raises(AuricleError, match="is both a file and a folder"):
        unpack(make(tmp_path / "x", content), tmp_path / "data")


def test_a_name_too_long_for_the_disk_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(AuricleError, match="is no name that this disk can hold"):
        unpack(zip_of(tmp_path / "a.zip", {"x" * 300: b"1"}), tmp_path / "data")


@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_a_decompression_bomb_is_refused(
    make: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "BOMB_FLOOR", 1 << 20)
    archive = make(tmp_path / "a", {"good.txt": b"good", "zeros": bytes(20 << 20)})
    assert archive.stat().st_size < 100_000  # a thousandth
    with pytest.raises(AuricleError, match="as a decompression bomb does"):
        unpack(archive, tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []


def test_a_zip_that_lies_about_sizes_gives_no_more_than_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "BOMB_FLOOR", 1 << 20)
    archive = zip_of(tmp_path / "a.zip", {"zeros": bytes(20 << 20)})
    archive.write_bytes(archive.read_bytes().replace(struct.pack("<L", 20 << 20), struct.pack("<L", 5)))
    with pytest.raises(AuricleError, match="is damaged"):
        unpack(archive, tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []


def test_millions_of_empty_files_are_a_bomb_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "BOMB_FLOOR", 100_000)
    monkeypatch.setattr(archives, "BOMB_RATIO", 1)
    with pytest.raises(AuricleError, match="as a decompression bomb does"):
        unpack(tar_of(tmp_path / "a.tgz", {f"{number}": b"" for number in range(200)}), tmp_path / "data")


def test_a_header_that_unpacks_to_a_giant_is_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "BOMB_FLOOR", 1 << 20)
    member = tarfile.TarInfo("long-name")
    member.type, member.size = tarfile.GNUTYPE_LONGNAME, 50 << 20  # tarfile reads such a name whole
    with gzip.open(tmp_path / "a.tgz", "wb") as file:
        file.write(member.tobuf() + bytes(50 << 20))
    with pytest.raises(AuricleError, match="as a decompression bomb does"):
        unpack(tmp_path / "a.tgz", tmp_path / "data")


@pytest.mark.parametrize("kind", MAKERS)
def test_an_archive_that_breaks_off_leaves_nothing(kind: str, tmp_path: Path) -> None:
    archive = MAKERS[kind](tmp_path / "a", CONTENT)
    archive.write_bytes(archive.read_bytes()[:-60_000] if kind != "tar" else archive.read_bytes()[:150_000])
    with pytest.raises(AuricleError, match=r"a is damaged \(.*\): delete it and run the same command again"):
        unpack(archive, tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize("kind", ["zip", "stored zip", "tar.gz", "tar.bz2", "tar.xz"])
def test_a_changed_byte_is_found(kind: str, tmp_path: Path) -> None:
    archive = MAKERS[kind](tmp_path / "a", CONTENT)
    changed = bytearray(archive.read_bytes())
    changed[100_000] ^= 0xFF
    archive.write_bytes(changed)
    with pytest.raises(AuricleError, match="is damaged"):
        unpack(archive, tmp_path / "data")


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    archive = zip_of(tmp_path / "a.zip", {"a.txt": b"x"})
    with zipfile.ZipFile(archive) as opened:
        directory = opened.start_dir
    marked = bytearray(archive.read_bytes())
    marked[directory + 8] |= 1  # general purpose flag, bit 0 (APPNOTE 4.4.4)
    archive.write_bytes(marked)
    with pytest.raises(AuricleError, match=r"'a\.txt' in it is encrypted"):
        unpack(archive, tmp_path / "data")


@pytest.mark.parametrize("content", [b"", b"<html>Please log in</html>", bytes(2000)])
def test_what_is_no_archive_is_one_sentence(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(
        AuricleError, match=r"a\.zip is (no archive: expected zip, tar|not unpacked: there is nothing in it)"
    ):
        unpack(tmp_path / "a.zip", tmp_path / "data")


def test_a_tar_that_ends_in_a_zip_is_a_tar(tmp_path: Path) -> None:
    inner = zip_of(tmp_path / "inner.zip", {"x": b"1"}).read_bytes()
    archive = tar_of(tmp_path / "a.tar", {"inner.zip": inner}, "w:")
    assert zipfile.is_zipfile(archive)
    assert unpack(archive, tmp_path / "data") == ["inner.zip"]


def test_a_disk_that_is_too_small_is_known_before_unpacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = zip_of(tmp_path / "a.zip", CONTENT)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(AuricleError, match=r"unpacking a\.zip needs 200 kB, but .* has 1\.0 kB free"):
        unpack(archive, tmp_path / "data")


@pytest.mark.skipif(shutil.which("zip") is None, reason="needs Info-ZIP's zip, which makes split archives")
def test_a_split_zip_as_info_zip_makes_it_comes_out_whole(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    content = {f"{number}.wav": random.Random(number).randbytes(60_000) for number in range(5)} | {
        "list.csv": b"ab" * 99
    }
    for name, data in content.items():
        (source / name).write_bytes(data)
    subprocess.run(["zip", "-q", "-r", "-s", "64k", "../dev.zip", "."], cwd=source, check=True)
    parts = sorted(tmp_path.glob("dev.z0*"))
    assert len(parts) == 4
    unpack(tmp_path / "dev.zip", tmp_path / "data", parts=parts)
    assert files_of(tmp_path / "data") == content
    with pytest.raises(AuricleError, match="is damaged"):
        unpack(tmp_path / "dev.zip", tmp_path / "less", parts=parts[:3])
    os.truncate(parts[1], 30_000)
    with pytest.raises(AuricleError, match="is damaged"):
        unpack(tmp_path / "dev.zip", tmp_path / "less", parts=parts)
