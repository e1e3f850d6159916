"""Noise ceilings: from pre-trainings that differ in their seed, else from halves of clips, else the reason why not."""

import numpy as np
import pytest
from rsatoolbox.inference import boot_noise_ceiling
from rsatoolbox.rdm import RDMs

from auricle.explain.heard import Heard, Model, ceilings_of
from auricle.explain.inference import Ceiling
from auricle.explain.rdm import rdm
from auricle.models.encoder import ModelCard
from auricle.models.registry import load

RNG = np.random.default_rng(0)
TRUTH = RNG.standard_normal((40, 6)).astype(np.float32)


def heard(name: str, recipe: str, noise: float = 1.0) -> Heard:
    """A model of the same 40 clips, and halves of them, all of which differ by noise alone."""
    whole, first, second = (TRUTH + noise * RNG.standard_normal((3, *TRUTH.shape))).astype(np.float32)
    return Heard(Model(name, name, (), None, recipe), whole, (first, second), {})


def published(members: list[np.ndarray]) -> tuple[float, float]:
    rdms = np.stack([rdm(one) for one in members]).astype(np.float64)
    return boot_noise_ceiling(RDMs(rdms), method="spearman")


def test_three_pre_trainings_that_differ_in_their_seed_are_each_others_ceiling() -> None:
    alike = [heard(f"seed {seed}", '{"steps": 100}') for seed in range(3)]
    other = heard("other", '{"steps": 200}')
    found = ceilings_of([*alike, other])
    low, high = published([one.whole for one in alike])
    for one in alike:
        ceiling = found[one.model.name, None]
        assert isinstance(ceiling, Ceiling)
        assert (ceiling.low, ceiling.high) == pytest.approx((low, high), abs=1e-6)


def test_with_fewer_the_halves_of_its_clips_are_a_models_ceiling() -> None:
    two = [heard(f"seed {seed}", '{"steps": 100}') for seed in range(2)]
    plain = heard("plain", "")
    found = ceilings_of([*two, plain])
    for one in (*two, plain):
        ceiling = found[one.model.name, None]
        assert isinstance(ceiling, Ceiling)
        assert (ceiling.low, ceiling.high) == pytest.approx(published(list(one.halves)), abs=1e-6)


def test_models_of_which_nothing_is_known_are_not_taken_for_seeds_of_one() -> None:
    three = [heard(f"model {number}", "") for number in range(3)]
    found = ceilings_of(three)
    assert len({found[one.model.name, None] for one in three}) == 3


def test_clips_too_short_for_halves_leave_no_ceiling_and_the_reason() -> None:
    one = heard("m", "")
    one.halves[1][:30] = 0.0  # what a clip of a single run of frames gives
    assert ceilings_of([one]) == {
        ("m", None): "no noise ceiling: 30 of 40 clips are too short for two halves of frames"
    }


def test_models_differ_by_chance_when_only_their_seeds_do(tmp_path) -> None:
    encoder = load("byola-2020-512")
    trained = {
        "a": ModelCard(data="speech: 900 clips", recipe={"seed": 0, "steps": 7}),
        "same": ModelCard(data="speech: 900 clips", recipe={"seed": 1, "steps": 7}),
        "other steps": ModelCard(data="speech: 900 clips", recipe={"seed": 1, "steps": 8}),
        "other diet": ModelCard(data="rain: 900 clips", recipe={"seed": 1, "steps": 7}),
    }
    recipes = {}
    for name, card in trained.items():
        encoder.card = card
        encoder.save_pretrained(tmp_path / name)
        recipes[name] = Model.find(str(tmp_path / name), layers=False, pooling=None).recipe
    assert recipes["a"] == recipes["same"]
    assert len(set(recipes.values())) == 3
    assert Model.find("logmel-stats", layers=True, pooling=None).recipe == ""
