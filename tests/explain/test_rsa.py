"""The whole analysis of one task, as people call it, against its parts and on representations of a known factor."""

import numpy as np
import pytest
from scipy import stats

from auricle.errors import AuricleError
from auricle.explain.rsa import benjamini_hochberg, cka, mantel, rdm, rsa, spearman


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize("models", [1, 4])
def test_all_tests_at_once_are_the_tests_one_by_one(generator: np.random.Generator, models: int) -> None:
    embeddings = {f"m{k}": generator.standard_normal((40, 5)) + 1 for k in range(models)}
    descriptors = {"a": embeddings["m0"][:, 0], "b": generator.standard_normal(40), "c": generator.standard_normal(40)}
    descriptors["c"][:7] = np.nan
    rows = rsa(embeddings, descriptors, permutations=200, seed=5, draws=20).to_pylist()
    of_descriptors = [row for row in rows if row["kind"] == "descriptor"]
    assert [(row["model"], row["other"]) for row in of_descriptors] == [(m, d) for m in embeddings for d in descriptors]
    for row in of_descriptors:
        clips = np.isfinite(descriptors[row["other"]])
        one, other = rdm(embeddings[row["model"]][clips]), rdm(descriptors[row["other"]][clips])
        r, p = mantel(one, other, permutations=200, seed=5)
        assert row["r_s"] == pytest.approx(r, abs=1e-6)
        assert row["n"] == clips.sum()
        assert row["p_naive"] == pytest.approx(stats.spearmanr(one, other).pvalue, rel=1e-4)
        assert row["ci_low"] < row["r_s"] < row["ci_high"]
        # Which of two is permuted makes other draws of the same distribution.
        assert row["p_mantel"] == pytest.approx(p, abs=0.15)
    q = benjamini_hochberg(np.array([row["p_mantel"] for row in of_descriptors]))
    assert [row["q"] for row in of_descriptors] == pytest.approx(q)


def test_models_are_compared_with_each_other_once(generator: np.random.Generator) -> None:
    embeddings = {f"m{k}": generator.standard_normal((30, 4)) for k in range(3)}
    rows = rsa(embeddings, {}, permutations=99, draws=0).to_pylist()
    assert [(row["model"], row["other"]) for row in rows] == [("m0", "m1"), ("m0", "m2"), ("m1", "m2")]
    for row in rows:
        one, other = embeddings[row["model"]], embeddings[row["other"]]
        assert row["kind"] == "model"
        assert row["r_s"] == pytest.approx(spearman(rdm(one), rdm(other)), abs=1e-6)
        assert row["cka"] == pytest.approx(cka(one, other), abs=1e-6)
        assert row["ci_low"] is None


def test_it_finds_the_factor_that_a_representation_encodes(generator: np.random.Generator) -> None:
    factors = generator.standard_normal((80, 2))
    direction = generator.standard_normal((1, 16))
    encodes_first = 5.0 + factors[:, :1] @ direction + 0.05 * generator.standard_normal((80, 16))
    table = rsa({"model": encodes_first}, {"first": factors[:, 0], "second": factors[:, 1]}, permutations=199)
    rows = {row["other"]: row for row in table.to_pylist()}
    assert rows["first"]["r_s"] > 0.5 and rows["first"]["q"] < 0.05
    assert rows["second"]["q"] > 0.05
    assert rows["first"]["n"] == 80


def test_a_shadow_of_the_encoded_factor_is_not_taken_for_it(generator: np.random.Generator) -> None:
    # The shadow goes with the factor but a representation of the factor alone knows nothing else of it.
    factor = generator.standard_normal(150)
    shadow = factor + generator.standard_normal(150)
    embedding = np.column_stack([np.full(150, 6.0), factor]) + 0.1 * generator.standard_normal((150, 2))
    rows = {
        row["other"]: row
        for row in rsa({"m": embedding}, {"factor": factor, "shadow": shadow}, permutations=199).to_pylist()
    }
    assert rows["shadow"]["q"] < 0.05 and rows["shadow"]["r_s"] > 0.2
    assert rows["factor"]["r_partial"] > 0.8 and rows["factor"]["q_partial"] < 0.05
    assert abs(rows["shadow"]["r_partial"]) < 0.1
    assert rows["factor"]["unique_variance"] > 0.5 > 0.01 > rows["shadow"]["unique_variance"]


