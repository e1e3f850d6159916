import numpy as np
import pytest
import torch
from scipy import stats

from auricle import randomness


def splitmix64(state: int) -> int:
    """SplitMix64 in Python integers, from its published definition."""
    mask = (1 << 64) - 1
    z = state & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


def test_bits_are_splitmix64_of_key_plus_counter() -> None:
    key = torch.tensor([12345, -7])
    got = randomness.bits(key, 3)
    golden = 0x9E3779B97F4A7C15
    for row, start in enumerate([12345, -7]):
        for column in range(3):
            expected = splitmix64(start + (column + 1) * golden)
            assert int(got[row, column]) & ((1 << 64) - 1) == expected


def test_known_first_output_of_splitmix64() -> None:
    # The reference implementation's first output for seed 0, printed in many test suites.
    assert int(randomness.bits(torch.tensor([0]), 1)) & ((1 << 64) - 1) == 0xE220A8397B1DCDAF


def test_draws_depend_on_the_index_and_not_on_the_batch() -> None:
    together = randomness.uniform(randomness.keys(3, "crop", torch.arange(100)), 5)
    alone = randomness.uniform(randomness.keys(3, "crop", torch.tensor([42])), 5)
    assert torch.equal(together[42], alone[0])
    assert not torch.equal(together[42], together[43])


@pytest.mark.parametrize("change", [{"seed": 4}, {"purpose": "view"}])
def test_seed_and_purpose_change_everything(change: dict) -> None:
    base = randomness.keys(3, "crop", torch.arange(1000))
    other = randomness.keys(**({"seed": 3, "purpose": "crop"} | change), index=torch.arange(1000))
    assert not (base == other).any()


def test_uniform_is_uniform_across_indices_and_within_one() -> None:
    across = randomness.uniform(randomness.keys(0, "a", torch.arange(50_000)), 1)[:, 0]
    within = randomness.uniform(randomness.keys(0, "a", torch.tensor([7])), 50_000)[0]
    for sample in (across, within):
        assert stats.kstest(sample.numpy(), "uniform").pvalue > 0.001
        assert sample.min() >= 0 and sample.max() < 1


def test_neighbouring_indices_are_uncorrelated() -> None:
    x = randomness.uniform(randomness.keys(0, "a", torch.arange(100_001)), 1)[:, 0].numpy()
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < 4 / np.sqrt(100_000)


def test_normal_is_normal() -> None:
    x = randomness.normal(randomness.keys(1, "n", torch.arange(20_000)), 3)
    assert x.shape == (20_000, 3)
    assert stats.kstest(x.flatten().numpy(), "norm").pvalue > 0.001


def test_dropout_keeps_the_mean_and_drops_its_share() -> None:
    x = torch.ones(64, 24, 512)
    key = randomness.keys(0, "dropout", torch.arange(64))
    y = randomness.keyed_dropout(x, 0.3, key)
    assert abs((y == 0).float().mean() - 77 / 256) < 0.001
    assert abs(y.mean() - 1) < 0.003
    assert torch.equal(y[5:6], randomness.keyed_dropout(x[5:6], 0.3, key[5:6]))


def test_permutation_is_a_permutation_that_changes_with_the_epoch() -> None:
    first = randomness.permutation(0, "order", 0, 1000)
    second = randomness.permutation(0, "order", 1, 1000)
    assert torch.equal(first.sort().values, torch.arange(1000))
    assert not torch.equal(first, second)


def test_generator_is_keyed() -> None:
    a = randomness.generator(0, "bootstrap", 1).random(4)
    assert np.array_equal(a, randomness.generator(0, "bootstrap", 1).random(4))
    assert not np.array_equal(a, randomness.generator(0, "bootstrap", 2).random(4))


def test_dropout_is_the_same_in_every_precision_and_in_its_gradient() -> None:
    key = randomness.keys(0, "dropout", torch.arange(6))
    x = torch.rand(6, 5, 7) + 0.5  # an odd number of elements
    full = x.clone().requires_grad_()
    dropped = randomness.keyed_dropout(full, 0.3, key)
    dropped.sum().backward()
    half = randomness.keyed_dropout(x.bfloat16(), 0.3, key)
    assert torch.equal(dropped == 0, half == 0)
    scale = 256 / (256 - 77)
    assert full.grad is not None
    torch.testing.assert_close(full.grad, torch.where(dropped == 0, 0.0, scale))
    torch.testing.assert_close(half.float(), dropped.detach(), rtol=0.02, atol=0.0)


def test_many_words_are_the_same_drawn_at_once_or_in_pieces() -> None:
    key = randomness.keys(3, "pieces", torch.arange(40))
    together = randomness.bits(key, 5000)
    assert torch.equal(together[17], randomness.bits(key[17:18], 5000)[0])


def test_dropout_of_first_rows_does_not_depend_on_those_that_follow() -> None:
    key = randomness.keys(0, "dropout", torch.arange(2))
    x = torch.ones(2, 9, 13)
    assert torch.equal(randomness.keyed_dropout(x, 0.4, key)[:, :4], randomness.keyed_dropout(x[:, :4], 0.4, key))


@pytest.mark.parametrize("n", [1, 2, 3, 5, 64, 65, 1000, 4097])
def test_an_order_without_a_table_has_every_item_once(n: int) -> None:
    order = randomness.permuted(7, "order", 0, np.arange(n), n)
    assert sorted(order.tolist()) == list(range(n))
    some = np.array([n - 1, 0, n // 2])
    assert (randomness.permuted(7, "order", 0, some, n) == order[some]).all()
    if n > 60:
        assert (order != randomness.permuted(7, "order", 1, np.arange(n), n)).mean() > 0.9
        assert (order != randomness.permuted(8, "order", 0, np.arange(n), n)).mean() > 0.9


def test_orders_without_a_table_are_as_random_as_shuffles() -> None:
    n, orders = 6, 6000
    found = np.array([randomness.permuted(0, "order", epoch, np.arange(n), n) for epoch in range(orders)])
    # Each item at each place equally often, and each order of three neighbours: chi-squared, 0.999 quantiles.
    counts = np.array([np.bincount(found[:, place], minlength=n) for place in range(n)])
    assert ((counts - orders / n) ** 2 / (orders / n)).sum() < stats.chi2.ppf(0.999, (n - 1) ** 2)
    ranks = np.argsort(found[:, :3], axis=1) @ [9, 3, 1]
    kinds = np.unique(ranks, return_counts=True)[1]
    assert len(kinds) == 6 and ((kinds - orders / 6) ** 2 / (orders / 6)).sum() < stats.chi2.ppf(0.999, 5)
    long = randomness.permuted(3, "order", 0, np.arange(100_000), 100_000)
    assert abs(np.corrcoef(long, np.arange(100_000))[0, 1]) < 0.015
    assert abs(np.corrcoef(long[1:], long[:-1])[0, 1]) < 0.015
