"""How alike the encoders of a study order the same clips: the counterpart of figure 4 of Ogg (2025).

Beside the paper's question, whether encoders of different diets are alike, stands what it needs for an answer: how
alike two encoders of the same diet are that differ in their seed alone. Encoders of one seed begin with the same random
weights, whatever their diet, which alone makes them alike: different seeds are compared where there are several.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable
from statistics import fmean

import numpy as np

from auricle.report.heat import heat
from auricle.report.page import figure
from auricle.report.svg import as_svg, page_figure
from auricle.study.encoders import StudyEncoder
from auricle.study.outcome import Outcome, Row

Pair = tuple[frozenset[str], bool]  # titles of two rows, and whether their encoders began with the same weights

_CAPTION = (
    "Spearman's correlation between the cosine distances of all pairs of clips by one encoder and by another, mean "
    "over tasks and over pairs of different seeds, where there are several. On the diagonal: encoders that differ in "
    "their seed alone, which is as alike as two encoders can be expected to be. Clips are those of the similarity to "
    "acoustic descriptors."
)


class Likenesses:
    """Correlations between the rows of a report's table, means over seeds and then over tasks."""

    def __init__(self, outcome: Outcome) -> None:
        self.rows = outcome.rows
        of = {encoder: row.title for row in self.rows for encoder in row.encoders}
        by_task: dict[Pair, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for found in outcome.likenesses:
            if found.r_s is not None:
                pair = frozenset((of[found.one], of[found.other]))
                by_task[pair, _share_a_start(found.one, found.other)][found.task].append(found.r_s)
        self._means = {pair: fmean(map(fmean, tasks.values())) for pair, tasks in by_task.items()}

    def between(self, one: Row, other: Row) -> float | None:
        """Of two rows, between different seeds where there are some; of a row with itself between its seeds."""
        apart, together = (self._means.get((frozenset((one.title, other.title)), start)) for start in (False, True))
        return together if apart is None else apart

    def in_words(self) -> str:
        """What the trained encoders have in common, in a sentence; empty where there are no two of them."""
        trained = [row for row in self.rows if row.kind == "trained"]
        pairs = list(itertools.combinations(trained, 2))
        diets = _range(self.between(*pair) for pair in pairs)
        if not diets:
            return ""
        parts = [f"encoders of different diets correlate {diets}"]
        seeds = _range(self.between(row, row) for row in trained)
        if seeds:
            together = _range(self._means.get((frozenset((a.title, b.title)), True)) for a, b in pairs)
            parts[0] += f" ({together} where they began with the same random weights)" if together else ""
            parts.append(f"of one diet and different seeds {seeds}")
        for kind, words in (("random", "with random weights"), ("reference", "with other models")):
            others = _range(self.between(a, b) for a in trained for b in self.rows if b.kind == kind)
            if others:
                parts.append(f"{words} {others}")
        return f"{'; '.join(parts)}."

    def picture(self) -> str:
        """Rows × rows as a figure with its caption; empty where nothing was compared."""
        if not self._means:
            return ""
        values = np.array([[self.between(one, other) for other in self.rows] for one in self.rows], dtype=np.float64)
        titles = [row.title for row in self.rows]
        with page_figure(2.0 + 0.36 * len(titles)) as drawn:
            axes = drawn.subplots()
            heat(axes, values, titles, top=1.0, width=7.0)
            axes.set_yticks(range(len(titles)), titles)
            return figure(as_svg(drawn, "alike", "How alike encoders order the same clips"), _CAPTION)


def _share_a_start(one: StudyEncoder, other: StudyEncoder) -> bool:
    return one.kind == other.kind and one.seed is not None and one.seed == other.seed


def _range(values: Iterable[float | None]) -> str:
    found = [value for value in values if value is not None]
    if not found:
        return ""
    low, high = f"{min(found):.2f}", f"{max(found):.2f}"
    return f"at {low}" if low == high else f"from {low} to {high}"
