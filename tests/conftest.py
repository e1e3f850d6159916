"""What all tests share: where the real audio is, and small files of known sound."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.threads import wait_politely

REPOSITORY = Path(__file__).resolve().parents[1]
NEEDED = {"real": "of real audio", "browser": "in a browser"}  # by the mark of tests that CI must not skip

ANNOUNCED = pytest.StashKey[list[str]]()

# As the command line does: spinning threads slow tests on a busy machine down many times.
wait_politely()

# Published weights lie beside the real audio.
_models = REPOSITORY.parent / "shared" / "models"
if _models.is_dir():
    os.environ.setdefault("AURICLE_MODELS", str(_models))

# A shell that starts the tests in the background has Ctrl-C ignored, and the programs under test would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _real_data_folder() -> Path:
    given = os.environ.get("AURICLE_DATA")
    return Path(given) if given else REPOSITORY.parent / "shared" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--nightly", action="store_true", help="chaos and fuzz at length: make chaos, make fuzz (tests/README.md)"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ANNOUNCED] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if lines := config.stash[ANNOUNCED]:
        terminalreporter.section("what was tried")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture
def nightly(request: pytest.FixtureRequest) -> bool:
    """Whether chaos and fuzz go on for long."""
    return bool(request.config.getoption("--nightly"))


@pytest.fixture
def announce(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Take a line that is printed at the end: what was tried, from which seed."""
    return lambda line: request.config.stash[ANNOUNCED].append(f"{request.node.name}: {line}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("real") and not _real_data_folder().is_dir():
        pytest.skip(f"real audio is not at {_real_data_folder()}; set AURICLE_DATA")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    report = yield
    # CI has the real audio and a browser: a test that is skipped there has stopped guarding anything.
    needs = next((needed for mark, needed in NEEDED.items() if item.get_closest_marker(mark)), None)
    if report.skipped and not hasattr(report, "wasxfail") and needs and os.environ.get("CI"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"a test {needs} must not be skipped in CI: {reason}"
    return report


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real audio; a test that uses it is marked `real`."""
    return _real_data_folder()


@pytest.fixture
def tone() -> Callable[..., np.ndarray]:
    """A sine of `hertz` and `seconds` at `rate`, peak `level`: float32 (samples,)."""

    def make(hertz: float, *, seconds: float = 1.0, rate: int = 16000, level: float = 0.5) -> np.ndarray:
        time = np.arange(round(seconds * rate)) / rate
        return (level * np.sin(2 * np.pi * hertz * time)).astype(np.float32)

    return make


@pytest.fixture
def sound_file(tmp_path: Path) -> Callable[..., Path]:
    """Write samples, (frames,) or (frames, channels), to `name` in the test's own folder; WAV as float."""

    def make(name: str, samples: np.ndarray, rate: int = 16000, **options: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".wav":
            options = {"subtype": "FLOAT", **options}
        if path.suffix.lower() == ".opus":
            options = {"format": "OGG", "subtype": "OPUS", **options}
        channels = 1 if samples.ndim == 1 else samples.shape[1]
        with soundfile.SoundFile(path, "w", samplerate=rate, channels=channels, **options) as file:
            for start in range(0, max(1, len(samples)), rate):
                file.write(samples[start : start + rate])
        return path

    return make
