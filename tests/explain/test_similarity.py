"""What the comparison of one task's clips claims, and how often it errs where nothing is to be found."""

import numpy as np

from auricle.explain.similarity import SCHEMA, Inference, Representation, as_table, from_table, similarities, with_q


def test_partial_tests_keep_their_level_for_a_model_of_another_descriptor() -> None:
    # Models of the first of three independent descriptors, with noise: the two others are found in 5 % of tests.
    p = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        drawn = rng.uniform(size=(3, 40))
        circle = np.stack([np.cos(drawn[0] * np.pi / 2), np.sin(drawn[0] * np.pi / 2)], axis=1)
        model = Representation("m", None, circle + 0.05 * rng.standard_normal((40, 2)))
        rows = similarities(
            [model], dict(zip("abc", drawn, strict=True)), inference=Inference(permutations=99, draws=0, seed=seed)
        )
        assert rows[0].p_partial == 0.01
        p += [row.p_partial for row in rows[1:]]
    assert 1 <= sum(value <= 0.05 for value in p) <= 13  # binomial(120, .05): mean 6, deviation 2.4


def test_where_no_other_family_is_there_nothing_is_said_to_be_controlled() -> None:
    rng = np.random.default_rng(0)
    models = [Representation("m", None, rng.standard_normal((20, 3)))]
    values = {name: rng.standard_normal(20) for name in ("quiet", "loud", "bright")}
    families = {"quiet": "level", "loud": "level", "bright": "shape"}
    for given, controlled in ((("quiet", "loud"), False), (("quiet", "loud", "bright"), True)):
        some = {name: values[name] for name in given}
        rows = similarities(models, some, families=families, inference=Inference(permutations=99, draws=0))
        assert [row.r_partial is not None for row in rows] == [controlled] * len(given)
        assert [row.p_partial is not None for row in rows] == [controlled] * len(given)
        assert all(row.r_s is not None for row in rows)


def test_corrections_are_over_all_tasks_and_for_each_kind_alone() -> None:
    rng = np.random.default_rng(0)
    rows = []
    for task in ("one", "two"):
        models = [Representation(name, None, rng.standard_normal((20, 3))) for name in ("m", "n")]
        values = {"a": rng.standard_normal(20), "b": rng.standard_normal(20)}
        rows += similarities(models, values, task=task, inference=Inference(permutations=99, draws=0))
    found = with_q(rows)
    for kind, tests in (("descriptor", 8), ("model", 2)):
        own = [row for row in found if row.kind == kind]
        smallest = min(own, key=lambda row: row.p_mantel)
        assert len(own) == tests
        assert smallest.q <= smallest.p_mantel * tests + 1e-12
        assert max(row.q for row in own) == max(row.p_mantel for row in own)  # the largest needs no correction


def test_a_table_gives_back_its_rows() -> None:
    rng = np.random.default_rng(1)
    rows = similarities(
        [Representation("m", "conv1", rng.standard_normal((10, 3)))],
        {"a": rng.standard_normal(10), "same": np.ones(10)},
        ceilings={("m", "conv1"): "no noise ceiling: too short"},
        inference=Inference(permutations=9, draws=5),
    )
    table = as_table(rows)
    assert table.schema == SCHEMA
    assert from_table(table) == rows
    assert [row.note for row in rows] == ["no noise ceiling: too short", "it is the same for all clips"]
    assert rows[0].ci_low is None  # intervals are for clips' embeddings
