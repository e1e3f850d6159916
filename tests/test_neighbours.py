"""The search among vectors, against all pairs at once, and by what is known of the vectors."""

import itertools

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler, normalize

from auricle import neighbours
from auricle.neighbours import Scaling, near_pairs, nearest, nearest_among, scaled, whitened


def units(rows: int, dim: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def every_pair(vectors: np.ndarray, threshold: float, sides: np.ndarray | None) -> dict[tuple[int, int], float]:
    found = {}
    for first, second in itertools.combinations(range(len(vectors)), 2):
        cosine = float(vectors[first] @ vectors[second])
        if cosine >= threshold and (sides is None or sides[first] != sides[second]):
            found[first, second] = cosine
    return found


@pytest.mark.parametrize("block", [1, 7, 64, 4096])
@pytest.mark.parametrize("with_sides", [False, True])
def test_blocks_find_what_all_pairs_hold(block: int, with_sides: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "BLOCK_ROWS", block)
    vectors = units(120, 5)
    sides = np.random.default_rng(1).integers(0, 3, 120) if with_sides else None
    expected = every_pair(vectors, 0.8, sides)
    shares: list[float] = []
    pairs = near_pairs(vectors, threshold=0.8, sides=sides, report=shares.append)
    found = dict(zip(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True), pairs.similarity, strict=True))
    assert len(expected) > 50
    assert found.keys() == expected.keys() and pairs.found == len(expected)
    np.testing.assert_allclose([found[pair] for pair in expected], list(expected.values()), rtol=1e-5)
    assert (np.diff(pairs.similarity) <= 0).all()
    assert shares == sorted(shares) and shares[-1] == 1.0


def test_only_the_most_similar_are_kept_but_all_are_counted() -> None:
    vectors = units(200, 4)
    all_of_them = near_pairs(vectors, threshold=0.5)
    few = near_pairs(vectors, threshold=0.5, most=25)
    assert few.found == all_of_them.found > 1000
    np.testing.assert_array_equal(few.first, all_of_them.first[:25])
    np.testing.assert_array_equal(few.second, all_of_them.second[:25])


def test_nothing_alike_nothing_found() -> None:
    assert len(near_pairs(np.eye(6, dtype=np.float32), threshold=0.1)) == 0
    assert len(near_pairs(np.ones((1, 3), dtype=np.float32), threshold=0.1)) == 0
    zeros = np.zeros((3, 4), dtype=np.float32)
    assert len(near_pairs(zeros, threshold=0.1)) == 0


def test_whitening_takes_away_what_all_have_in_common() -> None:
    generator = np.random.default_rng(2)
    mixing = np.eye(8) + 0.7
    vectors = (generator.normal(size=(4000, 8)) @ mixing + 10.0).astype(np.float32)
    raw = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert (raw[:50] @ raw[50:100].T).mean() > 0.5
    white = whitened(vectors)
    np.testing.assert_allclose(np.linalg.norm(white, axis=1), 1.0, rtol=1e-5)
    # Directions without preference: the second moment of unit vectors in 8 dimensions is a eighth of the identity.
    np.testing.assert_allclose(white.T @ white / len(white), np.eye(8) / 8, atol=0.01)


def test_whitening_does_not_depend_on_the_unit_of_measurement() -> None:
    vectors = np.random.default_rng(3).normal(size=(300, 6)).astype(np.float32)
    one, other = whitened(vectors), whitened(100 * vectors + 3)
    np.testing.assert_allclose(one @ one.T, other @ other.T, atol=1e-4)


def test_what_hardly_changes_within_the_set_does_not_part_a_copy_that_changed_there() -> None:
    """As when recordings without high frequencies are compared with a copy that has noise there."""
    vectors = np.random.default_rng(7).normal(size=(500, 40)).astype(np.float32)
    vectors[:, 30:] *= 0.01
    copy = vectors[:1] + np.r_[np.zeros(30), np.full(10, 0.1)].astype(np.float32)
    white = whitened(np.concatenate([vectors, copy]))
    assert white[0] @ white[-1] > 0.8


