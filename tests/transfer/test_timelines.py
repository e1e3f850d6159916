import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from auricle.transfer.timelines import Timeline, covers, events_of, joined, onsets_found, smoothed, touched

RNG = np.random.default_rng(0)


def test_spans_that_touch_are_one() -> None:
    assert joined([(3.0, 4.0), (0.0, 1.0), (1.0, 2.0), (3.5, 3.7)]).tolist() == [[0.0, 2.0], [3.0, 4.0]]


def test_what_no_row_covers_is_not_known() -> None:
    timeline = Timeline.of([(1.0, 2.0, "speech"), (2.0, 4.5, None), (7.0, 8.0, "speech")], ["speech"])
    times = np.array([0.99, 1.0, 1.5, 2.0, 4.49, 4.5, 7.0, 8.0])
    assert timeline.knows(times).tolist() == [False, True, True, True, True, False, True, False]
    assert timeline.truth(times)[:, 0].tolist() == [False, True, True, False, False, False, True, False]
    assert timeline.segments().tolist() == [1, 2, 3, 4, 7]


def test_covering_is_that_of_a_loop() -> None:
    spans = joined([(start, start + RNG.random()) for start in RNG.random(30) * 30])
    times = RNG.random(500) * 32
    assert covers(spans, times).tolist() == [any(start <= at < end for start, end in spans) for at in times]


def test_a_segment_is_active_where_anything_in_it_is() -> None:
    assert touched(np.array([[0.0, 1.0], [2.9, 3.1]])).tolist() == [0, 2, 3]
    assert touched(np.zeros((0, 2))).tolist() == []


def test_events_are_runs_of_frames_and_end_with_the_annotation() -> None:
    times = 0.05 + 0.1 * np.arange(20)
    active = np.zeros(20, dtype=bool)
    active[[3, 4, 5, 12, 13, 14, 15]] = True
    everything = np.array([[0.0, 2.0]])
    assert events_of(active, times, hop=0.1, annotated=everything) == pytest.approx(np.array([[0.3, 0.6], [1.2, 1.6]]))
    some = np.array([[0.4, 1.4], [1.5, 1.8]])
    found = events_of(active, times, hop=0.1, annotated=some)
    assert found == pytest.approx(np.array([[0.4, 0.6], [1.2, 1.4], [1.5, 1.6]]))


@pytest.mark.parametrize("frames", [1, 3, 9])
def test_smoothing_is_a_median(frames: int) -> None:
    active = RNG.random(200) < 0.5
    half = frames // 2
    expected = [np.median(active[max(0, at - half) : at + half + 1]) > 0.5 for at in range(200)]
    assert smoothed(active, frames).tolist() == expected


@pytest.mark.parametrize("density", [0.5, 3.0, 10.0])
def test_onsets_are_paired_as_well_as_can_be(density: float) -> None:
    for _ in range(50):
        real, predicted = (np.sort(RNG.random(RNG.integers(0, 30)) * 30 / density) for _ in range(2))
        near = csr_array(np.abs(real[:, None] - predicted) <= 0.2)
        best = (maximum_bipartite_matching(near) >= 0).sum() if near.shape[0] and near.shape[1] else 0
        assert onsets_found(real, predicted) == best
