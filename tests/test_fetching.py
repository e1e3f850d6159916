"""Fetching over HTTP, against a real server on this machine that drops, hangs, changes its mind and lies."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from auricle.errors import AuricleError
from auricle.fetching import FetchProgress, Patience, fetch, size_of
from serving import Fault, FileServer, date_of, file_server

BODY = random.Random(1).randbytes(3_000_000)
OTHER = random.Random(2).randbytes(3_000_000)
SHA256 = "sha256:" + hashlib.sha256(BODY).hexdigest()
MD5 = "md5:" + hashlib.md5(BODY).hexdigest()
QUICK = Patience(timeout=0.5, attempts=3, wait=0.01)


@pytest.fixture
def server() -> Iterator[FileServer]:
    with file_server() as running:
        yield running


def left_of(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("checksum", [None, SHA256, MD5, SHA256.upper().replace("SHA256", "sha256")])
def test_a_file_comes_whole_and_only_once(server: FileServer, tmp_path: Path, checksum: str | None) -> None:
    url = server.add("a.bin", BODY)
    seen: list[FetchProgress] = []
    for _ in range(2):
        assert fetch(url, tmp_path / "deep" / "a.bin", checksum=checksum, report=seen.append).read_bytes() == BODY
    assert server.ranges == [None]
    assert left_of(tmp_path / "deep") == ["a.bin"]
    assert seen[-1] == FetchProgress("a.bin", len(BODY), len(BODY))
    assert [now.done for now in seen] == sorted({now.done for now in seen})


@pytest.mark.parametrize("validator", ["etag", "modified", "only the checksum"])
def test_dropped_connections_are_resumed(server: FileServer, tmp_path: Path, validator: str) -> None:
    url = server.add(
        "a.bin",
        BODY,
        etag=validator == "etag",
        modified=date_of(1e9) if validator == "modified" else None,
        faults=[Fault(drop_after=1_000_000), Fault(drop_after=500_000), Fault(drop_after=0)],
    )
    assert fetch(url, tmp_path / "a.bin", checksum=SHA256, patience=QUICK).read_bytes() == BODY
    assert server.ranges == [None, "bytes=1000000-", "bytes=1500000-", "bytes=1500000-"]


def test_a_server_may_fail_often_as_long_as_something_comes(server: FileServer, tmp_path: Path) -> None:
    url = server.add("a.bin", BODY, faults=[Fault(drop_after=200_000) for _ in range(14)])
    assert fetch(url, tmp_path / "a.bin", patience=QUICK).read_bytes() == BODY
    assert len(server.ranges) == 15


def test_without_anything_to_recognise_a_file_by_it_is_begun_anew(server: FileServer, tmp_path: Path) -> None:
    url = server.add("a.bin", BODY, etag=False, faults=[Fault(drop_after=1_000_000)])
    assert fetch(url, tmp_path / "a.bin", patience=QUICK).read_bytes() == BODY
    assert server.ranges == [None, None]


def test_a_server_without_ranges_gives_the_whole_file_again(server: FileServer, tmp_path: Path) -> None:
    url = server.add("a.bin", BODY, ranges=False, faults=[Fault(drop_after=1_000_000)])
    assert fetch(url, tmp_path / "a.bin", checksum=SHA256, patience=QUICK).read_bytes() == BODY


def test_a_server_without_ranges_that_always_drops_is_given_up(server: FileServer, tmp_path: Path) -> None:
    url = server.add("a.bin", BODY, ranges=False, faults=[Fault(drop_after=1_000_000) for _ in range(9)])
    with pytest.raises(AuricleError, match=r"broke off after 1.0 MB of 3.0 MB \(3 attempts in a row\)"):
        fetch(url, tmp_path / "a.bin", patience=QUICK)
    assert len(server.ranges) == 3


def test_a_file_that_changes_between_attempts_is_never_mixed(server: FileServer, tmp_path: Path) -> None:
    url = server.add("a.bin", OTHER, faults=[Fault(drop_after=1_000_000)])
    with pytest.raises(AuricleError, match="broke off"):
        fetch(url, tmp_path / "a.bin", patience=Patience(attempts=1))
    server.add("a.bin", BODY)
    assert fetch(url, tmp_path / "a.bin", patience=QUICK).read_bytes() == BODY
    assert server.ranges == [None, "bytes=1000000-"]


def test_a_change_that_the_server_does_not_tell_is_found_by_the_checksum(server: FileServer, tmp_path: Path) -> None:
    url = server.add("a.bin", OTHER, etag=False, faults=[Fault(drop_after=1_000_000)])
    with pytest.raises(AuricleError, match="broke off"):
        fetch(url, tmp_path / "a.bin", checksum=SHA256, patience=Patience(attempts=1))
    server.add("a.bin", BODY, etag=False)
    assert fetch(url, tmp_path / "a.bin", checksum=SHA256, patience=QUICK).read_bytes() == BODY
    assert server.ranges == [None, "bytes=1000000-", None]


def test_a_file_that_became_shorter_is_begun_anew(server: FileServer, tmp_path: Path) -> None:
    url = server.add("a.bin", OTHER, etag=False, faults=[Fault(drop_after=1_000_000)])
    with pytest.raises(AuricleError, match="broke off"):
        fetch(url, tmp_path / "a.bin", checksum="md5:" + "0" * 32, patience=Patience(attempts=1))
    short = BODY[:5000]
    server.add("a.bin", short, etag=False)
    checksum = "md5:" + hashlib.md5(short).hexdigest()
    assert fetch(url, tmp_path / "a.bin", checksum=checksum, patience=QUICK).read_bytes() == short


@pytest.mark.parametrize(
    ("checksum", "size", "said"),
    [
        (SHA256, None, f"its sha256 is {hashlib.sha256(OTHER[:-9]).hexdigest()}, expected {SHA256[7:]}"),
        (MD5, None, f"expected {MD5[4:]}"),
        (None, 3_000_000, "2,999,991 bytes, expected 3,000,000"),
    ],
)
def test_wrong_bytes_are_refused_and_not_kept(
    server: FileServer, tmp_path: Path, checksum: str | None, size: int | None, said: str
) -> None:
    url = server.add("a.bin", OTHER[:-9])
    with pytest.raises(AuricleError, match="gives out another file than the published one") as error:
        fetch(url, tmp_path / "a.bin", checksum=checksum, size=size, patience=QUICK)
    assert said in str(error.value)
    assert not (tmp_path / "a.bin").exists()
    server.add("a.bin", BODY)
    assert fetch(url, tmp_path / "a.bin", checksum=checksum, size=size).read_bytes() == BODY


def test_wrong_bytes_that_came_in_parts_are_tried_once_more_and_then_refused(
    server: FileServer, tmp_path: Path
) -> None:
    url = server.add("a.bin", OTHER, faults=[Fault(drop_after=9), Fault(), Fault(drop_after=9)])
    with pytest.raises(AuricleError, match="gives out another file"):
        fetch(url, tmp_path / "a.bin", checksum=SHA256, patience=QUICK)
    assert server.ranges == [None, "bytes=9-", None, "bytes=9-"]
    assert left_of(tmp_path) == []


@pytest.mark.parametrize(("status", "attempts"), [(404, 1), (403, 1), (401, 1), (503, 3), (429, 3), (500, 3)])
def test_only_what_may_pass_is_tried_again(server: FileServer, tmp_path: Path, status: int, attempts: int) -> None:
    url = server.add("a.bin", BODY, faults=[Fault(status=status) for _ in range(9)])
    with pytest.raises(AuricleError, match=f"answers {status}"):
        fetch(url, tmp_path / "a.bin", patience=QUICK)
    assert len(server.ranges) == attempts
    assert not (tmp_path / "a.bin").exists()


def test_a_busy_server_says_when_to_come_again(server: FileServer, tmp_path: Path) -> None:
    busy = Fault(status=503, headers={"Retry-After": "60"})
    url = server.add("a.bin", BODY, faults=[busy])
    start = time.monotonic()
    fetch(url, tmp_path / "a.bin", patience=Patience(wait=0.01, longest_wait=0.3))
    assert time.monotonic() - start >= 0.3  # the minute that it asks for, cut to what is ever waited


@pytest.mark.parametrize("after", [0, 1_000_000])
def test_a_server_that_hangs_is_left_and_asked_again(server: FileServer, tmp_path: Path, after: int) -> None:
    url = server.add("a.bin", BODY, faults=[Fault(hang_after=after)])
    start = time.monotonic()
    assert fetch(url, tmp_path / "a.bin", patience=QUICK).read_bytes() == BODY
    assert 0.5 <= time.monotonic() - start < 5
    assert server.ranges == [None, "bytes=1000000-" if after else None]


def test_silence_forever_is_one_sentence(server: FileServer, tmp_path: Path) -> None:
    url = server.add("a.bin", BODY, faults=[Fault(hang_after=7) for _ in range(3)])
    with pytest.raises(AuricleError, match=r"127\.0\.0\.1:\d+ was silent for 0\.1 s"):
        fetch(url, tmp_path / "a.bin", patience=Patience(timeout=0.1, attempts=1))


def test_nobody_listening_is_one_sentence(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(AuricleError, match=r"connection to 127\.0\.0\.1:9 failed: Connection refused"):
        fetch("http://127.0.0.1:9/a.bin", tmp_path / "a.bin", patience=Patience(attempts=2, wait=0.01))


def test_a_length_unknown_to_the_server_is_taken_from_the_publication(server: FileServer, tmp_path: Path) -> None:
    url = server.add("a.bin", BODY, length=False, faults=[Fault(drop_after=1_000_000)])
    assert fetch(url, tmp_path / "a.bin", size=len(BODY), patience=QUICK).read_bytes() == BODY
    assert server.ranges == [None, "bytes=1000000-"]


def test_only_the_web_is_fetched_from(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    with pytest.raises(AuricleError, match="expected http:// or https://"):
        fetch((tmp_path / "secret").as_uri(), tmp_path / "a.bin")


def test_another_file_in_the_place_is_left_alone(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_text("mine")
    with pytest.raises(AuricleError, match=r"a\.bin is there but is not what .* gives out"):
        fetch(server.add("a.bin", BODY), tmp_path / "a.bin", checksum=SHA256)
    assert (tmp_path / "a.bin").read_text() == "mine"
    assert server.requests == []


def test_a_disk_that_is_too_small_is_known_before_the_first_byte(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.add("a.bin", BODY)
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=2_000_000))
    with pytest.raises(AuricleError, match=r"a\.bin needs 3\.0 MB, but .* has 2\.0 MB free"):
        fetch(url, tmp_path / "a.bin")
    assert not any(path.stat().st_size > 1000 for path in tmp_path.iterdir())


def test_a_server_tells_sizes_without_sending(server: FileServer) -> None:
    assert size_of(server.add("a.bin", BODY)) == 3_000_000
    assert size_of(server.url("nothing")) is None
    assert size_of("http://127.0.0.1:9/a") is None


FETCH = """
import sys
from auricle.errors import Interrupted
from auricle.fetching import fetch
print("ready", flush=True)
try:
    fetch(sys.argv[1], sys.argv[2], checksum=sys.argv[3])
except Interrupted as error:
    sys.exit(f"{error}")
"""


@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGKILL])
def test_a_process_that_is_stopped_leaves_what_has_come(server: FileServer, tmp_path: Path, kill: int) -> None:
    url = server.add("a.bin", BODY, faults=[Fault(hang_after=2_000_000)])
    path = tmp_path / "a.bin"
    with subprocess.Popen(
        [sys.executable, "-c", FETCH, url, str(path), SHA256], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        part = tmp_path / "a.bin.part"
        until = time.monotonic() + 20
        while not (part.exists() and part.stat().st_size == 2_000_000) and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(process.pid, kill)
        _, said = process.communicate(timeout=20)
    if kill == signal.SIGINT:
        assert said.strip() == "stopped; 2.0 MB of a.bin are kept, and the same command goes on from there"
    assert part.stat().st_size == 2_000_000 and not path.exists()
    assert fetch(url, path, checksum=SHA256).read_bytes() == BODY
    assert server.ranges == [None, "bytes=2000000-"]
    assert left_of(tmp_path) == ["a.bin"]
