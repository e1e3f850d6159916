"""Pre-training by several processes: what starts them, and what each of them runs and notes.

As a script this is what ``torchrun`` starts: it does a list of runs one after the other in the same processes, and
every process notes which crops it read and which errors it raised.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributed.distributed_c10d import _set_pg_timeout as set_patience_of_the_group

from auricle.crops import Crops
from auricle.errors import AuricleError
from auricle.pretraining import run
from auricle.pretraining.recipe import Recipe, load_recipe
from auricle.training import MetricsFile, list_states

TORCHRUN = [sys.executable, "-m", "torch.distributed.run"]
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "TORCH_CPP_LOG_LEVEL": "ERROR"}

BYOL = [
    "encoder.channels=4",
    "encoder.mlp_hidden=16",
    "projection_hidden=32",
    "projection_dim=16",
    "views.memory=16",
    "batch_size=10",
]
CONFORMER = [
    "encoder.dim=16",
    "encoder.layers=2",
    "encoder.heads=2",
    "encoder.feed_forward=32",
    "encoder.latent_dim=16",
    "encoder.first_kernel=5",
    "encoder.kernel=3",
    "crop_seconds=1.5",
    "warmup_steps=0",
    "batch_size=6",
]
KINDS = {  # of runs: recipe and what is changed in it
    "byol": ("byola-2022-small", BYOL),
    "conformer": ("conformer-small", CONFORMER),
    "quantised": ("conformer-small", [*CONFORMER, "wav2vec.quantiser=true", "wav2vec.codes=8"]),
}
EVERYWHERE = [
    "precision=float32",
    "device=cpu",
    "workers=1",
    "log_every=1",
    "checkpoint_every=1",
    "keep_checkpoints=99",
]


def overrides_of(kind: str, data: Path, *, steps: int) -> list[str]:
    return [*KINDS[kind][1], *EVERYWHERE, f"data={data}", f"steps={steps}"]


def recipe_of(kind: str, data: Path, *extra: str, steps: int) -> Recipe:
    return load_recipe(KINDS[kind][0], [*overrides_of(kind, data, steps=steps), *extra])


def losses(folder: Path) -> list[float]:
    rows = MetricsFile(folder / "metrics.jsonl").read()
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
    return [row["loss"] for row in rows]


def cut_back(folder: Path, step: int) -> None:
    """Let a run look as one that was killed after a step."""
    for state in list_states(folder / "checkpoints"):
        if int(state.stem.rpartition("-")[2]) > step:
            state.unlink()
    shutil.rmtree(folder / "model")


def crops_of_steps(notes: Path, processes: int) -> list[list[Any]]:
    """For every step the global index, the clip and the sound of every crop, in the order of the processes."""
    lines = [(notes / f"crops-{rank}.jsonl").read_text().splitlines() for rank in range(processes)]
    return [[crop for part in step for crop in json.loads(part)] for step in zip(*lines, strict=True)]


@contextlib.contextmanager
def noted(notes: Path, rank: int, *, hang: float = 0.0) -> Iterator[None]:
    """Note which crops training reads from now on, one line for every forward pass; `hang` s before each."""
    notes.mkdir(parents=True, exist_ok=True)
    stream = Crops.stream

    def noting(self: Crops, batches: Iterable[Tensor], **options: Any) -> Iterator[tuple[Tensor, Tensor]]:
        given: list[Tensor] = []

        def passed_on() -> Iterator[Tensor]:
            for index in batches:
                given.append(index)
                yield index

        with (notes / f"crops-{rank}.jsonl").open("w") as file:
            for waveform, clips in stream(self, passed_on(), **options):
                sounds = [hashlib.md5(self.read(index[None])[0].numpy()).hexdigest() for index in given[0]]
                crops = zip(given.pop(0).tolist(), clips.tolist(), sounds, strict=True)
                file.write(json.dumps([list(crop) for crop in crops]) + "\n")
                time.sleep(hang)
                yield waveform, clips

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Crops, "stream", noting)
        yield


def do(jobs: list[dict[str, Any]], rank: int) -> None:
    """Every job in turn; `only` holds what is different for one process."""
    for job in jobs:
        job = job | job.get("only", {}).get(str(rank), {})
        out, notes = Path(job["out"]), Path(job["notes"])
        if "patience" in job:
            os.environ["AURICLE_PATIENCE"] = str(job["patience"])
            if torch.distributed.is_initialized():  # with the one that counted then
                set_patience_of_the_group(timedelta(seconds=job["patience"]))
        with noted(notes, rank, hang=job.get("hang", 0.0)):
            try:
                if "overrides" in job:
                    run.pretrain(load_recipe(job["recipe"], job["overrides"]), out)
                else:
                    run.resume(out)
            except AuricleError as error:
                (notes / f"said-{rank}.json").write_text(json.dumps([str(error), error.everywhere]))


def do_with(processes: int, jobs: list[dict[str, Any]], folder: Path, *, timeout: float = 500) -> None:
    """Every job in turn, in as many processes, which `torchrun` starts."""
    (folder / "jobs.json").write_text(json.dumps(jobs))
    line = [*TORCHRUN, "--standalone", "--nproc-per-node", str(processes), __file__, str(folder / "jobs.json")]
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        line, capture_output=True, text=True, env={**os.environ, **ENVIRONMENT, "PYTHONPATH": root}, timeout=timeout
    )
    assert done.returncode == 0, done.stderr[-4000:]


def said(notes: Path, processes: int) -> str:
    """The sentence that all processes raised, each in the knowledge that the others do too."""
    found = [json.loads((notes / f"said-{rank}.json").read_text()) for rank in range(processes)]
    assert all(entry == found[0] for entry in found), found
    assert found[0][1]
    return str(found[0][0])


if __name__ == "__main__":
    do(json.loads(Path(sys.argv[1]).read_text()), int(os.environ["RANK"]))
