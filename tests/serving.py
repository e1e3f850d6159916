"""A file server on this machine that can be told to misbehave, and that remembers what it was asked."""

import email.utils
import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Fault:
    """What goes wrong with one answer.

    Attributes
    ----------
    drop_after
        Bytes of the body after which the connection is cut.
    hang_after
        Bytes of the body after which nothing more comes.
    status
        An answer without the file.
    headers
        That go with it.
    """

    drop_after: int | None = None
    hang_after: int | None = None
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Served:
    """A file and how it is served: with or without ranges, validators and length; `faults` befall successive GETs."""

    body: bytes
    ranges: bool = True
    etag: bool = True
    length: bool = True
    modified: str | None = None
    faults: list[Fault] = field(default_factory=list)

    @property
    def tag(self) -> str:
        return f'"{hashlib.sha256(self.body).hexdigest()[:16]}"'


class FileServer:
    """Files by path, at :meth:`url`; ``requests`` lists (method, path, Range) of all that was asked."""

    def __init__(self) -> None:
        self.files: dict[str, Served] = {}
        self.requests: list[tuple[str, str, str | None]] = []
        self.closing = threading.Event()
        self.address = ""

    def add(self, path: str, body: bytes, **how) -> str:
        self.files[path] = Served(body, **how)
        return self.url(path)

    def url(self, path: str) -> str:
        return f"http://{self.address}/{path}"

    @property
    def ranges(self) -> list[str | None]:
        """What every GET asked for."""
        return [span for method, _, span in self.requests if method == "GET"]


@contextmanager
def file_server() -> Iterator[FileServer]:
    server = FileServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"  # every answer ends its connection

        def log_message(self, *arguments) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(only_head=True)

        def do_GET(self) -> None:
            self.answer(only_head=False)

        def answer(self, *, only_head: bool) -> None:
            path, span = self.path.partition("?")[0].lstrip("/"), self.headers.get("Range")
            server.requests.append((self.command, path, span))
            file = server.files.get(path)
            if file is None:
                self.send_error(404)
                return
            fault = file.faults.pop(0) if file.faults and not only_head else Fault()
            if fault.status is not None:
                self.send_response(fault.status)
                for name, value in fault.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body, first = file.body, 0
            condition = self.headers.get("If-Range")
            is_same = condition is None or condition in (file.tag if file.etag else None, file.modified)
            if span and file.ranges and is_same:
                first = int(re.fullmatch(r"bytes=(\d+)-", span).group(1))
                if first >= len(body):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(body)}")
                    self.end_headers()
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
            else:
                self.send_response(200)
            if file.length:
                self.send_header("Content-Length", str(len(body) - first))
            if file.etag:
                self.send_header("ETag", file.tag)
            if file.modified:
                self.send_header("Last-Modified", file.modified)
            self.end_headers()
            if not only_head:
                self.send(body[first:], fault)

        def send(self, body: bytes, fault: Fault) -> None:
            stops = [stop for stop in (fault.drop_after, fault.hang_after) if stop is not None]
            self.wfile.write(body[: stops[0]] if stops else body)
            self.wfile.flush()
            if fault.hang_after is not None:
                server.closing.wait(10)

    class QuietServer(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, client_address) -> None:
            pass  # clients that go away are what is tested

    with QuietServer(("127.0.0.1", 0), Handler) as http:
        server.address = f"127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            http.shutdown()
            thread.join()


def date_of(seconds: float) -> str:
    """A moment as HTTP writes it."""
    return email.utils.formatdate(seconds, usegmt=True)
