"""The launch files of the docs: a shell and YAML read them, and torchrun and Auricle know what they ask for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
import yaml
from torch.distributed.run import parse_args

from auricle.cli import app
from auricle.pretraining.recipe import load_recipe

LAUNCH = Path(__file__).parents[1] / "docs" / "launch"
SBATCH, KUBERNETES = LAUNCH / "pretrain.sbatch", LAUNCH / "pretrain-kubernetes.yaml"


def check(torchrun: list[str], *, endpoint: str) -> None:
    """What torchrun and Auricle's command line make of arguments."""
    asked = parse_args(torchrun)
    assert (asked.nnodes, asked.nproc_per_node, asked.rdzv_backend) == ("2", "8", "c10d")
    assert asked.rdzv_endpoint == endpoint
    assert asked.module and asked.training_script == "auricle"
    command, *arguments = asked.training_script_args
    assert command == "pretrain"
    pretrain = typer.main.get_command(app).get_command(None, "pretrain")  # type: ignore[attr-defined]
    given = pretrain.make_context("pretrain", arguments).params
    assert given["go_on"] and given["out"] is not None
    assert load_recipe(given["recipe"], given["overrides"]).data == ["/shared/packs/all"]


def test_the_job_and_its_service_find_each_other() -> None:
    service, job = yaml.safe_load_all(KUBERNETES.read_text())
    assert (service["kind"], job["kind"]) == ("Service", "Job")
    assert service["spec"]["clusterIP"] == "None" or service["spec"]["clusterIP"] is None
    name, pods = job["metadata"]["name"], job["spec"]["template"]["spec"]
    assert service["spec"]["selector"] == {"job-name": name}
    assert pods["subdomain"] == service["metadata"]["name"]
    assert job["spec"]["completionMode"] == "Indexed"
    assert job["spec"]["completions"] == job["spec"]["parallelism"] == 2
    (container,) = pods["containers"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pods["volumes"]}
    program, *arguments = container["command"]
    assert program == "torchrun"
    port = service["spec"]["ports"][0]["port"]
    check(arguments, endpoint=f"{name}-0.{pods['subdomain']}:{port}")
    assert all(isinstance(variable["value"], str) for variable in container["env"])


@pytest.fixture
def slurm(tmp_path: Path) -> dict[str, str]:
    """An environment in which SLURM's commands say what they were asked."""
    programs = {
        "scontrol": 'if [ "$1" = show ]; then printf "node-7\\nnode-8\\n"; else echo "$@" >> "$HERE/requeued"; fi',
        "srun": 'shift; printf "%s\\n" "$@" > "$HERE/asked"; exit "$STATUS"',
    }
    for name, script in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    given = {"SLURM_JOB_NODELIST": "node-[7-8]", "SLURM_NNODES": "2", "SLURM_JOB_ID": "4711"}
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HERE": str(tmp_path), **given}


@pytest.mark.skipif(sys.platform == "win32", reason="there is no bash")
@pytest.mark.parametrize(("status", "restarts", "requeued"), [(0, "0", False), (1, "0", True), (1, "20", False)])
def test_the_batch_file_starts_torchrun_and_asks_for_another_turn(
    slurm: dict[str, str], status: int, restarts: str, requeued: bool
) -> None:
    subprocess.run(["bash", "-n", str(SBATCH)], check=True)
    environment = {**slurm, "STATUS": str(status), "SLURM_RESTART_COUNT": restarts}
    done = subprocess.run(["bash", str(SBATCH)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    program, *arguments = (Path(slurm["HERE"]) / "asked").read_text().splitlines()
    assert program == "torchrun"
    check(arguments, endpoint="node-7:29400")
    assert (Path(slurm["HERE"]) / "requeued").exists() == requeued
