"""Reading many files at once: each is decoded by one of several processes, and the sound comes in the order asked for.

A decoder that crashes, or that waits forever for a disk, costs its own file and nothing else: its process is replaced,
the file is tried once more, and then given back as an error. Processes are started afresh, not forked (torch's threads
do not survive a fork), and know nothing but :mod:`auricle.audio`. Memory is bounded: what is longer than `LONG_SECONDS`
comes in blocks while it is being decoded, and few files are read ahead.
"""

import contextlib
import json
import mmap
import os
import queue
import signal
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np

from auricle import audio
from auricle.audio import AudioError, Waveform
from auricle.errors import AuricleError

LONG_SECONDS = 60.0  # longer sound comes as a `Recording`, in blocks
PATIENCE_SECONDS = 120.0  # without a block from a decoder, until its file is given up
AHEAD_PER_WORKER = 4  # files that are decoded or waiting to be taken, for each process

_BLOCK_SECONDS = 10.0
_BLOCKS_WAITING = 4  # of a recording that nobody takes yet
_ATTEMPTS = 2
_HEADER = struct.Struct("<cq")  # kind of message, bytes that follow
_READY, _SOUND, _END, _FAILED = b"R", b"S", b"E", b"F"
_COMMAND = (sys.executable, "-m", "auricle.reading")


@dataclass(frozen=True)
class Request:
    """A file, or an excerpt of it; as the arguments of :func:`auricle.audio.read`, in seconds."""

    path: Path
    offset: float = 0.0
    duration: float | None = None


class Recording:
    """Sound longer than `LONG_SECONDS`: iterate over it, once, for its blocks, float32 ``(samples,)``.

    Raises
    ------
    AudioError
        While iterating, when the file turns out to be broken further on.
    """

    def __init__(self, closing: threading.Event) -> None:
        self._blocks: queue.Queue[Waveform | AudioError | None] = queue.Queue(_BLOCKS_WAITING)
        self._closing = closing

    def _put(self, block: Waveform | AudioError | None) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(queue.Full):
                self._blocks.put(block, timeout=0.1)
                return
        raise _ClosedError

    def __iter__(self) -> Iterator[Waveform]:
        while True:
            try:
                block = self._blocks.get(timeout=0.1)
            except queue.Empty:
                if self._closing.is_set():
                    raise _ClosedError from None
                continue
            if block is None:
                return
            if isinstance(block, AudioError):
                raise block
            yield block


Sound = Waveform | Recording | AudioError


class Readers:
    """Processes that decode; a context manager.

    Parameters
    ----------
    sample_rate
        Hz that all sound is brought to.
    workers
        Number of processes, at least 1.
    patience
        Seconds without a block from a decoder until its file is given up.
    command
        What a process runs, for tests of what decoders can do.

    Examples
    --------
    >>> with Readers(sample_rate=16000, workers=2) as readers:  # doctest: +SKIP
    ...     for sound in readers.read(Request(path) for path in paths):
    ...         ...
    """

    def __init__(
        self,
        *,
        sample_rate: int,
        workers: int,
        patience: float = PATIENCE_SECONDS,
        command: Sequence[str] = _COMMAND,
    ) -> None:
        if workers < 1:
            raise AuricleError(f"workers must be at least 1, got {workers}")
        self.sample_rate = sample_rate
        self._ahead = AHEAD_PER_WORKER * workers
        self._closing = threading.Event()
        self._tasks: queue.SimpleQueue[tuple[Request, Future[Sound]] | None] = queue.SimpleQueue()
        self._workers = [_Worker(sample_rate, patience, command) for _ in range(workers)]
        self._threads = [threading.Thread(target=self._serve, args=(worker,), daemon=True) for worker in self._workers]
        self._threads.append(threading.Thread(target=self._watch, daemon=True))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing.set()
        for worker in self._workers:
            worker.kill()
            self._tasks.put(None)
        for thread in self._threads:
            thread.join()
        for worker in self._workers:
            worker.release()
        while not self._tasks.empty():
            if (task := self._tasks.get()) is not None:
                task[1].set_exception(_ClosedError())

    def read(self, requests: Iterable[Request]) -> Iterator[Sound]:
        """The sound of each request, in their order: a waveform, a `Recording` when it is long, or what is wrong.

        A recording must be iterated over, by whichever thread, before many more are asked for: processes wait for it.
        """
        waiting: deque[Future[Sound]] = deque()
        for request in requests:
            waiting.append(Future())
            self._tasks.put((request, waiting[-1]))
            if len(waiting) >= self._ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _serve(self, worker: "_Worker") -> None:
        """One thread: gives its process one request after the other."""
        while (task := self._tasks.get()) is not None:
            request, future = task
            try:
                self._answer(worker, request, future)
            except BaseException as error:
                if not future.done():
                    future.set_exception(error)
        worker.kill()

    def _answer(self, worker: "_Worker", request: Request, future: Future[Sound]) -> None:
        short: list[Waveform] = []
        samples = 0
        recording: Recording | None = None
        try:
            for block in self._decoded(worker, request):
                samples += len(block)
                if recording is not None:
                    recording._put(block)
                    continue
                short.append(block)
                if samples > LONG_SECONDS * self.sample_rate:
                    recording = Recording(self._closing)
                    future.set_result(recording)
                    for first in short:
                        recording._put(first)
            if recording is not None:
                recording._put(None)
            else:
                future.set_result(short[0] if len(short) == 1 else np.concatenate(short))
        except AudioError as error:
            if recording is not None:
                recording._put(error)
            else:
                future.set_result(error)

    def _decoded(self, worker: "_Worker", request: Request) -> Iterator[Waveform]:
        """Blocks of a request, from a second process where the first one breaks down."""
        given = 0
        for attempt in range(_ATTEMPTS):
            seen = 0
            try:
                for block in worker.decode(request):
                    seen += len(block)
                    if seen > given:
                        yield block[max(0, len(block) - (seen - given)) :]
                        given = seen
                return
            except _BreakdownError as breakdown:
                if self._closing.is_set():
                    raise _ClosedError from None
                if attempt == _ATTEMPTS - 1:
                    raise AudioError(request.path, str(breakdown)) from None

    def _watch(self) -> None:
        """One thread: ends processes that keep theirs waiting."""
        while not self._closing.wait(0.2):
            for worker in self._workers:
                worker.kill_if_hung()


