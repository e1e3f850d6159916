"""Rank correlations against SciPy and rsatoolbox."""

import numpy as np
import pytest
from rsatoolbox.rdm import RDMs, compare
from scipy import stats

from auricle.errors import AuricleError
from auricle.explain.ranks import average_ranks, correlations, kendall, spearman, standardised_ranks
from auricle.explain.rdm import rdm

RNG = np.random.default_rng(1)
EMBEDDINGS = RNG.standard_normal((120, 6))
TIED = rdm(RNG.integers(0, 4, 120).astype(float))
DISTANCES = {
    "cosine": rdm(EMBEDDINGS),
    "difference": rdm(EMBEDDINGS[:, 0]),
    "with ties": TIED,
    "float64": rdm(EMBEDDINGS[:, 1]).astype(np.float64) * 1e9 - 3.0,
    "negative": -rdm(EMBEDDINGS[:, 2]) + 0.1,
    "whole numbers": TIED.astype(np.int64),
}


@pytest.mark.parametrize("name", DISTANCES)
def test_ranks_are_scipys(name: str) -> None:
    assert np.array_equal(average_ranks(DISTANCES[name]), stats.rankdata(DISTANCES[name]))


def test_no_distance_is_nearer_than_minus_zero() -> None:
    assert average_ranks(np.array([0.0, -0.0, -1e-30, 1e-30])).tolist() == [2.5, 2.5, 1, 4]


def test_spearman_is_scipys_and_rsatoolboxs() -> None:
    first, second = list(DISTANCES.values())[:3], list(DISTANCES.values())[3:]
    theirs = compare(RDMs(np.array(first, dtype=float)), RDMs(np.array(second, dtype=float)), method="spearman")
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-6)
            assert spearman(a, b) == pytest.approx(theirs[i, j], abs=1e-6)


def test_many_correlations_at_once_are_those_one_by_one() -> None:
    rdms = np.stack([rdm(column) for column in EMBEDDINGS.T])
    ranks = standardised_ranks(rdms)
    assert np.abs(correlations(ranks[:2], ranks) - stats.spearmanr(rdms, axis=1).statistic[:2]).max() < 1e-6


def test_kendalls_tau_a_is_rsatoolboxs() -> None:
    for a, b in [("cosine", "difference"), ("cosine", "with ties"), ("with ties", "whole numbers")]:
        one, other = DISTANCES[a][:2000], DISTANCES[b][:2000]
        theirs = compare(RDMs(one[None, :1953].astype(float)), RDMs(other[None, :1953].astype(float)), method="tau-a")
        assert kendall(one[:1953], other[:1953]) == pytest.approx(theirs[0, 0], abs=1e-6)


def test_tau_a_by_hand() -> None:
    # Of three pairs of distances one is tied in the second RDM: two concordant of three.
    assert kendall(np.array([1.0, 2, 3]), np.array([1.0, 5, 5])) == pytest.approx(2 / 3)


def test_half_a_million_pairs_are_still_exact() -> None:
    x = RNG.standard_normal((1000, 2))
    a, b = rdm(x[:, 0]), rdm(x[:, 0] + x[:, 1])
    assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-6)


def test_what_orders_nothing_is_one_sentence() -> None:
    with pytest.raises(AuricleError, match="all distances are the same"):
        spearman(np.ones(10), np.arange(10.0))
    with pytest.raises(AuricleError, match="a distance that is not finite"):
        standardised_ranks(np.array([1.0, np.nan, 2.0]))
    with pytest.raises(AuricleError, match="a distance that is not finite"):
        standardised_ranks(np.array([1.0, -np.inf, 2.0]))
    with pytest.raises(AuricleError, match=r"same clips are compared, condensed; got shapes \(3,\) and \(6,\)"):
        spearman(np.arange(3.0), np.arange(6.0))
