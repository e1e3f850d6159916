"""Disks that are full or read-only: one sentence, nothing corrupt, and with room again the same result."""

import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .commands import Outcome, Server
from .jobs import JOBS, STUDY_RUN, Job

pytestmark = pytest.mark.chaos
Mount = Callable[[str], Path]
PAGE = 4096


@pytest.mark.parametrize("job", JOBS, ids=str)
def test_a_full_disk(
    job: Job,
    server: Server,
    given: Path,
    undisturbed: Callable[[Job], tuple[Any, Outcome, Path]],
    mount: Mount,
    nightly: bool,
    announce: Callable[[str], None],
) -> None:
    if job is STUDY_RUN and not nightly:
        pytest.skip("make chaos fills a study's disk, which takes long")
    expected, _, out = undisturbed(job)
    used = sum(-(-path.stat().st_size // PAGE) * PAGE for path in out.rglob("*") if path.is_file())
    seed = int(os.environ.get("AURICLE_CHAOS_SEED", "0"))
    draw = random.Random(f"disk {job.name} {seed}")
    sizes = []
    for _ in range(4 if nightly else 1):
        sizes.append(int(draw.uniform(0.05, 0.7) * used))
        disk = mount(f"size={sizes[-1]}")
        arguments = job.arguments(given, disk / "out")
        sentence = server.run(*arguments, patches=job.patches).sentence()
        assert "disk full" in sentence or "free" in sentence or "No space left" in sentence, sentence
        assert not list(disk.rglob(".auricle-lock")), "a lock is left"
        subprocess.run(["mount", "-o", "remount,size=1g", str(disk)], check=True)
        job.begun(disk / "out")
        last = server.run(*job.arguments(given, disk / "out"), patches=job.patches)
        assert last.status == 0, last.err
        assert job.result(disk / "out") == expected
    announce(f"disks of {', '.join(f'{size:,}' for size in sizes)} bytes, where {used:,} are needed (seed {seed})")


@pytest.mark.parametrize("job", JOBS, ids=str)
def test_a_read_only_disk(job: Job, server: Server, given: Path, mount: Mount) -> None:
    disk = mount("size=1m,ro")
    outcome = server.run(*job.arguments(given, disk / "out"), patches=job.patches)
    assert "read-only" in outcome.sentence().lower()
