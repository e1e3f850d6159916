"""Making things in a thread of their own while those before are being used; few wait at a time."""

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

_T = TypeVar("_T")


@contextlib.contextmanager
def told_ahead(tell: Callable[[Callable[[_T], None]], None]) -> Iterator[Iterator[_T]]:
    """What `tell`, in a thread, gives to the function that it is called with; one waits at most."""
    waiting: queue.Queue[_T | BaseException | None] = queue.Queue(1)
    closing = threading.Event()

    def put(item: _T | BaseException | None) -> None:
        while not closing.is_set():
            with contextlib.suppress(queue.Full):
                waiting.put(item, timeout=0.1)
                return
        raise _ClosedError

    def make() -> None:
        with contextlib.suppress(_ClosedError):
            try:
                tell(put)
                put(None)
            except _ClosedError:
                raise
            except BaseException as error:
                put(error)

    def take() -> Iterator[_T]:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    threading.Thread(target=make, daemon=True).start()
    try:
        yield take()
    finally:
        closing.set()


@contextlib.contextmanager
def made_ahead(items: Iterator[_T]) -> Iterator[Iterator[_T]]:
    """The items, made in a thread."""

    def tell(put: Callable[[_T], None]) -> None:
        for item in items:
            put(item)

    with told_ahead(tell) as coming:
        yield coming


class _ClosedError(Exception):
    """Nobody takes anything any more."""
