"""What programs make of their command lines, without doing any of it."""

import re
import tomllib
from pathlib import Path
from typing import Any

import typer.main
from torch.distributed.run import parse_args

from auricle.cli import app
from auricle.corpora.registry import corpus
from auricle.datasets.registry import dataset
from auricle.explain.descriptors import columns_of
from auricle.finetuning.recipe import make_recipe
from auricle.models.registry import list_models
from auricle.pretraining.recipe import load_recipe
from auricle.study.definition import load_study
from auricle.transfer.protocols import protocol

from .blocks import REPOSITORY, Command

MADE = ("runs/", "hf:", "frogs", "detector")  # how models, and probes, begin that are not known by name
# Programs that are not ours.
OTHERS = (
    "embedding-atlas",
    "head",
    "kubectl",
    "python",
    "sbatch",
    "source",
    "tensorboard",
)


def check(command: Command, *, here: Path) -> None:
    """Ask whoever reads a command's words whether they mean anything; files of the page lie in `here`."""
    program, *words = command.words
    if command.arguments is not None:
        if program == "torchrun":
            asked = parse_args(words)
            assert asked.module and asked.training_script == "auricle"
        auricle(command.arguments, here=here)
    elif program == "make":
        targets = re.findall(r"^(\w+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert words and set(words) <= set(targets)
    elif program == "pip":
        (wanted,) = words[1:]
        known = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert words[0] == "install" and re.fullmatch(
            rf"auricle\[({'|'.join(known['optional-dependencies'])})\]", wanted
        )
    else:
        assert program in OTHERS, f"{program} is no program that the documentation may ask for"


def command_of(words: list[str]) -> Any:
    """The command of ``auricle`` that words begin with."""
    command: Any = typer.main.get_command(app)
    for word in words:
        if not hasattr(command, "get_command"):
            break
        inner = command.get_command(None, word)
        assert inner is not None, f"there is no `auricle {word}`"
        command = inner
    return command


def auricle(arguments: list[str], *, here: Path) -> None:
    """Every name among the arguments is one that Auricle knows, every ``key=value`` one that is accepted."""
    command = command_of(arguments)
    depth = 2 if arguments[0] == "study" else 1
    name = " ".join(arguments[:depth])
    with command.make_context(name, arguments[depth:]) as context:
        given = context.params
    if name == "pretrain" and given["resume"] is None:
        load_recipe(given["recipe"], given["overrides"] or ())
    if name == "finetune" and given["resume"] is None:
        make_recipe(given["overrides"] or (), model=given["model"], task=given["task"] or str(given["manifest"]))
    if name == "study run":
        study = given["study"]
        file = next((folder / study for folder in (here, REPOSITORY) if (folder / study).is_file()), study)
        load_study(file, given["overrides"] or ())
    if name in ("tasks", "corpora") and given["name"] is not None:
        (dataset if name == "tasks" else corpus)(given["name"])
    for task in [*_several(given.get("task")), *_several(given.get("against"))]:
        for one in task.split(","):
            assert one.startswith("hf:") or dataset(one)
    for one in _several(given.get("protocol")):
        protocol(one)
    if name in ("explain", "describe") and given["only"]:
        columns_of(given["only"])
    for model in [*_several(given.get("models")), *_several(given.get("model"))]:
        assert model in list_models() or model.startswith(MADE), f"{model} is no model"


def _several(value: Any) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else list(value)
