"""Files over HTTP that arrive whole or not at all: resumed where a connection broke off, checked while they come.

What has come lies beside the target as ``NAME.part`` with a note of what the server said of the file (``ETag``,
``Last-Modified``, length), so that a later attempt or process asks for the rest alone (RFC 9110, sections 13.1.5 and
14) and starts again where the file has changed since. Nothing but Python's own library is needed.
"""

import contextlib
import hashlib
import http.client
import json
import os
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from auricle import __version__
from auricle.errors import AuricleError, Interrupted
from auricle.files import atomic_write, in_units, refuse_small_disk, refused_writes_are_errors

BLOCK_BYTES = 1 << 18  # taken from the network at a time, at most
REPORT_BYTES = 1 << 20  # between two reports
ALGORITHMS = ("md5", "sha1", "sha256", "sha512")
_PASSING = (408, 425, 429, 500, 502, 503, 504)  # states of a server that may be over soon


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a server that fails is borne.

    Attributes
    ----------
    timeout
        Seconds without a byte until a connection is given up.
    attempts
        Connections in a row that bring nothing new until the file is given up.
    wait, longest_wait
        Seconds before the second attempt, doubled before each further one; and the most that is ever waited, even if
        the server asks for more.
    """

    timeout: float = 30.0
    attempts: int = 6
    wait: float = 1.0
    longest_wait: float = 60.0


PATIENCE = Patience()


@dataclass(frozen=True)
class FetchProgress:
    """How far a file is: bytes `done` of `total`, which is None where the server does not say."""

    name: str
    done: int
    total: int | None


Report = Callable[[FetchProgress], None]


def fetch(
    url: str,
    path: Path | str,
    *,
    checksum: str | None = None,
    size: int | None = None,
    patience: Patience = PATIENCE,
    report: Report | None = None,
) -> Path:
    """Fetch one file, or go on with it; nothing if it is there already.

    Parameters
    ----------
    url
        ``http`` or ``https``; redirections are followed, proxies of the environment are used.
    path
        Where it goes. Until it is complete there is ``NAME.part`` beside it.
    checksum
        ``"sha256:…"`` or ``"md5:…"``, hexadecimal.
    size
        Bytes, where they are published.
    patience
        How long a server that fails is borne.
    report
        Is called about once per `REPORT_BYTES`.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    AuricleError
        When the server refuses or has no such file, gives out something else than was published, fails again and
        again, or the disk is too small. What has come is kept, unless it is wrong.
    Interrupted
        On Ctrl-C; what has come is kept.
    """
    path = Path(path)
    expected = _Checksum.parse(checksum)
    if path.exists():
        if path.is_file() and (expected is None or expected.of_file(path) == expected.digest):
            return path
        raise AuricleError(f"{path} is there but is not what {url} gives out; move it away and run the same command")
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise AuricleError(f"{url} is no address that can be fetched: expected http:// or https://")
    with refused_writes_are_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = _Part(path, url, expected)
        try:
            _complete(part, size=size, patience=patience, report=report)
        except KeyboardInterrupt:
            raise Interrupted(
                f"stopped; {in_units(part.size)} of {path.name} are kept, and the same command goes on from there"
            ) from None
        part.finish()
    return path


def size_of(url: str, *, patience: Patience = PATIENCE) -> int | None:
    """Bytes of a file as its server says without sending it; None where it does not say or does not answer."""
    try:
        with _open(url, {}, method="HEAD", timeout=patience.timeout) as response:
            return _whole_number(response.headers.get("Content-Length"))
    except (OSError, http.client.HTTPException):
        return None


@dataclass(frozen=True)
class _Checksum:
    algorithm: str
    digest: str

    @classmethod
    def parse(cls, text: str | None) -> "_Checksum | None":
        if text is None:
            return None
        algorithm, _, digest = text.partition(":")
        if algorithm not in ALGORITHMS or not digest:
            raise AuricleError(f"checksum {text!r} is not understood: expected {' or '.join(ALGORITHMS)}, then :digits")
        return cls(algorithm, digest.lower())

    def of_file(self, path: Path) -> str:
        with path.open("rb") as file:
            return hashlib.file_digest(file, self.algorithm).hexdigest()


@dataclass(frozen=True)
class _Version:
    """What a server says of a file, by which the next attempt knows whether it is still the same."""

    etag: str | None
    modified: str | None
    total: int | None

    @classmethod
    def of(cls, headers: http.client.HTTPMessage, total: int | None) -> "_Version":
        return cls(headers.get("ETag"), headers.get("Last-Modified"), total)

    @property
    def condition(self) -> str | None:
        """For ``If-Range``, which takes no weak tag."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified

    def differs_from(self, other: "_Version") -> bool:
        pairs = zip(asdict(self).values(), asdict(other).values(), strict=True)
        return any(mine is not None and theirs is not None and mine != theirs for mine, theirs in pairs)


