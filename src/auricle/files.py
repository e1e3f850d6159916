"""Writing files so that a crash, a full disk or a second process leaves nothing half-written.

Results and checkpoints are written beside their final place and moved there in one step; a run's folder belongs to one
process at a time. Nothing here knows about sound.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import socket
import sys
import time
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from auricle.errors import AuricleError

LOCK_NAME = ".auricle-lock"
_ATTEMPTS = 5  # to take a folder that others finish with and remove
_PATIENCE = 10.0  # seconds, with another process that is taking the folder
_LOOK = 0.005  # seconds between two looks at it
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_REFUSALS = {  # of an operating system that will not write
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EIO: "the disk reports an error",
}


@contextlib.contextmanager
def refused_writes_are_errors(path: Path | str) -> Iterator[None]:
    """Turn what the operating system says when it cannot write to `path` into one sentence.

    Raises
    ------
    AuricleError
        When the disk, or the user's quota on it, is full; when it is read-only or broken; without permission.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_FULL:
            raise AuricleError(
                f"disk full while writing {path}; free some space and run the same command again"
            ) from error
        if error.errno in _REFUSALS:
            raise AuricleError(f"cannot write {path}: {_REFUSALS[error.errno]}; choose another place") from error
        raise


def fill_holes(path: Path) -> None:
    """Take the disk space of a file that was made long without being written, before it is mapped into memory and is.

    Where a disk gets full under a map, the process ends by a signal and can say nothing.

    Raises
    ------
    AuricleError
        When the disk cannot hold the file.
    """
    if hasattr(os, "posix_fallocate"):
        with refused_writes_are_errors(path), path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def refuse_small_disk(folder: Path, needed: int, what: str) -> None:
    """Refuse to start what the disk cannot hold.

    Raises
    ------
    AuricleError
        When fewer than `needed` bytes are free where `folder` is or will be.
    """
    existing = next(place for place in (folder, *folder.resolve().parents) if place.exists())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise AuricleError(
            f"{what} needs {in_units(needed)}, but {folder} has {in_units(free)} free; free some space and run the "
            "same command again"
        )


def why_no_file(path: Path) -> str:
    """What stands in the place of a file that shall be read: ``"does not exist"``, ``"is a folder"``, or else."""
    if path.is_dir():
        return "is a folder"
    return "is a pipe or a device" if path.exists() else "does not exist"


def in_units(count: int) -> str:
    """Bytes as people write them: ``"1.5 GB"``."""
    for unit, exponent in (("GB", 9), ("MB", 6), ("kB", 3)):
        if count >= 10**exponent:
            return f"{count / 10**exponent:,.{1 if count < 10 ** (exponent + 2) else 0}f} {unit}"
    return f"{count} bytes"


@contextlib.contextmanager
def atomic_write(path: Path | str) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it becomes `path` in one step, on failure nothing changes.

    The temporary name is hidden and keeps the suffix, so that writers that choose a format by suffix work. Missing
    parent folders are created.

    Examples
    --------
    >>> with atomic_write("scores.json") as temporary:  # doctest: +SKIP
    ...     temporary.write_text("{}")

    Raises
    ------
    AuricleError
        When the disk is full, or when the folder cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex}.tmp{path.suffix}")
    try:
        with refused_writes_are_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise AuricleError(f"cannot write {path}: {error.filename} is a file, not a folder") from error
    if path.is_dir():
        raise AuricleError(f"cannot write {path}: a folder of that name is in the way")
    try:
        with refused_writes_are_errors(path):
            yield temporary
            _flush_to_disk(temporary)
            temporary.replace(path)
            _flush_to_disk(path.parent)
    finally:
        with contextlib.suppress(OSError):  # of a disk that has become read-only
            temporary.unlink(missing_ok=True)


def _flush_to_disk(path: Path) -> None:
    """Wait until `path` (a file, or a folder's list of names) would survive a power cut."""
    if path.is_dir() and sys.platform == "win32":  # Windows does not open folders
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sha256_of_file(path: Path | str) -> str:
    """SHA-256 of the file's bytes, 64 hexadecimal digits, read in blocks."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class FolderLock:
    """Keep a second process from writing to the same folder; a context manager.

    The lock is a small file that names its owner: host, process number and the time at which that process started, so
    that a lock whose owner has died is taken over, also when another program has been given the process number since.

    Parameters
    ----------
    folder
        The folder to own; it is created when missing.

    Raises
    ------
    AuricleError
        On entering, when another living process owns the folder.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.path = self.folder / LOCK_NAME
        self._owner: dict[str, str | int] | None = None

    def __enter__(self) -> Self:
        with refused_writes_are_errors(self.folder):
            for attempts_left in reversed(range(_ATTEMPTS)):
                try:
                    self._take()
                    break
                except FileNotFoundError:  # its last owner has just finished and removed the folder
                    if not attempts_left:
                        raise
        return self

    def _take(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise AuricleError(f"{self.folder} is a file, not a folder; choose another output folder") from error
        with _one_at_a_time(self.folder) as alone:
            self._refuse_a_living_owner()
            if not alone:
                raise AuricleError(
                    f"another process has begun to take {self.folder} and does not go on: continue or end it, or "
                    "choose another output folder"
                )
            owner: dict[str, str | int] = {
                "host": socket.gethostname(),
                "process": os.getpid(),
                "process_started": _start_of_process(os.getpid()),
                "since": datetime.now().isoformat(timespec="seconds"),
            }
            self.path.write_text(json.dumps(owner))
            self._owner = owner

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A forked child that leaves this block must not give away its parent's lock.
        if self._owner is not None and self._owner["process"] == os.getpid():
            with contextlib.suppress(OSError):  # a lock that stays says who is gone
                self.path.unlink(missing_ok=True)
            self._owner = None

    def _refuse_a_living_owner(self) -> None:
        try:
            owner = json.loads(self.path.read_text())
            host, process, started = owner["host"], int(owner["process"]), owner["process_started"]
            since = datetime.fromisoformat(owner["since"])
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError):  # cut off while it was being written: its owner is gone
            return
        when = f"{since:%H:%M}" if since.date() == datetime.now().date() else f"{since:%Y-%m-%d %H:%M}"
        if host != socket.gethostname():
            raise AuricleError(
                f"{self.folder} is being written by process {process} on {host} since {when}; "
                f"if that process is gone, delete {self.path}"
            )
        if _start_of_process(process) == started:
            raise AuricleError(f"{self.folder} is being written by process {process} since {when}")


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[bool]:
    """Let two processes that want the same folder look at its lock one after the other, where the system can.

    False when the other one has not finished looking for `_PATIENCE` seconds: it may have been stopped.
    """
    if sys.platform == "win32":
        yield True
        return
    import fcntl

    handle, since, alone = os.open(folder, os.O_RDONLY), time.monotonic(), False
    try:
        while not alone and time.monotonic() - since < _PATIENCE:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                alone = True
            except BlockingIOError:
                time.sleep(_LOOK)
            except OSError:  # some network file systems cannot
                alone = True
        yield alone
    finally:
        os.close(handle)


def _start_of_process(process: int) -> str:
    """When `process` started, as the system counts; empty when it does not run, "unknown" when nobody can say."""
    statistics = Path(f"/proc/{process}/stat")
    if statistics.parent.parent.joinpath("self").exists():
        try:
            # The second field, the program's name in brackets, may itself hold spaces: count from its closing bracket.
            return statistics.read_text().rpartition(")")[2].split()[19]
        except OSError:
            return ""
    if sys.platform == "win32":
        return "unknown"
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "unknown"
