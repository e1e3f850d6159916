"""The blocks of every page are run as a reader would run them: in order, in one folder, on files that are there.

Commands run in this process, by the application that ``auricle`` is; what torchrun starts, it starts once, here.
What takes hours as printed is made smaller by what `tables.SMALLER` adds; what is not run stands in the other tables.
"""

import doctest
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from auricle.cli import app

from . import tables, world
from .blocks import ALL, REPOSITORY, Block, Command

ROOTS = re.compile(r"(?<![\w./])/(?=(?:field|archive|data|corpora|packs|fast|shared)\b)")
NUMBER = r"\d[\d,]*(?:\.\d+)?"
ARRAY = "SLURM_ARRAY_TASK_ID"  # a command that names it is run as often as its scheduler would, eight times


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the folders lie whose names begin with a slash, and a home from which every page's folder is copied."""
    base = tmp_path_factory.mktemp("roots")
    world.roots(base)
    world.home(base / "home", base=base)
    here = Path.cwd()
    os.chdir(base / "home")
    for command in (
        "pretrain byola-2022 data=/field --out runs/forest",
        "embed runs/forest /field --window 5 --out forest.parquet",
    ):
        answer = started(command.split(), base=base)
        assert answer.exit_code == 0, answer.output
    os.chdir(here)
    (base / "home" / "runs" / "non-speech").symlink_to("forest")
    return base


def started(arguments: list[str], *, base: Path) -> Result:
    """What a command of ``auricle`` answers, made smaller."""
    text = " ".join(arguments)
    added = max((start for start in tables.SMALLER if text.startswith(start)), key=len, default="")
    smaller = tables.SMALLER.get(added, []) if "--resume" not in arguments else []
    given = [ROOTS.sub(f"{base}/", word) for word in [*arguments, *smaller]]
    return CliRunner().invoke(app, [os.path.expandvars(word) for word in given])


def given_to(page: str) -> dict[str, Any]:
    """Names that a page's blocks of Python use and that their reader has: embeddings and facts of thirty clips."""
    if page != "docs/explaining.md":
        return {}
    draw = np.random.default_rng(0)
    embeddings, others = draw.standard_normal((30, 8)), draw.standard_normal((30, 5))
    level, pitch, speakers = draw.standard_normal(30), draw.standard_normal(30), np.arange(30) // 5
    return {"embeddings": embeddings, "others": others, "level": level, "pitch": pitch, "speakers": speakers}


@pytest.fixture
def folder(request: pytest.FixtureRequest, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that a page's blocks run in: without what they make themselves."""
    folder = tmp_path / "doc"  # by which a transcript calls its labels
    shutil.copytree(base / "home", folder, symlinks=True)
    page = request.getfixturevalue("page")
    if page == "docs/using-a-probe.md":
        world.digits_in_the_field(folder)
    for made in re.findall(r"--out (\S+)", "\n".join(block.text for block in ALL if block.page == page)):
        path = folder / made
        if path.is_dir():
            shutil.rmtree(path)
        elif path.is_file() and path.suffix == ".parquet":
            path.unlink()
    for name in ("fast", "shared"):
        shutil.rmtree(base / name, ignore_errors=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("AURICLE_MODELS", str(base / "models"))
    monkeypatch.setenv("AURICLE_DATA", str(base / "data"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return folder


@pytest.mark.parametrize("page", sorted({block.page for block in ALL}))
def test_a_page_runs_as_printed(page: str, folder: Path, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = given_to(page)
    for block in ALL:
        if block.page != page:
            continue
        if block.is_shell:
            for command in block.commands():
                if command.text not in tables.ONLY_PARSED.get(page, {}):
                    run(command, base=base, monkeypatch=monkeypatch)
        elif block.language == "python" and (page, block.text.splitlines()[0]) not in tables.PYTHON_ELSEWHERE:
            place = compile("\n" * (block.line - 1) + ROOTS.sub(f"{base}/", block.text), REPOSITORY / page, "exec")
            exec(place, names)
        elif block.language == "pycon":
            answered(block, names)


def run(command: Command, *, base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run one command, hold what it prints against what the page says that it prints."""
    where = f"{command.page}:{command.line}: `{command.text}`"
    with monkeypatch.context() as alone:
        for name, value in command.environment.items():
            alone.setenv(name, ROOTS.sub(f"{base}/", value))
        if command.arguments is None:
            done = subprocess.run(command.words, capture_output=True, text=True, check=False)
            status, printed, error = done.returncode, done.stdout, done.stderr
        else:
            for task in range(1, 9 if ARRAY in command.text else 2):
                alone.setenv(ARRAY, str(task))
                answer = started(command.arguments, base=base)
            status, printed, error = answer.exit_code, answer.output, f"{answer.output[-2000:]}\n{answer.exception!r}"
    assert status == 0, f"{where} ended with {status}: {error}"
    missing = first_missing(command.printed, printed)
    assert missing is None, f"{where} printed\n{printed}\nand no line like {missing!r} where it should"


def first_missing(lines: tuple[str, ...], printed: str) -> str | None:
    """The first line of a transcript that is not printed after those before it; any number stands for any other."""
    left = iter(printed.splitlines())
    for line in lines:
        wanted = re.sub(NUMBER, "0", line)
        if line.strip() not in ("", "…") and not any(re.sub(NUMBER, "0", one).rstrip() == wanted for one in left):
            return line
    return None


def answered(block: Block, names: dict[str, Any]) -> None:
    """Run a block of Python with its answers, which must be these."""
    test = doctest.DocTestParser().get_doctest(block.text, names, block.page, block.page, block.line - 1)
    runner = doctest.DocTestRunner(verbose=False)
    said: list[str] = []
    runner.run(test, out=said.append)
    assert runner.failures == 0, "".join(said)
