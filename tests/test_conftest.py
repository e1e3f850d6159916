import os
import subprocess
import sys
from pathlib import Path

import pytest

TEST_OF_REAL_AUDIO = "tests/test_opus.py::test_the_files_that_libsndfile_refuses_are_read"


@pytest.mark.parametrize(("ci", "code", "word"), [("", 0, "1 skipped"), ("true", 1, "must not be skipped in CI")])
def test_without_real_audio_a_test_of_it_is_skipped_but_in_ci_it_fails(ci, code, word, tmp_path):
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", TEST_OF_REAL_AUDIO],
        cwd=Path(__file__).parents[1],
        env=os.environ | {"AURICLE_DATA": str(tmp_path / "none"), "CI": ci},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == code, ran.stdout
    assert word in ran.stdout
    assert "real audio is not at" in ran.stdout
