"""Folds that are drawn keep groups together and classes even."""

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from auricle.errors import AuricleError
from auricle.transfer.folds import stratified_folds


def counts(folds: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Clips of each class in each fold."""
    return np.array(
        [[np.sum((folds == fold) & (labels == label)) for label in np.unique(labels)] for fold in range(1, 6)]
    )


def test_single_clips_are_dealt_out_evenly() -> None:
    labels = np.array(["a"] * 53 + ["b"] * 21 + ["c"] * 7)
    folds = stratified_folds(labels)
    assert set(folds) == {1, 2, 3, 4, 5}
    assert np.ptp(counts(folds, labels), axis=0).max() <= 1
    assert np.ptp(np.bincount(folds)[1:]) <= 1


def test_no_group_stands_in_two_folds_and_classes_are_as_even_as_by_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    groups = np.sort(generator.integers(40, size=600))
    leaning = generator.random((40, 4)) ** 2
    labels = np.array([generator.choice(4, p=leaning[group] / leaning[group].sum()) for group in groups])
    folds = stratified_folds(labels, groups.tolist())
    assert all(len(set(folds[groups == group])) == 1 for group in set(groups))

    def unevenness(folds: np.ndarray) -> float:
        shares = counts(folds, labels) / np.bincount(labels)
        return float(shares.std(axis=0).mean())

    theirs = np.zeros(600, dtype=int)
    for number, (_, test) in enumerate(StratifiedGroupKFold(5).split(labels, labels, groups), start=1):
        theirs[test] = number
    assert unevenness(folds) < 1.25 * unevenness(theirs)


def test_a_clip_without_group_is_one_of_its_own() -> None:
    groups = ["x"] * 10 + [None] * 20
    labels = ["a", "b"] * 15
    folds = stratified_folds(labels, groups)
    assert len(set(folds[:10])) == 1
    assert set(folds[10:]) == {1, 2, 3, 4, 5}


def test_another_seed_draws_other_folds_and_the_same_seed_the_same() -> None:
    labels = ["a", "b"] * 50
    assert np.array_equal(stratified_folds(labels), stratified_folds(labels))
    assert not np.array_equal(stratified_folds(labels), stratified_folds(labels, seed=1))


def test_a_class_that_could_not_be_trained_selected_and_tested_is_refused() -> None:
    with pytest.raises(AuricleError, match=r"birds\.csv: 'owl' has 2 clips only, and a class needs at least 3"):
        stratified_folds(["wren"] * 9 + ["owl"] * 2, source="birds.csv")
    with pytest.raises(AuricleError, match=r"'owl' has 1 group only"):
        stratified_folds(["wren"] * 9 + ["owl"] * 9, ["a", "b", "c"] * 3 + ["z"] * 9)
