"""From embeddings and a manifest to scores: what a frozen representation is good for on one task.

Probes are trained on the official folds or splits, selected on validation data and scored on test data once. A score is
a mean over seeds, its interval a bootstrap over the manifest's clusters of what that mean would have been. Predictions
are kept, so that two models can be compared clip by clip.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.results import Result
from auricle.transfer import predictions
from auricle.transfer.bootstrap import REPLICATES, Floats, PairedDifference, paired_difference
from auricle.transfer.few_shot import DRAWS, shots
from auricle.transfer.fitted import FittedProbe
from auricle.transfer.knn import vote
from auricle.transfer.probe import ProbeSettings, Progress, say_nothing
from auricle.transfer.protocols import Protocol
from auricle.transfer.protocols import protocol as protocol_named
from auricle.transfer.scoring import Scores, score
from auricle.transfer.selection import select_probes
from auricle.transfer.splits import Partition, of_clips, partitions
from auricle.transfer.targets import Kind as Kind
from auricle.transfer.targets import Targets, refuse_unlearnable, targets_of
from auricle.transfer.vectors import tensor_of

Rows = NDArray[np.int64]

SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class Evaluation:
    """The scores of one representation on one task, and what they rest on.

    Attributes
    ----------
    results : list of Result
        One row per metric and seed, and one summary per metric.
    predictions : pa.Table
        One row per test clip and seed: ``row`` in the manifest, ``path``, ``start`` and ``end`` where known,
        ``cluster``, ``fold``, ``seed``; then ``label``, ``predicted``, ``correct`` and ``score``, the probability of
        the predicted class or, for a binary task, of the positive one. Of a multi-label task instead ``labels``,
        ``scores`` of all classes and ``quality``, their label-ranking average precision; of a regression ``target``,
        ``predicted`` and ``error``.
    probes : tuple of FittedProbe
        The selected probe of every seed and fold, if they were to be kept.
    """

    results: list[Result]
    predictions: pa.Table
    probes: tuple[FittedProbe, ...] = ()

    def correctness(self) -> tuple[Rows, Floats, list[str | None]]:
        """Test clips in the manifest's order: their rows, how right they were got by the mean seed, their clusters.

        How right is 0 or 1 for one label, the label-ranking average precision for several, and minus the error of a
        number.
        """
        row = self.predictions.column("row").to_numpy()
        rows, first, of_prediction = np.unique(row, return_index=True, return_inverse=True)
        name = next(name for name in ("correct", "quality", "error") if name in self.predictions.column_names)
        right = self.predictions.column(name).to_numpy().astype(np.float64) * (-1 if name == "error" else 1)
        share = np.bincount(of_prediction, weights=right) / np.bincount(of_prediction)
        cluster = self.predictions.column("cluster").take(pa.array(first)).to_pylist()
        return rows, share, cluster

    @cached_property
    def confusion(self) -> pa.Table:
        """How often each class was taken for each; see :func:`auricle.transfer.predictions.confusion`."""
        return predictions.confusion(self.predictions)

    @cached_property
    def per_class(self) -> pa.Table:
        """Scores of single classes; see :func:`auricle.transfer.predictions.per_class`."""
        return predictions.per_class(self.predictions)


def compare(a: Evaluation, b: Evaluation, *, seed: int = 0) -> PairedDifference:
    """Paired comparison of how right two models were on the same test clips.

    Raises
    ------
    AuricleError
        When the two were scored on different clips.
    """
    (rows, a_correct, cluster), (b_rows, b_correct, _) = a.correctness(), b.correctness()
    same = np.array_equal(rows, b_rows) and {result.dataset_fingerprint for result in a.results} == {
        result.dataset_fingerprint for result in b.results
    }
    if not same:
        raise AuricleError(f"two models can be compared on the same test clips only, got {len(rows)} and {len(b_rows)}")
    return paired_difference(a_correct, b_correct, cluster, seed=seed)


def evaluate(
    embeddings: NDArray[np.float32],
    manifest: Manifest,
    *,
    task: str,
    model: str,
    weights_fingerprint: str | None = None,
    diet: str | None = None,
    layer: str | None = None,
    pooling: str | None = None,
    protocol: str = "ogg2025",
    settings: ProbeSettings | None = None,
    kind: Kind = "multi-class",
    positive: str | None = None,
    seeds: Sequence[int] | None = None,
    k: int | None = None,
    draws: int = DRAWS,
    rows: NDArray[np.integer[Any]] | None = None,
    layers: int = 1,
    replicates: int = REPLICATES,
    keep_probes: bool = False,
    device: str | torch.device = "cpu",
    progress: Progress = say_nothing,
) -> Evaluation:
    """Score one representation on one task.

    Parameters
    ----------
    embeddings
        ``(n, dim)``, one row per row of `manifest`, or as `rows` says; an array on disk (`numpy.memmap`) is never taken
        into memory whole.
    manifest
        Its column ``label`` is learnt (``labels`` of a multi-label task, ``target`` of a regression); ``fold``, or else
        ``split``, says from what; ``cluster``, or else ``group``, is the unit of the bootstrap.
    task, model, weights_fingerprint, diet, layer, pooling
        What the results say about themselves.
    protocol
        A name in `auricle.transfer.protocols.PROTOCOLS`.
    settings
        Probe settings that depart from the protocol; results then say in what.
    kind
        ``"multi-class"`` (accuracy, balanced accuracy), ``"binary"`` (average precision, prevalence), ``"multi-label"``
        (mean average precision, AUROC, d′, mean prevalence) or ``"regression"`` (R², Spearman, mean absolute error).
    positive
        The label to detect; needed for a binary task.
    seeds
        One probe per seed and fold; by default those of the protocol.
    k
        Learn from so many clips per class only, and select by as many; results carry it.
    draws
        How often they are drawn; each draw is a seed of its own, in place of `seeds`.
    rows
        ``(n,)``: of which row of `manifest` each embedding is, where clips are excerpts of what a row stands for;
        predictions then count clips, and know their path alone. An embedding of row -1 takes no part. By default every
        row is a clip.
    layers
        Of so many layers of an encoder embeddings are made, side by side and equally wide; a probe then learns how to
        weigh them, and takes their sum.
    replicates
        Bootstrap resamples.
    keep_probes
        Whether to keep the probes, calibrated.
    device
        Where to train.
    progress
        Is told how much of the training is over.

    Raises
    ------
    AuricleError
        When embeddings and manifest do not match, an embedding is not finite, a clip has no label, a class has no
        training clips, or there is no validation or test part.
    """
    x = tensor_of(embeddings, manifest, rows=rows, device=device)
    chosen = protocol_named(protocol)
    if settings is None or settings == chosen.settings:
        settings = chosen.settings_for(task)
    targets = targets_of(manifest, kind=kind, positive=positive)
    if rows is not None:
        targets = targets.of_clips(rows)
    seeds = _seeds(chosen, settings, seeds, k, draws)
    parts = [_parts(manifest, targets, chosen, seed, k, rows) for seed in seeds]
    for of_seed in parts:
        refuse_unlearnable(targets, of_seed, manifest.source)

    probes: list[FittedProbe] = []
    neighbours: set[int] = set()
    scores: list[NDArray[np.float32]] = []
    if settings.neighbours:
        if layers > 1:
            raise AuricleError(f"the protocol {protocol} trains nothing that could weigh layers: choose another one")
        votes = [[vote(x, targets, part, settings) for part in of_seed] for of_seed in parts]
        scores = [np.concatenate([part.scores for part in of_seed]) for of_seed in votes]
        neighbours = {part.neighbours for of_seed in votes for part in of_seed}
    else:
        selected = select_probes(
            x, targets, list(zip(seeds, parts, strict=True)), settings, layers=layers, progress=progress
        )
        scores = [np.concatenate([probe.test_scores(x) for probe in of_seed]) for of_seed in selected]
        if keep_probes:
            probes = [probe.fitted(x) for of_seed in selected for probe in of_seed]

    test = np.concatenate([part.test for part in parts[0]])
    cluster = _clusters(manifest, test if rows is None else rows[test])
    measured = score(
        kind,
        targets.indicator[test, 0] if kind == "binary" else targets.values[test],
        [_answers(kind, of_seed) for of_seed in scores],
        fold=np.concatenate([np.full(len(part.test), index) for index, part in enumerate(parts[0])]),
        cluster=cluster,
        fold_by_fold=chosen.fold_by_fold,
        resample_seeds=k is not None,
        replicates=replicates,
    )
    row = partial(
        Result,
        model=model,
        weights_fingerprint=weights_fingerprint,
        layer=layer,
        pooling=pooling,
        diet=diet,
        task=task,
        dataset_fingerprint=manifest.fingerprint,
        protocol=chosen.label(settings, task=task),
        n=len(test),
        k=k if k is not None else next(iter(neighbours)) if len(neighbours) == 1 else None,
    )
    table = predictions.predictions_table(manifest, parts[0], cluster, seeds, targets, scores, rows=rows)
    return Evaluation(result_rows(measured, seeds, row), table, tuple(probes))


def result_rows(measured: Scores, seeds: Sequence[int], row: Callable[..., Result]) -> list[Result]:
    """One row per metric and seed and one summary per metric; `row` makes a result of metric, value, ends and seed."""
    results: list[Result] = []
    for index, metric in enumerate(measured.names):
        for position, seed in [*enumerate(seeds), (-1, None)]:
            value = measured.values[index].mean() if seed is None else measured.values[index, position]
            low, high = measured.ends(index, position)
            results.append(row(metric=metric, value=float(value), ci_low=low, ci_high=high, seed=seed))
    return results


def _seeds(
    chosen: Protocol, settings: ProbeSettings, seeds: Sequence[int] | None, k: int | None, draws: int
) -> list[int]:
    if k is not None:
        if draws < 1:
            raise AuricleError(f"few shots need at least one draw, got {draws}")
        return list(range(draws))
    seeds = list(dict.fromkeys(chosen.seeds if seeds is None else seeds))
    if not seeds:
        raise AuricleError("an evaluation needs at least one seed")
    return seeds[:1] if settings.neighbours else seeds  # neighbours are the same for all


def _parts(
    manifest: Manifest,
    targets: Targets,
    chosen: Protocol,
    seed: int,
    k: int | None,
    rows: NDArray[np.integer[Any]] | None,
) -> list[Partition]:
    parts = partitions(manifest, division=chosen.division, seed=seed)
    if rows is not None:
        parts = [of_clips(part, rows) for part in parts]
    if k is None:
        return parts
    return [shots(targets, part, k=k, draw=seed, source=manifest.source) for part in parts]


def _answers(kind: Kind, scores: NDArray[np.float32]) -> NDArray[np.generic]:
    """What metrics take: classes, scores of the positive label, scores of all labels, or numbers."""
    if kind == "multi-class":
        return predictions.predicted_classes(kind, scores)
    return scores if kind == "multi-label" else scores[:, 0]


def _clusters(manifest: Manifest, rows: NDArray[np.integer[Any]]) -> list[str | None]:
    for name in ("cluster", "group"):
        if manifest.has(name):
            values = manifest.column(name)
            return [values[row] for row in rows]
    return [None] * len(rows)
