"""The contrastive task against a plain loop, and what a perfect, a guessing and a collapsed model score."""

import math

import pytest
import torch
from torch.nn import functional

from auricle import randomness
from auricle.models.conformer import Conformer, ConformerConfig
from auricle.pretraining.masking import draw_negatives, masked_frames
from auricle.pretraining.quantiser import Quantiser
from auricle.pretraining.wav2vec import Wav2Vec, chance, contrast, target_variance

SMALL = ConformerConfig(dim=32, layers=2, heads=4, feed_forward=64, latent_dim=24, first_kernel=5, kernel=3)


def keys(count: int) -> torch.Tensor:
    return randomness.keys(0, "test", torch.arange(count))


def test_loss_and_accuracy_are_those_of_a_plain_loop() -> None:
    torch.manual_seed(0)
    masked = masked_frames(torch.rand(5, 30) < 0.4)
    predictions, targets = torch.randn(2, 5, masked.frame.shape[1], 8)
    targets += predictions
    negatives = draw_negatives(keys(5), masked, 6)
    found = contrast(predictions, targets, masked, negatives, temperature=0.1)
    for clip in range(5):
        loss, correct, distinct, frames = 0.0, 0, 0, 0
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


def test_variance_of_targets_tells_collapse() -> None:
    masked = masked_frames(torch.ones(1, 50, dtype=torch.bool))
    same = torch.randn(1, 1, 16).expand(-1, 50, -1)
    assert float(target_variance(same, masked)) == pytest.approx(0, abs=1e-5)
    assert float(target_variance(torch.randn(1, 50, 1000), masked)) > 0.95


@pytest.mark.parametrize("quantised", [False, True])
def test_loss_depends_neither_on_padding_nor_on_the_order_of_the_batch(quantised: bool) -> None:
    torch.manual_seed(0)
    quantiser = Quantiser(24, 24, groups=2, codes=5) if quantised else None
    network = (
        Wav2Vec(
            Conformer(SMALL).trunk,
            mask_probability=0.3,
            mask_span=3,
            negatives=10,
            temperature=0.1,
            quantiser=quantiser,
            diversity_weight=0.0,
        )
        .double()
        .train()
    )
    log_mel = torch.randn(3, 64, 240, dtype=torch.float64)
    lengths, index = torch.tensor([240, 160, 200]), torch.tensor([4, 9, 2])
    _, together = network(log_mel, lengths, index)
    order = torch.tensor([2, 0, 1])
    _, shuffled = network(log_mel[order], lengths[order], index[order])
    _, alone = network(log_mel[1:2, :, :160], lengths[1:2], index[1:2])
    tolerance = {"rtol": 1e-4, "atol": 1e-4}
    torch.testing.assert_close(together[order, :5], shuffled[:, :5], **tolerance)
    torch.testing.assert_close(together[1:2, :5], alone[:, :5], **tolerance)


def test_a_step_of_the_quantiser_uses_codes_and_learns() -> None:
    torch.manual_seed(0)
    quantiser = Quantiser(8, 12, groups=2, codes=4).train()
    x = torch.randn(3, 10, 8, requires_grad=True)
    quantised, penalty = quantiser(x, torch.ones(3, 10, dtype=torch.bool), keys(3))
    assert quantised.shape == (3, 10, 12)
    # Every output is one code of each book.
    for group in range(2):
        distances = torch.cdist(quantised[..., 6 * group : 6 * group + 6].reshape(-1, 6), quantiser.codebooks[group])
        assert float(distances.detach().min(dim=1).values.max()) < 1e-3
    assert 0 <= float(penalty) < 1
    quantised.sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    assert quantiser.current_temperature == pytest.approx(2.0 * 0.999995)


def test_diversity_penalty_is_none_for_equal_use_and_full_for_one_code() -> None:
    quantiser = Quantiser(4, 4, groups=1, codes=4).eval()
    with torch.no_grad():
        quantiser.choose.weight.copy_(100 * torch.eye(4))
    even = torch.eye(4)[None]
    _, none = quantiser(even, torch.ones(1, 4, dtype=torch.bool), keys(1))
    _, full = quantiser(even[:, :1].expand(-1, 4, -1), torch.ones(1, 4, dtype=torch.bool), keys(1))
    assert float(none) == pytest.approx(0, abs=1e-4)
    assert float(full) == pytest.approx(0.75, abs=1e-4)  # one of four codes
    assert float(quantiser.perplexity(torch.eye(4))) == pytest.approx(4)
