"""What a correlation of RDMs can be held against: error rates over many tests, a noise ceiling, averages over tasks.

False discovery rate: Benjamini & Hochberg 1995. Noise ceiling: Nili et al. 2014, equations of their figure 4, with the
RDMs of one model that differ by chance in place of those of several subjects. Retained correlations and their average:
Ogg 2025, section II-D.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from auricle.errors import AuricleError
from auricle.explain.ranks import average_ranks, spearman
from auricle.explain.rdm import Floats

SIGNIFICANT = 0.05


def benjamini_hochberg(p: NDArray[np.floating]) -> Floats:
    """q-values: the false discovery rate at which each test would just be significant; NaN where there is no test."""
    p = np.asarray(p, dtype=np.float64)
    q = np.full(p.shape, np.nan)
    tested = ~np.isnan(p)
    if tested.any():
        q[tested] = stats.false_discovery_control(p[tested], method="bh")
    return q


def naive_p(r: NDArray[np.floating], pairs: int) -> Floats:
    """Two-sided p-values of Spearman's correlations as if all pairs of clips were independent, which they are not.

    They are what published analyses report; with half a million pairs nearly every correlation is significant.
    """
    r = np.clip(np.asarray(r, dtype=np.float64), -1.0, 1.0)
    with np.errstate(divide="ignore"):
        t = np.abs(r) * np.sqrt((pairs - 2) / (1.0 - r * r))
    return np.asarray(2 * stats.t.sf(t, pairs - 2), dtype=np.float64)


def is_retained(r: NDArray[np.floating], q: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which correlations are kept, as by Ogg 2025: those above 0 that are significant; one without a test is not."""
    return np.asarray((np.asarray(r) > 0) & (np.asarray(q) < SIGNIFICANT))


@dataclass(frozen=True)
class Average:
    """A correlation averaged over tasks, in both ways.

    Attributes
    ----------
    retained
        Over the tasks where it is retained, as published; None where it is nowhere. It can only be too high.
    every
        Over all tasks where it could be computed; None where it could nowhere.
    retained_tasks, tasks
        How many those are.
    """

    retained: float | None
    every: float | None
    retained_tasks: int
    tasks: int


def average(r: Sequence[float | None], q: Sequence[float | None]) -> Average:
    """Average a correlation over tasks; None stands for a task where it could not be computed or tested."""
    values = np.array([np.nan if value is None else value for value in r], dtype=np.float64)
    kept = is_retained(values, np.array([np.nan if value is None else value for value in q], dtype=np.float64))
    known = ~np.isnan(values)
    return Average(
        retained=float(values[kept].mean()) if kept.any() else None,
        every=float(values[known].mean()) if known.any() else None,
        retained_tasks=int(kept.sum()),
        tasks=int(known.sum()),
    )


@dataclass(frozen=True)
class Ceiling:
    """How well anything could correlate with a model's RDM, given how far that depends on chance; from `low` to `high`.

    `low` is the agreement of one with the mean of the others, `high` with the mean of all, itself among them.
    """

    low: float
    high: float


def noise_ceiling(rdms: NDArray[np.floating]) -> Ceiling:
    """Noise ceiling from RDMs of one model that differ by chance alone.

    Parameters
    ----------
    rdms
        ``(k, pairs)`` condensed, k ≥ 2: of several pre-training seeds, or of halves of each clip.

    Raises
    ------
    AuricleError
        With fewer than two.
    """
    if len(rdms) < 2:
        raise AuricleError(f"a noise ceiling is an agreement between two RDMs or more, got {len(rdms)}")
    # Sums of whole ranks and halves are exact, so that ties stay ties.
    ranks = [average_ranks(one) for one in rdms]
    total = np.sum(ranks, axis=0)
    low = float(np.mean([spearman(one, total - one) for one in ranks]))
    high = float(np.mean([spearman(one, total) for one in ranks]))
    return Ceiling(low, high)


def profile_correlations(profiles: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Whether models agree on which descriptors matter: Spearman's correlations of their profiles.

    Parameters
    ----------
    profiles
        ``(k, m)`` correlation of each model with each descriptor; descriptors that any model lacks (NaN) do not count.

    Returns
    -------
    correlations, p
        ``(k, k)`` each; the two-sided p-values take descriptors for independent. NaN with fewer than three of them, or
        where a profile is flat.
    """
    profiles = np.asarray(profiles, dtype=np.float64)
    known = profiles[:, ~np.isnan(profiles).any(axis=0)]
    size = len(known)
    found, p = np.full((size, size), np.nan), np.full((size, size), np.nan)
    flat = np.ptp(known, axis=1) == 0 if known.shape[1] else np.ones(size, dtype=bool)
    for i in range(size):
        for j in range(size):
            if known.shape[1] >= 3 and not flat[i] and not flat[j]:
                result = stats.spearmanr(known[i], known[j])
                found[i, j], p[i, j] = result.statistic, result.pvalue
    return found, p
