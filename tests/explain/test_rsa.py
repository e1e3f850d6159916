"""RSA against SciPy, and on representations that encode a known factor."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import pdist, squareform

from auricle.errors import AuricleError
from auricle.explain.rsa import benjamini_hochberg, cosine_rdm, difference_rdm, mantel, rsa, spearman


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def test_rdms_are_scipys_pairwise_distances(generator: np.random.Generator) -> None:
    x = generator.standard_normal((30, 8))
    assert np.allclose(cosine_rdm(x), pdist(x, "cosine"), atol=1e-12)
    assert np.allclose(difference_rdm(x[:, 0]), pdist(x[:, :1], "cityblock"), atol=1e-12)


def test_spearman_is_scipys_with_ties(generator: np.random.Generator) -> None:
    a, b = generator.integers(0, 5, 200).astype(float), generator.standard_normal(200)
    assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)


def test_mantel_finds_a_relation_and_none_where_there_is_none(generator: np.random.Generator) -> None:
    x = generator.standard_normal((60, 3))
    r, p = mantel(difference_rdm(x[:, 0]), difference_rdm(x[:, 0] + 0.1 * x[:, 1]), permutations=199)
    assert r > 0.9 and p == 1 / 200
    _, p = mantel(difference_rdm(x[:, 0]), difference_rdm(x[:, 2]), permutations=199)
    assert p > 0.05


def test_mantel_keeps_its_level_where_the_naive_test_does_not() -> None:
    # Unrelated descriptors of 25 clips: 5 % of Mantel's p values are below .05, of the naive ones many more.
    below, naive = 0, 0
    for seed in range(200):
        x = np.random.default_rng(seed).standard_normal((25, 2))
        a, b = difference_rdm(x[:, 0]), difference_rdm(x[:, 1])
        below += mantel(a, b, permutations=99, seed=seed)[1] <= 0.05
        naive += stats.spearmanr(a, b, alternative="greater").pvalue <= 0.05
    assert 2 <= below <= 20  # binomial(200, .05): mean 10, deviation 3
    assert naive > 1.5 * below


def test_the_permutation_distribution_is_that_of_a_loop_with_scipy(generator: np.random.Generator) -> None:
    a, b = generator.integers(0, 4, (30, 2)), generator.standard_normal((30, 3))
    b[:, 0] += a[:, 0]
    first, second = pdist(a, "cityblock"), pdist(b)
    square = squareform(first)
    observed = stats.spearmanr(first, second).statistic
    reached = []
    for _ in range(2000):
        order = generator.permutation(30)
        reached.append(stats.spearmanr(squareform(square[np.ix_(order, order)]), second).statistic >= observed - 1e-12)
    r, p = mantel(first, second, permutations=2000)
    assert r == pytest.approx(observed, abs=1e-12)
    assert p == pytest.approx(np.mean(reached), abs=4 * np.sqrt(p * (1 - p) / 1000))


def test_orders_that_reach_the_observed_correlation_exactly_count() -> None:
    # A perfect match of 5 clips on a line is reached by 2 of 120 orders: the same one, and the reversed.
    x = np.arange(5.0)
    _, p = mantel(difference_rdm(x), difference_rdm(x), permutations=20_000)
    assert p == pytest.approx(2 / 120, rel=0.15)


@pytest.mark.parametrize("models", [1, 4])
def test_all_tests_at_once_are_the_tests_one_by_one(generator: np.random.Generator, models: int) -> None:
    embeddings = {f"m{k}": generator.standard_normal((40, 5)) + 1 for k in range(models)}
    descriptors = {"a": embeddings["m0"][:, 0], "b": generator.standard_normal(40), "c": generator.standard_normal(40)}
    descriptors["c"][:7] = np.nan
    rows = rsa(embeddings, descriptors, permutations=200, seed=5).to_pylist()
    assert [(row["model"], row["descriptor"]) for row in rows] == [(m, d) for m in embeddings for d in descriptors]
    for row in rows:
        clips = np.isfinite(descriptors[row["descriptor"]])
        r, p = mantel(
            cosine_rdm(embeddings[row["model"]][clips]),
            difference_rdm(descriptors[row["descriptor"]][clips]),
            permutations=200,
            seed=5,
        )
        assert row["r_s"] == pytest.approx(r, abs=1e-12)
        assert row["n"] == clips.sum()
        # Which of two is permuted makes other draws of the same distribution.
        assert row["p_mantel"] == pytest.approx(p, abs=0.15)


def test_benjamini_hochberg_by_hand() -> None:
    assert np.allclose(benjamini_hochberg(np.array([0.01, 0.04, 0.03, 0.5])), [0.04, 0.16 / 3, 0.16 / 3, 0.5])


def test_rsa_finds_the_factor_that_a_representation_encodes(generator: np.random.Generator) -> None:
    factors = generator.standard_normal((80, 2))
    direction = generator.standard_normal((1, 16))
    encodes_first = 5.0 + factors[:, :1] @ direction + 0.05 * generator.standard_normal((80, 16))
    table = rsa({"model": encodes_first}, {"first": factors[:, 0], "second": factors[:, 1]}, permutations=199)
    rows = {row["descriptor"]: row for row in table.to_pylist()}
    assert rows["first"]["r_s"] > 0.5 and rows["first"]["q"] < 0.05
    assert rows["second"]["q"] > 0.05
    assert rows["first"]["n"] == 80


def test_clips_without_the_property_are_left_out_and_said(generator: np.random.Generator) -> None:
    x = generator.standard_normal((20, 4)) + 3
    pitch = np.where(np.arange(20) < 12, generator.standard_normal(20), np.nan)
    constant = np.ones(20)
    rows = rsa({"m": x}, {"pitch": pitch, "constant": constant}, permutations=19).to_pylist()
    assert rows[0]["n"] == 12 and rows[0]["r_s"] is not None
    assert rows[1]["r_s"] is None and rows[1]["q"] is None


def test_what_cannot_be_compared_is_one_sentence(generator: np.random.Generator) -> None:
    with pytest.raises(AuricleError, match="the same clips, got 5 and 6"):
        rsa({"m": generator.standard_normal((5, 2))}, {"d": np.arange(6.0)})
    with pytest.raises(AuricleError, match="embedding 1 has length 0"):
        cosine_rdm(np.array([[1.0, 0], [0, 0]]))
