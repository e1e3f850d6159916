"""Unpacking archives that were downloaded: zip, split zip, and tar in its usual compressions, told by their content.

An archive is not to be trusted: a member that would land outside the target, a link, a device, or a small file that
unpacks to a giant is refused before it does anything. Members are unpacked into a hidden folder beside their place and
moved there when the whole archive has proved sound, so that an archive that breaks off leaves nothing.
"""

import bz2
import contextlib
import errno
import gzip
import io
import lzma
import re
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path, PureWindowsPath
from typing import IO

from auricle.errors import AuricleError
from auricle.files import in_units, refuse_small_disk, refused_writes_are_errors

BOMB_RATIO = 100  # bytes that a byte of an archive may become; sound becomes two or three
BOMB_FLOOR = 1 << 30  # bytes that any archive may become
MEMBER_BYTES = 4096  # what a member takes on a disk, however small it is
BLOCK_BYTES = 1 << 20
_SPLIT = re.compile(r"\.z\d\d+$", re.IGNORECASE)  # of all but the last part of a split zip, which is NAME.zip
_CUT = re.compile(r"\.zip\.\d\d\d$", re.IGNORECASE)  # of all parts of a zip that was cut up by another program

_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    OSError,
    NotImplementedError,
    RuntimeError,
)
_ZIP_MAGICS = (b"PK\3\4", b"PK\5\6", b"PK\7\10")
_COMPRESSIONS: tuple[tuple[bytes, Callable[[Path], io.BufferedIOBase]], ...] = (
    (b"\x1f\x8b", gzip.GzipFile),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\0", lzma.LZMAFile),
)


@dataclass(frozen=True)
class _Member:
    """One entry of an archive; `problem` says why it must not be unpacked."""

    name: str
    is_folder: bool
    problem: str | None
    open: Callable[[], IO[bytes] | None]


def archive_of(name: str) -> str:
    """The archive that a file is a part of, by its name: ``NAME.zip`` for ``NAME.z01`` and ``NAME.zip.001``."""
    return _CUT.sub(".zip", _SPLIT.sub(".zip", name))


def unpack(
    archive: Path, target: Path, *, parts: Sequence[Path] = (), report: Callable[[int], None] | None = None
) -> list[str]:
    """Unpack an archive into a folder.

    A file that is there already is replaced by the archive's; everything else in `target` stays.

    Parameters
    ----------
    archive
        The file; of a zip in parts the last one: ``NAME.zip`` after ``NAME.z01`` …, or ``NAME.zip.003``.
    target
        Folder that the archive's paths start from; it is created when missing.
    parts
        The parts before it, in order.
    report
        Is told how many bytes have been unpacked so far.

    Returns
    -------
    list of str
        What the archive holds at its top: names in `target`.

    Raises
    ------
    AuricleError
        When the file is no archive or damaged, when a member is a link or a device or leads out of the target, when it
        would become more than `BOMB_RATIO` times its size, or when the disk is too small. Nothing is left then.
    """
    workplace = target / f".unpacking-{archive.name}"
    allowed = max(BOMB_FLOOR, BOMB_RATIO * sum(file.stat().st_size for file in (*parts, archive)))
    with refused_writes_are_errors(target):
        shutil.rmtree(workplace, ignore_errors=True)
        workplace.mkdir(parents=True)
        try:
            with _members(archive, parts, target, allowed) as members:
                _unpack_members(archive, members, workplace, allowed, report)
            names = sorted(path.name for path in workplace.iterdir())
            if not names:
                raise _refusal(archive, "there is nothing in it")
            for name in names:
                _move(workplace / name, target / name)
            return names
        finally:
            shutil.rmtree(workplace, ignore_errors=True)


