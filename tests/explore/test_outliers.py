"""Outliers are what scikit-learn's distances say, and what a local outlier factor thinks odd too."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

from auricle.errors import AuricleError
from auricle.explore.embedded import Embedded
from auricle.explore.hunts import find_outliers
from auricle.explore.outliers import outliers
from auricle.neighbours import scaled

from .files import embeddings_file, vectors_of


def test_the_score_is_the_mean_distance_to_the_k_nearest(tmp_path: Path) -> None:
    vectors = vectors_of(200)
    table = outliers(Embedded.open(embeddings_file(tmp_path / "e.parquet", vectors)), k=4)
    distances, rows = (
        NearestNeighbors(n_neighbors=4, metric="cosine", algorithm="brute").fit(scaled(vectors)).kneighbors()
    )
    order = np.argsort(-distances.mean(axis=1), kind="stable")
    assert table.column("path").to_pylist()[:20] == [f"{row}.wav" for row in order[:20]]
    np.testing.assert_allclose(table.column("distance"), distances.mean(axis=1)[order], atol=1e-5)
    assert table.column("nearest").to_pylist()[:20] == [f"{row}.wav" for row in rows[order[:20], 0]]
    assert table.column("rank").to_pylist() == list(range(1, 201))


def test_planted_ones_come_first_and_the_local_outlier_factor_agrees(tmp_path: Path) -> None:
    vectors = vectors_of(400, 16)
    planted = np.random.default_rng(5).choice(400, 8, replace=False)
    vectors[planted] = 5 + 8 * np.random.default_rng(6).normal(size=(8, 16))
    table = outliers(Embedded.open(embeddings_file(tmp_path / "e.parquet", vectors)))
    score = np.empty(400)
    score[[int(path.removesuffix(".wav")) for path in table.column("path").to_pylist()]] = table.column("distance")
    assert roc_auc_score(np.isin(np.arange(400), planted), score) > 0.99
    factor = -LocalOutlierFactor(20, metric="cosine").fit(scaled(vectors)).negative_outlier_factor_
    assert spearmanr(score, factor).statistic > 0.5


def test_of_a_list_of_all_clips_nobody_says_that_they_are_like_no_others(tmp_path: Path) -> None:
    file = embeddings_file(tmp_path / "e.parquet", vectors_of(23))
    (sentence,) = find_outliers(file, top=100).sentences
    assert sentence.startswith(f"all 23 clips of {file}, least like any other first, by their mean cosine distance")
    (sentence,) = find_outliers(file, top=5).sentences
    assert sentence.startswith(f"the 5 clips of {file} that are like no others, by their mean cosine distance")


def test_only_the_first_are_given_and_mistakes_are_one_sentence(tmp_path: Path) -> None:
    embedded = Embedded.open(embeddings_file(tmp_path / "e.parquet", vectors_of(10)))
    assert outliers(embedded, k=3, top=4).num_rows == 4
    with pytest.raises(AuricleError, match="has 10 rows: more than k = 10 are needed; give a smaller -k"):
        outliers(embedded)
    with pytest.raises(AuricleError, match="k is 0"):
        outliers(embedded, k=0)
    with pytest.raises(AuricleError, match="rows wanted is 0"):
        outliers(embedded, k=2, top=0)
