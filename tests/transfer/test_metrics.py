import numpy as np
import pytest
from sklearn import metrics as reference

from auricle.transfer.metrics import accuracy, average_precision, balanced_accuracy, prevalence

RNG = np.random.default_rng(0)
TRUTH = RNG.choice(5, size=300, p=[0.4, 0.3, 0.15, 0.1, 0.05])
PREDICTED = np.where(RNG.random(300) < 0.6, TRUTH, RNG.integers(5, size=300))
POSITIVE = RNG.random(300) < 0.3
SCORES = {
    "distinct": POSITIVE + RNG.normal(size=300),
    "tied": np.round(POSITIVE + RNG.normal(size=300)),
    "constant": np.zeros(300),
    "perfect": POSITIVE.astype(float),
    "reversed": 1.0 - POSITIVE,
}
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


@pytest.mark.parametrize("kind", SCORES)
def test_average_precision_is_scikit_learns(kind: str) -> None:
    score = SCORES[kind]
    assert average_precision(POSITIVE, score) == pytest.approx(reference.average_precision_score(POSITIVE, score))
    assert average_precision(POSITIVE, score, weights=WEIGHTS) == pytest.approx(
        [reference.average_precision_score(POSITIVE, score, sample_weight=row) for row in WEIGHTS]
    )


def test_a_detector_that_always_says_the_same_scores_the_prevalence() -> None:
    assert average_precision(POSITIVE, np.ones(300)) == pytest.approx(POSITIVE.mean())
    assert prevalence(POSITIVE) == pytest.approx(POSITIVE.mean())
    assert prevalence(POSITIVE, weights=WEIGHTS) == pytest.approx(np.average(np.tile(POSITIVE, (20, 1)), 1, WEIGHTS))


def test_classes_that_were_not_drawn_do_not_count_towards_balance() -> None:
    weights = np.array([1.0, 1.0, 0.0])
    assert balanced_accuracy([0, 1, 2], [0, 0, 0], weights=weights) == pytest.approx(0.5)


def test_without_positives_there_is_no_average_precision() -> None:
    weights = np.array([[1.0, 0.0], [1.0, 1.0]])
    assert np.isnan(average_precision([False, True], [0.1, 0.9], weights=weights)).tolist() == [True, False]
