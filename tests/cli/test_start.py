"""The command line starts at once: nothing heavy is imported before a command runs."""

import subprocess
import sys

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
