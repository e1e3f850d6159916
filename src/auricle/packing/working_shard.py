"""The shard that is being written: samples appended to one file, and a journal of what each clip became.

A clip counts once its line is in the journal. After a kill at any moment, what the journal says is checked against the
file, sample by sample, and work goes on after the last clip that is whole.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from auricle.files import refused_writes_are_errors
from auricle.packing.layout import BYTES_PER_SAMPLE, Samples, checksum

_BLOCK = 1 << 20  # bytes read at a time


@dataclass(frozen=True)
class Outcome:
    """What a clip became.

    Attributes
    ----------
    row
        Of the plan.
    samples, clipped, checksum
        What was packed of it; 0 and empty where nothing was.
    reason
        Why it cannot be used.
    twin
        What it is the same as.
    """

    row: int
    samples: int = 0
    clipped: int = 0
    checksum: str = ""
    reason: str = ""
    twin: str = ""


class WorkingShard:
    """One shard and its journal in the folder `work`, gone on from where they are good.

    Attributes
    ----------
    outcomes : list of Outcome
        Of all clips so far, in order.
    samples : int
        In the shard.
    """

    def __init__(self, work: Path, number: int) -> None:
        self.number = number
        self.path, self.journal = work / f"{number:05d}.pcm", work / f"{number:05d}.jsonl"
        self.outcomes: list[Outcome] = []
        self.samples = 0
        with refused_writes_are_errors(work):
            self.path.touch()
            self.journal.touch()
            self._file: IO[bytes] = self.path.open("r+b", buffering=0)
            self._lines: IO[bytes] = self.journal.open("r+b", buffering=0)
        self._recover()
        self._start()

    def _recover(self) -> None:
        good = 0
        for line, outcome in self._journaled():
            if self._checksum_of(outcome.samples) != outcome.checksum and outcome.samples:
                break
            self.outcomes.append(outcome)
            self.samples += outcome.samples
            good += len(line)
        self._lines.truncate(good)
        self._lines.seek(good)

    def _journaled(self) -> Iterator[tuple[bytes, Outcome]]:
        for line in self.journal.read_bytes().splitlines(keepends=True):
            try:
                yield line, Outcome(**json.loads(line))
            except (ValueError, TypeError):  # the last line, cut off, or what a power cut left
                return

    def _checksum_of(self, samples: int) -> str:
        """Checksum of the next `samples` of the file."""
        running, left = checksum(), samples * BYTES_PER_SAMPLE
        self._file.seek(self.samples * BYTES_PER_SAMPLE)
        while left and (block := self._file.read(min(left, _BLOCK))):
            running.update(block)
            left -= len(block)
        return str(running.hexdigest())

    def _start(self) -> None:
        """Begin a clip: forget what was written since the last one."""
        end = self.samples * BYTES_PER_SAMPLE
        self._file.truncate(end)
        self._file.seek(end)
        self._checksum, self._written, self._clipped = checksum(), 0, 0

    @property
    def checksum(self) -> str:
        """Of what was written since the last clip."""
        return str(self._checksum.hexdigest())

    @property
    def has_clip(self) -> bool:
        """Whether anything was written since the last clip."""
        return self._written > 0

    def write(self, samples: Samples, clipped: int) -> None:
        """Append samples ``(n,)`` of a clip."""
        content = samples.tobytes()
        self._checksum.update(content)
        self._written += len(samples)
        self._clipped += clipped
        with refused_writes_are_errors(self.path):
            _write_all(self._file, content)

    def keep(self, row: int) -> Outcome:
        """What was written since the last clip is one."""
        outcome = Outcome(row, self._written, self._clipped, self.checksum)
        self.samples += self._written
        return self._note(outcome)

    def leave_out(self, row: int, *, reason: str = "", twin: str = "") -> Outcome:
        """What was written since the last clip is none."""
        return self._note(Outcome(row, reason=reason, twin=twin))

    def _note(self, outcome: Outcome) -> Outcome:
        with refused_writes_are_errors(self.journal):
            _write_all(self._lines, json.dumps(asdict(outcome)).encode() + b"\n")
        self.outcomes.append(outcome)
        self._start()
        return outcome

    def close(self) -> None:
        """Leave both files as they are, safe from a power cut."""
        with refused_writes_are_errors(self.path), self._file, self._lines:
            os.fsync(self._file.fileno())


def _write_all(file: IO[bytes], content: bytes) -> None:
    left = memoryview(content)
    while left:  # a disk that gets full takes a part before it refuses
        left = left[file.write(left) :]
