"""Batches of like length: every crop once an epoch, little padding, the same for any number of processes."""

from pathlib import Path

import numpy as np
import pytest
import torch

from auricle.clips import Clips, Stretch
from auricle.crops import Crops
from auricle.errors import AuricleError
from auricle.pretraining.batches import BucketedBatches, EqualBatches

RATE, FULL = 100, 1000  # samples of a crop


class Silence:
    """Clips without sound."""

    def read(self, clip: int, first: int, samples: int) -> np.ndarray:
        return np.zeros(min(samples, FULL), dtype=np.float32)


def crops_of(lengths: np.ndarray, seed: int = 0) -> Crops:
    count = len(lengths)
    zeros = np.zeros(count, dtype=np.int64)
    clips = Clips([Stretch(Path("x"))], zeros, zeros, lengths.astype(np.int64), RATE, [], files=1)
    return Crops(clips, Silence(), crop_samples=FULL, sampling="clip", padding="tail", seed=seed)


@pytest.fixture
def crops() -> Crops:
    """Clips as real corpora have them: words of one length, utterances of all lengths, longer recordings."""
    generator = np.random.default_rng(0)
    return crops_of(np.concatenate([np.full(400, 100), generator.integers(20, 900, 300), np.full(200, 5000)]))


def test_an_epoch_has_every_crop_once_and_the_next_one_another_order(crops: Crops) -> None:
    batches = BucketedBatches(crops, 8)
    passes = int(batches.per_epoch)
    first = [batches.index(number) for number in range(passes)]
    second = [batches.index(number) for number in range(passes, 2 * passes)]
    assert torch.cat(first).sort().values.tolist() == list(range(900))
    assert torch.cat(second).sort().values.tolist() == list(range(900, 1800))
    assert [len(index) for index in first] != [len(index) for index in second]
    assert sorted(len(index) for index in first) == sorted(len(index) for index in second)


def test_batches_have_about_equal_frames_and_little_padding(crops: Crops) -> None:
    batches = BucketedBatches(crops, 8)
    lengths = [crops.samples(batches.index(number)) for number in range(int(batches.per_epoch))]
    padded = np.array([len(of) * of.max() for of in lengths])
    assert padded.max() <= 8 * FULL * 1.1
    assert np.median(padded) > 0.9 * 8 * FULL
    assert np.sort(padded)[1] > 0.5 * 8 * FULL  # but for the last of the shortest
    assert min(len(of) for of in lengths) >= 8
    share = 1 - sum(of.sum() for of in lengths) / padded.sum()
    assert batches.padding_share == pytest.approx(share)
    assert share < 0.1 < EqualBatches(crops, 8).padding_share


def test_any_batch_is_found_without_those_before_it(crops: Crops) -> None:
    in_turn = BucketedBatches(crops, 8)
    passes = int(in_turn.per_epoch)
    expected = [in_turn.index(number) for number in range(3 * passes)]
    for number in (2 * passes + 5, 0, passes - 1):
        assert torch.equal(BucketedBatches(crops, 8).index(number), expected[number])
    other = crops_of(crops.clips.samples, seed=1)
    assert not torch.equal(BucketedBatches(other, 8).index(0), expected[0])


def test_a_rest_joins_the_batch_before_it() -> None:
    batches = BucketedBatches(crops_of(np.full(37, FULL)), 8)
    assert sorted(len(batches.index(number)) for number in range(int(batches.per_epoch))) == [8, 8, 8, 13]


def test_equal_batches_go_on_from_epoch_to_epoch() -> None:
    batches = EqualBatches(crops_of(np.full(10, FULL)), 4)
    assert torch.cat([batches.index(number) for number in range(5)]).tolist() == list(range(20))
    assert batches.per_epoch * 2 == 5


def test_less_than_a_batch_is_refused() -> None:
    with pytest.raises(AuricleError, match="an epoch has 7 crops, fewer than a batch of 8"):
        BucketedBatches(crops_of(np.full(7, FULL)), 8)
