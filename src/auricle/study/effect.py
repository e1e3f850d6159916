"""The domain-specificity effect: what an encoder gains on a task by having heard sound of the task's own kind.

A study names the tasks that each diet matches. On each of them, the encoders trained on that diet are compared with
those trained on every other diet that matches something: the claim of Ogg (2025) in one number per task.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from matplotlib.axes import Axes

from auricle.comparisons import Judged, judged
from auricle.projection import PALETTE
from auricle.report.page import figure
from auricle.report.svg import FAINT, INK, PAPER, as_svg, page_figure
from auricle.study.outcome import Outcome, Row
from auricle.study.summary import points
from auricle.transfer.task import Task
from auricle.words import listed

_CAPTION = (
    "The matched diet minus another one, clip by clip over the same test clips, in percentage points of accuracy "
    "(also where the task is scored otherwise). Dots: mean over the seeds of pre-training; lines: 95 % bootstrap "
    "intervals over clusters of test clips; small strokes: pairs of one seed each, which show how far chance in "
    "pre-training alone moves the effect. Filled: the paired permutation test tells the diets apart (p < 0.05 after "
    "Holm's correction over this figure). Right of zero, sound of the task's own kind was better."
)


@dataclass(frozen=True)
class Effect(Judged):
    """One task with its matched diet against another.

    Attributes
    ----------
    task, matched, other
        What is compared on what; both diets by name.
    compared
        The matched diet's encoders minus the other's.
    p
        Of the comparison, corrected for all of the study's.
    by_seed
        The difference for each seed of pre-training.
    """

    task: Task
    matched: str
    other: str
    by_seed: tuple[float, ...]


def effects(outcome: Outcome) -> list[Effect]:
    """All of a study, in the order of its tasks; none where it does not say which diet matches which task."""
    rows = {row.diet: row for row in outcome.rows if row.kind == "trained"}
    matches = outcome.study.matches or {}
    found = []
    for matched, names in matches.items():
        for task in [task for task in outcome.tasks if task.short_name in names]:
            for other in [diet for diet in matches if diet != matched]:
                compared = outcome.compared(rows[matched].title, rows[other].title, task)
                if compared is not None:
                    found.append((task, matched, other, compared))
    return [
        Effect(one.compared, one.p, task, matched, other, _by_seed(outcome, rows[matched], rows[other], task))
        for (task, matched, other, _), one in zip(found, judged([compared for *_, compared in found]), strict=True)
    ]


def in_words(found: Sequence[Effect]) -> Iterator[str]:
    """What the effects say, a sentence each."""
    if not found:
        return
    better, worse = ([effect for effect in found if effect.verdict == sign] for sign in (1, -1))
    parts = []
    if better:
        parts.append(f"ahead on {listed(map(_named, better))}")
    if worse:
        parts.append(f"behind on {listed(map(_named, worse))}")
    same = len(found) - len(better) - len(worse)
    if same:
        parts.append(f"not to be told from the other in {same} of {len(found)} comparisons")
    mean = points(fmean(effect.compared.difference for effect in found))
    yield f"Domain specificity: the diet of a task's own kind is {'; '.join(parts)}. The mean effect is {mean} points."


def picture(found: Sequence[Effect], diets: Sequence[str]) -> str:
    """The effects as a figure with its caption."""
    with page_figure(0.9 + 0.36 * len(found)) as drawn:
        axes = drawn.subplots()
        axes.axvline(0, color=INK, linewidth=1)
        for position, effect in enumerate(found):
            _draw(axes, position, effect, PALETTE[list(diets).index(effect.matched) % len(PALETTE)])
        several = len({effect.other for effect in found}) > 2
        axes.set_yticks(
            range(len(found)),
            [f"{one.task.name} ({one.matched}{f' − {one.other}' if several else ''})" for one in found],
        )
        axes.set_ylim(len(found) - 0.4, -0.6)
        axes.set_xlabel("matched − mismatched diet, percentage points", color=FAINT)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.spines["left"].set_visible(False)
        return figure(as_svg(drawn, "effect", "What a diet of the task's own kind gains on every task"), _CAPTION)


def _draw(axes: Axes, position: int, effect: Effect, colour: str) -> None:
    low, high = effect.compared.ci_low, effect.compared.ci_high
    if low is not None and high is not None:
        axes.plot([100 * low, 100 * high], [position] * 2, color=colour, linewidth=2, alpha=0.55)
    if len(effect.by_seed) > 1:
        values = [100 * value for value in effect.by_seed]
        axes.plot(values, [position] * len(values), "|", color=colour, markersize=8, markeredgewidth=1.2)
    fill = colour if effect.verdict else PAPER
    axes.plot(
        [100 * effect.compared.difference], [position], "o", color=colour, markerfacecolor=fill, markersize=6.5,
        markeredgewidth=1.6,
    )  # fmt: skip


def _named(effect: Effect) -> str:
    return f"{effect.task.name} ({points(effect.compared.difference)} points)"


def _by_seed(outcome: Outcome, matched: Row, other: Row, task: Task) -> tuple[float, ...]:
    scores = [_accuracies(outcome, row, task) for row in (matched, other)]
    return tuple(scores[0][seed] - scores[1][seed] for seed in scores[0] if seed in scores[1])


def _accuracies(outcome: Outcome, row: Row, task: Task) -> dict[int | None, float]:
    """Accuracy by seed of pre-training."""
    return {
        probed.encoder.seed: result.value
        for probed in outcome.probed
        if probed.task is task and probed.encoder in row.encoders
        for result in probed.results
        if result.metric == "accuracy" and result.is_summary
    }