class _ClosedError(Exception):
    """The readers are being closed; nobody waits for this sound any more."""


class _BreakdownError(Exception):
    """A process has died or was ended; the text follows the file's name."""


class _Worker:
    """One decoding process, as its thread sees it."""

    def __init__(self, sample_rate: int, patience: float, command: Sequence[str]) -> None:
        self._sample_rate, self._patience, self._command = sample_rate, patience, command
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._waiting_since: float | None = None
        self._hung = self._closed = False

    def decode(self, request: Request) -> Iterator[Waveform]:
        """Blocks of a request; :class:`AudioError` from the decoder, `_BreakdownError` when its process fails."""
        process = self._started()
        assert process.stdin is not None and process.stdout is not None
        task = asdict(request) | {"path": os.fspath(request.path), "sample_rate": self._sample_rate}
        try:
            process.stdin.write(json.dumps(task).encode() + b"\n")
            process.stdin.flush()
            while True:
                kind, content = self._received(process.stdout)
                if kind == _END:
                    return
                if kind == _FAILED:
                    raise AudioError(request.path, bytes(content).decode())
                yield np.frombuffer(content, dtype=np.float32)
        except (EOFError, BrokenPipeError):
            process.kill()
            status = process.wait()
            raise _BreakdownError(self._epitaph(status)) from None

    def _epitaph(self, status: int) -> str:
        if self._hung:
            return f"kept the decoder waiting for {self._patience:g} s, {_ATTEMPTS} times"
        how = f"exit status {status}"
        if status < 0:
            with contextlib.suppress(ValueError):
                how = signal.Signals(-status).name
        return f"ended the decoder's process ({how}), {_ATTEMPTS} times"

    def _received(self, pipe: IO[bytes]) -> tuple[bytes, bytes | mmap.mmap]:
        self._waiting_since = time.monotonic()
        try:
            header = pipe.read(_HEADER.size)
            if len(header) < _HEADER.size:
                raise EOFError
            kind, size = _HEADER.unpack(header)
            if not size:
                return kind, b""
            # Memory of its own, given back when the sound is dropped: on the heap, sound that waits leaves holes.
            content = mmap.mmap(-1, size)
            if pipe.readinto(content) < size:  # type: ignore[attr-defined]  # a buffered reader
                raise EOFError
            return kind, content
        finally:
            self._waiting_since = None

    def _started(self) -> subprocess.Popen[bytes]:
        """The running process, a new one if need be."""
        with self._lock:
            if self._closed:
                raise _ClosedError
            if self._process is not None and self._process.poll() is None:
                return self._process
            self.release()
            self._hung = False
            self._process = process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
                process_group=0 if os.name == "posix" else None,  # Ctrl-C is for the parent, which then ends this
            )
        assert process.stdout is not None
        with contextlib.suppress(EOFError):
            if self._received(process.stdout)[0] == _READY:
                return process
        if self._closed:
            raise _ClosedError
        raise AuricleError(f"the decoding process does not start; try: {' '.join(self._command)}")

    def release(self) -> None:
        """Give back what a process that has ended leaves behind."""
        if self._process is not None:
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):  # what was left to be sent to a dead process
                    assert pipe is not None
                    pipe.close()
            self._process = None

    def kill_if_hung(self) -> None:
        """End the process when its thread has waited for it for longer than `patience`."""
        since, process = self._waiting_since, self._process
        if process is not None and since is not None and time.monotonic() - since > self._patience:
            self._hung = True
            process.kill()

    def kill(self) -> None:
        """End the process for good."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()


# --- in the process


def serve(tasks: IO[bytes], answers: IO[bytes]) -> None:
    """Decode what `tasks` asks for, line by line, into `answers`, until `tasks` ends with the process that wrote it."""

    def send(kind: bytes, content: bytes | memoryview = b"") -> None:
        answers.write(_HEADER.pack(kind, len(content)))
        answers.write(content)

    send(_READY)
    answers.flush()
    for line in tasks:
        task = json.loads(line)
        path = task.pop("path")
        try:
            for block in audio.stream(path, block_seconds=_BLOCK_SECONDS, **task):
                send(_SOUND, np.ascontiguousarray(block).view(np.uint8).data)
            send(_END)
        except AudioError as error:
            send(_FAILED, error.reason.encode(errors="replace"))
        except Exception as error:  # whatever a decoder comes up with must not end a run over a million files
            send(_FAILED, f"cannot be decoded ({type(error).__name__}: {error})".encode(errors="replace"))
        answers.flush()


def main() -> None:
    """Serve on the standard streams; what decoding libraries print is dropped."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
    answers = os.fdopen(os.dup(1), "wb", buffering=1 << 20)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    with contextlib.suppress(BrokenPipeError):
        serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
