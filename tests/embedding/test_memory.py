"""Memory does not grow with the length of a recording or the number of clips."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from .sounds import RATE, embedding_process, excerpts, noise, result_of

TOLERATED = 100  # MB between a job and one of a twelfth of its sound, whose samples alone are hundreds of MB


def recording(path: Path, minutes: int) -> Path:
    """A WAV of a minute of noise, and then silence that takes no space on the disk."""
    soundfile.write(path, noise(60.0), RATE)
    header = bytearray(path.read_bytes()[:44])
    data = 2 * RATE * 60 * minutes
    header[4:8], header[40:44] = (36 + data).to_bytes(4, "little"), data.to_bytes(4, "little")
    with path.open("r+b") as file:
        file.write(header)
    os.truncate(path, 44 + data)
    assert soundfile.info(path).duration == 60 * minutes
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "rows"),
    [({}, 1), ({"window": 2.0, "hop": 1.0}, 7199), ({"frames": True}, 720_000)],
    ids=["clip", "windows", "frames"],
)
def test_two_hours_take_the_memory_of_ten_minutes(tmp_path: Path, options: dict[str, float], rows: int) -> None:
    jobs = []
    for minutes in (10, 120):
        path = recording(tmp_path / f"{minutes}.wav", minutes)
        jobs.append(result_of(embedding_process([path], tmp_path / f"{minutes}.parquet", **options)))
    short, long = jobs
    assert long["rows"] == pytest.approx(rows, abs=1)
    assert long["peak_megabytes"] < short["peak_megabytes"] + TOLERATED


@pytest.mark.slow
def test_four_thousand_clips_take_the_memory_of_six_hundred(tmp_path: Path) -> None:
    path = recording(tmp_path / "a.wav", 160)
    jobs = []
    for clips in (600, 4_000):
        manifest = tmp_path / f"{clips}.csv"
        excerpts(path, clips, 2.4, root=tmp_path).write(manifest)
        jobs.append(result_of(embedding_process([manifest], tmp_path / f"{clips}.parquet")))
    few, many = jobs
    assert many["rows"] == 4_000
    assert many["peak_megabytes"] < few["peak_megabytes"] + TOLERATED
    assert np.prod([4_000, 2.4, RATE, 4]) > 5 * TOLERATED * 2**20  # what all clips at once would take
