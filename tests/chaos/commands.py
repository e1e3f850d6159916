"""Auricle's commands as processes that a test can kill, stop, and ask what they said."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from watching import is_asleep, processor_seconds

SERVER = Path(__file__).with_name("server.py")
ASLEEP_SECONDS = 300.0  # what sleeps so long hangs, however busy the machine
_LOOK = 0.005  # seconds between two looks at a process


@dataclass(frozen=True)
class Outcome:
    """How a command ended: its exit status (negative: the signal), and what it said."""

    status: int
    out: str
    err: str
    seconds: float  # of processor time

    def sentence(self) -> str:
        """The one sentence with which it failed."""
        assert self.status == 1, self
        assert "Traceback" not in self.err, self.err
        said = [line for line in self.err.splitlines() if line.startswith("auricle: ")]
        assert len(said) == 1, self.err
        return said[0]


class Command:
    """A command that was started."""

    def __init__(self, server: "Server", process: int, folder: Path) -> None:
        self.process, self.seconds = process, 0.0
        self._server, self._folder = server, folder
        self._status: int | None = None

    def status(self) -> int | None:
        """Its exit status; None while it runs."""
        if self._status is None:
            self.seconds = max(self.seconds, processor_seconds(self.process))
            self._status = self._server.status(self.process)
        return self._status

    def send(self, number: signal.Signals) -> None:
        os.kill(self.process, number)

    def wait(self) -> Outcome:
        """Its end; a command that only sleeps is killed and fails the test."""
        asleep, since, hung = 0.0, time.monotonic(), False
        while (status := self.status()) is None:
            time.sleep(_LOOK)
            now = time.monotonic()
            asleep = asleep + min(now - since, 1.0) if is_asleep(self.process) else 0.0
            since = now
            if asleep > ASLEEP_SECONDS and not hung:
                self.send(signal.SIGKILL)
                hung = True
        assert not hung, f"the command hung: {self._outcome(status)}"
        return self._outcome(status)

    def _outcome(self, status: int) -> Outcome:
        out, err = ((self._folder / name).read_text(errors="replace") for name in ("stdout", "stderr"))
        return Outcome(status, out, err, self.seconds)

    def kill_after(self, seconds: float) -> Outcome | None:
        """Kill -9 once it has worked for so long; its outcome where it ended before."""
        while processor_seconds(self.process) < seconds:
            if (status := self.status()) is not None:
                return self._outcome(status)
            time.sleep(_LOOK)
        self.send(signal.SIGKILL)
        outcome = self.wait()
        return None if outcome.status == -signal.SIGKILL else outcome


class Server:
    """The process of `server.py`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "AURICLE_DATA": str(folder / "none")}
        self._process = subprocess.Popen(
            [sys.executable, SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self._answer() == "ready"

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def _asked(self, **request: Any) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def status(self, process: int) -> int | None:
        answer: int | None = json.loads(self._asked(wait=process))
        return answer

    def start(self, *arguments: object, patches: Mapping[str, object] | None = None) -> Command:
        """Start a command; `patches` are values to put into modules before."""
        self._count += 1
        folder = self._folder / f"{self._count:04d}"
        folder.mkdir()
        said = self._asked(arguments=list(map(str, arguments)), folder=str(folder), patches=dict(patches or {}))
        return Command(self, int(said), folder)

    def run(self, *arguments: object, patches: Mapping[str, object] | None = None) -> Outcome:
        return self.start(*arguments, patches=patches).wait()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()
