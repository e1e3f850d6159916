"""Debiased linear CKA against its definition, and on representations whose likeness is known."""

import numpy as np
import pytest

from auricle.errors import AuricleError
from auricle.explain.cka import cka, cka_matrix

RNG = np.random.default_rng(9)


def by_definition(x: np.ndarray, y: np.ndarray) -> float:
    """Song et al. (2012), equation 5, with whole Gram matrices."""
    n = len(x)

    def hsic(k: np.ndarray, m: np.ndarray) -> float:
        k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
        one = np.ones(n)
        mixed = one @ k @ one * (one @ m @ one) / ((n - 1) * (n - 2)) - 2 / (n - 2) * (one @ k @ m @ one)
        return float((np.trace(k @ m) + mixed) / (n * (n - 3)))

    k, m = x @ x.T, y @ y.T
    return hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))


def test_it_is_the_published_estimator() -> None:
    x = RNG.standard_normal((300, 5)) + 3.0
    y = x[:, :2] @ RNG.standard_normal((2, 7)) + RNG.standard_normal((300, 7))
    assert cka(x, y) == pytest.approx(by_definition(x, y), abs=1e-9)


def test_rotation_scale_and_place_change_nothing() -> None:
    x = RNG.standard_normal((40, 6))
    rotation = np.linalg.qr(RNG.standard_normal((6, 6)))[0]
    assert cka(x, 3.0 * x @ rotation + 100.0) == pytest.approx(1.0, abs=1e-9)


def test_unrelated_representations_have_about_none_however_wide_they_are() -> None:
    x, y = RNG.standard_normal((2, 100, 2000))
    assert abs(cka(x, y)) < 0.05
    # Without the correction it would near 1.
    k, m = ((z - z.mean(axis=0)) @ (z - z.mean(axis=0)).T for z in (x, y))
    assert np.sum(k * m) / np.sqrt(np.sum(k * k) * np.sum(m * m)) > 0.9


def test_it_is_unbiased_over_draws() -> None:
    found = [cka(*np.random.default_rng(seed).standard_normal((2, 20, 30))) for seed in range(300)]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(300)


def test_all_pairs_at_once_are_one_by_one() -> None:
    several = [RNG.standard_normal((30, dim)) for dim in (3, 9, 4)]
    found = cka_matrix(several)
    assert found[0, 2] == pytest.approx(cka(several[0], several[2]))
    assert np.allclose(found, found.T) and np.allclose(np.diag(found), 1.0)


def test_what_cannot_be_compared_is_one_sentence() -> None:
    with pytest.raises(AuricleError, match="got 5 and 6 of them"):
        cka(np.eye(5), np.eye(6))
    with pytest.raises(AuricleError, match="the same for all clips"):
        cka(np.ones((5, 2)), np.eye(5))
