"""Two processes that are given the same output: the second refuses, and the first does not notice."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auricle.files import LOCK_NAME

from .commands import Command, Outcome, Server
from .jobs import JOBS, STUDY_RUN, Job

pytestmark = pytest.mark.chaos
ATTEMPTS = 5  # to stop a small job in time, while it owns its folder


def stopped_while_writing(server: Server, job: Job, given: Path, folder: Path) -> tuple[Command, Path]:
    """A process of the job that has been stopped while it owns its folder, and where it writes."""
    for attempt in range(ATTEMPTS):
        out = folder / f"out{attempt}"
        command = server.start(*job.arguments(given, out), patches=job.patches)
        while command.status() is None:
            if list(folder.rglob(LOCK_NAME)):
                command.send(signal.SIGSTOP)
                if any(lock.read_text() for lock in folder.rglob(LOCK_NAME)):
                    return command, out
                command.send(signal.SIGCONT)
            time.sleep(0.001)
    raise AssertionError(f"{job.name} was always done before it could be stopped")


@pytest.mark.parametrize("job", JOBS, ids=str)
def test_the_second_refuses(
    job: Job,
    server: Server,
    given: Path,
    undisturbed: Callable[[Job], tuple[Any, Outcome, Path]],
    tmp_path: Path,
    nightly: bool,
) -> None:
    if job is STUDY_RUN and not nightly:
        pytest.skip("make chaos starts two studies, which takes long; tests/study looks at the lock alone")
    first, out = stopped_while_writing(server, job, given, tmp_path)
    try:
        sentence = server.run(*job.arguments(given, out), patches=job.patches).sentence()
    finally:
        first.send(signal.SIGCONT)
    assert f"is being written by process {first.process} since" in sentence
    ended = first.wait()
    assert ended.status == 0, ended.err
    assert job.result(out) == undisturbed(job)[0]
