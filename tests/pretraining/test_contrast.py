"""The contrastive task against a plain loop, and what a perfect, a guessing and a collapsed model score."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from auricle import randomness
from auricle.pretraining.contrast import chance, contrast, correct_by_interpolation, interpolated, target_variance
from auricle.pretraining.masking import draw_negatives, masked_frames, span_mask


def keys(count: int) -> torch.Tensor:
    return randomness.keys(0, "test", torch.arange(count))


@pytest.mark.parametrize("centre", [False, True])
def test_loss_and_accuracy_are_those_of_a_plain_loop(centre: bool) -> None:
    torch.manual_seed(0)
    masked = masked_frames(torch.rand(5, 30) < 0.4)
    predictions, targets = torch.randn(2, 5, masked.frame.shape[1], 8)
    targets += predictions
    negatives = draw_negatives(keys(5), masked, 6)
    found = contrast(predictions, targets, masked, negatives, temperature=0.1, centre=centre)
    for clip in range(5):
        loss, correct, distinct, frames = 0.0, 0, 0, 0
        if centre:
            there = int(masked.counts[clip])
            predictions[clip] -= predictions[clip, :there].mean(dim=0)
            targets[clip] -= targets[clip, :there].mean(dim=0)
        for position in range(int(masked.counts[clip])):
            candidates = [position, *negatives[clip, position].tolist()]
            similarity = torch.stack(
                [functional.cosine_similarity(predictions[clip, position], targets[clip, c], dim=0) for c in candidates]
            )
            loss += float(functional.cross_entropy(similarity / 0.1, torch.tensor(0)))
            correct += int(similarity[0] > similarity[1:].max())
            distinct += len(set(candidates[1:]))
            frames += 1
        assert float(found.loss[clip]) == pytest.approx(loss, rel=1e-4)
        assert (int(found.correct[clip]), int(found.distinct[clip]), int(found.frames[clip])) == (
            correct,
            distinct,
            frames,
        )


def test_a_perfect_model_of_orthogonal_targets_reaches_the_least_loss() -> None:
    masked = masked_frames(torch.ones(2, 6, dtype=torch.bool))
    targets = torch.eye(6).expand(2, -1, -1)
    found = contrast(targets, targets, masked, draw_negatives(keys(2), masked, 100), temperature=0.1)
    assert found.correct.tolist() == [6, 6]
    # Own similarity 1, a hundred others 0: log(1 + 100 e^-10).
    assert float(found.loss.sum()) == pytest.approx(12 * math.log1p(100 * math.exp(-10)), rel=1e-3)


def test_a_model_that_says_the_same_of_every_frame_is_at_chance() -> None:
    torch.manual_seed(0)
    masked = masked_frames(torch.ones(400, 9, dtype=torch.bool))
    predictions = torch.randn(400, 1, 8).expand(-1, 9, -1)
    found = contrast(predictions, torch.randn(400, 9, 8), masked, draw_negatives(keys(400), masked, 100), temperature=1)
    accuracy = float(found.correct.sum() / found.frames.sum())
    distinct = float(found.distinct.sum() / found.frames.sum())
    assert distinct == pytest.approx(8, abs=0.01)  # a hundred draws find all of eight
    assert accuracy == pytest.approx(chance(distinct), abs=0.02)


def test_a_frame_of_the_same_code_is_no_negative() -> None:
    masked = masked_frames(torch.ones(1, 4, dtype=torch.bool))
    codes = torch.tensor([0, 0, 1, 2])
    targets = torch.eye(4)[codes][None]
    negatives = draw_negatives(keys(1), masked, 100)
    found = contrast(targets, targets, masked, negatives, temperature=1.0, codes=codes[None, :, None])
    # As if the two frames of code 0 did not know of each other: own similarity 1, every other 0.
    others = found.apart.sum(dim=2)[0]
    assert float(found.loss.sum()) == pytest.approx(float(torch.log1p(others * math.exp(-1)).sum()), rel=1e-5)
    assert others.tolist() == [int((negatives[0, row] > 1).sum()) for row in (0, 1)] + [100, 100]
    assert (int(found.correct), int(found.frames), int(found.distinct)) == (4, 4, 2 + 2 + 3 + 3)


def test_nothing_counts_where_one_code_stands_for_everything() -> None:
    masked = masked_frames(torch.ones(1, 4, dtype=torch.bool))
    same = torch.ones(1, 4, 3, requires_grad=True)
    negatives = draw_negatives(keys(1), masked, 10)
    found = contrast(same, same, masked, negatives, temperature=1.0, codes=torch.zeros(1, 4, 2, dtype=torch.int64))
    assert (float(found.loss.detach()), int(found.correct), int(found.frames)) == (0.0, 0, 0)
    found.loss.sum().backward()
    assert same.grad is not None
    assert torch.isfinite(same.grad).all()


def test_what_all_frames_of_a_clip_share_does_not_count_once_it_is_taken_off() -> None:
    torch.manual_seed(0)
    masked = masked_frames(torch.ones(20, 30, dtype=torch.bool))
    targets = torch.randn(20, 30, 16)
    negatives = draw_negatives(keys(20), masked, 100)
    mask_vector, level = 30 * torch.randn(20, 1, 16), 30 * torch.randn(20, 1, 16)
    plain, centred = (
        contrast(targets + mask_vector, targets + level, masked, negatives, temperature=0.1, centre=centre).correct
        for centre in (False, True)
    )
    assert centred.sum() == 600
    assert plain.sum() < 200


def test_variance_of_targets_tells_collapse() -> None:
    masked = masked_frames(torch.ones(1, 50, dtype=torch.bool))
    same = torch.randn(1, 1, 16).expand(-1, 50, -1)
    assert float(target_variance(same, masked)) == pytest.approx(0, abs=1e-5)
    assert float(target_variance(torch.randn(1, 50, 1000), masked)) > 0.95


def test_hidden_latents_are_interpolated_as_numpy_does() -> None:
    torch.manual_seed(0)
    latents = torch.randn(6, 40, 3, dtype=torch.float64)
    lengths = torch.tensor([40, 25, 40, 7, 3, 40])
    mask = span_mask(keys(6), lengths, 40, probability=0.5, span=3)
    mask[2, :5] = mask[2, 37:] = True  # nothing visible on one side
    found = interpolated(latents, lengths, mask)
    for clip, length in enumerate(lengths.tolist()):
        hidden = mask[clip, :length].numpy()
        seen = np.flatnonzero(~hidden)
        for dim in range(3):
            values = latents[clip, :length, dim].numpy()
            expected = np.interp(np.flatnonzero(hidden), seen, values[seen]) if len(seen) else 0.0
            np.testing.assert_allclose(found[clip, :length, dim].numpy()[hidden], expected, atol=1e-12)
    assert not mask[4, :3].logical_not().any()  # a clip shorter than a span is hidden as a whole: nothing to go by


def test_interpolation_finds_every_frame_of_a_straight_line_and_none_of_noise() -> None:
    torch.manual_seed(0)
    lengths, mask = torch.full((50,), 80), torch.zeros(50, 80, dtype=torch.bool)
    mask[:, 2:78:5] = mask[:, 3:78:5] = True
    masked = masked_frames(mask)
    negatives = draw_negatives(keys(50), masked, 100)
    first, last = torch.randn(2, 50, 1, 32)
    line = torch.lerp(first, last, torch.linspace(0, 1, 80)[None, :, None])
    apart = torch.ones_like(negatives, dtype=torch.bool)
    found = correct_by_interpolation(line, lengths, mask, masked, negatives, apart)
    assert float(found.sum() / masked.valid.sum()) > 0.99
    found = correct_by_interpolation(torch.randn(50, 80, 32), lengths, mask, masked, negatives, apart)
    assert float(found.sum() / masked.valid.sum()) == pytest.approx(1 / 32, abs=0.02)  # hidden frames of a clip
