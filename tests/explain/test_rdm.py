"""RDMs against SciPy and rsatoolbox."""

import numpy as np
import pytest
from rsatoolbox.data import Dataset
from rsatoolbox.rdm import calc_rdm
from scipy.spatial.distance import pdist, squareform

from auricle.errors import AuricleError
from auricle.explain.rdm import clips_of, rdm, square

# More clips than are computed at a time, and not a multiple of it.
X = np.random.default_rng(0).standard_normal((300, 8)) + 0.5


@pytest.mark.parametrize("distance", ["cosine", "correlation", "euclidean"])
def test_distances_are_scipys(distance: str) -> None:
    assert np.abs(rdm(X, distance=distance) - pdist(X, distance)).max() < 1e-6


def test_differences_of_numbers_are_scipys() -> None:
    assert np.abs(rdm(X[:, 0]) - pdist(X[:, :1], "cityblock")).max() < 1e-6


def test_correlation_and_euclidean_distances_are_rsatoolboxs() -> None:
    data = Dataset(X[:50])
    assert np.abs(rdm(X[:50], distance="correlation") - calc_rdm(data, "correlation").dissimilarities).max() < 1e-6
    # rsatoolbox's is squared and divided by the number of dimensions.
    theirs = calc_rdm(data, "euclidean").dissimilarities[0]
    assert np.abs(rdm(X[:50], distance="euclidean") - np.sqrt(8 * theirs)).max() < 1e-6


def test_embeddings_are_compared_by_cosine_where_nothing_is_said() -> None:
    assert np.array_equal(rdm(X), rdm(X, distance="cosine"))


def test_equal_clips_are_at_distance_zero() -> None:
    twice = np.concatenate([X[:5], X[:5]]) * np.repeat([1.0, 1e3], 5)[:, None]
    assert all(square(rdm(twice))[i, i + 5] == 0 for i in range(5))  # only length differs
    assert square(rdm(np.concatenate([X, X + 0]), distance="euclidean"))[3, 303] == 0


def test_small_differences_are_not_lost_beside_a_large_mean() -> None:
    x = np.array([1e6, 1e6 + 1e-3, 1e6 + 3e-3])
    assert rdm(x).tolist() == pytest.approx([1e-3, 3e-3, 2e-3], rel=1e-6)


def test_square_is_scipys() -> None:
    condensed = rdm(X)
    assert np.array_equal(square(condensed), squareform(condensed))


def test_numbers_of_pairs_and_clips() -> None:
    assert [clips_of(pairs) for pairs in (1, 3, 499_500, 12_497_500)] == [2, 3, 1000, 5000]
    with pytest.raises(AuricleError, match="5 is no number of pairs"):
        clips_of(5)


@pytest.mark.parametrize(
    ("values", "distance", "message"),
    [
        (np.array([[1.0, 0], [0, 0]]), "cosine", "embedding 1 has length 0: cosine distance needs a direction"),
        (np.array([[1.0, 0], [2, 2]]), "correlation", "embedding 1 is constant"),
        (np.array([1.0, np.nan]), "difference", "clip 1 has a value that is not finite"),
        (np.array([1.0, 2.0]), "cosine", r"needs values of shape \(n, dim\), two clips or more, got \(2,\)"),
        (np.ones((3, 2)), "manhattan", "no distance 'manhattan': expected cosine, difference, correlation, euclidean"),
    ],
)
def test_what_has_no_distance_is_one_sentence(values: np.ndarray, distance: str, message: str) -> None:
    with pytest.raises(AuricleError, match=message):
        rdm(values, distance=distance)
