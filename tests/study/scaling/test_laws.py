"""Intervals of exponents: how often they hold the truth, and that what points cannot tell is not claimed."""

import numpy as np
import pytest

from auricle.study.scaling.laws import AxisLaw, joint_law, replicated, training_noise

DRAWS = 200


def made(generator: np.random.Generator, true: np.ndarray, *, seeds: int, deviation: float, x: np.ndarray) -> AxisLaw:
    """A law of points whose trainings scatter by `deviation`, and whose test clips do not matter."""
    errors = true[:, None] * np.exp(deviation * generator.standard_normal((len(x), seeds)))
    noise = training_noise(np.log(errors), [(x, range(len(x)))])
    drawn = replicated(np.repeat(errors[None], 1 + DRAWS, axis=0), noise, seed=int(generator.integers(1 << 30)))
    return AxisLaw("hours", x, drawn, noise)


@pytest.mark.parametrize(("points", "seeds"), [(4, 3), (4, 2), (5, 1)])
def test_about_95_of_100_intervals_hold_the_true_exponent(points: int, seeds: int) -> None:
    generator = np.random.default_rng(points + seeds)
    x, trials, held, upright = 2.0 ** np.arange(points), 400, 0, 0
    for _ in range(trials):
        law = made(generator, 0.5 * x**-0.3, seeds=seeds, deviation=0.05, x=x)
        exponent = law.exponent
        assert exponent.low is not None and exponent.high is not None
        held += exponent.low <= 0.3 <= exponent.high
        upright += not law.is_bent
    # Of 400 at 95 %, fewer than 364 or more than 396 have a probability below 1 in 1000 together.
    assert 0.91 * trials <= held <= 0.99 * trials
    assert upright >= 0.91 * trials


def test_other_test_clips_are_part_of_the_interval() -> None:
    generator = np.random.default_rng(3)
    x = np.array([1.0, 2.0, 4.0, 8.0])
    held = 0
    for _ in range(100):
        true = 0.4 * x**-0.25
        ease = generator.random((400, 1))  # a clip that is hard for one encoder is hard for all
        wrong = ease < true  # (clips, points)
        counts = generator.multinomial(400, np.full(400, 1 / 400), size=DRAWS)
        errors = np.concatenate([wrong.mean(axis=0)[None], counts @ wrong / 400])[:, :, None].repeat(2, axis=2)
        errors = errors * np.exp(0.01 * generator.standard_normal((1, 4, 2)))
        noise = training_noise(np.log(errors[0]), [])
        exponent = AxisLaw("hours", x, replicated(errors, noise, seed=0), noise).exponent
        assert exponent.low is not None and exponent.high is not None
        held += exponent.low <= 0.25 <= exponent.high
    assert held >= 89  # of 100 at 95 %, fewer have a probability of 1 in 200


def test_a_floor_is_claimed_where_the_points_show_it_and_nowhere_else() -> None:
    generator = np.random.default_rng(4)
    x = 2.0 ** np.arange(6)
    level = made(generator, 0.2 + 0.3 * x**-0.8, seeds=3, deviation=0.02, x=x)
    assert level.levels_off and level.is_bent and level.direction == 1
    floor, exponent = level.floor, level.floored_exponent
    assert floor is not None and floor.low is not None and floor.high is not None and floor.low < 0.2 < floor.high
    assert exponent is not None and exponent.low is not None and exponent.high is not None
    assert exponent.low < 0.8 < exponent.high
    falling = made(generator, 0.5 * x**-0.3, seeds=3, deviation=0.02, x=x)
    assert falling.direction == 1 and not falling.levels_off and not falling.is_bent
    ahead = falling.ahead
    assert ahead is not None and ahead.low is not None and ahead.high is not None
    assert ahead.low < 0.5 * 64**-0.3 < ahead.high
    flat = made(generator, 0.5 + 0 * x, seeds=3, deviation=0.02, x=x)
    assert flat.direction == 0 and flat.floor is None  # any floor would do
    assert made(generator, 0.3 * x**0.2, seeds=3, deviation=0.02, x=x).direction == -1


def test_too_few_points_have_no_floor_and_too_few_trainings_no_interval() -> None:
    generator = np.random.default_rng(5)
    three = made(generator, 0.5 * 2.0 ** -np.arange(3), seeds=2, deviation=0.02, x=2.0 ** np.arange(3))
    assert three.floor is None and three.ahead is None and three.direction == 1
    two = made(generator, np.array([0.5, 0.1]), seeds=1, deviation=0.02, x=np.array([1.0, 2.0]))
    assert two.noise is None and two.direction == 0  # a fifth of the error is left, and still nothing is claimed
    assert two.exponent.low is None and two.exponent.value == pytest.approx(np.log2(5), abs=0.2)
    assert all(point.low is None for point in two.points())


def test_axes_together_are_fitted_to_a_grid_that_allows_it() -> None:
    generator = np.random.default_rng(6)
    grid = np.array([(n, d) for n in (1.0, 2, 4, 8) for d in (1.0, 4, 16, 64)])
    true = 0.1 + 0.3 * grid[:, 0] ** -0.7 + 0.3 * grid[:, 1] ** -0.5
    errors = true[:, None] * np.exp(0.01 * generator.standard_normal((16, 3)))
    noise = training_noise(np.log(errors), [])
    drawn = replicated(np.repeat(errors[None], 1 + DRAWS, axis=0), noise, seed=0)
    places = {"width": grid[:, 0], "hours": grid[:, 1], "steps": np.ones(16)}
    found = joint_law(places, drawn, noise)
    assert found is not None and found.axes == ("width", "hours")
    for value, truth in zip((*found.exponents, found.floor), (0.7, 0.5, 0.1), strict=True):
        assert value.low is not None and value.high is not None and value.low < truth < value.high
    few = {"width": grid[:, 0], "hours": np.where(grid[:, 1] > 4, 4.0, 1.0)}
    assert joint_law(few, drawn, noise) is None
