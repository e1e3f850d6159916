"""The folder of a run, which one job at a time owns, from whichever machine, and which all of its processes see.

Whether the owner of a lock still lives, only its own machine can tell by its process number. So the owner of a run
touches its lock every few seconds, and a lock of another machine that nobody touches is taken over: a job that a
scheduler starts again elsewhere, because its machine is gone, goes on by itself.
"""

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from auricle.errors import AuricleError
from auricle.files import FolderLock
from auricle.processes import all_or_none, from_main, patience, rank

BEAT = 15.0  # s between two touches of a lock
SILENCE = 100.0  # s after which an untouched one is taken over; network file systems show times up to 60 s late
NAMES_DELAY = 65.0  # s after which every machine sees a new file; network file systems keep names for up to 60


@contextmanager
def owned(folder: Path, *, say: Callable[[str], None]) -> Iterator[None]:
    """Let the main process own a folder that all processes see.

    Parameters
    ----------
    folder
        It is created when missing.
    say
        Is told what takes long, in one sentence.

    Raises
    ------
    AuricleError
        When another job owns it, or it is not the same for all processes.
    """
    lock = FolderLock(folder)
    with ExitStack() as stack:
        with all_or_none():
            if rank() == 0:
                _forget_lost_machine(lock.path, say)
                stack.enter_context(lock)
                stack.enter_context(_touched(lock.path))
        owner = from_main(lock.path.read_text() if rank() == 0 else "")
        with all_or_none():
            _wait_for(lock.path, owner)
        yield


def _wait_for(path: Path, content: str) -> None:
    """Until a file that another process wrote is there."""
    deadline = time.monotonic() + min(NAMES_DELAY, patience())
    while not path.exists() or path.read_text() != content:
        if time.monotonic() > deadline:
            raise AuricleError(
                f"{path.parent} is not the folder that process 0 writes to: put the run where all nodes see it"
            )
        time.sleep(0.1)


@contextmanager
def _touched(path: Path) -> Iterator[None]:
    """Touch a file regularly."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(BEAT):
            with contextlib.suppress(OSError):
                os.utime(path)

    thread = threading.Thread(target=beat, name="touches the lock of a run", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _seen(path: Path) -> tuple[str, int] | None:
    """A file's text and when it was last touched; None when it is not there."""
    with contextlib.suppress(OSError):
        return path.read_text(), path.stat().st_mtime_ns
    return None


def _forget_lost_machine(path: Path, say: Callable[[str], None]) -> None:
    """Remove the lock of another machine that nobody touches; all others are for :class:`FolderLock` to judge."""
    first = _seen(path)
    try:
        owner = json.loads(first[0]) if first else {}
        host, process = owner["host"], owner["process"]
    except (ValueError, KeyError, TypeError):
        return
    if host == socket.gethostname():
        return
    say(f"{path.parent} was owned by process {process} on {host}; looking for {SILENCE:.0f} s whether that one lives")
    deadline = time.monotonic() + SILENCE
    while time.monotonic() < deadline:
        if _seen(path) != first:
            return
        time.sleep(min(1.0, SILENCE / 10))
    path.unlink(missing_ok=True)
