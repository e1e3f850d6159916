"""Gives files to a process that hears them, and notices whatever it must not do: crash, hang, or fail otherwise."""

import json
import select
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from watching import is_asleep, processor_seconds

WORKER = Path(__file__).with_name("worker.py")
PROCESSOR_SECONDS = 20.0  # of work on one small file: a thousand times what it takes
WAITING_SECONDS = 300.0  # asleep: what sleeps so long sleeps for ever, however busy the machine


class Examiner:
    """One process that is given files, replaced when it ends.

    Attributes
    ----------
    verdicts
        How many inputs were heard, refused or wrong.
    wrong
        Of each input that was wrong: what it was, and what happened.
    """

    def __init__(self, kind: str, first: Path, *, command: Sequence[str] = (sys.executable, str(WORKER))) -> None:
        self.kind, self._first, self._command = kind, first, command
        self.verdicts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._process: subprocess.Popen[str] | None = None

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    @property
    def inputs(self) -> int:
        return sum(self.verdicts.values())

    def examine(self, path: Path, *, seed: int, what: str) -> str:
        """``heard``, ``refused`` or ``WRONG …``; the file of a wrong one is kept beside its name."""
        if self._process is None:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
            )
            self._asked(self._first, 0)  # what is imported on the way does not count as memory of an input
        verdict = self._asked(path, seed)
        self.verdicts[verdict.split()[0]] += 1
        if verdict.startswith("WRONG"):
            self.wrong.append(f"{what}: {verdict}")
        return verdict

    def _asked(self, path: Path, seed: int) -> str:
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps({"kind": self.kind, "path": str(path), "seed": seed}) + "\n")
        used, asleep = processor_seconds(process.pid), 0.0
        while not select.select([process.stdout], [], [], 1.0)[0]:
            asleep += is_asleep(process.pid)
            if processor_seconds(process.pid) - used > PROCESSOR_SECONDS:
                self.close()
                return f"WRONG worked for more than {PROCESSOR_SECONDS:g} s"
            if asleep > WAITING_SECONDS:
                self.close()
                return f"WRONG waited for more than {WAITING_SECONDS:g} s"
        answer = process.stdout.readline().strip()
        if not answer:
            status = process.wait()
            self.close()
            return f"WRONG ended the process with {status}"
        return answer
