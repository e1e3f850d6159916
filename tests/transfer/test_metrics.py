import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn import metrics as reference

from auricle.transfer.metrics import (
    accuracy,
    average_precision,
    balanced_accuracy,
    mean_absolute_error,
    prevalence,
    r_squared,
    spearman,
)

RNG = np.random.default_rng(0)
TRUTH = RNG.choice(5, size=300, p=[0.4, 0.3, 0.15, 0.1, 0.05])
PREDICTED = np.where(RNG.random(300) < 0.6, TRUTH, RNG.integers(5, size=300))
POSITIVE = RNG.random(300) < 0.3
WEIGHTS = RNG.poisson(1.0, size=(20, 300)).astype(float)


def test_accuracies_are_scikit_learns() -> None:
    assert accuracy(TRUTH, PREDICTED) == pytest.approx(reference.accuracy_score(TRUTH, PREDICTED))
    assert balanced_accuracy(TRUTH, PREDICTED) == pytest.approx(reference.balanced_accuracy_score(TRUTH, PREDICTED))
    names = np.array(["a", "b", "c", "d", "e"])
    assert accuracy(names[TRUTH], names[PREDICTED]) == accuracy(TRUTH, PREDICTED)


def test_weighted_accuracies_are_scikit_learns_row_by_row() -> None:
    assert accuracy(TRUTH, PREDICTED, weights=WEIGHTS) == pytest.approx(
        [reference.accuracy_score(TRUTH, PREDICTED, sample_weight=row) for row in WEIGHTS]
    )
    assert balanced_accuracy(TRUTH, PREDICTED, weights=WEIGHTS) == pytest.approx(
        [reference.balanced_accuracy_score(TRUTH, PREDICTED, sample_weight=row) for row in WEIGHTS]
    )


def test_a_detector_that_always_says_the_same_scores_the_prevalence() -> None:
    assert average_precision(POSITIVE, np.ones(300)) == pytest.approx(POSITIVE.mean())
    assert prevalence(POSITIVE) == pytest.approx(POSITIVE.mean())
    assert prevalence(POSITIVE, weights=WEIGHTS) == pytest.approx(np.average(np.tile(POSITIVE, (20, 1)), 1, WEIGHTS))


def test_classes_that_were_not_drawn_do_not_count_towards_balance() -> None:
    weights = np.array([1.0, 1.0, 0.0])
    assert balanced_accuracy([0, 1, 2], [0, 0, 0], weights=weights) == pytest.approx(0.5)


TARGET = RNG.normal(size=300) * 10 + 1000
GUESS = {"near": TARGET + RNG.normal(size=300), "useless": RNG.normal(size=300), "coarse": np.round(TARGET, -1)}


@pytest.mark.parametrize("kind", GUESS)
def test_regressions_are_scored_as_by_scikit_learn_and_scipy(kind: str) -> None:
    guess = GUESS[kind]
    assert r_squared(TARGET, guess) == pytest.approx(reference.r2_score(TARGET, guess))
    assert mean_absolute_error(TARGET, guess) == pytest.approx(reference.mean_absolute_error(TARGET, guess))
    assert spearman(TARGET, guess) == pytest.approx(spearmanr(TARGET, guess).statistic)
    assert r_squared(TARGET, guess, weights=WEIGHTS) == pytest.approx(
        [reference.r2_score(TARGET, guess, sample_weight=row) for row in WEIGHTS]
    )
    assert mean_absolute_error(TARGET, guess, weights=WEIGHTS) == pytest.approx(
        [reference.mean_absolute_error(TARGET, guess, sample_weight=row) for row in WEIGHTS]
    )
    drawn = [np.repeat(np.arange(300), row.astype(int)) for row in WEIGHTS]
    assert spearman(TARGET, guess, weights=WEIGHTS) == pytest.approx(
        [spearmanr(TARGET[rows], guess[rows]).statistic for rows in drawn]
    )


def test_where_nothing_varies_nothing_correlates() -> None:
    assert np.isnan(r_squared([2.0, 2.0], [1.0, 2.0]))
    assert np.isnan(spearman([1.0, 2.0], [3.0, 3.0]))
    weights = np.array([[2.0, 0.0], [1.0, 1.0]])
    assert np.isnan(r_squared([1.0, 2.0], [1.0, 2.0], weights=weights)).tolist() == [True, False]
    assert np.isnan(accuracy([1, 1], [1, 1], weights=np.zeros((1, 2)))).all()