def _unpack_members(
    archive: Path, members: Iterator[_Member], workplace: Path, allowed: int, report: Callable[[int], None] | None
) -> None:
    unpacked = 0  # bytes, and what the members themselves take
    for member in members:
        if member.problem is not None:
            raise _refusal(archive, f"{member.name!r} in it is {member.problem}")
        place = workplace.joinpath(*_safe_parts(archive, member.name))
        unpacked += MEMBER_BYTES
        with _place_is_usable(archive, member.name):
            (place if member.is_folder else place.parent).mkdir(parents=True, exist_ok=True)
        if member.is_folder:
            continue
        with _damage_is_an_error(archive):
            source = member.open()
        assert source is not None  # it is a plain file
        with source, _place_is_usable(archive, member.name), place.open("wb") as file:
            while block := _read(archive, source):
                unpacked += len(block)
                if unpacked > allowed:
                    raise _bomb(archive, allowed)
                file.write(block)
        if report is not None:
            report(unpacked)


def _read(archive: Path, source: IO[bytes]) -> bytes:
    with _damage_is_an_error(archive):
        return source.read(BLOCK_BYTES)


def _safe_parts(archive: Path, name: str) -> list[str]:
    """The parts of a member's path, none of which leads anywhere but down."""
    path = name.replace("\\", "/")  # of archives that were made on Windows
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or PureWindowsPath(name).drive:
        raise _refusal(archive, f"{name!r} in it is an absolute path")
    if ".." in parts or "\0" in name:
        raise _refusal(archive, f"{name!r} in it leads out of the folder")
    return parts


def _refusal(archive: Path, why: str) -> AuricleError:
    return AuricleError(f"{archive} is not unpacked: {why}; is it really what was to be downloaded?")


def _bomb(archive: Path, allowed: int) -> AuricleError:
    return _refusal(archive, f"it becomes more than {in_units(allowed)}, as a decompression bomb does")


@contextlib.contextmanager
def _place_is_usable(archive: Path, name: str) -> Iterator[None]:
    try:
        yield
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise _refusal(archive, f"{name!r} in it is both a file and a folder") from error
    except OSError as error:
        if error.errno not in (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ):
            raise
        raise _refusal(archive, f"{name!r} in it is no name that this disk can hold") from error


