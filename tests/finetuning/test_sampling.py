"""Shares of the labels lie within each other and keep all classes; rare classes are drawn as often as frequent ones."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from auricle.clips import Stretch, cut
from auricle.errors import AuricleError
from auricle.finetuning.sampling import BalancedCrops, balancing_weights, nested_share


def one_of(counts: list[int]) -> np.ndarray:
    """``(n, classes)``: clips of classes of these sizes."""
    return np.repeat(np.eye(len(counts), dtype=bool), counts, axis=0)


def test_a_smaller_share_lies_within_a_larger_one_and_keeps_proportions() -> None:
    labels = one_of([240, 120, 60, 30])
    found = {share: nested_share(labels, share=share, seed=3) for share in (0.1, 1 / 3, 2 / 3, 1.0)}
    assert [len(rows) for rows in found.values()] == [45, 150, 300, 450]
    chosen = list(found.values())
    assert all(set(small) <= set(large) for small, large in itertools.pairwise(chosen))
    for share, rows in found.items():
        assert np.abs(labels[rows].sum(axis=0) - share * np.array([240, 120, 60, 30])).max() <= 2
    assert set(nested_share(labels, share=0.1, seed=4)) != set(found[0.1])


def test_every_class_is_in_the_smallest_share() -> None:
    labels = one_of([970, 10, 10, 10])
    assert labels[nested_share(labels, share=0.01, seed=0)].any(axis=0).all()
    with pytest.raises(AuricleError, match=r"label_share of 0\.003 is 3 of 1,000 training clips, fewer than the 4"):
        nested_share(labels, share=0.003, seed=0)


def test_a_clip_of_several_labels_counts_for_the_rarest() -> None:
    common, rare = np.array([True, False]), np.array([True, True])
    labels = np.stack([common] * 90 + [rare] * 10)
    assert labels[nested_share(labels, share=0.5, seed=0), 1].sum() in (5, 6)


def test_balanced_classes_have_equal_weight() -> None:
    labels = one_of([90, 9, 1])
    weights = balancing_weights(labels, power=1.0)
    assert labels.T.astype(float) @ weights == pytest.approx([100 / 3] * 3)
    assert balancing_weights(labels, power=0.0) == pytest.approx(np.ones(100))


def test_a_clips_weight_is_the_sum_over_its_labels() -> None:
    # Of four clips two have a, three have b, the last has neither: by hand 1/2 + 1/3, 1/2 + 1/3, 1/3, and 1 for none.
    labels = np.array([[1, 1], [1, 1], [0, 1], [0, 0]], dtype=bool)
    expected = np.array([5 / 6, 5 / 6, 1 / 3, 1.0])
    assert balancing_weights(labels, power=1.0) == pytest.approx(expected / expected.mean())
    halved = np.sqrt(expected)
    assert balancing_weights(labels, power=0.5) == pytest.approx(halved / halved.mean())


class Silence:
    def read(self, clip: int, first: int, samples: int) -> np.ndarray:
        return np.zeros(samples, dtype=np.float32)


def test_rare_clips_are_drawn_as_often_as_their_weight_says() -> None:
    count = 100
    stretches = [Stretch(Path(f"{number:03}")) for number in range(count)]
    clips = cut(stretches, [800] * count, [], sample_rate=16_000, clip_seconds=1.0, crop_seconds=0.05)
    labels = one_of([90, 10])
    weights = balancing_weights(labels, power=1.0)

    def clips_drawn(first: int, batches: int) -> torch.Tensor:
        crops = BalancedCrops(
            clips, Silence(), weights=weights, crop_samples=800, sampling="clip", padding="tail", seed=1
        )
        found = crops.batches(first, 20, batches, rows=slice(0, 20), workers=1)
        return torch.cat([of_batch for _, of_batch in found])

    drawn = clips_drawn(0, 25)
    times = np.bincount(drawn.numpy(), minlength=count)
    assert abs(times[:90].sum() - 250) <= 5 and abs(times[90:].sum() - 250) <= 5
    assert times[90:].min() >= 20 and times[90:].max() <= 30  # five epochs, each with five of each rare clip
    orders = [tuple(drawn[epoch * count : (epoch + 1) * count].tolist()) for epoch in range(5)]
    assert len(set(orders)) == 5
    later = clips_drawn(3 * count + 7, 1)  # as a resumed run starts
    assert later.tolist() == drawn[3 * count + 7 : 3 * count + 27].tolist()
