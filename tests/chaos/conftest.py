"""A server of commands for all tests, sounds to work on, small disks, and what each job makes when left alone."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .commands import Outcome, Server
from .jobs import Job, sounds

Mount = Callable[[str], Path]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if not sys.platform.startswith("linux"):
        pytest.skip("looks into /proc")
    started = Server(tmp_path_factory.mktemp("said"))
    yield started
    started.close()


@pytest.fixture(scope="session")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of sounds that nobody changes."""
    return sounds(tmp_path_factory.mktemp("given") / "sounds")


@pytest.fixture(scope="session")
def undisturbed(
    server: Server, given: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Job], tuple[Any, Outcome, Path]]:
    """What a job makes when left alone, how it ended, and where it lies; each is done once."""
    known: dict[str, tuple[Any, Outcome, Path]] = {}

    def made(job: Job) -> tuple[Any, Outcome, Path]:
        if job.name not in known:
            out = tmp_path_factory.mktemp("undisturbed") / job.name
            outcome = server.run(*job.arguments(given, out), patches=job.patches)
            assert outcome.status == 0, outcome.err
            known[job.name] = job.result(out), outcome, out
        return known[job.name]

    return made


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """A file system in memory, by the options of mount(8): ``size=1m``, ``ro``."""
    mounted: list[Path] = []

    def make(options: str) -> Path:
        disk = tmp_path / f"disk{len(mounted)}"
        disk.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("this user may not mount a file system")
        mounted.append(disk)
        return disk

    yield make
    for disk in mounted:
        subprocess.run(["umount", "-l", str(disk)], check=True)
