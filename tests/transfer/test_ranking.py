import numpy as np
import pytest
from sklearn import metrics as reference

from auricle.transfer.ranking import area_under_roc, average_precision, d_prime, mean_over_labels

RNG = np.random.default_rng(0)
POSITIVE = RNG.random(300) < 0.3
SCORES = {
    "distinct": POSITIVE + RNG.normal(size=300),
    "tied": np.round(POSITIVE + RNG.normal(size=300)),
    "constant": np.zeros(300),
    "perfect": POSITIVE.astype(float),
    "reversed": 1.0 - POSITIVE,
    "float32": (POSITIVE + RNG.normal(size=300)).astype(np.float32),
}
WEIGHTS = RNG.poisson(1.0, size=(20, 300)).astype(float)


@pytest.mark.parametrize("kind", SCORES)
@pytest.mark.parametrize(
    ("measure", "expected"),
    [(average_precision, reference.average_precision_score), (area_under_roc, reference.roc_auc_score)],
)
def test_ranking_is_scored_as_by_scikit_learn(kind: str, measure, expected) -> None:
    score = SCORES[kind]
    assert measure(POSITIVE, score) == pytest.approx(expected(POSITIVE, score))
    assert measure(POSITIVE, score, weights=WEIGHTS) == pytest.approx(
        [expected(POSITIVE, score, sample_weight=row) for row in WEIGHTS]
    )
    assert measure(POSITIVE, score, weights=WEIGHTS[0]) == pytest.approx(
        expected(POSITIVE, score, sample_weight=WEIGHTS[0])
    )


def test_without_positives_or_negatives_there_is_nothing_to_rank() -> None:
    weights = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    assert np.isnan(average_precision([False, True], [0.1, 0.9], weights=weights)).tolist() == [True, False, False]
    assert np.isnan(area_under_roc([False, True], [0.1, 0.9], weights=weights)).tolist() == [True, True, False]
    assert np.isnan(average_precision([False, False], [0.1, 0.9]))


def test_audiosets_d_prime_follows_from_its_auc() -> None:
    # Hershey et al. 2017, table 2: AUC 0.959 and d' 2.452, of which the AUC is rounded to three digits.
    assert d_prime(0.959) == pytest.approx(2.452, abs=0.02)
    assert d_prime(0.5) == 0.0


def test_means_over_labels_are_scikit_learns_macro_averages() -> None:
    truth = RNG.random((200, 7)) < np.linspace(0.02, 0.6, 7)
    score = truth + 2 * RNG.normal(size=truth.shape)
    precision, area, share = mean_over_labels(truth, score)
    assert precision == pytest.approx(reference.average_precision_score(truth, score, average="macro"))
    assert area == pytest.approx(reference.roc_auc_score(truth, score, average="macro"))
    assert share == pytest.approx(truth.mean())
    weights = RNG.poisson(3.0, size=(5, 200)).astype(float)
    found = mean_over_labels(truth, score, weights=weights)
    for row, values in zip(weights, zip(*found, strict=True), strict=True):
        assert values == pytest.approx(
            [
                reference.average_precision_score(truth, score, average="macro", sample_weight=row),
                reference.roc_auc_score(truth, score, average="macro", sample_weight=row),
                np.average(truth, axis=0, weights=row).mean(),
            ]
        )


def test_labels_that_no_clip_has_do_not_count() -> None:
    truth = np.array([[True, False], [False, False], [True, False]])
    precision, area, share = mean_over_labels(truth, RNG.random((3, 2)) + truth)
    assert (precision, area, share) == pytest.approx((1.0, 1.0, 2 / 3))
