"""What the author expected, asked of scores that are made so that the answers are known."""

from pathlib import Path

import pytest

from auricle.comparisons import Comparison
from auricle.manifest import Manifest
from auricle.settings import build
from auricle.study.analyses import Likeness
from auricle.study.diets import Diets
from auricle.study.encoders import StudyEncoder
from auricle.study.hypotheses import expectations
from auricle.study.likeness import Likenesses
from auricle.study.outcome import Outcome
from auricle.transfer.task import Task

DIETS = ("speech", "other", "both")
TASKS = ("words", "dogs", "films")  # of speech, of other sound, of both


def trained(diet: str, seed: int = 0) -> StudyEncoder:
    return StudyEncoder("byola", "trained", diet, seed, f"{diet}{seed}", f"{diet}{seed}")


def outcome(
    ahead: dict[tuple[str, str, str], tuple[float, float]], likenesses: list[Likeness], encoders: list[StudyEncoder]
) -> Outcome:
    """A study whose comparisons are ``(task, diet, other diet) → (difference, p)``."""
    values = {
        "name": "made",
        "diets": {"speech": ["a"], "other": ["b"], "both": ["speech", "other"]},
        "matches": {"speech": ["words"], "other": ["dogs"]},
        "tasks": [f"{task}.csv" for task in TASKS],
        "map": None,
        "tsne": None,
    }
    manifest = Manifest.from_rows([{"path": "a.wav", "label": "x", "split": "test"}], root=Path())
    return Outcome(
        study=build(Diets, values, name="made"),
        command="",
        diets=[],
        tasks=[Task(name=task, title=task, manifest=manifest) for task in TASKS],
        trainings=[],
        encoders=encoders,
        probed=[],
        comparisons=[
            Comparison(task, f"trained on {one}", f"trained on {other}", difference, None, None, p)
            for (task, one, other), (difference, p) in ahead.items()
        ],
        similarities=[],
        likenesses=likenesses,
        layers=[],
        pictures=[],
        map=None,
        notices=[],
        seconds=0.0,
    )


@pytest.fixture
def encoders() -> list[StudyEncoder]:
    return [trained(diet, seed) for diet in DIETS for seed in (0, 1)]


def test_every_expectation_is_asked_of_the_tasks_that_it_is_about(encoders: list[StudyEncoder]) -> None:
    sure, unsure = 0.0001, 0.4
    found = expectations(
        outcome(
            {
                ("words", "speech", "other"): (0.10, sure),  # as expected
                ("dogs", "speech", "other"): (0.05, sure),  # the opposite: dogs are of the other kind
                ("words", "both", "speech"): (-0.02, sure),  # as expected: the mixture is worse
                ("dogs", "both", "other"): (-0.02, unsure),
                ("films", "speech", "both"): (-0.03, sure),  # as expected: the mixture is better than either
                ("films", "both", "other"): (-0.03, sure),  # the opposite
                ("films", "speech", "other"): (0.3, sure),  # nobody expected anything
            },
            [],
            encoders,
        )
    )
    assert [[test.verdict for test in one.tests] for one in found] == [[1], [-1], [1, 0], [1, -1]]
    assert [test.compared.difference for test in found[2].tests] == [0.02, 0.02]  # the one expected ahead comes first
    assert found[3].in_words == (
        "Expected: on tasks of both kinds what learnt from both is slightly better. So it is on films; the opposite is "
        "so on films."
    )


def test_a_difference_that_one_test_shows_is_not_believed_among_many(encoders: list[StudyEncoder]) -> None:
    pairs = {("words", "speech", "other"): (0.1, 0.02), ("words", "both", "speech"): (-0.1, 0.02)}
    pairs |= {("dogs", "speech", "other"): (-0.1, 0.02), ("dogs", "both", "other"): (-0.1, 0.02)}
    found = expectations(outcome(pairs, [], encoders))
    assert {test.verdict for one in found for test in one.tests} == {0}  # four times 0.02 is not below 0.05
    assert [test.p for one in found for test in one.tests] == pytest.approx([0.08] * 4)


def test_encoders_of_one_diet_are_as_alike_as_encoders_of_different_ones_can_be(encoders: list[StudyEncoder]) -> None:
    alike = [
        Likeness(
            task,
            one,
            other,
            0.9 if one.diet == other.diet else 0.8 if one.seed == other.seed else {"words": 0.5, "dogs": 0.7}[task],
        )
        for task in ("words", "dogs")
        for place, one in enumerate(encoders)
        for other in encoders[place + 1 :]
    ]
    found = Likenesses(outcome({}, alike, encoders))
    speech, other, _ = found.rows
    assert found.between(speech, other) == found.between(other, speech) == pytest.approx(0.6)
    assert found.between(speech, speech) == pytest.approx(0.9)
    assert found.in_words() == (
        "encoders of different diets correlate at 0.60 (at 0.80 where they began with the same random weights); of one "
        "diet and different seeds at 0.90."
    )
