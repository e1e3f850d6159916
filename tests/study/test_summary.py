"""The report claims what the tests support, no more."""

from auricle.study.summary import listed, points


def test_lists_and_points_read_as_people_write() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert (points(0.123), points(-0.05)) == ("+12.3", "−5.0")
