"""Bootstrap intervals against ranking every draw anew with SciPy, and their coverage."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import squareform

from auricle.errors import AuricleError
from auricle.explain.bootstrap import bootstrap, drawn_clusters, drawn_counts
from auricle.explain.rdm import rdm


def ranked_anew(a: np.ndarray, b: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Spearman's correlation of each draw, clips repeated as drawn, without pairs of a clip with itself."""
    a, b = squareform(a), squareform(b)
    found = []
    for count in counts.T.astype(int):
        clips = np.repeat(np.arange(len(count)), count)
        one, other = clips[np.stack(np.triu_indices(len(clips), 1))]
        apart = one != other
        found.append(stats.spearmanr(a[one, other][apart], b[one, other][apart]).statistic)
    return np.array(found)


@pytest.mark.parametrize("kind", ["normal", "heavy tails", "ties"])
@pytest.mark.parametrize("noise", [0.3, 3.0])
def test_draws_are_those_ranked_anew(kind: str, noise: float) -> None:
    rng = np.random.default_rng(4)
    n = 80
    x = rng.standard_t(1.5, n) if kind == "heavy tails" else rng.standard_normal(n)
    x = np.round(x) if kind == "ties" else x
    a, b = rdm(np.column_stack([x, np.zeros(n)]) + noise * rng.standard_normal((n, 2)), distance="euclidean"), rdm(x)
    found = bootstrap(a[None], b[None], draws=150, seed=1)
    exact = ranked_anew(a, b, drawn_counts(n, 150, seed=1))
    ours = found.draws[:, 0, 0]
    assert np.corrcoef(ours, exact)[0, 1] > 0.97
    assert ours.std() == pytest.approx(exact.std(), rel=0.06)
    assert ours.mean() == pytest.approx(exact.mean(), abs=0.2 * exact.std())
    assert found.low[0, 0] == pytest.approx(np.quantile(ours, 0.025), abs=1e-6)
    assert found.high[0, 0] == pytest.approx(np.quantile(ours, 0.975), abs=1e-6)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    def sample(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        x = rng.standard_normal((n, 2))
        return rdm(x[:, 0])[None], rdm(x[:, 0] + 0.7 * x[:, 1])[None]

    truth = stats.spearmanr(*map(np.ravel, sample(np.random.default_rng(5), 1500))).statistic
    held = 0
    for seed in range(150):
        found = bootstrap(*sample(np.random.default_rng(100 + seed), 60), draws=200, seed=seed)
        held += found.low[0, 0] <= truth <= found.high[0, 0]
    assert 0.87 < held / 150 < 0.99


def test_several_rdms_at_once_are_one_by_one() -> None:
    x = np.random.default_rng(6).standard_normal((40, 3))
    rdms = np.stack([rdm(column) for column in x.T])
    together = bootstrap(rdms, rdms, draws=20)
    alone = bootstrap(rdms[1:2], rdms[2:], draws=20)
    assert np.allclose(together.draws[:, 1, 2], alone.draws[:, 0, 0], atol=1e-6)
    assert np.allclose(together.draws, together.draws.transpose(0, 2, 1))
    assert np.allclose(together.draws[:, 0, 0], 1.0, atol=1e-5)


def test_whole_clusters_are_drawn() -> None:
    clusters = ["a", "b", "a", "c", "b", "a"]
    counts = drawn_counts(6, 300, seed=0, clusters=clusters)
    for name in "abc":
        own = counts[[cluster == name for cluster in clusters]]
        assert (own == own[0]).all()
    assert counts[[0, 1, 3]].sum(axis=0).tolist() == [3.0] * 300  # three clusters each time
    assert counts.mean() == pytest.approx(1.0, abs=0.1)


def test_clips_of_few_clusters_are_drawn_one_by_one() -> None:
    assert drawn_clusters(["a", "b"] * 10) is None
    assert drawn_clusters(list("abcde")) == list("abcde")
    assert drawn_clusters(None) is None


def test_one_cluster_is_one_sentence() -> None:
    with pytest.raises(AuricleError, match="all clips are one cluster"):
        drawn_counts(3, 10, seed=0, clusters=["a", "a", "a"])
