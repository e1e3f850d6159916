"""With training and validation labels permuted, nothing can be learnt: every protocol has to say so.

Clips come in groups (speakers, films) that sound alike, as real ones do: their test predictions go wrong together, and
an interval that took clips for independent would be too narrow.
"""

import numpy as np
import pytest

from auricle.results import summary
from auricle.transfer import evaluate
from auricle.transfer.protocols import PROTOCOLS

from .worlds import clips

PERMUTATIONS = 20
CLASSES, DIM, GROUP = 3, 256, 6
GROUPS = {"train": 100, "valid": 40, "test": 250}


def world() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings, classes, parts and groups; a group's clips differ in class and share most of their sound."""
    rng = np.random.default_rng(0)
    part = np.repeat(np.repeat(list(GROUPS), list(GROUPS.values())), GROUP)
    group = np.arange(len(part)) // GROUP
    label = rng.integers(CLASSES, size=len(part))
    x = rng.normal(size=(group.max() + 1, DIM))[group] + rng.normal(size=(len(part), DIM))
    x[:, :CLASSES] += np.eye(CLASSES)[label]
    return x.astype(np.float32), label, part, group


def permuted(label: np.ndarray, part: np.ndarray, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = label.copy()
    for name in ("train", "valid"):
        rows = np.flatnonzero(part == name)
        noise[rows] = label[rng.permutation(rows)]
    return noise


def by_chance(truth: np.ndarray, kind: str) -> float:
    """What answers that know nothing score on average.

    A random order of n clips has an average precision a little above the share π of positives, by (1 − π) Hₙ / n: the
    positive at rank k counts itself. It is 0.004 here.
    """
    if kind == "multi-class":
        return 1 / CLASSES
    prevalence = float((truth == 0).mean())
    return prevalence + (1 - prevalence) * float((1 / np.arange(1, len(truth) + 1)).sum()) / len(truth)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_noise_scores_chance_and_intervals_know_it(protocol: str) -> None:
    x, label, part, group = world()
    truth = label[part == "test"]
    covered = []
    for kind, metric in (("multi-class", "balanced_accuracy"), ("binary", "average_precision")):

        def scored(labels: np.ndarray, kind: str = kind, metric: str = metric):
            manifest = clips(labels, split=part, group=group.astype(str))
            found = evaluate(
                x,
                manifest,
                task="t",
                model="m",
                protocol=protocol,
                kind=kind,
                positive="0" if kind == "binary" else None,
                seeds=PROTOCOLS[protocol].seeds[:1],
                replicates=200,
            )
            return next(row for row in summary(found.results) if row.metric == metric)

        rows = [scored(permuted(label, part, seed)) for seed in range(PERMUTATIONS)]
        values = np.array([row.value for row in rows])
        error = values.std(ddof=1) / np.sqrt(PERMUTATIONS)
        chance = 1 / CLASSES if kind == "multi-class" else (truth == 0).mean()
        covered += [row.ci_low <= chance <= row.ci_high for row in rows]
        assert abs(values.mean() - by_chance(truth, kind)) < 2 * error
        assert scored(label).value > chance + 4 * error  # what there is to learn is found
    assert 0.88 <= np.mean(covered) <= 0.99
