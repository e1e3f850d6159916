"""Scores over time made into decisions, and decisions into scores of the task.

Thresholds and smoothing are chosen on recordings of the validation part, for one-second segments and for events apart.
The bootstrap draws recordings, or whole groups of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from auricle.transfer import ranking
from auricle.transfer.bootstrap import Floats
from auricle.transfer.scoring import Scores, bootstrapped
from auricle.transfer.timelines import Spans, Timeline, events_of, onsets_found, smoothed, touched

Counts = NDArray[np.float64]
"""Found, real and predicted ones."""

METRICS = ("frame_average_precision", "prevalence", "segment_f1", "event_onset_f1")
SMOOTHING = (0.0, 0.06, 0.15, 0.25, 0.5)  # seconds of median filter to choose from
_THRESHOLDS = np.linspace(0.025, 0.975, 39)  # to choose from, as quantiles of the scores
_BINS = 4096  # of ranks, between which resamples do not tell scores apart


@dataclass(frozen=True, eq=False)
class ScoredRecording:
    """What the probes of all seeds say of one recording.

    Attributes
    ----------
    path
        In the manifest.
    part
        Number of the partition that it is scored in.
    timeline
        The truth.
    times
        ``(n,)`` centres of frames in seconds.
    scores
        ``(seeds, n, classes)``.
    """

    path: str
    part: int
    timeline: Timeline
    times: Floats
    scores: NDArray[np.float32]

    @cached_property
    def hop(self) -> float:
        """Seconds from frame to frame."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else 1.0

    def filter_frames(self, smoothing: float) -> int:
        """Frames of a median filter of so many seconds, an odd number."""
        return 2 * round(smoothing / self.hop / 2) + 1

    def events(self, seed: int, label: int, threshold: float, smoothing: float = 0.0) -> Spans:
        """Where a class is predicted."""
        active = self.scores[seed, :, label] >= threshold
        active = smoothed(active, self.filter_frames(smoothing))
        return events_of(active, self.times, hop=self.hop, annotated=self.timeline.annotated)

    def segment_counts(self, label: int, predicted: Spans) -> Counts:
        """Of one-second segments."""
        real, taken = touched(self.timeline.active[label]), touched(predicted)
        return np.array([len(np.intersect1d(real, taken, assume_unique=True)), len(real), len(taken)], dtype=np.float64)

    def onset_counts(self, label: int, predicted: Spans) -> Counts:
        """Of events by their beginnings."""
        real = self.timeline.active[label]
        found = onsets_found(real[:, 0], predicted[:, 0])
        return np.array([found, len(real), len(predicted)], dtype=np.float64)


@dataclass(frozen=True)
class Decisions:
    """From scores to what is active, by class.

    Attributes
    ----------
    segment_thresholds, event_thresholds
        For segments and for events.
    smoothing
        Seconds of median filter, for events.
    """

    segment_thresholds: tuple[float, ...]
    event_thresholds: tuple[float, ...]
    smoothing: tuple[float, ...]


def choose_decisions(recordings: Sequence[ScoredRecording], seed: int) -> Decisions:
    """The thresholds and smoothing of highest F1, class by class, on recordings of a validation part.

    Parameters
    ----------
    recordings
        Of the validation part.
    seed
        Position of the seed whose scores count.
    """
    # Of filters that are the same for these frames the shortest stands for all.
    filters = {tuple(one.filter_frames(seconds) for one in recordings): seconds for seconds in reversed(SMOOTHING)}
    chosen: list[tuple[float, float, float]] = []
    for label in range(recordings[0].scores.shape[2]):
        known = np.concatenate([one.scores[seed, one.timeline.knows(one.times), label] for one in recordings])
        thresholds = np.unique(np.quantile(known.astype(np.float64), _THRESHOLDS)) if len(known) else np.array([0.5])
        for_segments: list[tuple[float, float, float]] = []
        for_events: list[tuple[float, float, float]] = []
        for threshold in thresholds:
            for smoothing in filters.values():
                spans = [one.events(seed, label, threshold, smoothing) for one in recordings]
                onsets = sum(one.onset_counts(label, span) for one, span in zip(recordings, spans, strict=True))
                for_events.append((_f1_or_nothing(onsets), threshold, smoothing))
                if smoothing == 0.0:
                    counts = sum(one.segment_counts(label, span) for one, span in zip(recordings, spans, strict=True))
                    for_segments.append((_f1_or_nothing(counts), threshold, smoothing))
        best = max(f1 for f1, _, _ in for_events)
        smoothing = min(smoothing for f1, _, smoothing in for_events if f1 == best)
        for_events = [entry for entry in for_events if entry[2] == smoothing]
        chosen.append((_middle_of_best(for_segments), _middle_of_best(for_events), smoothing))
    segments, events, smoothings = zip(*chosen, strict=True)
    return Decisions(segments, events, smoothings)