@contextlib.contextmanager
def _damage_is_an_error(archive: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise AuricleError(f"{archive} is damaged ({error}): delete it and run the same command again") from error


def _move(source: Path, place: Path) -> None:
    """Put what was unpacked into its place, folder into folder."""
    if not place.exists() and not place.is_symlink():
        source.rename(place)
    elif source.is_dir() and place.is_dir():
        for path in sorted(source.iterdir()):
            _move(path, place / path.name)
    elif source.is_dir() or place.is_dir():
        raise AuricleError(f"{place} is in the way of what the archive holds there; move it away")
    else:
        source.replace(place)


@contextlib.contextmanager
def _members(archive: Path, parts: Sequence[Path], target: Path, allowed: int) -> Iterator[Iterator[_Member]]:
    with archive.open("rb") as file:
        head = file.read(8)
    with contextlib.ExitStack() as stack:
        if parts or head.startswith(_ZIP_MAGICS):
            with _damage_is_an_error(archive):
                opened = stack.enter_context(_joined_zip(archive, parts) if parts else zipfile.ZipFile(archive))
            size = sum(member.file_size for member in opened.infolist())
            if size > allowed:
                raise _bomb(archive, allowed)
            refuse_small_disk(target, size, f"unpacking {archive.name}")
            yield _zip_members(opened)
            return
        decompressed = next((opener for magic, opener in _COMPRESSIONS if head.startswith(magic)), None)
        if decompressed is None and not tarfile.is_tarfile(archive):
            raise AuricleError(f"{archive} is no archive: expected zip, tar, tar.gz, tar.bz2 or tar.xz")
        source = stack.enter_context(archive.open("rb") if decompressed is None else decompressed(archive))
        counted = io.BufferedReader(_Counted(source, archive, allowed), BLOCK_BYTES)
        with _damage_is_an_error(archive):
            tar = stack.enter_context(tarfile.open(fileobj=counted, mode="r|"))
        yield _tar_members(archive, tar)


def _zip_members(opened: zipfile.ZipFile) -> Iterator[_Member]:
    for member in opened.infolist():
        kind = stat.S_IFMT(member.external_attr >> 16)
        problem = None
        if member.flag_bits & 0x1:
            problem = "encrypted"
        elif kind == stat.S_IFLNK:
            problem = "a link"
        elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            problem = "neither file nor folder"
        name = member.orig_filename  # as it stands there: zipfile cuts a name off at a null byte
        yield _Member(name, name.endswith(("/", "\\")), problem, partial(opened.open, member))


def _tar_members(archive: Path, opened: tarfile.TarFile) -> Iterator[_Member]:
    members = iter(opened)
    while True:
        with _damage_is_an_error(archive):
            member = next(members, None)
        if member is None:
            return
        problem = None
        if member.issym() or member.islnk():
            problem = "a link"
        elif not (member.isfile() or member.isdir()) or member.issparse():
            problem = "neither file nor folder"
        yield _Member(member.name, member.isdir(), problem, partial(opened.extractfile, member))


class _Counted(io.RawIOBase):
    """A decompressed stream that stops when it has become too much, the headers of its members included."""

    def __init__(self, source: io.BufferedIOBase, archive: Path, allowed: int) -> None:
        self._source, self._archive, self._left, self._allowed = source, archive, allowed, allowed

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read on."""
        block = self._source.read(len(buffer))
        self._left -= len(block)
        if self._left < 0:
            raise _bomb(self._archive, self._allowed)
        buffer[: len(block)] = block
        return len(block)


# --- split zip ----------------------------------------------------------------------------------------------------


class _Joined(io.RawIOBase):
    """Files read as one, end to end, with some bytes after them."""

    def __init__(self, files: Sequence[Path], *, tail: bytes) -> None:
        self._files: list[IO[bytes]] = [*(file.open("rb") for file in files), io.BytesIO(tail)]
        self._ends = _ends([*(file.stat().st_size for file in files), len(tail)])
        self._at = 0

    def seekable(self) -> bool:
        """It can be read anywhere."""
        return True

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._ends[-1]}[whence]
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read from the file in which the place lies, at most to its end."""
        for file, (start, end) in zip(self._files, pairwise(self._ends), strict=True):
            if start <= self._at < end:
                file.seek(self._at - start)
                block = file.read(min(len(buffer), end - self._at))
                buffer[: len(block)] = block
                self._at += len(block)
                return len(block)
        return 0

    def close(self) -> None:
        """Close all files."""
        for file in self._files:
            file.close()
        super().close()


def _ends(sizes: Sequence[int]) -> list[int]:
    """Where files that lie end to end begin, and where the last one ends."""
    ends = [0]
    for size in sizes:
        ends.append(ends[-1] + size)
    return ends


def _joined_zip(archive: Path, parts: Sequence[Path]) -> zipfile.ZipFile:
    """A zip in parts as a whole one.

    One that was cut up is whole again end to end. Of a split one the list of members, which gives a member's place as
    part and byte, is written anew behind it.

    The records are those of PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.12 and 4.3.14 to 4.3.16, in their 64-bit form.
    """
    if _CUT.search(archive.name):
        return zipfile.ZipFile(io.BufferedReader(_Joined([*parts, archive], tail=b"")))
    starts = _ends([file.stat().st_size for file in (*parts, archive)])
    records = []
    with zipfile.ZipFile(archive) as last:
        for member in last.infolist():
            if member.volume > len(parts):
                raise zipfile.BadZipFile("it has more parts than are here")
            name = member.orig_filename.encode("utf-8" if member.flag_bits & 0x800 else "cp437")
            offset = starts[member.volume] + member.header_offset
            extra = struct.pack("<2H3Q", 1, 24, member.file_size, member.compress_size, offset)
            fields = (member.create_version, member.create_system, 45, 0, member.flag_bits)
            sizes = (member.CRC, 0xFFFFFFFF, 0xFFFFFFFF, len(name), len(extra), 0, 0, member.internal_attr)
            record = struct.pack("<4s4B4H3L5H2L", b"PK\1\2", *fields, member.compress_type, 0, 0, *sizes,
                                 member.external_attr, 0xFFFFFFFF)  # fmt: skip
            records.append(record + name + extra)
    directory = b"".join(records)
    at, count = starts[-1], len(records)
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(directory), at)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, at + len(directory), 1)
    closing = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return zipfile.ZipFile(io.BufferedReader(_Joined([*parts, archive], tail=directory + end + locator + closing)))
