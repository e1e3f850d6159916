"""Paired comparisons of models on one task, and what may be said of many of them at once.

The p values of all comparisons that stand beside each other are corrected for their number (Holm 1979, A simple
sequentially rejective multiple test procedure).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Comparison:
    """One model against another on the same test clips; several seeds of an encoder count by their mean.

    Attributes
    ----------
    task, a, b
        Names of the task and of the models.
    difference
        Score of a minus that of b, with its 95 % interval, None where there is a single cluster.
    p
        Of a two-sided paired permutation test within clusters.
    clusters
        How many there are; 0 where it is not known.
    """

    task: str
    a: str
    b: str
    difference: float
    ci_low: float | None
    ci_high: float | None
    p: float
    clusters: int = 0

    def reversed(self) -> "Comparison":
        """The same with a and b exchanged."""
        low, high = (None if end is None else -end for end in (self.ci_high, self.ci_low))
        return Comparison(self.task, self.b, self.a, -self.difference, low, high, self.p, self.clusters)


def holm(p_values: Sequence[float]) -> list[float]:
    """p values corrected for their number (Holm 1979), in the order given."""
    corrected = [1.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        running = max(running, min(1.0, p_values[index] * (len(p_values) - rank)))
        corrected[index] = running
    return corrected


@dataclass(frozen=True)
class Judged:
    """One of several comparisons that stand beside each other; `p` is corrected for their number."""

    compared: Comparison
    p: float

    @property
    def verdict(self) -> int:
        """1 where a is ahead of b, -1 where b is ahead, 0 where the test cannot tell."""
        if self.p >= SIGNIFICANT or self.compared.difference == 0:
            return 0
        return 1 if self.compared.difference > 0 else -1


def judged(comparisons: Sequence[Comparison]) -> list[Judged]:
    """Comparisons that stand beside each other, in the order given."""
    corrected = holm([compared.p for compared in comparisons])
    return [Judged(compared, p) for compared, p in zip(comparisons, corrected, strict=True)]


class Verdicts:
    """Which models a test can tell apart on which task.

    Parameters
    ----------
    comparisons
        Of any tasks; the p values of a task are corrected for the number of its comparisons.
    """

    def __init__(self, comparisons: Iterable[Comparison]) -> None:
        by_task: dict[str, list[Comparison]] = {}
        for comparison in comparisons:
            by_task.setdefault(comparison.task, []).append(comparison)
        self._ahead: dict[tuple[str, str, str], bool | None] = {}
        for task, found in by_task.items():
            for one in judged(found):
                first = one.verdict > 0 if one.verdict else None
                self._ahead[task, one.compared.a, one.compared.b] = first
                self._ahead[task, one.compared.b, one.compared.a] = None if first is None else not first

    def was_compared(self, task: str, a: str, b: str) -> bool:
        """Whether there is a comparison of the two."""
        return (task, a, b) in self._ahead

    def is_ahead(self, task: str, a: str, b: str) -> bool:
        """Whether a is ahead of b as far as the test can tell."""
        return self._ahead.get((task, a, b)) is True

    def is_tie(self, task: str, a: str, b: str) -> bool:
        """Whether the two were compared and cannot be told apart."""
        return self.was_compared(task, a, b) and self._ahead[task, a, b] is None

    def groups(self, task: str, models: Sequence[str]) -> list[list[str]]:
        """The largest sets of models, in their order, of which no two can be told apart; sets of one are left out."""
        ties = {model: {other for other in models if self.is_tie(task, model, other)} for model in models}
        found: list[set[str]] = []

        def grow(group: set[str], candidates: set[str], excluded: set[str]) -> None:  # Bron & Kerbosch 1973
            if not candidates and not excluded:
                found.append(group)
            for model in [model for model in models if model in candidates]:
                grow(group | {model}, candidates & ties[model], excluded & ties[model])
                candidates = candidates - {model}
                excluded = excluded | {model}

        grow(set(), set(models), set())
        named = [[model for model in models if model in group] for group in found if len(group) > 1]
        return sorted(named, key=lambda group: [models.index(model) for model in group])
