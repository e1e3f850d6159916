"""A run's folder has one owner: a machine that is gone loses it, one that lives does not."""

import json
import os
import threading
from pathlib import Path

import pytest

from auricle import run_folder
from auricle.errors import AuricleError
from auricle.files import LOCK_NAME


@pytest.fixture
def lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lock of a process on another machine; that nobody has touched it is known after half a second."""
    monkeypatch.setattr(run_folder, "SILENCE", 0.5)
    path = tmp_path / LOCK_NAME
    owner = {"host": "node-9", "process": 4182, "process_started": "77", "since": "2026-01-02T10:32:00"}
    path.write_text(json.dumps(owner))
    return path


def test_the_lock_of_a_lost_machine_is_taken_over_and_said(lock: Path) -> None:
    told: list[str] = []
    with run_folder.owned(lock.parent, say=told.append):
        assert json.loads(lock.read_text())["process"] == os.getpid()
    assert not lock.exists()
    assert len(told) == 1
    assert "was owned by process 4182 on node-9" in told[0]


def test_the_lock_of_a_living_machine_is_not(lock: Path) -> None:
    done = threading.Event()

    def live() -> None:
        while not done.wait(0.05):
            os.utime(lock)

    other = threading.Thread(target=live)
    other.start()
    try:
        with (
            pytest.raises(AuricleError, match="is being written by process 4182 on node-9 since 2026-01-02 10:32"),
            run_folder.owned(lock.parent, say=lambda _: None),
        ):
            pass
    finally:
        done.set()
        other.join()
    assert json.loads(lock.read_text())["host"] == "node-9"


def test_an_owner_touches_its_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_folder, "BEAT", 0.02)
    with run_folder.owned(tmp_path, say=lambda _: None):
        path = tmp_path / LOCK_NAME
        os.utime(path, (0, 0))
        limit = threading.Event()
        for _ in range(500):
            if path.stat().st_mtime > 0:
                break
            limit.wait(0.02)
        assert path.stat().st_mtime > 0
