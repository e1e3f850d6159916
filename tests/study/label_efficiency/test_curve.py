"""The worth of pre-training in labels, by hand: straight lines over the logarithm of the share."""

import math

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from auricle.study.intervals import with_interval
from auricle.study.label_efficiency.curve import NEVER, replicates, share_reaching, worth

SHARES = (0.1, 1 / 3, 2 / 3, 1.0)


def test_between_two_shares_the_curve_is_a_line_over_the_logarithm() -> None:
    # Half way from .5 to .7 between a third and two thirds: the geometric mean of these.
    assert share_reaching(SHARES, [0.3, 0.5, 0.7, 0.8], 0.6) == pytest.approx(math.sqrt(2 / 9))
    assert share_reaching(SHARES, [0.3, 0.5, 0.7, 0.8], 0.5) == pytest.approx(1 / 3)
    assert share_reaching(SHARES, [0.3, 0.5, 0.7, 0.8], 0.2) == 0.1
    assert share_reaching(SHARES, [0.3, 0.5, 0.7, 0.8], 0.9) == NEVER


def test_it_counts_from_where_the_curve_stays_above() -> None:
    assert share_reaching(SHARES, [0.7, 0.5, 0.7, 0.8], 0.6) == pytest.approx(math.sqrt(2 / 9))
    assert share_reaching(SHARES, [0.3, 0.7, 0.8, 0.5], 0.6) == NEVER


def test_intervals_may_end_beyond_what_was_tried() -> None:
    generator = np.random.default_rng(0)
    noise = 0.02 * generator.standard_normal((4, 1001))
    noise[:, 0] = 0
    curves = [value + of_share for value, of_share in zip((0.3, 0.5, 0.7, 0.8), noise, strict=True)]
    found = worth(SHARES, curves, np.full(1001, 0.6))
    assert found.share.value == pytest.approx(math.sqrt(2 / 9))
    assert found.share.low is not None and found.share.high is not None
    assert 1 / 3 < found.share.low < found.share.value < found.share.high < 2 / 3
    assert found.in_words().startswith("0.47 (0.4")
    hard = worth(SHARES, curves, np.full(1001, 0.79))
    assert hard.is_reached and hard.share.high == NEVER and hard.in_words().endswith("… not reached)")
    easy = worth(SHARES, curves, np.full(1001, 0.2))
    # What both ends say too is said once.
    assert (easy.in_words(), easy.band) == ("at most 0.10", None)
    never = worth(SHARES, curves, np.full(1001, 0.99))
    assert (never.in_words(), never.band) == ("not reached", None)
    assert found.band == (found.share.low, found.share.high) and hard.band == (hard.share.low, 1.0)


def test_without_replicates_there_is_no_interval() -> None:
    found = worth(SHARES, [np.array([value]) for value in (0.3, 0.5, 0.7, 0.8)], np.array([0.6]))
    assert (found.share.low, found.share.high, found.band, found.in_words()) == (None, None, None, "0.47")


def test_values_are_means_over_seeds_and_intervals_are_those_of_a_share() -> None:
    generator = np.random.default_rng(1)
    truth = generator.integers(3, size=400)
    given = {
        ("a", 1.0): [np.where(generator.random(400) < 0.8, truth, (truth + 1) % 3) for _ in range(3)],
        ("b", 1.0): [np.where(generator.random(400) < 0.5, truth, (truth + 1) % 3) for _ in range(3)],
    }
    found = replicates("multi-class", truth, given, [None] * 400, seed=0)["accuracy"]
    for point, of_point in given.items():
        assert found[point][0] == pytest.approx(np.mean([accuracy_score(truth, seed) for seed in of_point]))
    value = with_interval(found["a", 1.0])
    assert value.low is not None and value.high is not None
    # Three independent seeds over 400 clips: their mean has a deviation of about sqrt(.8 * .2 / 400 / 3) over clips and
    # as much again over seeds.
    assert value.high - value.low == pytest.approx(2 * 1.96 * math.sqrt(2 * 0.16 / 1200), rel=0.35)
    again = replicates("multi-class", truth, given, [None] * 400, seed=0)["accuracy"]
    assert np.array_equal(again["a", 1.0], found["a", 1.0])


def test_what_one_cluster_holds_is_drawn_together() -> None:
    truth = np.zeros(100, dtype=np.int64)
    answers = {("a", 1.0): [np.repeat([0, 1], 50)]}
    halves = replicates("multi-class", truth, answers, ["x"] * 50 + ["y"] * 50)["accuracy"]["a", 1.0]
    assert set(np.round(halves, 6)) == {0.0, 0.5, 1.0}
    single = replicates("multi-class", truth, answers, ["x"] * 100)["accuracy"]["a", 1.0]
    assert with_interval(single).low is None
