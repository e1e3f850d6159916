"""What the author of the study of diets expected and found (Ogg 2025), asked of a study's own scores one by one.

Section II-C expects three things: a diet is best on tasks of its own kind, the mixture of all diets is slightly worse
there, and slightly better on tasks of both kinds. Section III finds that the diet has only a small influence, and that
encoders of different diets are highly alike. A study says which tasks are of which kind (`matches`); a diet that it
does not name there is a mixture, and a task that it does not name is of both kinds.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from auricle.comparisons import Comparison, Judged, judged
from auricle.report.page import band, line, note, table, text
from auricle.study.effect import Effect
from auricle.study.likeness import Likenesses
from auricle.study.outcome import Outcome, Row
from auricle.study.summary import points
from auricle.words import listed

_NOTE = (
    "Section II-C of Ogg (2025). Differences are of the first encoder less the second, clip by clip over the same test "
    "clips, in percentage points of accuracy (average precision counts as accuracy too), with 95 % bootstrap intervals "
    "over clusters; p of a two-sided paired permutation test within clusters, after Holm's correction over this table. "
    "Where the test cannot tell, nothing is said of the expectation: few clusters see large differences only."
)


@dataclass(frozen=True)
class Expectation:
    """What was expected, and every comparison that it is about: the one that is expected to be ahead, first."""

    words: str
    tests: tuple[Judged, ...]  # corrected for all tests of all expectations

    @property
    def in_words(self) -> str:
        """What came out, in a sentence."""
        parts = []
        for sign, what in ((1, "so it is on"), (-1, "the opposite is so on"), (0, "the test cannot tell on")):
            tasks = [test.compared.task for test in self.tests if test.verdict == sign]
            if tasks:
                named = [
                    task if (n := tasks.count(task)) == 1 else f"{task} ({n} times)" for task in dict.fromkeys(tasks)
                ]
                parts.append(f"{what} {listed(named)}")
        return f"Expected: {self.words}. {_sentence('; '.join(parts))}."


def expectations(outcome: Outcome) -> list[Expectation]:
    """All that can be asked of a study; none where it does not say which diet matches which task."""
    asked = [(words, found) for words, found in _asked(outcome) if found]
    tests = iter(judged([compared for _, found in asked for compared in found]))
    return [Expectation(words, tuple(itertools.islice(tests, len(found)))) for words, found in asked]


def _asked(outcome: Outcome) -> Iterator[tuple[str, list[Comparison]]]:
    matches = outcome.study.matches or {}
    rows = {row.diet: row for row in outcome.rows if row.kind == "trained" and row.diet is not None}
    mixtures = [row for diet, row in rows.items() if diet not in matches]
    of_a_kind = {task for names in matches.values() for task in names}
    for diet in matches:
        others = [rows[other] for other in matches if other != diet]
        yield (
            f"what learnt from {diet} is better on {diet} tasks than what learnt from {listed(map(_diet, others))}",
            _compared(outcome, [(rows[diet], other) for other in others], matches[diet]),
        )
    for mixture in mixtures:
        yield (
            f"on tasks of one kind what learnt from {mixture.diet} is slightly worse than what learnt from that alone",
            [
                compared
                for diet, names in matches.items()
                for compared in _compared(outcome, [(rows[diet], mixture)], names)
            ],
        )
        both = [task.short_name for task in outcome.tasks if task.short_name not in of_a_kind]
        yield (
            f"on tasks of both kinds what learnt from {mixture.diet} is slightly better",
            _compared(outcome, [(mixture, rows[diet]) for diet in matches], both),
        )


def _diet(row: Row) -> str:
    return str(row.diet)


def _compared(outcome: Outcome, pairs: Sequence[tuple[Row, Row]], names: Sequence[str]) -> list[Comparison]:
    tasks = [task for task in outcome.tasks if task.short_name in names]
    found = [outcome.compared(one.title, other.title, task) for task in tasks for one, other in pairs]
    return [compared for compared in found if compared is not None]


def section(outcome: Outcome, asked: Sequence[Expectation], effects: Sequence[Effect], alike: Likenesses) -> str:
    """Every expectation with its comparisons, and what stands beside the two findings, as HTML."""
    lines = []
    signs = {1: ("up", "as\u00a0expected"), 0: ("same", "cannot\u00a0be\u00a0told"), -1: ("down", "the\u00a0opposite")}
    for expectation in asked:
        lines.append(band(_sentence(expectation.words), 4))
        for test in expectation.tests:
            kind, word = signs[test.verdict]
            one = test.compared
            low, high = one.ci_low, one.ci_high
            ends = "" if low is None or high is None else f"{points(low)} … {points(high)}"
            chance = "p\u00a0&lt;\u00a00.001" if test.p < 0.001 else f"p\u00a0=\u00a0{test.p:.3f}"
            cells = [
                f"<td>{text(_short(one.a))} − {text(_short(one.b))}</td>",
                f'<td><span class="{kind}">{points(one.difference)}</span><small>{ends}</small></td>',
                f"<td>{chance}</td>",
                f'<td class="{kind}">{word}</td>',
            ]
            lines.append(line(f"<th>{text(one.task)}</th>", cells))
    written = table(["task", "first − second", "difference", "test", "expectation"], lines)
    return written + note(_NOTE) + "".join(f"<p>{text(words)}</p>" for words in _findings(outcome, effects, alike))


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _short(title: str) -> str:
    return title.removeprefix("trained on ")


def _findings(outcome: Outcome, effects: Sequence[Effect], alike: Likenesses) -> Iterator[str]:
    gains = [abs(gain.compared.difference) for gain in outcome.gains()]
    if effects and gains:
        moved = fmean(abs(effect.compared.difference) for effect in effects)
        yield (
            f"“The pre-training domain only had a small influence” (section III): here the matched diet and another "
            f"differ by {100 * moved:.1f} points on average over tasks, whichever is ahead; pre-training as such and "
            f"random weights differ by {100 * fmean(gains):.1f}."
        )
    words = alike.in_words()
    if words:
        yield (
            "“The representations learned by all three BYOL-A models were highly similar to one another despite being "
            f"trained on different domains” (section III, r_s from 0.88 to 0.95): {words}"
        )
