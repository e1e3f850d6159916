"""The command line starts at once: nothing heavy is imported before a command runs."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from auricle.cli import main

HEAVY = ("torch", "sklearn", "scipy", "pyarrow", "matplotlib", "numpy")


def test_help_needs_nothing_heavy() -> None:
    program = (
        "import sys\nfrom typer.testing import CliRunner\nfrom auricle.cli import app\n"
        "done = CliRunner().invoke(app, ['--help'])\n"
        "assert done.exit_code == 0 and 'pretrain' in done.output, done.output\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"


def test_python_m_auricle_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "auricle", "--version"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0
    assert done.stdout.startswith("auricle ")


def test_ctrl_c_says_what_is_kept(tmp_path: Path) -> None:
    for number in range(400):
        soundfile.write(tmp_path / f"{number}.wav", np.full(160_000, 0.1, np.float32), 16_000)
    out = tmp_path / "o.parquet"
    command = [sys.executable, "-m", "auricle", "embed", "byola-2022", str(tmp_path), "--out", str(out), "--workers=1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 120
    while not out.with_name("o.parquet.parts").exists() and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 130
    assert "of 400 clips; the same command goes on from there" in said
    assert "Traceback" not in said


def test_ctrl_c_before_there_is_anything_to_keep_is_no_silence(capfd, monkeypatch) -> None:
    def pressed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("auricle.models.registry.list_models", pressed)
    monkeypatch.setattr(sys, "argv", ["auricle", "models"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 130
    assert capfd.readouterr().err == "auricle: stopped\n"
