"""The report claims what the tests support, no more."""

from auricle.study.summary import points


def test_points_have_their_sign() -> None:
    assert (points(0.123), points(-0.05)) == ("+12.3", "−5.0")