class _Part:
    """What has come of a file, in ``NAME.part``, and which version of the file it is of, in ``NAME.part.json``."""

    def __init__(self, target: Path, url: str, expected: _Checksum | None) -> None:
        self.target, self.url, self.expected = target, url, expected
        self.path = target.with_name(f"{target.name}.part")
        self.note = target.with_name(f"{target.name}.part.json")
        self.is_resumed = False  # whether its bytes came by more than one connection
        self.version = self._noted_version()
        if self.version is None or not self.path.is_file():
            self.restart(_Version(None, None, None))
        else:
            self.size = self.path.stat().st_size
            self.is_resumed = self.size > 0
            self._hash = None if expected is None else hashlib.new(expected.algorithm)
            if self._hash is not None:
                with self.path.open("rb") as file:
                    while block := file.read(BLOCK_BYTES):
                        self._hash.update(block)

    def _noted_version(self) -> _Version | None:
        try:
            note = json.loads(self.note.read_text(encoding="utf-8"))
            return _Version(note["etag"], note["modified"], note["total"]) if note["url"] == self.url else None
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def restart(self, version: _Version) -> None:
        """Begin at the first byte, of this version."""
        # In this order: bytes never stand beside a note that is not theirs.
        self.path.write_bytes(b"")
        with atomic_write(self.note) as temporary:
            temporary.write_text(json.dumps({"url": self.url, **asdict(version)}), encoding="utf-8")
        self.version, self.size, self.is_resumed = version, 0, False
        self._hash = None if self.expected is None else hashlib.new(self.expected.algorithm)

    @property
    def start(self) -> int:
        """The byte to go on from: 0 where nothing would show that the file has changed."""
        version = self.version
        is_recognised = version is not None and (version.etag or version.modified or self.expected)
        return self.size if is_recognised else 0

    @property
    def is_complete(self) -> bool:
        return self.version is not None and self.version.total == self.size and self.start == self.size > 0

    @contextlib.contextmanager
    def appending(self) -> Iterator[Callable[[bytes], None]]:
        # Unbuffered: what has come is in the system's hands even if this process is killed.
        with self.path.open("ab", buffering=0) as file:

            def append(block: bytes) -> None:
                view = memoryview(block)
                while view:  # a nearly full disk takes a part of it
                    view = view[file.write(view) :]
                if self._hash is not None:
                    self._hash.update(block)
                self.size += len(block)

            yield append

    @property
    def digest(self) -> str | None:
        return None if self._hash is None else self._hash.hexdigest()

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def finish(self) -> None:
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())
        self.path.replace(self.target)
        self.note.unlink(missing_ok=True)


