"""Mantel's test against loops with SciPy, and on relations that are known."""

import itertools

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import pdist, squareform

from auricle.errors import AuricleError
from auricle.explain.mantel import mantel, null_correlations, orders_within, permuted_orders
from auricle.explain.ranks import standardised_ranks
from auricle.explain.rdm import rdm


def test_it_finds_a_relation_and_none_where_there_is_none() -> None:
    x = np.random.default_rng(0).standard_normal((60, 3))
    r, p = mantel(rdm(x[:, 0]), rdm(x[:, 0] + 0.1 * x[:, 1]), permutations=199)
    assert r > 0.9 and p == 1 / 200
    _, p = mantel(rdm(x[:, 0]), rdm(x[:, 2]), permutations=199)
    assert p > 0.05


def test_it_keeps_its_level_where_the_naive_test_does_not() -> None:
    # Unrelated descriptors of 25 clips: 5 % of Mantel's p-values are below .05, of the naive ones many more.
    below, naive = 0, 0
    for seed in range(200):
        x = np.random.default_rng(seed).standard_normal((25, 2))
        a, b = rdm(x[:, 0]), rdm(x[:, 1])
        below += mantel(a, b, permutations=99, seed=seed)[1] <= 0.05
        naive += stats.spearmanr(a, b, alternative="greater").pvalue <= 0.05
    assert 2 <= below <= 20  # binomial(200, .05): mean 10, deviation 3
    assert naive > 1.5 * below


def test_each_permuted_correlation_is_scipys_of_the_permuted_matrix() -> None:
    rng = np.random.default_rng(1)
    n = 150  # more clips than are multiplied at a time
    a = [rdm(rng.integers(0, 4, n).astype(float)), rdm(rng.standard_normal((n, 3)))]
    b = [rdm(rng.standard_normal(n)) for _ in range(3)]
    orders = permuted_orders(n, 20, seed=0)
    null = null_correlations(standardised_ranks(np.stack(a)), standardised_ranks(np.stack(b)), orders)
    assert null.shape == (20, 2, 3)
    for number, i, j in [(0, 0, 0), (7, 1, 2), (19, 0, 1)]:
        permuted = squareform(squareform(a[i])[np.ix_(orders[number], orders[number])])
        assert null[number, i, j] == pytest.approx(stats.spearmanr(permuted, b[j]).statistic, abs=1e-6)


def test_the_p_value_is_the_share_of_all_orders_that_reach_the_correlation() -> None:
    # Five clips have 120 orders, which can all be tried.
    rng = np.random.default_rng(2)
    x = rng.standard_normal((5, 2))
    a, b = pdist(x[:, :1]), pdist(x[:, :1] + 0.5 * x[:, 1:])
    square = squareform(a)
    observed = stats.spearmanr(a, b).statistic
    every = [
        stats.spearmanr(squareform(square[np.ix_(order, order)]), b).statistic
        for order in map(list, itertools.permutations(range(5)))
    ]
    r, p = mantel(a, b, permutations=20_000)
    assert r == pytest.approx(observed, abs=1e-6)
    assert p == pytest.approx(np.mean(np.array(every) >= observed - 1e-9), abs=0.01)


def test_orders_that_reach_the_observed_correlation_exactly_count() -> None:
    # A perfect match of 5 clips on a line is reached by 2 of 120 orders: the same one, and the reversed.
    x = np.arange(5.0)
    _, p = mantel(rdm(x), rdm(x), permutations=20_000)
    assert p == pytest.approx(2 / 120, rel=0.15)


def test_clips_are_permuted_within_their_blocks_only() -> None:
    blocks = ["b", "a", "b", "c", "a", "b", "a", "a"]
    orders = permuted_orders(8, 3000, seed=0, blocks=blocks)
    assert all(blocks[clip] == blocks[place] for order in orders for place, clip in enumerate(order))
    assert all(sorted(order) == list(range(8)) for order in orders)
    assert len({tuple(order) for order in orders}) == 4 * 3 * 2 * 3 * 2  # 4! 3! 1! orders, all of them drawn


def test_what_differs_only_between_blocks_is_no_evidence() -> None:
    # Speakers differ in pitch, and a model tells speakers apart: within speakers it knows nothing of pitch.
    rng = np.random.default_rng(3)
    speaker = np.repeat(np.arange(6), 10)
    pitch = speaker + 0.1 * rng.standard_normal(60)
    model = rdm(speaker + 0.1 * rng.standard_normal(60))
    assert mantel(model, rdm(pitch), permutations=199)[1] == 1 / 200
    assert mantel(model, rdm(pitch), permutations=199, blocks=speaker)[1] > 0.05


def test_clusters_that_are_too_small_change_places_as_wholes() -> None:
    clusters = np.array([0, 0, 1, 1, 2, 3, 4])
    orders = orders_within(clusters, 7, 2000, seed=0)
    # Two pairs in 2 · 2 · 2 orders, three single clips in 3!.
    assert len({tuple(order) for order in orders}) == 8 * 6
    for order in orders[:50]:
        assert clusters[order[0]] == clusters[order[1]] and clusters[order[2]] == clusters[order[3]]
        assert sorted(order) == list(range(7))
    large = np.repeat([0, 1], 5)
    assert all((large[order] == large).all() for order in orders_within(large, 10, 50, seed=0))


def test_nothing_to_permute_is_one_sentence() -> None:
    with pytest.raises(AuricleError, match="every clip is a block of its own"):
        mantel(rdm(np.arange(4.0)), rdm(np.arange(4.0)), blocks=list("abcd"))
    with pytest.raises(AuricleError, match="what each of 4 clips belongs to, got 3"):
        mantel(rdm(np.arange(4.0)), rdm(np.arange(4.0)), blocks=list("abc"))
