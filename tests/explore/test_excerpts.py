"""The beginnings of clips: what they sound like, what they weigh, and what happens when the budget is small."""

import base64
import io
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from auricle.explore.excerpts import LENGTHS, embedded_size, excerpts


@pytest.fixture
def noises(sound_file) -> list[Path]:
    noise = np.random.default_rng(0).normal(0, 0.1, 16000 * 4).astype(np.float32)
    return [sound_file(f"{number}.wav", noise) for number in range(12)]


def test_an_excerpt_is_the_clips_own_sound(sound_file, tone) -> None:
    long = np.concatenate([tone(300.0, seconds=1.0), tone(1000.0, seconds=5.0)])
    files = [sound_file("a.wav", long), sound_file("b.wav", tone(500.0, rate=44100, seconds=0.7), 44100)]
    found = excerpts(files, starts=[1.0, None], ends=[None, None], budget=1_000_000)
    for row, (seconds, hertz) in enumerate([(3.0, 1000.0), (0.7, 500.0)]):
        samples, rate = soundfile.read(io.BytesIO(found.file(row)))
        assert abs(len(samples) / rate - seconds) < 0.01
        spectrum = np.abs(np.fft.rfft(samples))
        assert abs(np.fft.rfftfreq(len(samples), 1 / rate)[spectrum.argmax()] - hertz) < 5


def test_head_and_sound_may_be_joined_as_base64(noises) -> None:
    found = excerpts(noises[:1], budget=1_000_000)
    text = base64.b64encode(found.head) + base64.b64encode(found.sounds[0])
    assert base64.b64decode(text, validate=True) == found.file(0)
    assert embedded_size(found.sounds[0]) == len(base64.b64encode(found.sounds[0]))


def test_a_budget_is_kept_by_shorter_excerpts_and_then_by_fewer(noises) -> None:
    generous, tight, tiny = (excerpts(noises, budget=budget) for budget in (10_000_000, 60_000, 18_000))
    assert (generous.seconds, generous.heard) == (3.0, 12)
    assert tight.seconds < 3.0
    assert tight.heard == 12
    assert tight.size <= 60_000
    assert tiny.seconds == LENGTHS[-1]
    heard = [row for row, sound in enumerate(tiny.sounds) if sound is not None]
    assert 2 <= len(heard) < 12
    assert tiny.size <= 18_000
    assert (heard[0], heard[-1]) == (0, 11)  # evenly from all, not the first ones
    assert tiny.unreadable == []  # the others were not tried


def test_no_budget_is_no_sound_and_reads_nothing(tmp_path) -> None:
    found = excerpts([tmp_path / "missing.wav"] * 3, budget=0)
    assert found.sounds == [None, None, None]
    assert found.unreadable == []


def test_a_clip_that_cannot_be_read_is_silent_and_named(sound_file, tone, tmp_path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound")
    found = excerpts([sound_file("a.wav", tone(440.0)), broken], budget=1_000_000)
    assert [sound is None for sound in found.sounds] == [False, True]
    assert found.unreadable == [1]


def test_the_share_that_is_done_goes_up_to_one(noises) -> None:
    shares: list[float] = []
    excerpts(noises, budget=1_000_000, report=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_memory_holds_the_budget_and_no_more(sound_file) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 16000 * 60).astype(np.float32)
    minute = sound_file("minute.wav", noise)  # 3.8 MB each as samples
    excerpts([minute], budget=100_000)
    before = psutil.Process().memory_info().rss
    peak = 0

    def watch(_share: float) -> None:
        nonlocal peak
        peak = max(peak, psutil.Process().memory_info().rss)

    found = excerpts([minute] * 400, budget=2_000_000, report=watch)
    assert found.heard == 400
    assert peak - before < 60e6
