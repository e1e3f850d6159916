"""Two models are compared by the metric that is shown: against scikit-learn, arithmetic and the null hypothesis."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import average_precision_score, balanced_accuracy_score

from auricle.transfer.bootstrap import paired_difference
from auricle.transfer.evaluation import Evaluation
from auricle.transfer.paired import Answers, answers_of, paired_answers, permutations_for

CLIPS = 200


def evaluation(score: np.ndarray, *, seeds: int = 1, noise: float = 0.0, clusters: int = 40) -> Evaluation:
    """A detector of every third clip with these scores, the same for every seed but for some noise."""
    generator = np.random.default_rng(1)
    tables = []
    for seed in range(seeds):
        given = np.clip(score + noise * generator.standard_normal(len(score)), 0, 1)
        tables.append(
            pa.table(
                {
                    "row": np.arange(len(score)),
                    "cluster": [f"film {number % clusters}" for number in range(len(score))],
                    "fold": pa.nulls(len(score), pa.int64()),
                    "seed": np.full(len(score), seed),
                    "label": np.where(np.arange(len(score)) % 3 == 0, "bird", "none"),
                    "predicted": np.where(given > 0.5, "bird", "none"),
                    "correct": (given > 0.5) == (np.arange(len(score)) % 3 == 0),
                    "score": given,
                }
            )
        )
    return Evaluation([], pa.concat_tables(tables))


def scores(quality: float, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    bird = np.arange(CLIPS) % 3 == 0
    return np.clip(0.3 + quality * bird + 0.3 * generator.standard_normal(CLIPS), 0.01, 0.99)


def answers(given: Evaluation, metric: str) -> Answers:
    found = answers_of([given], metric)
    assert found is not None
    return found


def test_the_difference_is_that_of_scikit_learns_metric_averaged_over_seeds() -> None:
    a, b = evaluation(scores(0.5, 0), seeds=3, noise=0.1), evaluation(scores(0.1, 1), seeds=3, noise=0.1)
    truth = np.arange(CLIPS) % 3 == 0

    def mean(of: Evaluation, measure, column: str) -> float:
        values = [of.predictions.filter(pa.compute.equal(of.predictions["seed"], seed))[column] for seed in range(3)]
        return float(np.mean([measure(value.to_numpy(zero_copy_only=False)) for value in values]))

    expected = mean(a, lambda s: average_precision_score(truth, s), "score") - mean(
        b, lambda s: average_precision_score(truth, s), "score"
    )
    found = paired_answers("average_precision", answers(a, "average_precision"), answers(b, "average_precision"))
    assert found.difference == pytest.approx(expected)
    assert found.ci_low is not None and found.ci_high is not None
    assert found.ci_low < expected < found.ci_high
    assert found.p < 0.01

    labels = np.where(truth, "bird", "none")
    expected = mean(a, lambda s: balanced_accuracy_score(labels, s), "predicted") - mean(
        b, lambda s: balanced_accuracy_score(labels, s), "predicted"
    )
    found = paired_answers("balanced_accuracy", answers(a, "balanced_accuracy"), answers(b, "balanced_accuracy"))
    assert found.difference == pytest.approx(expected)


def test_accuracy_is_compared_as_the_mean_that_it_is() -> None:
    a, b = evaluation(scores(0.5, 0)), evaluation(scores(0.1, 1))
    correct = [
        one.predictions["label"].to_numpy(False) == one.predictions["predicted"].to_numpy(False) for one in (a, b)
    ]
    expected = paired_difference(*correct, [f"film {number % 40}" for number in range(CLIPS)])
    assert paired_answers("accuracy", answers(a, "accuracy"), answers(b, "accuracy")) == expected


def test_with_few_clusters_all_swaps_are_tried_by_hand() -> None:
    # Two clips of each of three films; a ranks the bird first in every film, b last: four of eight swaps, by symmetry
    # two of them, are as extreme as what was seen.
    rows = np.arange(6)
    truth = rows % 2 == 0
    cluster: list[str | None] = [f"film {row // 2}" for row in rows]
    fold = np.zeros(6, dtype=np.int64)
    a = Answers(rows, truth, np.where(truth, 2.0, 1.0)[None], fold, cluster)
    b = Answers(rows, truth, np.where(truth, 1.0, 2.0)[None], fold, cluster)
    found = paired_answers("average_precision", a, b)
    assert found.difference == pytest.approx(1.0 - average_precision_score(truth, np.where(truth, 1.0, 2.0)))
    assert found.p == 2 / 8
    assert found.clusters == 3


def test_the_scale_of_a_models_scores_does_not_matter() -> None:
    first, second = scores(0.4, 0), scores(0.3, 1)
    plain = paired_answers(
        "average_precision",
        answers(evaluation(first), "average_precision"),
        answers(evaluation(second), "average_precision"),
        permutations=500,
    )
    squeezed = evaluation(0.5 + (second - 0.5) / 50)
    again = paired_answers(
        "average_precision",
        answers(evaluation(first), "average_precision"),
        answers(squeezed, "average_precision"),
        permutations=500,
    )
    assert again == plain


def test_equal_models_are_hardly_ever_told_apart() -> None:
    found = [
        paired_answers(
            "average_precision",
            answers(evaluation(scores(0.3, 2 * run)), "average_precision"),
            answers(evaluation(scores(0.3, 2 * run + 1)), "average_precision"),
            permutations=199,
        ).p
        for run in range(60)
    ]
    # Binomial(60, 0.05) stays below 9 with a probability of 99.7 %.
    assert sum(p < 0.05 for p in found) < 9
    assert np.mean(found) > 0.35


def test_a_metric_that_cannot_be_taken_apart_is_not_compared() -> None:
    assert answers_of([evaluation(scores(0.4, 0))], "prevalence") is None


def test_the_smallest_p_value_survives_holms_correction() -> None:
    for pairs in (1, 45, 150):
        assert pairs / (1 + permutations_for(pairs)) < 0.05
