"""Reaching a Ray cluster, or starting one for a job, in bounded time and with one sentence where it cannot be."""

import contextlib
import logging
import os
import socket
from collections.abc import Iterator
from types import ModuleType

from auricle.errors import AuricleError

ANSWER_SECONDS = 10.0  # for a cluster to take a connection
LOCAL_STORE_BYTES = 1 << 30  # of shared memory: some pools and the rows of some blocks
_SETTINGS = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])  # HTTP/2's first frame, of both sides (RFC 9113, section 3.4)
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _SETTINGS  # what gRPC, by which clusters are spoken to, starts with
_LOCAL_STARTS = 3  # a busy machine may not start a cluster in the half minute that Ray gives it


@contextlib.contextmanager
def connected(address: str) -> Iterator[ModuleType]:
    """The module ``ray``, connected to the cluster at `address`.

    Parameters
    ----------
    address
        ``HOST:PORT``, ``auto`` or ``local``, as in :func:`auricle.embedding.on_ray.embed_on_ray`. In a process that is
        connected already it must be ``auto``.

    Raises
    ------
    AuricleError
        When Ray is not installed, or when no cluster answers.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would tell its makers what runs here
    try:
        import ray
    except ImportError:
        raise AuricleError('embedding on many machines needs the `ray` extra: pip install "auricle[ray]"') from None
    if ray.is_initialized():
        if address != "auto":
            raise AuricleError(f"this process is connected to a Ray cluster already: give auto, not {address}")
        yield ray
        return
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    if address == "local":
        _start(ray)
    else:
        _join(ray, address)
    try:
        yield ray
    finally:
        ray.shutdown()


def _start(ray: ModuleType) -> None:
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for left in reversed(range(_LOCAL_STARTS)):
        try:
            ray.init(
                address="local",
                num_cpus=max(2, processors),  # an encoder and its decoder
                object_store_memory=LOCAL_STORE_BYTES,
                include_dashboard=False,
                log_to_driver=False,
                configure_logging=False,
            )
            return
        except Exception as error:  # a bare Exception is what Ray raises here
            ray.shutdown()
            if not left:
                raise AuricleError(f"Ray could not be started here: {_first_line(error)}") from error


def _join(ray: ModuleType, address: str) -> None:
    if "://" in address:
        raise AuricleError(
            f"the Ray address is {address}: expected HOST:PORT, auto or local; "
            "run the command on a machine of the cluster, for instance by `ray job submit`"
        )
    if address != "auto":
        _refuse_silence(address)
    try:
        ray.init(address=address, log_to_driver=False, configure_logging=False)
    except Exception as error:
        ray.shutdown()
        where = "runs on this machine" if address == "auto" else f"answers at {address}"
        raise AuricleError(
            f"no Ray cluster {where} ({_first_line(error)}); start one: ray start --head, or give --ray local"
        ) from error


def _refuse_silence(address: str) -> None:
    """Ray itself would try again and again, for minutes."""
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isdigit() and int(port) < 1 << 16):
        raise AuricleError(f"the Ray address is {address!r}: expected HOST:PORT, auto or local")
    try:
        with socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS) as connection:
            connection.sendall(_GREETING)
            answer = connection.recv(len(_SETTINGS))
    except OSError as error:
        raise AuricleError(
            f"no Ray cluster answers at {address} ({error.strerror or error}); start one: ray start --head, or give "
            "--ray local"
        ) from error
    if answer[3:4] != _SETTINGS[3:4] and not os.environ.get("RAY_USE_TLS", "0").strip("0"):
        raise AuricleError(
            f"what answers at {address} is no Ray cluster; give the port of `ray start --head`, 6379 by default"
        )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
