"""Sound comes in the order asked for, from processes that know no torch and leave nothing behind."""

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from auricle import audio
from auricle.audio import AudioError
from auricle.errors import AuricleError
from auricle.reading import LONG_SECONDS, Readers, Recording, Request

RATE = 8000


@pytest.fixture
def sounds(tmp_path: Path) -> list[Path]:
    """Files of very different lengths, so that decoders finish in another order than they began."""
    random = np.random.default_rng(0)
    paths = []
    for number, seconds in enumerate([50.0, 0.1, 0.2, 70.0, 0.1, 20.0, 0.3]):
        paths.append(tmp_path / f"{number}.wav")
        soundfile.write(paths[-1], random.uniform(-0.5, 0.5, round(seconds * RATE)), RATE)
    return paths


def test_sound_comes_in_order_and_long_sound_in_blocks(sounds: list[Path], tmp_path: Path) -> None:
    sounds.insert(2, tmp_path / "missing.wav")
    with Readers(sample_rate=RATE, workers=3) as readers:
        for path, sound in zip(sounds, readers.read(Request(path) for path in sounds), strict=True):
            if isinstance(sound, AudioError):
                assert (sound.path, sound.reason) == (tmp_path / "missing.wav", "does not exist")
                continue
            expected = audio.read(path, sample_rate=RATE)
            assert isinstance(sound, Recording) == (len(expected) > LONG_SECONDS * RATE)
            whole = np.concatenate(list(sound)) if isinstance(sound, Recording) else sound
            assert np.array_equal(whole, expected)


def test_an_excerpt_at_another_rate_is_what_read_gives(sounds: list[Path]) -> None:
    with Readers(sample_rate=16_000, workers=1) as readers:
        (sound,) = readers.read([Request(sounds[0], 3.0, 1.5)])
    assert np.array_equal(sound, audio.read(sounds[0], sample_rate=16_000, offset=3.0, duration=1.5))


def test_leaving_early_ends_processes_and_threads(sounds: list[Path]) -> None:
    threads, before = threading.active_count(), set(psutil.Process().children())
    with Readers(sample_rate=RATE, workers=2) as readers:
        next(readers.read(Request(path) for path in sounds * 10))
        children = list(set(psutil.Process().children()) - before)
        assert len(children) == 2
    assert not any(child.is_running() for child in children)
    assert threading.active_count() == threads


def test_a_decoding_process_does_not_import_torch() -> None:
    script = "import sys, auricle.reading; print('torch' in sys.modules, 'pyarrow' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert printed == "False False\n"


def test_a_script_needs_no_main_guard(sounds: list[Path], tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        "from auricle.reading import Readers, Request\n"
        "print('started')\n"
        "with Readers(sample_rate=8000, workers=2) as readers:\n"
        "    print([len(sound) for sound in readers.read(Request(path) for path in sys.argv[1:])])\n"
    )
    arguments = [sys.executable, script, sounds[1], sounds[2]]
    printed = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
    assert printed == "started\n[800, 1600]\n"


def test_without_workers_there_is_nothing_to_read_with() -> None:
    with pytest.raises(AuricleError, match="workers must be at least 1, got 0"):
        Readers(sample_rate=RATE, workers=0)
