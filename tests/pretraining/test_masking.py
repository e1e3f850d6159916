"""Masks and negatives: their distribution, their independence of the batch, and a reference written as plain loops."""

import math

import pytest
import torch

from auricle import randomness
from auricle.pretraining.masking import draw_negatives, has_negatives, masked_frames, span_mask


def keys(count: int, purpose: str = "test") -> torch.Tensor:
    return randomness.keys(0, purpose, torch.arange(count))


def loop_mask(key: torch.Tensor, length: int, frames: int, probability: float, span: int) -> list[bool]:
    draws = randomness.uniform(key, frames + 1)[0].tolist()
    starts = max(1, length - span + 1)
    wanted = min(max(1, math.floor(length * probability / span + draws[0])), starts)
    chosen = sorted(range(starts), key=lambda position: draws[1 + position])[:wanted]
    return [
        any(start <= position < start + span for start in chosen) and position < length for position in range(frames)
    ]


@pytest.mark.parametrize(("probability", "span"), [(0.3, 3), (0.65, 10), (0.1, 1)])
def test_masks_are_those_of_a_plain_loop(probability: float, span: int) -> None:
    lengths = torch.tensor([50, 31, 3, 2, 1, 12])
    found = span_mask(keys(6), lengths, 50, probability=probability, span=span)
    for row, length in enumerate(lengths.tolist()):
        assert found[row].tolist() == loop_mask(keys(6)[row : row + 1], length, 50, probability, span)


def test_share_of_hidden_frames_is_what_spans_that_may_overlap_give() -> None:
    length, probability, span = 250, 0.3, 3
    mask = span_mask(keys(2000), torch.full((2000,), length), length, probability=probability, span=span)
    # 25 different starts of 248: a frame away from the ends stays visible when none of its 3 starts is drawn.
    starts = length - span + 1
    visible = math.comb(starts - span, 25) / math.comb(starts, 25)
    middle = mask[:, span:-span].float().mean().item()
    assert middle == pytest.approx(1 - visible, abs=0.003)
    assert mask.float().mean() <= probability


def test_spans_are_at_least_as_long_as_asked_and_stay_within_the_clip() -> None:
    lengths = torch.randint(3, 60, (300,))
    mask = span_mask(keys(300), lengths, 60, probability=0.3, span=3)
    for row, length in zip(mask.tolist(), lengths.tolist(), strict=True):
        assert not any(row[length:])
        runs = "".join("x" if hidden else " " for hidden in row).split()
        assert runs
        assert min(len(run) for run in runs) >= 3


def test_a_mask_does_not_depend_on_the_batch_or_its_padding() -> None:
    lengths = torch.tensor([40, 25])
    together = span_mask(keys(2), lengths, 90, probability=0.3, span=3)
    alone = span_mask(keys(2)[1:], lengths[1:], 25, probability=0.3, span=3)
    assert torch.equal(together[1, :25], alone[0])


def test_masked_frames_are_in_time() -> None:
    mask = torch.tensor([[False, True, True, False, True], [True, False, False, False, False]])
    masked = masked_frames(mask)
    assert masked.frame.tolist() == [[1, 2, 4], [0, 0, 0]]
    assert masked.valid.tolist() == [[True, True, True], [True, False, False]]
    frames = torch.arange(10.0).view(2, 5, 1)
    assert masked.gather(frames)[0, :, 0].tolist() == [1, 2, 4]


def test_no_negative_is_its_own_frame_or_padding() -> None:
    mask = span_mask(keys(40), torch.randint(4, 80, (40,)), 80, probability=0.3, span=3)
    masked = masked_frames(mask)
    negatives = draw_negatives(keys(40, "negatives"), masked, 100)
    usable = has_negatives(masked)
    own = torch.arange(negatives.shape[1])[None, :, None]
    assert usable.any()
    assert not ((negatives == own) & usable[:, :, None]).any()
    assert ((negatives < masked.counts[:, None, None]) | ~usable[:, :, None]).all()


def test_negatives_are_uniform_over_the_other_masked_frames() -> None:
    masked = masked_frames(torch.ones(4000, 5, dtype=torch.bool))
    drawn = draw_negatives(keys(4000), masked, 100)[:, 2].flatten()
    share = torch.bincount(drawn, minlength=5) / len(drawn)
    torch.testing.assert_close(share, torch.tensor([0.25, 0.25, 0.0, 0.25, 0.25]), atol=0.004, rtol=0)


def test_negatives_do_not_depend_on_the_batch() -> None:
    small = masked_frames(torch.ones(1, 7, dtype=torch.bool))
    large = masked_frames(torch.nn.functional.pad(torch.ones(2, 7, dtype=torch.bool), (0, 20), value=False))
    alone, together = draw_negatives(keys(1), small, 9), draw_negatives(keys(2), large, 9)
    assert torch.equal(alone[0], together[0, :7])


def test_a_clip_with_one_hidden_frame_has_nothing_to_be_told_apart_from() -> None:
    masked = masked_frames(torch.tensor([[True, False], [True, True]]))
    assert has_negatives(masked).tolist() == [[False, False], [True, True]]