def test_a_dimension_that_never_changes_is_left_out() -> None:
    vectors = np.random.default_rng(4).normal(size=(100, 3)).astype(np.float32)
    constant = np.concatenate([vectors, np.full((100, 1), 7.0, dtype=np.float32)], axis=1)
    np.testing.assert_allclose(
        whitened(vectors) @ whitened(vectors).T, whitened(constant) @ whitened(constant).T, atol=1e-4
    )


def test_scaling_is_half_way_to_standardising(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "BLOCK_ROWS", 64)
    vectors = (np.random.default_rng(8).normal(size=(300, 6)) * [1, 4, 9, 16, 25, 0] + 10).astype(np.float32)
    standardised = StandardScaler().fit_transform(vectors.astype(np.float64))
    expected = normalize(standardised * np.sqrt(vectors.astype(np.float64).std(axis=0)))
    np.testing.assert_allclose(scaled(vectors), expected, atol=1e-5)


def test_a_query_is_scaled_as_the_set_is() -> None:
    vectors = np.random.default_rng(9).normal(3.0, 2.0, size=(50, 4)).astype(np.float32)
    np.testing.assert_array_equal(Scaling.of(vectors).units(vectors[7:8]), scaled(vectors)[7:8])


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_few_vectors_are_no_trouble(rows: int) -> None:
    vectors = np.random.default_rng(5).normal(size=(rows, 192)).astype(np.float32)
    assert np.isfinite(whitened(vectors)).all()
    assert np.isfinite(scaled(vectors)).all()
    assert np.isfinite(whitened(np.zeros((rows, 4), dtype=np.float32))).all()


def test_copies_stand_out_among_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "FITTED_ROWS", 500)
    generator = np.random.default_rng(6)
    vectors = (generator.normal(size=(2000, 30)) @ generator.normal(size=(30, 30))).astype(np.float32)
    vectors[1500] = vectors[20] + 0.01 * generator.normal(size=30)
    pairs = near_pairs(whitened(vectors), threshold=0.9)
    assert (pairs.first.tolist(), pairs.second.tolist()) == ([20], [1500])


@pytest.mark.parametrize("block", [16, 4096])
def test_the_nearest_are_those_that_scikit_learn_finds(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "BLOCK_ROWS", block)
    vectors = units(150, 8)
    shares: list[float] = []
    found = nearest(vectors, 7, report=shares.append)
    distances, rows = NearestNeighbors(n_neighbors=7, metric="cosine", algorithm="brute").fit(vectors).kneighbors()
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_allclose(found.similarity, 1 - distances, atol=1e-6)
    assert shares == sorted(shares) and shares[-1] == 1.0


def test_the_nearest_rows_of_queries_come_out_of_blocks_that_are_seen_once() -> None:
    vectors, queries = units(100, 8), units(5, 8, seed=9)
    found = nearest_among(queries, iter(np.split(vectors, [3, 10, 60])), 4)
    model = NearestNeighbors(n_neighbors=4, metric="cosine", algorithm="brute").fit(vectors)
    np.testing.assert_array_equal(found.rows, model.kneighbors(queries, return_distance=False))


def test_no_row_is_its_own_neighbour_but_its_copy_is() -> None:
    vectors = np.repeat(np.eye(4, dtype=np.float32), 2, axis=0)
    found = nearest(vectors, 1)
    assert found.rows[:, 0].tolist() == [1, 0, 3, 2, 5, 4, 7, 6]
    np.testing.assert_allclose(found.similarity, 1.0)


def test_few_rows_have_few_neighbours() -> None:
    assert nearest(units(3, 4), 10).rows.shape == (3, 2)
    assert nearest(units(1, 4), 10).rows.shape == (1, 0)
    assert nearest(np.empty((0, 4), dtype=np.float32), 10).rows.shape == (0, 0)
