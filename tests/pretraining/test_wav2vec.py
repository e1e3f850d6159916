"""The network that is pre-trained by contrast: independent of padding and of the batch; its quantiser."""

import pytest
import torch

from auricle import randomness
from auricle.models.conformer import Conformer, ConformerConfig
from auricle.pretraining.quantiser import Quantiser
from auricle.pretraining.wav2vec import Wav2Vec

SMALL = ConformerConfig(dim=32, layers=2, heads=4, feed_forward=64, latent_dim=24, first_kernel=5, kernel=3)


def keys(count: int) -> torch.Tensor:
    return randomness.keys(0, "test", torch.arange(count))


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
    torch.testing.assert_close(together[order, :6], shuffled[:, :6], **tolerance)
    torch.testing.assert_close(together[1:2, :6], alone[:, :6], **tolerance)


def test_a_step_of_the_quantiser_uses_codes_and_learns() -> None:
    torch.manual_seed(0)
    quantiser = Quantiser(8, 12, groups=2, codes=4).train()
    x = torch.randn(3, 10, 8, requires_grad=True)
    quantised, codes, penalty = quantiser(x, torch.ones(3, 10, dtype=torch.bool), keys(3))
    assert quantised.shape == (3, 10, 12)
    # Every output is one code of each book, and it says which.
    for group in range(2):
        distances = torch.cdist(quantised[..., 6 * group : 6 * group + 6].reshape(-1, 6), quantiser.codebooks[group])
        least = distances.detach().min(dim=1)
        assert float(least.values.max()) < 1e-3
        assert least.indices.tolist() == codes[..., group].flatten().tolist()
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
    _, _, none = quantiser(even, torch.ones(1, 4, dtype=torch.bool), keys(1))
    _, _, full = quantiser(even[:, :1].expand(-1, 4, -1), torch.ones(1, 4, dtype=torch.bool), keys(1))
    assert float(none) == pytest.approx(0, abs=1e-4)
    assert float(full) == pytest.approx(0.75, abs=1e-4)  # one of four codes
    assert float(quantiser.perplexity(torch.eye(4))) == pytest.approx(4)
