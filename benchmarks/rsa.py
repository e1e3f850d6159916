"""Speed of representational similarity analysis: Auricle's against rsatoolbox's and SciPy's, side by side.

    python benchmarks/rsa.py [--quick]

1,000 clips, 5 models, 60 descriptors: Spearman's correlations of 5 with 60 RDMs of 499,500 distances each. rsatoolbox
(`compare`) and Auricle start from the same condensed RDMs; they take turns in one process, and medians are compared.
SciPy's `spearmanr` takes one pair of RDMs at a time: some pairs are timed, and their mean stands for all 300. Then
Auricle permutes the clips 1,000 times for all 300 correlations. That all three find the same correlations is checked
first.

The last line is JSON: `rsatoolbox` and `scipy` (their time for the correlations over Auricle's) and `permutations`
(Auricle's time for all permutations, ranking included, over rsatoolbox's for the correlations alone).
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np
from rsatoolbox.rdm import RDMs, compare
from scipy import stats

from auricle.explain.mantel import null_correlations, p_values, permuted_orders
from auricle.explain.ranks import correlations, standardised_ranks
from auricle.explain.rdm import rdm

MODELS, DESCRIPTORS = 5, 60
SCIPY_PAIRS = 6


def seconds(work: Callable[[], object]) -> float:
    clock = time.perf_counter()
    work()
    return time.perf_counter() - clock


def representations(clips: int) -> tuple[np.ndarray, np.ndarray]:
    """Condensed RDMs of models that encode some of the descriptors: float32 ``(5, pairs)`` and ``(60, pairs)``."""
    rng = np.random.default_rng(0)
    descriptors = rng.standard_normal((clips, DESCRIPTORS))
    models = [descriptors @ rng.standard_normal((DESCRIPTORS, 128)) + 4.0 for _ in range(MODELS)]
    return np.stack([rdm(model) for model in models]), np.stack([rdm(column) for column in descriptors.T])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tiny problem, to see that it runs")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    clips, permutations, rounds = (60, 20, 1) if options.quick else (1000, 1000, options.rounds)
    models, descriptors = representations(clips)
    theirs = RDMs(models.astype(np.float64)), RDMs(descriptors.astype(np.float64))

    def with_rsatoolbox() -> np.ndarray:
        return compare(*theirs, method="spearman")

    def with_scipy() -> list[float]:
        return [stats.spearmanr(models[k % MODELS], descriptors[k]).statistic for k in range(SCIPY_PAIRS)]

    def with_auricle() -> np.ndarray:
        return correlations(standardised_ranks(models), standardised_ranks(descriptors))

    def permuted() -> np.ndarray:
        ranks, others = standardised_ranks(models), standardised_ranks(descriptors)
        null = null_correlations(ranks, others, permuted_orders(clips, permutations, seed=0))
        return p_values(correlations(ranks, others), null)

    found = with_auricle()
    assert np.abs(found - with_rsatoolbox()).max() < 1e-6
    assert np.allclose([found[k % MODELS, k] for k in range(SCIPY_PAIRS)], with_scipy(), atol=1e-6)

    times: dict[str, list[float]] = {"rsatoolbox": [], "scipy": [], "auricle": []}
    for _ in range(rounds):
        times["rsatoolbox"].append(seconds(with_rsatoolbox))
        times["auricle"].append(seconds(with_auricle))
        times["scipy"].append(seconds(with_scipy) / SCIPY_PAIRS * MODELS * DESCRIPTORS)
    taken = {name: statistics.median(values) for name, values in times.items()}
    taken["permutations"] = seconds(permuted)
    print(f"{clips:,} clips, {MODELS} models, {DESCRIPTORS} descriptors, {permutations:,} permutations")
    for name, value in taken.items():
        print(f"{name:12s} {value:8.3f} s")
    print(
        json.dumps(
            {
                "rsatoolbox": round(taken["rsatoolbox"] / taken["auricle"], 2),
                "scipy": round(taken["scipy"] / taken["auricle"], 2),
                "permutations": round(taken["permutations"] / taken["rsatoolbox"], 2),
            }
        )
    )


if __name__ == "__main__":
    main()
