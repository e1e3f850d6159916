"""Kill -9 at any moment: the same command goes on, and ends with what an undisturbed one makes."""

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .commands import Outcome, Server
from .jobs import JOBS, Job

pytestmark = pytest.mark.chaos


@pytest.mark.parametrize("job", JOBS, ids=str)
def test_killed_at_random_moments_it_ends_as_an_undisturbed_one(
    job: Job,
    server: Server,
    given: Path,
    undisturbed: Callable[[Job], tuple[Any, Outcome, Path]],
    tmp_path: Path,
    nightly: bool,
    announce: Callable[[str], None],
) -> None:
    expected, alone, _ = undisturbed(job)
    seed = int(os.environ.get("AURICLE_CHAOS_SEED", "0"))
    draw = random.Random(f"{job.name} {seed}")
    wanted, moments, finished = 6 if nightly else 1, list[float](), 0
    out = tmp_path / "0"
    while len(moments) < wanted:
        moment = draw.uniform(0.02, alone.seconds)
        ended = server.start(*job.arguments(given, out), patches=job.patches).kill_after(moment)
        if ended is None:
            moments.append(moment)
            job.begun(out)
        else:  # it had gone on from so far that it was done first
            finished += 1
            assert ended.status == 0, ended.err
            assert job.result(out) == expected
            assert finished < 20 + 3 * wanted
            out = tmp_path / str(finished)
    last = server.run(*job.arguments(given, out), patches=job.patches)
    assert last.status == 0, last.err
    assert job.result(out) == expected
    announce(
        f"{len(moments)} kills (seed {seed}) after {', '.join(f'{moment:.2f}' for moment in moments)} of "
        f"{alone.seconds:.2f} s of work; {finished + 1} resumed jobs equal the undisturbed one"
    )
