import numpy as np
import torch

from auricle.explain.descriptors.statistics import quantiles, summarise


def test_quantiles_are_numpys_of_the_values_that_are_there() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, 50, 17)).astype(np.float32)
    values[rng.random(values.shape) < 0.4] = np.nan
    values[0, 0, 1:] = np.nan
    shares = (0.05, 0.25, 0.5, 0.95)
    for share, found in zip(shares, quantiles(torch.from_numpy(values), shares), strict=True):
        assert np.allclose(found, np.nanquantile(values, share, axis=-1), atol=1e-6)


def test_the_range_between_quartiles_of_1_to_9_is_4() -> None:
    found = summarise(torch.arange(1.0, 10.0)[None])
    assert (found["median"].item(), found["iqr"].item()) == (5.0, 4.0)


def test_nothing_has_neither() -> None:
    found = summarise(torch.full((2, 5), torch.nan))
    assert found["median"].isnan().all() and found["iqr"].isnan().all()
