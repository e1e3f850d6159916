"""The fenced blocks of the README and of the pages of the documentation, and the shell commands in them.

A block without a language is shell commands. ``console`` is a transcript: lines that begin with ``$`` are commands, the
others are printed, in this order and among others, where any number may stand for any other and ``…`` for anything.
``python`` runs as it is, ``pycon`` with its answers, ``yaml`` is read by what reads such files.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]

LANGUAGES = ("", "console", "python", "pycon", "toml", "yaml")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ASSIGNMENT = re.compile(r"^(\w+)=(.*)$")


@dataclass(frozen=True)
class Command:
    """One shell command: what it sets in the environment, its words, and what the page says it prints.

    Attributes
    ----------
    page, line
        Where it begins.
    environment
        Variables that are set for it alone.
    words
        The program and its arguments.
    printed
        Lines of a transcript; none when the page does not say.
    """

    page: str
    line: int
    environment: dict[str, str]
    words: list[str]
    printed: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The command as the tables of this folder name it."""
        return " ".join([*(f"{name}={value}" for name, value in self.environment.items()), *self.words])

    @property
    def arguments(self) -> list[str] | None:
        """What the program ``auricle`` is given, also where torchrun starts it; None of another program."""
        if self.words[0] == "auricle":
            return self.words[1:]
        if self.words[0] == "torchrun":
            return self.words[self.words.index("auricle") + 1 :]
        return None


@dataclass(frozen=True)
class Block:
    """A fenced block: where its first line stands, its language, and its text without the fences."""

    page: str
    line: int
    language: str
    text: str

    @property
    def is_shell(self) -> bool:
        return self.language in ("", "console")

    def commands(self) -> Iterator[Command]:
        """The shell commands, in order."""
        lines = self.text.splitlines()
        place = 0
        while place < len(lines):
            first = place
            text = lines[place]
            if self.language == "console":
                assert text.startswith("$ "), f"{self.page}:{self.line + place} is no command"
                text = text.removeprefix("$ ")
            while text.endswith("\\"):
                place += 1
                text = text[:-1] + lines[place]
            place += 1
            printed = []
            while self.language == "console" and place < len(lines) and not lines[place].startswith("$ "):
                printed.append(lines[place])
                place += 1
            words = shlex.split(text, comments=True)
            environment = {}
            while words and (setting := _ASSIGNMENT.match(words[0])):
                environment[setting[1]] = setting[2]
                words = words[1:]
            if words:
                yield Command(self.page, self.line + first, environment, words, tuple(printed))


def blocks_of(path: Path) -> list[Block]:
    """All blocks of a page, in order."""
    text = path.read_text(encoding="utf-8")
    assert len(re.findall(r"^\s*```", text, re.MULTILINE)) == 2 * len(_FENCE.findall(text)), f"{path}: a fence is open"
    return [
        Block(str(path.relative_to(REPOSITORY)), text[: found.start(2)].count("\n") + 1, found[1], found[2])
        for found in _FENCE.finditer(text)
    ]


ALL = [block for path in PAGES for block in blocks_of(path)]
COMMANDS = [command for block in ALL if block.is_shell for command in block.commands()]
