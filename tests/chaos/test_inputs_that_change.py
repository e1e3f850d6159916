"""What is read vanishes, changes, is cut short or never comes: its own clips are left out, or one sentence says it."""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from .commands import Outcome, Server
from .jobs import EMBED, EVALUATE, PACK, PRETRAIN, SMALL, Job, pretrain_from_files, pretrained

pytestmark = pytest.mark.chaos
READS_FILES = [
    PACK,
    Job("pretrain", pretrain_from_files, pretrained, PRETRAIN.begun),
    EMBED,
    EVALUATE,
]


def meddle(folder: Path, draw: random.Random) -> None:
    """Take away, cut, overwrite and replace some of the files."""
    files = sorted(path for path in folder.iterdir() if path.suffix != ".csv")
    gone, cut, noise, other, pipe = draw.sample(files, 5)
    gone.unlink()
    os.truncate(cut, cut.stat().st_size // 3)
    noise.write_bytes(draw.randbytes(noise.stat().st_size))
    soundfile.write(other, [0.1] * 4000, 8000)
    pipe.unlink()
    os.mkfifo(pipe)


def ended_well(outcome: Outcome) -> None:
    """It is done, or one sentence says why not."""
    assert "Traceback" not in outcome.err, outcome.err
    if outcome.status:
        outcome.sentence()


@pytest.mark.parametrize("job", READS_FILES, ids=str)
def test_files_that_vanish_or_change_while_they_are_read(
    job: Job, server: Server, given: Path, tmp_path: Path, nightly: bool, announce: Callable[[str], None]
) -> None:
    seed = int(os.environ.get("AURICLE_CHAOS_SEED", "0"))
    draw = random.Random(f"change {job.name} {seed}")
    ends = []
    for number in range(5 if nightly else 1):
        folder, out = tmp_path / f"sounds{number}", tmp_path / f"out{number}"
        shutil.copytree(given, folder)
        command = server.start(*job.arguments(folder, out), patches=job.patches)
        moment = draw.uniform(0.0, 0.3)
        while command.status() is None and command.seconds < moment:
            time.sleep(0.002)
        meddle(folder, draw)
        outcome = command.wait()
        ended_well(outcome)
        if outcome.status == 0:
            job.result(out)
        # …and what was begun with other files is gone on with, or refused.
        ended_well(server.run(*job.arguments(folder, out), patches=job.patches))
        ends.append(outcome.status)
    announce(f"{len(ends)} folders changed while they were read (seed {seed}): exit statuses {ends}")


@pytest.mark.parametrize("job", READS_FILES, ids=str)
def test_a_pipe_among_the_files_costs_itself(job: Job, server: Server, given: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(given, tmp_path / "sounds")
    (folder / "05.ogg").unlink()
    os.mkfifo(folder / "05.ogg")
    outcome = server.run(*job.arguments(folder, tmp_path / "out"), patches=job.patches)
    assert outcome.status == 0, outcome.err
    rejected = [path.read_text() for path in tmp_path.rglob("*rejected.csv")]
    assert any("05.ogg" in text and "is a pipe or a device" in text for text in rejected), rejected


def test_a_pipe_in_the_place_of_anything_is_refused(server: Server, given: Path, tmp_path: Path) -> None:
    pipes = {}
    for suffix in (".wav", ".m4a", ".csv", ".parquet", ".yaml", ".safetensors"):
        os.mkfifo(pipe := tmp_path / f"pipe{suffix}")
        pipes[suffix] = pipe
    out = tmp_path / "o.parquet"
    pipe = "is a pipe or a device"
    for words, arguments in (
        (pipe, ["embed", "logmel-stats", pipes[".wav"], "--out", out]),
        (pipe, ["embed", "logmel-stats", pipes[".m4a"], "--out", out]),
        (pipe, ["embed", "logmel-stats", pipes[".csv"], "--out", out]),
        (pipe, ["embed", pipes[".safetensors"], given, "--out", out]),
        (pipe, ["pack", pipes[".parquet"], "--out", tmp_path / "pack"]),
        (pipe, ["pretrain", pipes[".yaml"], "--out", tmp_path / "run"]),
        (
            "is no manifest",
            ["evaluate", "logmel-stats", "--manifest", pipes[".csv"], "--out", out],
        ),
        (pipe, ["study", "run", pipes[".yaml"], "--out", tmp_path / "study"]),
    ):
        assert words in server.run(*arguments).sentence()


# --- packs


def from_pack(pack: Path, out: Path, *, steps: int) -> list[object]:
    return ["pretrain", "byola-2022-small", *SMALL, f"steps={steps}", f"data={pack}", "--out", out]


@pytest.fixture
def pack(server: Server, given: Path, tmp_path: Path) -> Path:
    outcome = server.run(*PACK.arguments(given, tmp_path / "pack"))
    assert outcome.status == 0, outcome.err
    return tmp_path / "pack"


def test_a_truncated_shard_is_refused_and_its_clips_are_named(server: Server, pack: Path, tmp_path: Path) -> None:
    (shard,) = (pack / "shards").iterdir()
    os.truncate(shard, shard.stat().st_size - 1000)
    sentence = server.run(*from_pack(pack, tmp_path / "run", steps=2)).sentence()
    assert f"{shard.name} is truncated" in sentence and f"auricle pack --verify {pack}" in sentence
    found = server.run("pack", "--verify", pack)
    assert found.status == 1 and "23." in found.out + found.err  # the last clip by name


def test_a_shard_that_is_cut_while_it_is_trained_on(server: Server, pack: Path, tmp_path: Path) -> None:
    (shard,) = (pack / "shards").iterdir()
    content = shard.read_bytes()
    run = tmp_path / "run"
    command = server.start(*from_pack(pack, run, steps=100_000))
    while not (run / "metrics.jsonl").exists() or not (run / "metrics.jsonl").read_text():
        assert command.status() is None, command.wait()
        time.sleep(0.01)
    os.truncate(shard, 0)
    assert "cannot be read; the last is" in command.wait().sentence()
    PRETRAIN.begun(run)
    shard.write_bytes(content)  # restored, training goes on
    command = server.start("pretrain", "--resume", run)
    steps = (run / "metrics.jsonl").read_text().count("\n")
    while (run / "metrics.jsonl").read_text().count("\n") <= steps:
        assert command.status() is None, command.wait()
        time.sleep(0.01)
    command.send(signal.SIGINT)
    assert command.wait().status == 130
