"""What training loops share: state on disk, metrics, learning rates, the allocator."""

import math
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch
from torch import nn

from auricle.errors import AuricleError
from auricle.training import (
    MetricsFile,
    TrainingState,
    learning_rate_at,
    list_states,
    load_state,
    make_accelerator,
    optimizer_tensors,
    restore_optimizer,
    save_state,
    stop_requests,
)


def test_a_state_comes_back_as_it_was_and_old_ones_go(tmp_path: Path) -> None:
    for step in (1, 2, 10):
        save_state(tmp_path, step, TrainingState({"x": torch.full((3,), float(step))}, {"step": step}), keep=2)
    assert [path.name for path in list_states(tmp_path)] == ["step-000000002.safetensors", "step-000000010.safetensors"]
    state = load_state(list_states(tmp_path)[-1])
    assert state.values == {"step": 10}
    assert torch.equal(state.tensors["x"], torch.full((3,), 10.0))


def test_a_damaged_state_is_one_sentence(tmp_path: Path) -> None:
    path = save_state(tmp_path, 1, TrainingState({"x": torch.zeros(3)}, {}), keep=2)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(AuricleError, match="is damaged"):
        load_state(path)


def test_an_optimiser_goes_on_as_if_nothing_had_happened() -> None:
    def training(interrupt: bool) -> torch.Tensor:
        torch.manual_seed(0)
        model = nn.Conv2d(1, 4, 3).to(memory_format=torch.channels_last)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1, fused=True)
        for step in range(6):
            if interrupt and step == 3:
                tensors = {name: value.contiguous() for name, value in optimizer_tensors(optimizer).items()}
                optimizer = torch.optim.Adam(model.parameters(), lr=0.1, fused=True)
                restore_optimizer(optimizer, tensors)
            optimizer.zero_grad()
            model(torch.ones(1, 1, 8, 8) * step).square().sum().backward()
            optimizer.step()
        return model.weight.detach().clone()

    assert torch.equal(training(interrupt=False), training(interrupt=True))


def test_metrics_survive_a_cut_line_and_go_back(tmp_path: Path) -> None:
    metrics = MetricsFile(tmp_path / "metrics.jsonl")
    for step in range(1, 6):
        metrics.append({"step": step})
    with metrics.path.open("a") as file:
        file.write('{"step": 6, "lo')  # a kill in mid-write
    assert [row["step"] for row in metrics.read()] == [1, 2, 3, 4, 5]
    metrics.cut_back(3)
    assert [row["step"] for row in metrics.read()] == [1, 2, 3]


def test_learning_rate_warms_up_and_follows_half_a_cosine() -> None:
    rates = [learning_rate_at(step, peak=1.0, warmup=10, total=110, schedule="cosine") for step in range(110)]
    assert rates[0] == 0.1 and rates[9] == 1.0
    assert math.isclose(rates[60], 0.5, abs_tol=1e-9)
    assert rates[-1] < 0.001
    assert learning_rate_at(1000, peak=0.3, warmup=0, total=10, schedule="constant") == 0.3


def test_the_first_request_to_stop_is_heard_at_once_and_its_end_is_none() -> None:
    said: list[str] = []
    heard = threading.Event()

    def say() -> None:
        said.append("heard")
        heard.set()

    with stop_requests(say) as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert heard.wait(10) and stop.is_set()
        os.kill(os.getpid(), signal.SIGTERM)
    assert said == ["heard"]
    with stop_requests(say):
        pass
    assert said == ["heard"]
    with pytest.raises(KeyboardInterrupt):  # as before
        signal.raise_signal(signal.SIGINT)


def test_an_unknown_or_missing_device_is_one_sentence() -> None:
    with pytest.raises(AuricleError, match="expected auto, cpu or cuda"):
        make_accelerator(device="tpu", precision="float32")
    if not torch.cuda.is_available():
        with pytest.raises(AuricleError, match="no usable CUDA GPU"):
            make_accelerator(device="cuda", precision="float32")


@pytest.mark.skipif(sys.platform != "linux", reason="page faults are counted by Linux here")
def test_kept_memory_saves_page_faults() -> None:
    """Taking and freeing a large buffer costs page faults every time, unless freed memory is kept."""
    script = (
        "import resource, sys, torch\n"
        "from auricle.training import keep_freed_memory\n"
        "kept = keep_freed_memory() if sys.argv[1] == 'keep' else None\n"
        "faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "for _ in range(20): torch.zeros(20_000_000).add(1)\n"  # until the process has its size
        "before = faults()\n"
        "for _ in range(10): torch.zeros(20_000_000).add(1)\n"
        "print(kept, faults() - before)\n"
    )

    def faults(mode: str) -> tuple[str, int]:
        done = subprocess.run([sys.executable, "-c", script, mode], capture_output=True, text=True, check=True)
        kept, count = done.stdout.split()
        return kept, int(count)

    kept, few = faults("keep")
    if kept == "False":
        pytest.skip("this C library has no such setting")
    assert few < faults("default")[1] / 10
