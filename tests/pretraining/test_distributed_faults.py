"""Processes and nodes that die, are taken away or never come: one sentence each, and the run goes on afterwards."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from auricle.crops import Crops
from auricle.errors import AuricleError
from auricle.packing.layout import shard_name
from auricle.packing.reader import open_packed
from auricle.packing.sparse import write_sparse_pack
from auricle.pretraining import run
from auricle.training import MetricsFile, load_state
from packing.sounds import noise, write

from . import several

HOURS, STEPS = 1_000, 24
FEW_STATISTICS = "statistics_crops=30"
PATIENCE = 300.0  # s that these tests wait for what takes a second on a machine that is not busy

Launched = subprocess.Popen[str]


def launch(line: list[str], *, environment: dict[str, str] | None = None) -> Launched:
    whole = {**os.environ, **several.ENVIRONMENT, **(environment or {})}
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=whole)


def pretraining(data: Path, out: Path, *, steps: int) -> list[str]:
    recipe, arguments = several.KINDS["byol"][0], several.overrides_of("byol", data, steps=steps)
    return ["-m", "auricle", "pretrain", recipe, *arguments, FEW_STATISTICS, "--out", str(out), "--continue"]


def steps_done(out: Path) -> int:
    return len(MetricsFile(out / "metrics.jsonl").read())


def wait_until(condition: Callable[[], bool], *jobs: Launched) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        for job in jobs:
            assert job.poll() is None, job.communicate()[1][-4000:]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def workers_of(job: Launched) -> list[psutil.Process]:
    """The processes that train."""
    below = psutil.Process(job.pid).children(recursive=True)
    return [process for process in below if process.cmdline()[1:4] == ["-u", "-m", "auricle"]]


def sentences(errors: str) -> list[str]:
    """What Auricle said, beside what torchrun tells about it."""
    return re.findall(r"^auricle: .*$", errors, flags=re.MULTILINE)


def tiny_sounds(folder: Path) -> Path:
    for number in range(12):
        write(folder / f"{number}.flac", noise(1.0 + number / 12, 16_000, seed=number), 16_000)
    return folder


def give_sound(pack: Path, crops: int) -> None:
    """Put noise into those clips of a pack of silence that the first so many crops are taken from."""
    opened = open_packed(pack, sample_rate=16_000, clip_seconds=10, crop_seconds=0.95)
    seed = several.recipe_of("byol", pack, steps=1).seed
    order = Crops(opened.clips, opened, crop_samples=15_200, sampling="clip", padding="tail", seed=seed)
    second = 0.1 * np.random.default_rng(0).standard_normal(16_000)
    for clip in order.read(torch.arange(crops))[1].tolist():
        tone = np.sin(2 * np.pi * (100 + clip % 3000) * np.arange(16_000) / 16_000) * (clip % 7) / 20
        samples = np.resize((32_767 * (second + tone).clip(-1, 1)).astype("<i2"), int(opened.clips.samples[clip]))
        with (pack / shard_name(int(opened.pack.shard[clip]))).open("r+b") as shard:
            shard.seek(2 * int(opened.pack.offset[clip]))
            shard.write(samples.tobytes())


def test_a_thousand_hours_train_lose_a_worker_and_go_on_with_another_number(tmp_path: Path) -> None:
    pack, out = tmp_path / "pack", tmp_path / "run"
    write_sparse_pack(pack, hours=HOURS)
    give_sound(pack, crops=10 * STEPS)
    line = pretraining(pack, out, steps=STEPS)
    job = launch([*several.TORCHRUN, "--standalone", "--nproc-per-node", "2", *line])
    wait_until(lambda: steps_done(out) >= 3, job)
    with pytest.raises(AuricleError, match=rf"{out} is being written by process \d+ since "):
        run.resume(out)  # a second job on the same folder, while the first one works
    workers = workers_of(job)
    assert len(workers) == 2
    workers[1].kill()
    errors = job.communicate(timeout=PATIENCE)[1]
    assert job.returncode == 1
    assert not any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers)
    (said,) = sentences(errors)
    assert re.search(r"process [01] of 2 on \S+ has lost another one: it was killed, or says itself", said)
    assert said.endswith(f"auricle pretrain --resume {out}")
    killed_after = steps_done(out)
    assert 3 <= killed_after < STEPS

    # The same command again, in one process.
    recipe = several.recipe_of("byol", pack, FEW_STATISTICS, steps=STEPS)
    plans: list[object] = []
    run.pretrain(recipe, out, go_on=True, report=plans.append)
    assert any(getattr(event, "hours", None) == HOURS for event in plans)
    run.pretrain(recipe, tmp_path / "undisturbed")
    assert several.losses(out) == pytest.approx(several.losses(tmp_path / "undisturbed"), rel=5e-3)
    assert len(several.losses(out)) == STEPS


def test_a_run_of_another_recipe_is_not_gone_on_with(tmp_path: Path) -> None:
    data = tiny_sounds(tmp_path / "sounds")
    run.pretrain(several.recipe_of("byol", data, steps=1), tmp_path / "run")
    with pytest.raises(AuricleError, match=r"holds another run: its steps is 1, not 2; continue it as it is with"):
        run.pretrain(several.recipe_of("byol", data, steps=2), tmp_path / "run", go_on=True)


def test_a_process_that_never_comes_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    data = tiny_sounds(tmp_path / "sounds")
    alone = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    job = launch(
        [sys.executable, *pretraining(data, tmp_path / "run", steps=1)],
        environment={**alone, "AURICLE_PATIENCE": "1.5"},
    )
    errors = job.communicate(timeout=PATIENCE)[1]
    assert job.returncode == 1
    assert "Traceback" not in errors
    (said,) = sentences(errors)
    assert f"process 0 of 2 waited 1.5 s at 127.0.0.1:{port}, and not all have come" in said
    assert "start as many as --nnodes times --nproc-per-node say" in said
    assert not (tmp_path / "run").exists()


@dataclass
class Node:
    """A machine of its own as far as its network, its name and the names that it knows go."""

    name: str
    address: str
    hosts: Path

    def run(self, *line: str) -> Launched:
        own = 'mount --bind "$1" /etc/hosts && hostname "$0" && shift && exec "$@"'
        line = ("unshare", "--uts", "--mount", "sh", "-c", own, self.name, str(self.hosts), *line)
        return launch(["ip", "netns", "exec", self.name, *line])


@contextlib.contextmanager
def namespaces(made: list[str]) -> Iterator[None]:
    """Network namespaces that go with whatever is in them."""
    try:
        yield
    finally:
        for name in made:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[list[Node]]:
    """Two of them, and a cable between them."""
    if not all(map(shutil.which, ("ip", "unshare"))):
        pytest.skip("no ip and unshare commands to make network namespaces with")
    tag, hosts = uuid.uuid4().hex[:6], tmp_path / "hosts"
    found = [Node(f"node-a-{tag}", "10.213.7.1", hosts), Node(f"node-b-{tag}", "10.213.7.2", hosts)]
    hosts.write_text("127.0.0.1 localhost\n" + "".join(f"{node.address} {node.name}\n" for node in found))
    a, b = (node.name for node in found)
    lines = [["netns", "add", a], ["netns", "add", b]]
    lines.append(["link", "add", "cable", "netns", a, "type", "veth", "peer", "name", "cable", "netns", b])
    for node in found:
        lines.append(["-n", node.name, "addr", "add", f"{node.address}/24", "dev", "cable"])
        lines += [["-n", node.name, "link", "set", device, "up"] for device in ("lo", "cable")]
    with namespaces([a, b]):
        for line in lines:
            done = subprocess.run(["ip", *line], capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"network namespaces cannot be made here: ip {' '.join(line)}: {done.stderr.strip()}")
        yield found


def processes_at(out: Path, step: int) -> int:
    """How many processes made a step."""
    state = load_state(out / "checkpoints" / f"step-{step:09d}.safetensors")
    return int(state.values["environment"]["processes"])


def test_two_nodes_train_over_their_network_and_the_one_that_is_left_goes_on(nodes: list[Node], tmp_path: Path) -> None:
    data, out = tiny_sounds(tmp_path / "sounds"), tmp_path / "run"
    line = [*several.TORCHRUN, "--nnodes", "1:2", "--nproc-per-node", "1", "--max-restarts", "2"]
    line += ["--rdzv-backend", "c10d", "--rdzv-id", "test", "--rdzv-endpoint", f"{nodes[0].name}:29400"]
    line += ["--rdzv-conf", "last_call_timeout=10,keep_alive_interval=1,keep_alive_max_attempt=3"]
    jobs = [node.run(*line, *pretraining(data, out, steps=100_000)) for node in nodes]
    wait_until(lambda: steps_done(out) >= 4 and processes_at(out, steps_done(out) - 1) == 2, *jobs)
    for process in [psutil.Process(jobs[1].pid), *workers_of(jobs[1])]:
        process.kill()  # the whole of node b
    jobs[1].communicate()
    killed_after = steps_done(out)
    wait_until(lambda: steps_done(out) >= killed_after + 3, jobs[0])
    jobs[0].send_signal(signal.SIGTERM)  # to torchrun, as a scheduler does that takes the node away
    errors = jobs[0].communicate(timeout=PATIENCE)[1]
    lost, stopped = sentences(errors)
    steps = steps_done(out)
    assert f"process 0 of 2 on {nodes[0].name} has lost another one" in lost
    assert stopped == f"auricle: stopped at step {steps:,}; continue with: auricle pretrain --resume {out}"
    assert processes_at(out, steps) == 1

    # What they learnt is what one process alone learns.
    run.pretrain(several.recipe_of("byol", data, FEW_STATISTICS, steps=killed_after + 3), tmp_path / "alone")
    alone = several.losses(tmp_path / "alone")
    assert several.losses(out)[: len(alone)] == pytest.approx(alone, rel=5e-3)
