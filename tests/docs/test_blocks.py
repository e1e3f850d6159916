"""Every block of the documentation is of a known kind, and every command in it means something to who reads it."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml

from auricle.corpora.diets import Diet
from auricle.models.registry import ENTRY_POINTS
from auricle.settings import Settings
from auricle.study.definition import KINDS

from . import parsing, tables, world
from .blocks import ALL, COMMANDS, LANGUAGES, PAGES, REPOSITORY, Block

# What a fragment of a study leaves out.
REST = {"diets": {"tasks": ["speech-commands", "vctk", "emodb", "esc50"]}, "ablation": {}}
INLINE = re.compile(r"(?<!`)`(auricle \w[^`\n]*)`")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the study that the pages speak of."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "study.yaml").write_text(world.STUDY.format(field="/field"), encoding="utf-8")
    return folder


@pytest.mark.parametrize("block", ALL, ids=lambda block: f"{block.page}:{block.line}")
def test_a_block_is_of_a_known_kind(block: Block) -> None:
    assert block.language in LANGUAGES
    if block.is_shell:
        assert list(block.commands())
        assert block.language == "console" or "\n$ " not in f"\n{block.text}", "a transcript is marked ```console"


@pytest.mark.parametrize("page", sorted({command.page for command in COMMANDS}))
def test_commands_of_a_page_mean_something(page: str, here: Path) -> None:
    for command in COMMANDS:
        if command.page == page:
            try:
                parsing.check(command, here=here)
            except BaseException as error:  # typer's ways out are no exceptions
                raise AssertionError(f"{page}:{command.line}: `{command.text}`: {error}") from error


@pytest.mark.parametrize("block", [block for block in ALL if block.language == "yaml"], ids=lambda block: block.page)
def test_yaml_is_what_its_reader_takes(block: Block, tmp_path: Path) -> None:
    given = yaml.safe_load(block.text)
    if block.page == "docs/corpora.md":
        read: Settings = Diet.model_validate(given)
    else:
        kind = given.get("kind", "diets")
        read = KINDS[kind].definition.model_validate({"name": "mine"} | given | REST[kind])
    assert set(given) <= read.model_fields_set


@pytest.mark.parametrize("block", [block for block in ALL if block.language == "toml"], ids=lambda block: block.page)
def test_a_package_names_its_models_where_they_are_looked_for(block: Block) -> None:
    assert list(tomllib.loads(block.text)["project"]["entry-points"]) == [ENTRY_POINTS]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_commands_within_a_line_exist(path: Path) -> None:
    """Of ``auricle NAME …`` in running text: the command and each of its options; placeholders are not looked at."""
    for found in INLINE.finditer(" ".join(path.read_text(encoding="utf-8").split())):
        words = shlex.split(found[1].replace("…", " ").replace("'", ""))[1:]
        command = parsing.command_of(words)
        known = {option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]}
        for word in words:
            assert not word.startswith("-") or word.partition("=")[0] in known, f"{path.name}: `{found[1]}`: {word}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_files_that_a_line_names_are_there(path: Path) -> None:
    for found in re.findall(r"(?:benchmarks|examples|tests)/[\w/]+\.\w+", path.read_text(encoding="utf-8")):
        assert (REPOSITORY / found).is_file(), f"{path.name} speaks of {found}"


@pytest.mark.parametrize("path", [REPOSITORY / "README.md", REPOSITORY / "docs" / "README.md"], ids=["README", "docs"])
def test_links_beside_the_site_lead_somewhere(path: Path) -> None:
    """mkdocs looks after those of its pages."""
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert links and not [link for link in links if not (path.parent / link).exists()]


def test_nothing_is_excused_that_is_not_there() -> None:
    texts = {(command.page, command.text) for command in COMMANDS}
    assert {(page, text) for page, excused in tables.ONLY_PARSED.items() for text in excused} <= texts
    starts = {(block.page, block.text.splitlines()[0]) for block in ALL if block.language == "python"}
    assert tables.PYTHON_ELSEWHERE.keys() <= starts
    reasons = [why for page in tables.ONLY_PARSED.values() for why in page.values()]
    for reason in [*reasons, *tables.PYTHON_ELSEWHERE.values()]:
        for file in re.findall(r"tests/[\w/]+\.py", reason):
            assert (REPOSITORY / file).is_file(), file
    said = {" ".join(command.arguments or []) for command in COMMANDS}
    assert all(any(text.startswith(words) for text in said) for words in tables.SMALLER)
