"""How much is tried: a few hundred inputs with the other tests, more than ten thousand each night."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .examiner import Examiner
from .originals import originals


@pytest.fixture(scope="session")
def files() -> dict[str, bytes]:
    """Small valid files of every format, by name."""
    return originals()


@pytest.fixture
def examiner(tmp_path: Path, files: dict[str, bytes]) -> Iterator[Callable[[str], Examiner]]:
    """An examiner of a kind of input, which closes with the test."""
    opened: list[Examiner] = []

    def make(kind: str) -> Examiner:
        first = tmp_path / ("first.m4a" if kind == "sound" else "first.csv")
        first.write_bytes(files["aac.m4a"] if kind == "sound" else b"path,label\na.wav,dog\n")
        opened.append(Examiner(kind, first))
        return opened[-1]

    yield make
    for examiner in opened:
        examiner.close()
