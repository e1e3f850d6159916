"""What a study found, in sentences for people: what was done, whether training helped, whether the diet mattered.

A sentence claims a difference only where a paired test, corrected for the number of comparisons, supports it.
"""

import itertools
from collections.abc import Iterator, Sequence

from auricle.comparisons import judged
from auricle.study.encoders import Training
from auricle.study.outcome import Gain, Outcome
from auricle.transfer.task import Task
from auricle.words import listed


def sentences(outcome: Outcome) -> list[str]:
    """The summary, one statement each, as plain text."""
    diets = () if outcome.study.matches else _diets(outcome)  # else the effect says it
    return [*_what_was_done(outcome), *_training(outcome), *_controls(outcome), *diets]


def points(difference: float) -> str:
    """A difference of fractions in percentage points, with its sign."""
    return f"{100 * difference:+.1f}".replace("-", "−")


def _what_was_done(outcome: Outcome) -> Iterator[str]:
    facts = outcome.trainings[0].stage.facts
    diets = listed(
        f"{training.diet.name} ({training.stage.facts['hours']:.2g} h)" for training in _first_of_diet(outcome)
    )
    name = outcome.encoders[0].model
    yield (
        f"{_count(len(outcome.trainings), 'encoder')} of {facts['parameters']:,} parameters ({name}) learnt from "
        f"unlabelled sound, {diets}, in {facts['steps']:,} steps of {facts['batch_size']}. Each then stayed as it "
        f"was, and a linear probe on its {facts['embedding_dim']:,}-dimensional embeddings was scored on "
        f"{_count(len(outcome.tasks), 'task').lower()}."
    )


def _training(outcome: Outcome) -> Iterator[str]:
    gains = outcome.gains()
    for title in dict.fromkeys(gain.row.title for gain in gains):
        own = [gain for gain in gains if gain.row.title == title]
        better, worse = _by_verdict(own, 1), _by_verdict(own, -1)
        same = [gain.task.name for gain in own if gain.verdict == 0]
        subject = f"The encoder {title}"
        parts = []
        if better:
            parts.append(f"beats its random self on {listed(_with_points(better))}")
        if worse:
            parts.append(f"falls behind its random self on {listed(_with_points(worse))}")
        if same:
            where = "any task" if len(same) == len(own) else listed(same)
            parts.append(f"does not beat its random self on {where}, as far as this test can tell")
        yield f"{subject} {'; it '.join(parts)}."


def _controls(outcome: Outcome) -> Iterator[str]:
    rows = {row.title: row for row in outcome.rows}
    in_front: dict[str, list[str]] = {}  # controls that are best, or that the test cannot tell from the best, by task
    for task in outcome.tasks:
        front = [rows[title] for title in (outcome.best(task), *outcome.rivals(task))]
        names = ["random weights" if row.kind == "random" else row.title for row in front if row.kind != "trained"]
        in_front[task.name] = list(dict.fromkeys(names))
    clear = [task for task, controls in in_front.items() if not controls]
    if clear:
        yield f"On {listed(clear)} a trained encoder is ahead of every control."
    if len(clear) < len(in_front):
        where = "Elsewhere" if clear else "On every task"
        which = "; ".join(f"{task}: {listed(controls)}" for task, controls in in_front.items() if controls)
        yield f"{where} a control is the best, or the test cannot tell it from the best ({which})."


def _diets(outcome: Outcome) -> Iterator[str]:
    trained = [row.title for row in outcome.rows if row.kind == "trained"]
    if len(trained) < 2:
        return
    found = [
        (task, compared)
        for task in outcome.tasks
        for a, b in itertools.pairwise(trained)
        if (compared := outcome.compared(a, b, task)) is not None
    ]
    tests = judged([compared for _, compared in found])
    clear = [pair for pair, one in zip(found, tests, strict=True) if one.verdict]
    if not clear:
        yield "Which diet an encoder was trained on makes no difference that this test can see, on any task."
        return
    parts = []
    for task, compared in clear:
        ahead = compared if compared.difference > 0 else compared.reversed()
        parts.append(f"on {task.name} the encoder {ahead.a} is ahead of the one {ahead.b} ({points(ahead.difference)})")
    rest = "; elsewhere no difference can be seen" if len(clear) < len(found) else ""
    yield f"The diet matters: {'; '.join(parts)}{rest}."


def _first_of_diet(outcome: Outcome) -> list[Training]:
    return list({training.diet.name: training for training in reversed(outcome.trainings)}.values())[::-1]


def _by_verdict(gains: Sequence[Gain], verdict: int) -> list[Gain]:
    return [gain for gain in gains if gain.verdict == verdict]


def _with_points(gains: Sequence[Gain]) -> list[str]:
    return [f"{gain.task.name} ({points(gain.compared.difference)} points)" for gain in gains]


def _count(number: int, noun: str) -> str:
    words = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
    word = words[number] if number < len(words) else f"{number:,}"
    return f"{word} {noun}{'' if number == 1 else 's'}"


def split_of(task: Task) -> str:
    """How a task's clips are divided."""
    if task.manifest.has("fold"):
        folds = len(set(task.manifest.column("fold")))
        return f"{folds} folds, each tested once"
    splits = task.counts("split")
    return " · ".join(f"{splits[name]:,} {name}" for name in ("train", "valid", "test"))
