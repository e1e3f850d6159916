import numpy as np
import pytest
from scipy import stats

from auricle.errors import AuricleError
from auricle.transfer.bootstrap import interval, paired_difference
from auricle.transfer.metrics import accuracy

RNG = np.random.default_rng(1)


def mean_of(values: np.ndarray):
    return lambda weights: weights @ values / weights.sum(axis=-1)


def test_interval_of_a_mean_is_the_normal_one_for_many_clips() -> None:
    values = RNG.normal(3.0, 2.0, size=2000)
    low, high = interval(mean_of(values), [None] * 2000, replicates=4000)
    half = 1.96 * values.std() / np.sqrt(2000)
    assert low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_interval_agrees_with_scipys_percentile_bootstrap() -> None:
    values = RNG.exponential(size=60)
    expected = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=20_000, rng=np.random.default_rng(0)
    ).confidence_interval
    assert interval(mean_of(values), list(range(60)), replicates=20_000) == pytest.approx(expected, abs=0.02)


def test_clips_of_a_cluster_stand_or_fall_together() -> None:
    # Ten copies of each of 100 clips say no more than the 100 clips do: the interval must not shrink by √10.
    values = RNG.normal(size=100)
    once = interval(mean_of(values), list(range(100)))
    copied = interval(mean_of(np.repeat(values, 10)), np.repeat(np.arange(100), 10).tolist())
    assert copied == pytest.approx(once, abs=1e-9)
    as_if_independent = interval(mean_of(np.repeat(values, 10)), [None] * 1000)
    assert np.ptp(as_if_independent) < 0.4 * np.ptp(once)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    truth, covered = 0.7, 0
    for trial in range(200):
        speaker = np.repeat(np.arange(40), 5)
        chance = np.clip(truth + RNG.normal(0, 0.15, size=40), 0, 1)[speaker]
        correct = (RNG.random(200) < chance).astype(int)
        low, high = interval(
            lambda weights, c=correct: accuracy(np.ones(200), c, weights=weights),
            speaker.tolist(),
            replicates=300,
            seed=trial,
        )
        covered += low <= truth <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_one_cluster_says_nothing_about_another() -> None:
    assert interval(mean_of(np.arange(5.0)), ["film"] * 5) is None
    assert interval(mean_of(np.arange(1.0)), [None]) is None


def test_equal_seeds_give_equal_intervals() -> None:
    values = RNG.normal(size=50)
    first = interval(mean_of(values), [None] * 50, seed=3)
    assert first == interval(mean_of(values), [None] * 50, seed=3)
    assert first != interval(mean_of(values), [None] * 50, seed=4)


def test_large_tables_are_drawn_in_pieces() -> None:
    values = (RNG.random(500_000) < 0.25).astype(float)
    low, high = interval(mean_of(values), RNG.integers(2000, size=500_000).tolist(), replicates=100)
    assert low < 0.25 < high
    assert high - low < 0.01


def test_models_that_differ_are_told_apart_and_equal_ones_are_not() -> None:
    a = (RNG.random(1000) < 0.8).astype(float)
    b = (RNG.random(1000) < 0.7).astype(float)
    found = paired_difference(a, b)
    assert found.difference == pytest.approx(a.mean() - b.mean())
    assert found.ci_low < found.difference < found.ci_high
    assert found.ci_low > 0
    assert found.p < 0.001
    assert (found.n, found.clusters) == (1000, 1000)
    same = paired_difference(a, a)
    assert (same.difference, same.ci_low, same.ci_high, same.p) == (0.0, 0.0, 0.0, 1.0)


def test_p_agrees_with_the_exact_sign_test() -> None:
    # With differences of 0 and ±1 the swap test is the sign test: 9 wins against 2 losses, the ties do not matter.
    a = np.array([1.0] * 9 + [0.0] * 2 + [1.0] * 20)
    b = np.array([0.0] * 9 + [1.0] * 2 + [1.0] * 20)
    expected = stats.binomtest(9, 11).pvalue
    assert paired_difference(a, b, permutations=40_000).p == pytest.approx(expected, abs=0.005)


def test_sums_of_thirds_that_differ_in_their_last_bits_are_equal() -> None:
    # All 13 clips speak for a: only the two ways of swapping all or none reach that, 2 of 2^13.
    a = np.array([1 / 3, 2 / 3, 0.1, 0.7] * 3 + [1 / 3])
    assert paired_difference(a, np.zeros(13), permutations=100_000).p == pytest.approx(2 / 2**13, rel=0.5)


def test_p_values_are_uniform_when_nothing_differs_within_clusters() -> None:
    p = []
    for trial in range(200):
        film = np.repeat(np.arange(30), 10)
        favour = RNG.normal(size=30)[film]  # which model a film favours is shared by its clips, and is nobody's merit
        a, b = favour + RNG.normal(size=300), RNG.normal(size=300)
        p.append(paired_difference(a, b, film.tolist(), permutations=500, replicates=10, seed=trial).p)
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_comparisons_of_different_clips_are_refused() -> None:
    with pytest.raises(AuricleError, match="3 and 4"):
        paired_difference(np.ones(3), np.ones(4))
    with pytest.raises(AuricleError, match="with 2 clusters"):
        paired_difference(np.ones(3), np.ones(3), ["a", "b"])
