"""From encoders and tasks to scores: which encoders of a study are compared, on what every task's probes found."""

import itertools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from auricle.comparisons import Comparison
from auricle.stages import Stages
from auricle.study.encoders import StudyEncoder
from auricle.transfer.probing import Probed, compare_pairs


def compare(stages: Stages, probed: Sequence[Probed[StudyEncoder]], *, seed: int) -> list[Comparison]:
    """The comparisons that a report needs of one task.

    The best encoder with every other one, each trained encoder with its random self, and trained encoders with each
    other.
    """
    groups = {title: list(members) for title, members in itertools.groupby(probed, key=lambda one: one.encoder.title)}
    task = probed[0].task
    return compare_pairs(stages, task.name, groups, _pairs(groups), metric=task.metric, seed=seed)


def mean_score(members: Iterable[Probed[StudyEncoder]]) -> float:
    """Mean over encoders of the task's metric."""
    return float(np.mean([member.summary.value for member in members]))


def _pairs(groups: Mapping[str, list[Probed[StudyEncoder]]]) -> list[tuple[str, str]]:
    """Titles of the encoders to compare, each pair once."""
    best = max(groups, key=lambda title: mean_score(groups[title]))
    pairs = [(best, other) for other in groups if other != best]
    firsts = {title: members[0].encoder for title, members in groups.items()}
    kinds = {title: (first.kind, first.diet) for title, first in firsts.items()}
    trained = [title for title, (kind, _) in kinds.items() if kind == "trained"]
    pairs += [(a, b) for a in trained for b, kind in kinds.items() if kind == ("random", kinds[a][1])]
    pairs += list(itertools.combinations(trained, 2))
    known: dict[frozenset[str], tuple[str, str]] = {}
    for pair in pairs:
        known.setdefault(frozenset(pair), pair)
    return list(known.values())
