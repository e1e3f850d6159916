"""Stages of long work, each done once: a stage is known by what goes into it, and what it wrote is kept.

A stage's key is a hash over its kind, version, parameters and the fingerprints of its inputs; its folder bears the key.
A marker is written there last, so that a folder without one was interrupted: it is emptied, or gone on with where the
work itself can. What is finished is never touched again.
"""

import hashlib
import json
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from auricle.files import atomic_write
from auricle.manifest import Manifest

MARKER = "done.json"
KEY_DIGITS = 12  # of the key, in a folder's name
NAME_LENGTH = 60  # of a stage's name, in a folder's name


@dataclass(frozen=True)
class Stage:
    """A piece of work and all that decides its outcome.

    Attributes
    ----------
    kind : str
        What is done, for instance ``"embedding"``; also the folder that stages of a kind share.
    name : str
        To tell stages of a kind apart by eye; it is not part of the key.
    version : int
        Of the code that does it; raised when its outcome changes.
    inputs : Mapping
        Parameters and fingerprints, as JSON can hold them.
    """

    kind: str
    name: str
    version: int
    inputs: Mapping[str, Any]

    @property
    def key(self) -> str:
        """SHA-256, 64 hexadecimal digits."""
        content = [self.kind, self.version, self.inputs]
        return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True)
class Finished:
    """A stage that is done.

    Attributes
    ----------
    folder : Path
        What it wrote.
    facts : dict
        What its work returned, small and plain.
    seconds : float
        How long the process that finished it worked on it.
    cached : bool
        Whether it was done before.
    """

    folder: Path
    facts: dict[str, Any]
    seconds: float
    cached: bool


Work = Callable[[Path], dict[str, Any]]


class Stages:
    """The finished stages of a study or an evaluation.

    Parameters
    ----------
    root
        Folder that holds one folder per kind.

    Attributes
    ----------
    done, cached
        How many stages were worked on, and how many were found finished.
    seconds
        That all of them took, whenever it was.
    keys
        Of all of them in order: what decides everything that is made of them.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.done = 0
        self.cached = 0
        self.seconds = 0.0
        self.keys: list[str] = []

    def folder(self, stage: Stage) -> Path:
        """Where a stage writes."""
        name = re.sub(r"[^\w.-]+", "-", stage.name)[:NAME_LENGTH].strip("-.")
        return self.root / stage.kind / f"{name}-{stage.key[:KEY_DIGITS]}"

    def find(self, stage: Stage) -> Finished | None:
        """A stage that is finished and whose files are all there; None when it has to be done."""
        folder = self.folder(stage)
        try:
            marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        if marker["key"] != stage.key or any(_size(folder / file) != size for file, size in marker["files"].items()):
            return None
        return Finished(folder, marker["facts"], marker["seconds"], cached=True)

    def run(self, stage: Stage, work: Work, *, resumable: bool = False, outputs: Sequence[str] = ("**/*",)) -> Finished:
        """Do a stage, unless it is finished.

        Parameters
        ----------
        stage
            What decides the outcome.
        work
            Is given the folder to write to and returns facts for later stages.
        resumable
            Whether `work` goes on with what an interrupted one left; else it finds an empty folder.
        outputs
            Patterns of the files without which the stage is not finished.
        """
        finished = self.find(stage)
        if finished is None:
            finished = self._do(stage, work, resumable=resumable, outputs=outputs)
            self.done += 1
        else:
            self.cached += 1
        self.seconds += finished.seconds
        self.keys.append(stage.key)
        return finished

    def _do(self, stage: Stage, work: Work, *, resumable: bool, outputs: Sequence[str]) -> Finished:
        folder = self.folder(stage)
        (folder / MARKER).unlink(missing_ok=True)
        if not resumable:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        clock = time.perf_counter()
        facts = work(folder)
        seconds = round(time.perf_counter() - clock, 2)
        paths = sorted({path for pattern in outputs for path in folder.glob(pattern) if path.is_file()})
        marker = {
            "kind": stage.kind,
            "name": stage.name,
            "version": stage.version,
            "key": stage.key,
            "inputs": stage.inputs,
            "facts": facts,
            "seconds": seconds,
            "files": {path.relative_to(folder).as_posix(): path.stat().st_size for path in paths},
        }
        with atomic_write(folder / MARKER) as temporary:
            temporary.write_text(json.dumps(marker, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return Finished(folder, json.loads(json.dumps(facts)), seconds, cached=False)


def fingerprint_of_sound(manifest: Manifest) -> str:
    """SHA-256 over which clips there are, and over size and time of change of their files; labels do not count.

    Files are not read: work on a thousand hours must find in seconds that there is nothing to do.
    """
    digest = hashlib.sha256()
    columns = [manifest.column(name) if manifest.has(name) else [None] * len(manifest) for name in ("start", "end")]
    known: dict[str, tuple[int, int] | None] = {}
    for path, start, end in zip(manifest.column("path"), *columns, strict=True):
        if path not in known:
            known[path] = _state(manifest.root / path)
        digest.update(json.dumps([path, start, end, known[path]], ensure_ascii=False).encode())
    return digest.hexdigest()


def _state(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def _size(path: Path) -> int | None:
    state = _state(path)
    return None if state is None else state[0]