class _PassingError(Exception):
    """A failure that the next attempt may not meet."""

    def __init__(self, reason: str, *, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


def _complete(part: _Part, *, size: int | None, patience: Patience, report: Report | None) -> None:
    """Fill a part up and check it."""
    failures, farthest, was_wrong = 0, part.size, False
    while True:
        try:
            if not part.is_complete:
                _attempt(part, size=size, patience=patience, report=report)
            wrong = _what_is_wrong(part, size)
            if wrong is None:
                return
            if was_wrong or not part.is_resumed:
                part.discard()
                raise _other_file(part, f"{wrong}; it was not kept")
            # Its parts may be of different versions: once more, from the beginning.
            part.restart(_Version(None, None, None))
            was_wrong, farthest = True, 0
            raise _PassingError(wrong)
        except _PassingError as failure:
            # A server that begins anew each time and breaks off at the same place brings nothing new.
            failures = 1 if part.size > farthest else failures + 1
            farthest = max(farthest, part.size)
            if failures >= patience.attempts:
                raise AuricleError(
                    f"{part.url}: {failure} ({failures} attempts in a row); {in_units(part.size)} are kept, run the "
                    "same command again to go on"
                ) from failure
            wait = max(patience.wait * 2 ** (failures - 1), failure.wait)
            time.sleep(min(wait, patience.longest_wait))


def _what_is_wrong(part: _Part, size: int | None) -> str | None:
    if size is not None and part.size != size:
        return f"{part.size:,} bytes, expected {size:,}"
    if part.expected is not None and part.digest != part.expected.digest:
        return f"its {part.expected.algorithm} is {part.digest}, expected {part.expected.digest}"
    return None


def _other_file(part: _Part, how: str) -> AuricleError:
    return AuricleError(
        f"{part.url} gives out another file than the published one: {how}; run the same command again, or download it "
        "by hand from where its authors have it now"
    )


def _attempt(part: _Part, *, size: int | None, patience: Patience, report: Report | None) -> None:
    """One connection: take what it gives."""
    start = part.start
    headers = {} if start == 0 else {"Range": f"bytes={start}-"}
    if start and part.version is not None and part.version.condition is not None:
        headers["If-Range"] = part.version.condition
    with _answer(part, headers, timeout=patience.timeout) as response:
        if response.status == http.HTTPStatus.PARTIAL_CONTENT:
            first, total = _content_range(response.headers.get("Content-Range", ""))
            version = _Version.of(response.headers, total)
            if first != start or part.version is None or version.differs_from(part.version):
                part.restart(_Version(None, None, None))
                raise _PassingError("the file has changed since its first part came")
            total, part.is_resumed = total or part.version.total or size, start > 0
        else:
            total = _whole_number(response.headers.get("Content-Length")) or size
            if total is not None and size is not None and total != size:
                raise _other_file(part, f"{total:,} bytes, expected {size:,}")
            part.restart(_Version.of(response.headers, total))
        if total is not None:
            refuse_small_disk(part.target.parent, total - part.size, part.target.name)
        reported = part.size
        with part.appending() as append:
            while block := _block_of(response, part, patience):
                append(block)
                if report is not None and part.size - reported >= REPORT_BYTES:
                    reported = part.size
                    report(FetchProgress(part.target.name, part.size, total))
    if total is not None and part.size < total:
        raise _PassingError(f"the connection broke off after {in_units(part.size)} of {in_units(total)}")
    if report is not None:
        report(FetchProgress(part.target.name, part.size, part.size if total is None else total))


def _answer(part: _Part, headers: dict[str, str], *, timeout: float) -> http.client.HTTPResponse:
    """The server's answer, if it is one that holds bytes."""
    host = urllib.parse.urlsplit(part.url).netloc
    try:
        return _open(part.url, headers, method="GET", timeout=timeout)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.restart(_Version(None, None, None))
            raise _PassingError("the file is shorter than what came of it before") from error
        said = f"{host} answers {error.code} ({error.reason})"
        if error.code in _PASSING:
            raise _PassingError(said, wait=float(_whole_number(error.headers.get("Retry-After")) or 0)) from error
        raise AuricleError(f"{part.url} cannot be fetched: {said}; it may have moved, or ask for a login") from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise AuricleError(f"{part.url} cannot be fetched: {error.reason.verify_message}") from error
        if isinstance(error.reason, socket.gaierror):
            raise _PassingError(f"{host} is not known here; is this machine online?") from error
        raise _PassingError(_failure(error.reason, host, timeout)) from error
    except (OSError, http.client.HTTPException) as error:
        raise _PassingError(_failure(error, host, timeout)) from error


def _block_of(response: http.client.HTTPResponse, part: _Part, patience: Patience) -> bytes:
    try:
        return response.read1(BLOCK_BYTES)
    except (OSError, http.client.HTTPException, ValueError) as error:
        host = urllib.parse.urlsplit(part.url).netloc
        raise _PassingError(_failure(error, host, patience.timeout)) from error


def _failure(error: object, host: str, timeout: float) -> str:
    if isinstance(error, TimeoutError):
        return f"{host} was silent for {timeout:g} s"
    return f"the connection to {host} failed: {getattr(error, 'strerror', None) or error or type(error).__name__}"


def _open(url: str, headers: dict[str, str], *, method: str, timeout: float) -> http.client.HTTPResponse:
    sent = {"User-Agent": f"auricle/{__version__}", "Accept-Encoding": "identity", **headers}
    request = urllib.request.Request(url, headers=sent, method=method)
    response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=timeout)
    return response


def _content_range(text: str) -> tuple[int | None, int | None]:
    """First byte and whole length of ``bytes 5-9/10``; None where it does not say."""
    unit, _, rest = text.partition(" ")
    span, _, total = rest.partition("/")
    return (_whole_number(span.partition("-")[0]) if unit == "bytes" else None), _whole_number(total)


def _whole_number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None
