"""Tasks of frames: voice activity or events over time, in whole recordings of which stretches are annotated.

A probe learns from single frames, a sample of every recording's. Recordings are embedded one at a time and only their
scores are kept, so that memory does not grow with their number. Thresholds and smoothing are chosen on the recordings
of the validation part.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from scipy import special

from auricle import randomness
from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.results import Result
from auricle.transfer import predictions
from auricle.transfer.bootstrap import REPLICATES
from auricle.transfer.evaluation import Evaluation, result_rows
from auricle.transfer.frame_scores import Decisions, ScoredRecording, choose_decisions, score_recordings
from auricle.transfer.frame_sets import Frames, recordings_of
from auricle.transfer.probe import ProbeSettings, Progress, say_nothing
from auricle.transfer.protocols import protocol as protocol_named
from auricle.transfer.selection import select_probes
from auricle.transfer.splits import Partition, of_clips, partitions
from auricle.transfer.targets import Targets, refuse_unlearnable
from auricle.transfer.timelines import SEGMENT, Timeline, touched

_Layer = tuple[NDArray[np.float32], NDArray[np.float32]]

SAMPLE = 100_000  # frames that probes learn from and are selected by


def evaluate_frames(
    frame_embeddings: Frames,
    manifest: Manifest,
    *,
    task: str,
    model: str,
    weights_fingerprint: str | None = None,
    diet: str | None = None,
    layer: str | None = None,
    protocol: str = "auricle",
    settings: ProbeSettings | None = None,
    positive: str | None = None,
    seeds: Sequence[int] | None = None,
    sample: int = SAMPLE,
    replicates: int = REPLICATES,
    keep_probes: bool = False,
    device: str | torch.device = "cpu",
    progress: Progress = say_nothing,
) -> Evaluation:
    """Score frame embeddings on a task over time.

    Parameters
    ----------
    frame_embeddings
        Gives the frames of a recording; asked twice at most for each.
    manifest
        One row per annotated segment: ``path`` of the recording, ``start``, ``end`` and ``label``, and the recording's
        ``split`` or ``fold``; ``cluster``, or else ``group``, or else the recording is the unit of the bootstrap. A row
        without label says that nothing is to be heard; what no row covers is neither learnt nor scored.
    task, model, weights_fingerprint, diet, layer
        What the results say about themselves.
    protocol
        A name in `auricle.transfer.protocols.PROTOCOLS` that trains probes.
    settings
        Probe settings that depart from the protocol; results then say in what.
    positive
        The one label to detect; all others then say that it is not there. Without it every label is an event.
    seeds
        One probe per seed and fold; by default those of the protocol.
    sample
        Frames of all recordings that are learnt from, equally many of each.
    replicates
        Bootstrap resamples.
    keep_probes
        Whether to keep the probes, calibrated.
    device
        Where to train.
    progress
        Is told how much of the training is over.

    Returns
    -------
    Evaluation
        Metrics ``frame_average_precision`` beside ``prevalence`` (means over labels), ``segment_f1`` of one-second
        segments and ``event_onset_f1`` within 200 ms. Predictions are of one-second segments, by their highest score.

    Raises
    ------
    AuricleError
        When recordings cannot be divided, or there is nothing to learn or to score.
    """
    chosen = protocol_named(protocol)
    if settings is None or settings == chosen.settings:
        settings = chosen.settings_for(task)
    _refuse_voters(settings, protocol)
    seeds = list(dict.fromkeys(chosen.seeds if seeds is None else seeds))
    if not seeds:
        raise AuricleError("an evaluation needs at least one seed")
    recordings = _Recordings(manifest, positive)
    parts = [partitions(recordings.manifest, division=chosen.division, seed=seed) for seed in seeds]
    x, frames_of = recordings.sample(frame_embeddings, parts, sample)
    targets, of_frame = recordings.targets(frames_of)
    parts_of_frames = [[_of_frames(part, of_frame) for part in of_seed] for of_seed in parts]
    for of_seed in parts_of_frames:
        refuse_unlearnable(targets, of_seed, manifest.source)
    vectors = torch.from_numpy(x).to(device)
    selected = select_probes(
        vectors, targets, list(zip(seeds, parts_of_frames, strict=True)), settings, progress=progress
    )
    probes = [probe.fitted(vectors) for of_seed in selected for probe in of_seed] if keep_probes else []
    layers = [[(probe.weight.cpu().numpy(), probe.bias.cpu().numpy()) for probe in of_seed] for of_seed in selected]
    del vectors, x, selected
    tested, selecting = recordings.scored(frame_embeddings, parts, layers)
    decisions = [
        [choose_decisions(selecting[seed, part], 0) for part in range(len(of_seed))]
        for seed, of_seed in enumerate(parts)
    ]
    cluster = [recordings.cluster[one.path] for one in tested]
    measured = score_recordings(tested, decisions, cluster, replicates=replicates)
    table, segments = _segment_predictions(recordings, tested, decisions, parts[0], seeds)
    row = partial(
        Result,
        model=model,
        weights_fingerprint=weights_fingerprint,
        layer=layer,
        diet=diet,
        task=task,
        dataset_fingerprint=manifest.fingerprint,
        protocol=chosen.label(settings, task=task),
        n=segments,
    )
    return Evaluation(result_rows(measured, seeds, row), table, tuple(probes))


def refuse_unfit(manifest: Manifest, *, positive: str | None, protocol: str) -> None:
    """Make sure, before anything is embedded, that recordings can be divided and that there is something to detect.

    Raises
    ------
    AuricleError
        As :func:`evaluate_frames`, as far as labels and recordings alone can tell.
    """
    recordings = _Recordings(manifest, positive)
    chosen = protocol_named(protocol)
    _refuse_voters(chosen.settings, protocol)
    partitions(recordings.manifest, division=chosen.division, seed=chosen.seeds[0])


def _refuse_voters(settings: ProbeSettings, protocol: str) -> None:
    if settings.neighbours:
        raise AuricleError(f"the protocol {protocol} trains no probe, which tasks of frames need: choose another one")


class _Recordings:
    """The recordings of a manifest of annotated segments."""

    def __init__(self, manifest: Manifest, positive: str | None) -> None:
        labels = manifest.column("label")
        paths = manifest.column("path")
        known = sorted({label for label in labels if label is not None})
        if positive is not None and positive not in known:
            raise AuricleError(f"{manifest.source} has no label {positive!r} to detect; it has {', '.join(known)}")
        if not known:
            raise AuricleError(f"{manifest.source} has no label at all: there is nothing to detect")
        self.source = manifest.source
        self.events = (positive,) if positive is not None else tuple(known)
        rest = [label for label in known if label != positive]
        self.classes = (rest[0] if len(rest) == 1 and positive else f"not {self.events[0]}", *self.events)
        starts, ends = (manifest.column(name) for name in ("start", "end"))
        rows: dict[str, list[int]] = {}
        for row, path in enumerate(paths):
            rows.setdefault(path, []).append(row)
            if starts[row] is None or ends[row] is None:
                raise AuricleError(f"{manifest.source}: row {row + 1} ({path}) has no start or no end: give it both")
        self.timelines = {
            path: Timeline.of([(starts[row], ends[row], labels[row]) for row in own], self.events)
            for path, own in rows.items()
        }
        self.manifest = recordings_of(manifest)
        self.paths = list(rows)
        of_recording = next(
            (self.manifest.column(name) for name in ("cluster", "group") if self.manifest.has(name)), None
        )
        self.cluster = dict(zip(self.paths, of_recording or self.paths, strict=True))

    def embedded(self, frames: Frames, path: str) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        vectors, times = frames(path)
        times = np.asarray(times, dtype=np.float64)
        if vectors.ndim != 2 or len(vectors) != len(times):
            raise AuricleError(
                f"{path}: expected frames (n, dim) and their n times, got {vectors.shape} and {times.shape}"
            )
        if not np.isfinite(vectors).all():
            raise AuricleError(f"{path}: a frame's embedding holds NaN or infinity")
        return vectors, times

    def sample(
        self, frames: Frames, parts: Sequence[Sequence[Partition]], count: int
    ) -> tuple[NDArray[np.float32], list[tuple[int, NDArray[np.float64]]]]:
        """Annotated frames of every recording that trains or selects: ``(m, dim)``, and whose they are and when."""
        used = sorted({int(row) for of_seed in parts for part in of_seed for row in (*part.train, *part.valid)})
        each = max(1, count // max(1, len(used)))
        vectors: list[NDArray[np.float32]] = []
        chosen: list[tuple[int, NDArray[np.float64]]] = []
        for number in used:
            path = self.paths[number]
            found, times = self.embedded(frames, path)
            rows = np.flatnonzero(self.timelines[path].knows(times))
            taken = np.sort(randomness.generator(0, f"frames of {path}").permutation(rows)[:each])
            vectors.append(found[taken].astype(np.float32))
            chosen.append((number, times[taken]))
        return np.concatenate(vectors), chosen

    def targets(self, frames_of: Sequence[tuple[int, NDArray[np.float64]]]) -> tuple[Targets, NDArray[np.int64]]:
        """What the sampled frames teach, and the number of each one's recording."""
        truth = np.concatenate([self.timelines[self.paths[number]].truth(times) for number, times in frames_of])
        of_frame = np.concatenate([np.full(len(times), number) for number, times in frames_of])
        return self.targets_for(truth), of_frame

    def targets_for(self, truth: NDArray[np.bool_]) -> Targets:
        """Of frames or segments ``(n, labels)``: yes or no for one label, several labels otherwise."""
        if len(self.events) == 1:
            return Targets("binary", self.classes, truth[:, 0].astype(np.int64))
        return Targets("multi-label", self.events, truth)

    def scored(
        self, frames: Frames, parts: Sequence[Sequence[Partition]], layers: Sequence[Sequence[_Layer]]
    ) -> tuple[list[ScoredRecording], dict[tuple[int, int], list[ScoredRecording]]]:
        """Test recordings under the probes of all seeds, and for each seed and partition its validation recordings."""
        tested: list[ScoredRecording] = []
        selecting: dict[tuple[int, int], list[ScoredRecording]] = {}
        for number, path in enumerate(self.paths):
            test = [index for index, part in enumerate(parts[0]) if number in part.test]
            valid = [
                (seed, index)
                for seed, of_seed in enumerate(parts)
                for index, part in enumerate(of_seed)
                if number in part.valid
            ]
            if not test and not valid:
                continue
            vectors, times = self.embedded(frames, path)

            scored = partial(_scored, layers, vectors)
            recording = partial(ScoredRecording, path, timeline=self.timelines[path], times=times)
            every = range(len(parts))
            tested += [recording(part, scores=np.stack([scored(seed, part) for seed in every])) for part in test]
            for seed, part in valid:
                one = recording(part, scores=scored(seed, part)[None])
                selecting.setdefault((seed, part), []).append(one)
        return sorted(tested, key=lambda one: one.part), selecting