def test_partial_correlations_are_over_clips_that_have_all_descriptors(generator: np.random.Generator) -> None:
    x = generator.standard_normal((50, 4)) + 2
    descriptors = {name: x[:, k] + generator.standard_normal(50) for k, name in enumerate("abc")}
    descriptors["a"][:3] = np.nan
    descriptors["c"][:20] = np.nan  # too rare to enter
    rows = {row["other"]: row for row in rsa({"m": x}, descriptors, permutations=49, draws=0).to_pylist()}
    assert [rows[name]["n"] for name in "abc"] == [47, 50, 30]
    assert rows["a"]["n_partial"] == rows["b"]["n_partial"] == 47
    assert rows["c"]["r_partial"] is None and rows["c"]["r_s"] is not None
    # With one control the partial correlation has a formula of three correlations.
    kept = slice(3, None)
    m, a, b = rdm(x[kept]), rdm(descriptors["a"][kept]), rdm(descriptors["b"][kept])
    ma, mb, ab = spearman(m, a), spearman(m, b), spearman(a, b)
    assert rows["a"]["r_partial"] == pytest.approx((ma - mb * ab) / np.sqrt((1 - mb**2) * (1 - ab**2)), abs=1e-5)


def test_clips_without_the_property_are_left_out_and_said(generator: np.random.Generator) -> None:
    x = generator.standard_normal((20, 4)) + 3
    pitch = np.where(np.arange(20) < 12, generator.standard_normal(20), np.nan)
    rare = np.where(np.arange(20) < 3, generator.standard_normal(20), np.nan)
    descriptors = {"pitch": pitch, "constant": np.ones(20), "rare": rare}
    rows = rsa({"m": x}, descriptors, permutations=19).to_pylist()
    assert rows[0]["n"] == 12 and rows[0]["r_s"] is not None and rows[0]["note"] is None
    assert rows[1]["r_s"] is None and rows[1]["q"] is None and rows[1]["note"] == "it is the same for all clips"
    assert rows[2]["n"] == 3 and rows[2]["note"] == "3 clips have it: 4 are needed"


def test_clips_that_a_model_lacks_are_left_out_for_all(generator: np.random.Generator) -> None:
    x = generator.standard_normal((20, 4))
    lacking = x.copy()
    lacking[4] = np.nan
    rows = rsa({"whole": x, "lacking": lacking}, {"d": x[:, 0]}, permutations=19, draws=0).to_pylist()
    assert [row["n"] for row in rows] == [19, 19, 19]


def test_clips_are_permuted_and_drawn_by_cluster(generator: np.random.Generator) -> None:
    speaker = np.repeat(np.arange(8), 10)
    pitch = speaker + 0.1 * generator.standard_normal(80)
    voice = np.column_stack([speaker + 0.1 * generator.standard_normal(80), np.full(80, 4.0)])
    free = rsa({"m": voice}, {"pitch": pitch}, permutations=99, draws=200).to_pylist()[0]
    kept = rsa({"m": voice}, {"pitch": pitch}, clusters=speaker.tolist(), permutations=99, draws=200).to_pylist()[0]
    assert free["p_mantel"] == 0.01 and kept["p_mantel"] > 0.05
    # Eight speakers tell less than eighty independent clips would.
    assert kept["ci_high"] - kept["ci_low"] > 1.5 * (free["ci_high"] - free["ci_low"])


def test_what_cannot_be_compared_is_one_sentence(generator: np.random.Generator) -> None:
    with pytest.raises(AuricleError, match="the same clips, got 5 and 6"):
        rsa({"m": generator.standard_normal((5, 2))}, {"d": np.arange(6.0)})
    with pytest.raises(AuricleError, match="RSA needs 4 clips or more, got 3"):
        rsa({"m": generator.standard_normal((3, 2))}, {"d": np.arange(3.0)})
    with pytest.raises(AuricleError, match="silent: embedding 1 has length 0"):
        rsa({"silent": np.array([[1.0, 0], [0, 0], [1, 1], [2, 1]])}, {"d": np.arange(4.0)})
