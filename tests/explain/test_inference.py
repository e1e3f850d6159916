"""Error rates, ceilings and averages against SciPy, rsatoolbox and arithmetic."""

import numpy as np
import pytest
from rsatoolbox.inference import boot_noise_ceiling
from rsatoolbox.rdm import RDMs
from scipy import stats

from auricle.errors import AuricleError
from auricle.explain.inference import (
    average,
    benjamini_hochberg,
    is_retained,
    naive_p,
    noise_ceiling,
    profile_correlations,
)
from auricle.explain.rdm import rdm

RNG = np.random.default_rng(8)


def test_benjamini_hochberg_by_hand() -> None:
    assert np.allclose(benjamini_hochberg(np.array([0.01, 0.04, 0.03, 0.5])), [0.04, 0.16 / 3, 0.16 / 3, 0.5])


def test_what_was_not_tested_counts_as_no_test() -> None:
    q = benjamini_hochberg(np.array([0.01, np.nan, 0.04, 0.03, 0.5]))
    assert np.isnan(q[1])
    assert np.allclose(np.delete(q, 1), [0.04, 0.16 / 3, 0.16 / 3, 0.5])
    assert np.isnan(benjamini_hochberg(np.array([np.nan]))).all()


def test_naive_p_values_are_scipys() -> None:
    x = RNG.standard_normal((40, 3))
    a, others = rdm(x), [rdm(column) for column in x.T]
    theirs = [stats.spearmanr(a, other) for other in others]
    ours = naive_p(np.array([result.statistic for result in theirs]), len(a))
    assert ours == pytest.approx([result.pvalue for result in theirs], rel=1e-6)


def test_only_positive_significant_correlations_are_retained() -> None:
    retained = is_retained(np.array([0.2, -0.2, 0.2, np.nan, 0.2]), np.array([0.01, 0.01, 0.05, 0.01, np.nan]))
    assert retained.tolist() == [True, False, False, False, False]


def test_both_averages_over_tasks() -> None:
    found = average([0.4, 0.2, -0.3, None], [0.01, 0.2, 0.01, None])
    assert (found.retained, found.retained_tasks) == (0.4, 1)
    assert found.every == pytest.approx(0.1) and found.tasks == 3
    nothing = average([None], [None])
    assert (nothing.retained, nothing.every, nothing.tasks) == (None, None, 0)


@pytest.mark.parametrize("members", [2, 3, 5])
def test_noise_ceilings_are_rsatoolboxs(members: int) -> None:
    x = RNG.standard_normal((30, 6))
    rdms = np.stack([rdm(x + RNG.standard_normal(x.shape)) for _ in range(members)])
    found = noise_ceiling(rdms)
    low, high = boot_noise_ceiling(RDMs(rdms.astype(np.float64)), method="spearman")
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-6)


def test_rdms_that_agree_have_a_ceiling_of_one_and_one_alone_has_none() -> None:
    one = rdm(RNG.standard_normal((20, 3)))
    found = noise_ceiling(np.stack([one, one, one]))
    assert (found.low, found.high) == pytest.approx((1.0, 1.0))
    with pytest.raises(AuricleError, match="agreement between two RDMs or more, got 1"):
        noise_ceiling(one[None])


def test_profiles_are_compared_over_the_descriptors_that_all_models_have() -> None:
    profiles = RNG.standard_normal((3, 12))
    profiles[1, 4] = np.nan
    found, p = profile_correlations(profiles)
    kept = np.arange(12) != 4
    expected = stats.spearmanr(profiles[0, kept], profiles[2, kept])
    assert found[0, 2] == pytest.approx(expected.statistic)
    assert p[0, 2] == pytest.approx(expected.pvalue)
    assert np.isnan(profile_correlations(profiles[:, :2])[0]).all()
