"""Several processes that train as one: how they meet, agree before they start, share the rows of a batch, and end.

``torchrun`` starts them and sets what they find each other by (RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT). What one
of them cannot do, none does, and one says why; when one dies, the others say so in one sentence and end too. For one
process alone nothing here does anything.
"""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn import functional

from auricle.errors import AuricleError
from auricle.models.global_norm import world_size

PATIENCE = 1800.0  # s that a process waits for the others, where AURICLE_PATIENCE does not say otherwise
_PREPARING = timedelta(days=1)  # that one may prepare while the others wait: decode, measure, write a checkpoint

_T = TypeVar("_T")
_groups: list[dist.ProcessGroup] = []  # the one that agreements are made in


def rank() -> int:
    """Number of this process, from 0."""
    return dist.get_rank() if world_size() > 1 else 0


def patience() -> float:
    """Seconds that a process waits for the others before it gives up.

    Raises
    ------
    AuricleError
        When AURICLE_PATIENCE is no number above 0.
    """
    given = os.environ.get("AURICLE_PATIENCE", str(PATIENCE))
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise AuricleError(f"AURICLE_PATIENCE is {given!r}: expected seconds above 0, for instance 600")
    return seconds


def join() -> None:
    """Meet the other processes of this training, once in a process's life.

    Raises
    ------
    AuricleError
        When not all have come within :func:`patience`.
    """
    wanted = int(os.environ.get("WORLD_SIZE", "1"))
    if wanted == 1 or dist.is_initialized():
        return
    if missing := [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if name not in os.environ]:
        raise AuricleError(
            f"WORLD_SIZE is {wanted}, but {' and '.join(missing)} is not set: start the processes with torchrun"
        )
    # GPUs exchange what is on them by NCCL; flags and agreements stay with the processors.
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    try:
        dist.init_process_group(backend, timeout=timedelta(seconds=patience()))
        _groups.append(dist.new_group(backend="gloo", timeout=_PREPARING))
    except RuntimeError as error:
        where = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        raise AuricleError(
            f"process {os.environ['RANK']} of {wanted} waited {patience():g} s at {where}, and not all have come "
            f"({_first_line(error)}): start as many as --nnodes times --nproc-per-node say, where they reach each "
            "other, or let them wait longer by AURICLE_PATIENCE=SECONDS"
        ) from error


@contextmanager
def in_contact(go_on: str) -> Iterator[None]:
    """Join the others; when one of them is lost, say so in one sentence.

    Parameters
    ----------
    go_on
        The command by which the work goes on afterwards.

    Raises
    ------
    AuricleError
        When not all come, or one ends or falls silent before the others.
    """
    join()
    try:
        yield
    except RuntimeError as error:
        if not is_lost_contact(error):
            raise
        lost = (
            f"has heard nothing of another one for {patience():g} s, which hangs or cannot be reached"
            if "imed out" in str(error)
            else "has lost another one: it was killed, or says itself what was wrong"
        )
        raise AuricleError(
            f"process {rank()} of {world_size()} on {socket.gethostname()} {lost}; once that is put right, go on from "
            f"the last checkpoint with: {go_on}"
        ) from error


def is_lost_contact(error: BaseException) -> bool:
    """Whether this is how the loss of another process shows."""
    if world_size() == 1 or not isinstance(error, RuntimeError):
        return False
    return isinstance(error, dist.DistError) or any(word in str(error) for word in ("gloo", "NCCL"))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def gather(value: _T) -> list[_T]:
    """What all processes give, by their number."""
    if world_size() == 1:
        return [value]
    found: list[Any] = [None] * world_size()
    dist.all_gather_object(found, value, group=_groups[0])
    return found


def from_main(value: _T) -> _T:
    """What the main process gives; what the others give does not count."""
    if world_size() == 1:
        return value
    found: list[Any] = [value]
    dist.broadcast_object_list(found, src=0, group=_groups[0])
    agreed: _T = found[0]
    return agreed


@contextmanager
def all_or_none() -> Iterator[None]:
    """What one process cannot do, none does: an :class:`AuricleError` in one is raised in all, and said by one.

    All processes wait at the end of the block for the others. It must not exchange anything itself.
    """
    mine: AuricleError | None = None
    try:
        yield
    except AuricleError as error:
        if world_size() == 1:
            raise
        mine = error
    said = gather(None if mine is None else (socket.gethostname(), str(mine)))
    first = next((number for number, entry in enumerate(said) if entry is not None), None)
    if first is None:
        return
    host, text = said[first] or ("", "")
    if mine is None or str(mine) != text or first > 0:
        mine = AuricleError(f"process {first} on {host}: {text}" if first else text)
    mine.everywhere = True
    raise mine


def agree(what: str, mine: Mapping[str, Any], remedy: str) -> None:
    """Refuse to start when processes were given different things.

    Parameters
    ----------
    what
        Their name, in the plural.
    mine
        What this process has, by name.
    remedy
        What to do when they differ.

    Raises
    ------
    AuricleError
        When they are not the same everywhere; it names the first that differs, and where.
    """
    everyone = gather((socket.gethostname(), dict(mine)))
    main_host, main = everyone[0]
    for number, (host, theirs) in enumerate(everyone):
        for key in main:
            if theirs.get(key) != main[key]:
                error = AuricleError(
                    f"the processes have different {what}: {key} is {main[key]!r} for process 0 on {main_host} but "
                    f"{theirs.get(key)!r} for process {number} on {host}; {remedy}"
                )
                error.everywhere = True
                raise error


def rows_of_batch(batch: int, process: int | None = None) -> slice:
    """Which rows of a batch are a process's, this one's when not said; processes may differ by one row."""
    number, processes = rank() if process is None else process, world_size()
    return slice(batch * number // processes, batch * (number + 1) // processes)


def gather_rows(mine: Tensor, batch: int) -> Tensor:
    """All rows of a batch, of which `mine` are this process's: ``(batch, …)``, without gradient."""
    if world_size() == 1:
        return mine
    parts = [rows_of_batch(batch, process) for process in range(world_size())]
    counts = [part.stop - part.start for part in parts]
    padded = functional.pad(mine.detach(), (0, 0) * (mine.ndim - 1) + (0, max(counts) - len(mine))).contiguous()
    everyone = [torch.empty_like(padded) for _ in counts]
    dist.all_gather(everyone, padded)
    return torch.cat([rows[:count] for rows, count in zip(everyone, counts, strict=True)])
