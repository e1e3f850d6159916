"""Fits of power laws, held against the laws that points were made of, and against SciPy's optimiser."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from auricle.study.scaling.power_law import STEEPEST, floored, straight

X = 2.0 ** np.arange(6)
ONES = np.ones(6)


def test_a_power_law_is_a_straight_line_in_logarithms() -> None:
    errors = np.log([0.5 * X**-0.3, 0.2 * X**0.1])
    found = straight(X, errors, ONES)
    assert found.exponent == pytest.approx([0.3, -0.1])
    assert np.exp(found.level) == pytest.approx([0.5, 0.2])
    assert found.at(X) == pytest.approx(np.exp(errors))
    noisy = errors[:1] + 0.1 * np.random.default_rng(0).standard_normal((1, 6))
    weights = np.array([1.0, 4.0, 1.0, 9.0, 1.0, 2.0])
    slope, level = np.polyfit(np.log(X), noisy[0], 1, w=np.sqrt(weights))
    assert straight(X, noisy, weights).exponent[0] == pytest.approx(-slope)
    assert straight(X, noisy, weights).level[0] == pytest.approx(level)


@pytest.mark.parametrize(("floor", "share", "exponent"), [(0.1, 0.5, 0.5), (0.2, 0.3, 1.2), (0.02, 0.6, 0.25)])
def test_a_floor_is_recovered_with_what_falls_to_it(floor: float, share: float, exponent: float) -> None:
    found = floored(10 * X[:, None], np.log(floor + share * X**-exponent)[None], ONES)
    assert found.floor[0] == pytest.approx(floor, rel=1e-3)
    assert found.share[0, 0] == pytest.approx(share, rel=1e-3)
    assert found.exponent[0, 0] == pytest.approx(exponent, rel=1e-3)
    assert found.at(np.array([[640.0]]))[0, 0] == pytest.approx(floor + share * 64**-exponent, rel=1e-3)


def test_where_there_is_no_floor_or_no_law_the_fit_says_so() -> None:
    none = floored(X[:, None], np.log(0.5 * X**-0.3)[None], ONES)
    assert none.floor[0] == 0 and none.exponent[0, 0] == pytest.approx(0.3, rel=1e-2)
    rising = floored(X[:, None], np.log(0.2 * X**0.3)[None], ONES)
    assert rising.exponent[0, 0] == 0
    step = floored(X[:, None], np.log([0.5, 0.2, 0.2, 0.2, 0.2, 0.2])[None], ONES)
    assert step.exponent[0, 0] == np.inf and step.floor[0] == pytest.approx(0.2, rel=0.02)


def test_no_fit_is_worse_than_what_scipy_finds_from_many_starts() -> None:
    noise = 0.05 * np.random.default_rng(1).standard_normal((12, 6))
    wanted = np.log(0.1 + 0.5 * X**-0.5) + noise
    mine = ((wanted - np.log(floored(X[:, None], wanted, ONES).at(X[:, None]))) ** 2).sum(axis=1)
    for row, loss in zip(wanted, mine, strict=True):
        low = row.min() + np.log(1e-3)

        def residuals(p: np.ndarray, row: np.ndarray = row) -> np.ndarray:
            return row - np.log(np.exp(p[0]) + np.exp(p[1] - p[2] * np.log(X)))

        bounds = ([low, -15, 0], [5, 5, STEEPEST])
        starts = [[np.log(floor), np.log(0.5), b] for floor in (0.01, 0.15) for b in (0.3, 1.0)]
        best = min(2 * least_squares(residuals, start, bounds=bounds).cost for start in starts)
        assert loss <= best * (1 + 1e-4) + 1e-9


def test_all_axes_of_a_grid_are_recovered_together() -> None:
    # Hoffmann's form, here with the steps as a third axis.
    grid = np.array([(n, d, s) for n in (1e5, 4e5, 16e5) for d in (0.5, 1, 2, 4) for s in (100, 200, 400)])
    wanted = (
        0.1 + 0.2 * (grid[:, 0] / 1e5) ** -0.3 + 0.3 * (grid[:, 1] / 0.5) ** -0.6 + 0.1 * (grid[:, 2] / 100) ** -0.9
    )
    found = floored(grid, np.log(wanted)[None], np.ones(len(grid)))
    assert found.exponent[0] == pytest.approx([0.3, 0.6, 0.9], rel=0.02)
    assert found.floor[0] == pytest.approx(0.1, rel=0.05)