def _middle_of_best(tried: Sequence[tuple[float, float, float]]) -> float:
    """Of the thresholds of highest F1 the middle one, which is the safest."""
    best = max(f1 for f1, _, _ in tried)
    thresholds = sorted(threshold for f1, threshold, _ in tried if f1 == best)
    return thresholds[len(thresholds) // 2]


def score_recordings(
    recordings: Sequence[ScoredRecording],
    decisions: Sequence[Sequence[Decisions]],
    cluster: Sequence[object],
    *,
    replicates: int,
) -> Scores:
    """Score test recordings.

    Parameters
    ----------
    recordings
        Of the test part, of all partitions.
    decisions
        For each seed those of each partition.
    cluster
        Of each recording, the unit of the bootstrap.
    replicates
        Bootstrap resamples.
    """
    seeds, _, labels = recordings[0].scores.shape
    counts = np.zeros((2, seeds, 3, len(recordings)))  # of segments and onsets
    for number, one in enumerate(recordings):
        for seed in range(seeds):
            decided = decisions[seed][one.part]
            for label in range(labels):
                segments = one.events(seed, label, decided.segment_thresholds[label])
                events = one.events(seed, label, decided.event_thresholds[label], decided.smoothing[label])
                counts[0, seed, :, number] += one.segment_counts(label, segments)
                counts[1, seed, :, number] += one.onset_counts(label, events)
    ranked = [
        [[_Ranked.of(part, seed, label, len(recordings)) for part in _by_part(recordings)] for label in range(labels)]
        for seed in range(seeds)
    ]

    def all_metrics(weights: Floats) -> tuple[tuple[str, ...], Floats]:
        values = np.empty((len(METRICS), seeds, len(weights)))
        for seed in range(seeds):
            over_parts = [
                [ranking.mean_of_defined(np.array(found)) for found in zip(*measured, strict=True)]
                for measured in ([part.measure(weights) for part in of_label] for of_label in ranked[seed])
            ]
            precision, prevalence = (np.array(found) for found in zip(*over_parts, strict=True))
            prevalence[np.isnan(precision)] = np.nan
            values[0, seed], values[1, seed] = (ranking.mean_of_defined(found) for found in (precision, prevalence))
            for kind in (0, 1):
                values[2 + kind, seed] = _f1(np.moveaxis(counts[kind, seed] @ weights.T, 0, -1))
        return METRICS, values

    scores = bootstrapped(all_metrics, cluster, replicates=replicates)
    exact = [
        ranking.mean_of_defined(
            np.array([ranking.mean_of_defined(np.array([part.exact for part in parts])) for parts in ranked[seed]])
        )
        for seed in range(seeds)
    ]
    scores.values[0] = exact
    return scores


class _Ranked:
    """One class's frames in the recordings of one partition, by the rank of their scores."""

    def __init__(self, positive: Floats, every: Floats, exact: Floats) -> None:
        self.positive, self.every, self.exact = positive, every, exact  # (recordings, bins), best scores first

    @classmethod
    def of(cls, part: Sequence[tuple[int, ScoredRecording]], seed: int, label: int, recordings: int) -> "_Ranked":
        known = [one.timeline.knows(one.times) for _, one in part]
        score = [one.scores[seed, mask, label] for (_, one), mask in zip(part, known, strict=True)]
        truth = [one.timeline.truth(one.times[mask])[:, label] for (_, one), mask in zip(part, known, strict=True)]
        together = np.concatenate(score)
        edges = np.unique(np.quantile(together, np.linspace(0, 1, _BINS + 1)[1:-1])) if len(together) else together
        positive, every = np.zeros((recordings, len(edges) + 1)), np.zeros((recordings, len(edges) + 1))
        for (number, _), values, real in zip(part, score, truth, strict=True):
            bins = len(edges) - np.searchsorted(edges, values, side="right")
            every[number] = np.bincount(bins, minlength=len(edges) + 1)
            positive[number] = np.bincount(bins[real], minlength=len(edges) + 1)
        return cls(positive, every, ranking.average_precision(np.concatenate(truth), together))

    def measure(self, weights: Floats) -> tuple[Floats, Floats]:
        """Average precision and prevalence for weights of recordings ``(replicates, recordings)``."""
        hits, retrieved = weights @ self.positive, np.cumsum(weights @ self.every, axis=1)
        found = np.cumsum(hits, axis=1)
        precision = np.divide(found, retrieved, out=np.zeros_like(found), where=retrieved > 0)
        total = found[:, -1]
        average = np.divide((hits * precision).sum(axis=1), total, out=np.full_like(total, np.nan), where=total > 0)
        frames = retrieved[:, -1]
        return average, np.divide(total, frames, out=np.full_like(total, np.nan), where=frames > 0)


def _by_part(recordings: Sequence[ScoredRecording]) -> Iterator[list[tuple[int, ScoredRecording]]]:
    for part in sorted({one.part for one in recordings}):
        yield [(number, one) for number, one in enumerate(recordings) if one.part == part]


def _f1(counts: Counts) -> NDArray[np.float64]:
    """From found, real and predicted ones ``(…, 3)``; NaN where there is neither a real nor a predicted one."""
    found, real, predicted = np.moveaxis(np.asarray(counts, dtype=np.float64), -1, 0)
    both = real + predicted
    f1: NDArray[np.float64] = np.divide(2 * found, both, out=np.full(both.shape, np.nan), where=both > 0)
    return f1


def _f1_or_nothing(counts: Counts | int) -> float:
    return float(np.nan_to_num(_f1(np.asarray(counts))))
