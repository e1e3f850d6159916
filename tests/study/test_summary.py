"""The report claims what the tests support, no more."""

import pytest

from auricle.study.outcome import holm
from auricle.study.summary import listed, points


def test_holms_correction_as_in_his_paper() -> None:
    # Holm 1979, section 4 idea by hand: 3 × 0.01, then max with 2 × 0.02, then max with 1 × 0.04
    assert holm([0.04, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_lists_and_points_read_as_people_write() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert (points(0.123), points(-0.05)) == ("+12.3", "−5.0")
