"""Every benchmark runs with ``--quick`` and ends with one line of JSON; what it measures there means nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("pretrain.py", {"ratio", "share"}),
        ("describe.py", {"ratio", "all", "seconds_per_second"}),
        ("embed.py", {"flac_16k", "flac_44k"}),
        ("loader.py", {"flac_16k", "flac_44k", "step", "memory_mb"}),
        ("conformer.py", {"ratio", "share"}),
        ("rsa.py", {"rsatoolbox", "scipy", "permutations"}),
        ("probe_memory.py", {"peak_gb", "table_gb"}),
        ("projection.py", {"ratio"}),
        ("search.py", {"precision", "seconds", "peak_gb", "file_gb", "recall"}),
    ],
)
def test_quick_benchmark_ends_with_json(name: str, keys: set[str]) -> None:
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / name), "--quick"], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]).keys() == keys
