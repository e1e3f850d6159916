"""Partial correlations and unique variance against regressions with NumPy and SciPy."""

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import nnls
from scipy.spatial.distance import squareform

from auricle.explain.mantel import null_correlations, permuted_orders
from auricle.explain.partial import (
    controls_of,
    partial_correlations,
    permuted_partial_correlations,
    unique_variance,
)
from auricle.explain.ranks import correlations, standardised_ranks
from auricle.explain.rdm import rdm

RNG = np.random.default_rng(7)
X = RNG.standard_normal((50, 4))
X[:, 1] += X[:, 0]
MODELS = np.stack([rdm(X), rdm(np.column_stack([X[:, 0], X[:, 2] ** 2 + 1]))])
DESCRIPTORS = np.stack([rdm(column) for column in X.T])
OF_MODELS = correlations(standardised_ranks(MODELS), standardised_ranks(DESCRIPTORS))
AMONG = correlations(standardised_ranks(DESCRIPTORS), standardised_ranks(DESCRIPTORS))
RANKS = stats.zscore(stats.rankdata(DESCRIPTORS, axis=1), axis=1)
MODEL_RANKS = stats.zscore(stats.rankdata(MODELS, axis=1), axis=1)


def residual(y: np.ndarray, controls: np.ndarray) -> np.ndarray:
    return y - controls.T @ np.linalg.lstsq(controls.T, y, rcond=None)[0]


def test_partial_correlations_are_those_of_residuals() -> None:
    found = partial_correlations(OF_MODELS, AMONG)
    for i in range(2):
        for j in range(4):
            others = np.delete(RANKS, j, axis=0)
            expected = np.corrcoef(residual(MODEL_RANKS[i], others), residual(RANKS[j], others))[0, 1]
            assert found[i, j] == pytest.approx(expected, abs=1e-6)


def test_only_other_families_are_controlled() -> None:
    found = partial_correlations(OF_MODELS, AMONG, controls=controls_of(["a", "a", "b", "c"]))
    others = RANKS[2:]
    expected = np.corrcoef(residual(MODEL_RANKS[0], others), residual(RANKS[0], others))[0, 1]
    assert found[0, 0] == pytest.approx(expected, abs=1e-6)


def test_without_controls_nothing_changes() -> None:
    assert np.allclose(partial_correlations(OF_MODELS, AMONG, controls=controls_of(["a"] * 4)), OF_MODELS)


def test_nothing_is_left_of_a_descriptor_that_is_among_the_controls_or_of_a_model_that_is_one() -> None:
    twice = np.concatenate([DESCRIPTORS, DESCRIPTORS[:1]])
    ranks = standardised_ranks(twice)
    found = partial_correlations(correlations(standardised_ranks(MODELS), ranks), correlations(ranks, ranks))
    assert np.isnan(found[:, [0, 4]]).all() and np.isfinite(found[:, 1:4]).all()
    is_descriptor = partial_correlations(AMONG[:1], AMONG)[0]
    assert is_descriptor[0] == pytest.approx(1.0, abs=1e-4)
    assert np.isnan(is_descriptor[1:]).all()


def test_what_is_left_of_a_descriptor_is_permuted_and_nothing_else() -> None:
    orders = permuted_orders(50, 6, seed=1)
    ranks, others = standardised_ranks(MODELS), standardised_ranks(DESCRIPTORS)
    null = null_correlations(others, np.concatenate([others, ranks]), orders)
    families = controls_of(["a", "a", "b", "c"])
    found = permuted_partial_correlations(null, OF_MODELS, AMONG, controls=families)
    assert found.shape == (6, 2, 4)
    for number, i, j in [(0, 0, 0), (3, 1, 2), (5, 0, 3)]:
        controls = RANKS[families[j]]
        left = squareform(residual(RANKS[j], controls), checks=False)
        moved = squareform(left[np.ix_(orders[number], orders[number])], checks=False)
        expected = np.corrcoef(residual(MODEL_RANKS[i], controls), residual(moved, controls))[0, 1]
        assert found[number, i, j] == pytest.approx(expected, abs=1e-5)


def test_unique_variance_is_what_non_negative_least_squares_loses() -> None:
    explained, unique = unique_variance(OF_MODELS, AMONG)

    def share(y: np.ndarray, descriptors: np.ndarray) -> float:
        return 1 - nnls(descriptors.T, y)[1] ** 2 / len(y)

    for i, y in enumerate(MODEL_RANKS):
        assert explained[i] == pytest.approx(share(y, RANKS), abs=1e-6)
        for j in range(4):
            lost = share(y, RANKS) - share(y, np.delete(RANKS, j, axis=0))
            assert unique[i, j] == pytest.approx(lost, abs=1e-6)