def _scored(
    layers: Sequence[Sequence[_Layer]], vectors: NDArray[np.float32], seed: int, part: int
) -> NDArray[np.float32]:
    """Probabilities of frames under one probe, ``(n, labels)``."""
    weight, bias = layers[seed][part]
    probabilities: NDArray[np.float32] = special.expit(vectors @ weight.T + bias)
    return probabilities


def _of_frames(part: Partition, of_frame: NDArray[np.int64]) -> Partition:
    """A partition of recordings as one of their frames; nothing is tested there."""
    frames = of_clips(part, of_frame)
    return Partition(part.fold, frames.train, frames.valid, frames.valid)


def _segment_predictions(
    recordings: _Recordings,
    tested: Sequence[ScoredRecording],
    decisions: Sequence[Sequence[Decisions]],
    parts: Sequence[Partition],
    seeds: Sequence[int],
) -> tuple[pa.Table, int]:
    """Predictions of the annotated one-second segments of test recordings, by their highest score; and their number."""
    rows: list[dict[str, object]] = []
    truth: list[NDArray[np.bool_]] = []
    scores: list[NDArray[np.float32]] = []
    chosen: list[NDArray[np.bool_]] = []
    for one in tested:
        segments = one.timeline.segments()
        real = np.stack([np.isin(segments, touched(spans)) for spans in one.timeline.active], axis=1)
        known = one.timeline.knows(one.times)
        place = np.searchsorted(segments, np.floor(one.times[known] / SEGMENT).astype(np.int64))
        highest = np.zeros((len(seeds), len(segments), real.shape[1]), dtype=np.float32)
        for seed, of_seed in enumerate(one.scores[:, known]):
            np.maximum.at(highest[seed], np.minimum(place, len(segments) - 1), of_seed)
        thresholds = np.array([of_seed[one.part].segment_thresholds for of_seed in decisions])
        truth.append(real)
        scores.append(highest)
        chosen.append(highest >= thresholds[:, None])
        rows += [{"path": one.path, "start": second * SEGMENT, "end": (second + 1) * SEGMENT} for second in segments]
    part_of = np.concatenate([np.full(len(real), one.part) for one, real in zip(tested, truth, strict=True)])
    cluster = [recordings.cluster[one.path] for one, real in zip(tested, truth, strict=True) for _ in range(len(real))]
    nobody = np.zeros(0, dtype=np.int64)
    table = predictions.predictions_table(
        Manifest.from_rows(rows, root=recordings.manifest.root, source=recordings.source),
        [Partition(part.fold, nobody, nobody, np.flatnonzero(part_of == index)) for index, part in enumerate(parts)],
        cluster,
        seeds,
        recordings.targets_for(np.concatenate(truth)),
        list(np.concatenate(scores, axis=1)),
        predicted=[of_seed[:, 0].astype(np.int64) for of_seed in np.concatenate(chosen, axis=1)],
    )
    return table, len(rows)
