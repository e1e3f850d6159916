"""From embeddings and a manifest to scores: what a frozen representation is good for on one task.

Probes are trained on the official folds or splits, selected on validation data and scored on test data once. The test
predictions of all folds are pooled; a score is their mean over seeds, its interval a bootstrap over the manifest's
clusters of what that mean would have been. Predictions are kept, so that two models can be compared clip by clip.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.results import Result
from auricle.transfer import metrics
from auricle.transfer.bootstrap import REPLICATES, Floats, PairedDifference, interval, paired_difference
from auricle.transfer.probe import ProbeData, ProbeSettings, TrainedProbes, train_probes
from auricle.transfer.protocols import protocol as protocol_named
from auricle.transfer.splits import Labels, Partition, labels_of, partitions, refuse_untrained
from auricle.transfer.targets import Kind as Kind
from auricle.transfer.vectors import tensor_of

Rows = NDArray[np.int64]
SeedMetric = Callable[[int, Floats | None], Floats]
"""From a seed's position and clip weights to values."""

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
        ``cluster``, ``fold``, ``seed``, ``label``, ``predicted``, ``correct`` and ``score``, the probability of the
        predicted class or, for a binary task, of the positive one.
    """

    results: list[Result]
    predictions: pa.Table

    def correctness(self) -> tuple[Rows, Floats, list[str | None]]:
        """Test clips in the manifest's order: their rows, the share of seeds that got them right, their clusters."""
        row = self.predictions.column("row").to_numpy()
        rows, first, of_prediction = np.unique(row, return_index=True, return_inverse=True)
        correct = self.predictions.column("correct").to_numpy().astype(np.float64)
        share = np.bincount(of_prediction, weights=correct) / np.bincount(of_prediction)
        cluster = self.predictions.column("cluster").take(pa.array(first)).to_pylist()
        return rows, share, cluster


def compare(a: Evaluation, b: Evaluation, *, seed: int = 0) -> PairedDifference:
    """Paired comparison of two models' accuracy on the same test clips.

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
    seeds: Sequence[int] = SEEDS,
    replicates: int = REPLICATES,
    device: str | torch.device = "cpu",
) -> Evaluation:
    """Score one representation on one task.

    Parameters
    ----------
    embeddings
        ``(n, dim)``, one row per row of `manifest`.
    manifest
        Its column ``label`` is learnt; ``fold``, or else ``split``, says from what; ``cluster``, or else ``group``,
        is the unit of the bootstrap.
    task, model, weights_fingerprint, diet, layer, pooling
        What the results say about themselves.
    protocol
        A name in `auricle.transfer.protocols.PROTOCOLS`.
    settings
        Probe settings that depart from the protocol; results then say in what.
    kind
        ``"multi-class"`` (accuracy, balanced accuracy) or ``"binary"`` (average precision, prevalence).
    positive
        The label to detect; needed for a binary task.
    seeds
        One probe per seed and fold.
    replicates
        Bootstrap resamples.
    device
        Where to train.

    Raises
    ------
    AuricleError
        When embeddings and manifest do not match, an embedding is not finite, a clip has no label, a class has no
        training clips, or there is no validation or test part.
    """
    x = tensor_of(embeddings, manifest, device=device)
    chosen = protocol_named(protocol)
    settings = settings or chosen.settings
    parts = partitions(manifest)
    labels = _labels(manifest, parts, kind, positive)
    targets, outputs = labels.of_clip, 1 if kind == "binary" else len(labels.classes)
    seeds = list(dict.fromkeys(seeds))
    if not seeds:
        raise AuricleError("an evaluation needs at least one seed")

    probes = [ProbeData(part.train, part.valid, seed, part.fold) for seed in seeds for part in parts]
    trained = train_probes(
        x, torch.from_numpy(targets).to(device), probes, kind=kind, outputs=outputs, settings=settings
    )
    test = np.concatenate([part.test for part in parts])
    scores = np.stack([_test_scores(trained, x, parts, index) for index in range(len(seeds))])

    predicted = (scores[:, :, 0] > 0.5).astype(np.int64) if kind == "binary" else scores.argmax(axis=2)
    truth = targets[test]
    measured = _binary_metrics(truth, scores[:, :, 0]) if kind == "binary" else _class_metrics(truth, predicted)
    cluster = _clusters(manifest, test)
    results: list[Result] = []
    for metric, of_seed in measured.items():
        row = partial(
            Result,
            model=model,
            weights_fingerprint=weights_fingerprint,
            layer=layer,
            pooling=pooling,
            diet=diet,
            task=task,
            dataset_fingerprint=manifest.fingerprint,
            protocol=chosen.label(settings),
            metric=metric,
            n=len(test),
        )
        values = [float(of_seed(position, None)) for position in range(len(seeds))]
        for position, seed in enumerate(seeds):
            low, high = _ends(interval(partial(of_seed, position), cluster, replicates=replicates))
            results.append(row(value=values[position], ci_low=low, ci_high=high, seed=seed))
        low, high = _ends(interval(partial(_mean_over_seeds, of_seed, len(seeds)), cluster, replicates=replicates))
        results.append(row(value=float(np.mean(values)), ci_low=low, ci_high=high))
    return Evaluation(results, _predictions(manifest, parts, cluster, seeds, labels.classes, truth, predicted, scores))


def _labels(manifest: Manifest, parts: list[Partition], kind: Kind, positive: str | None) -> Labels:
    """What probes learn: all classes, or the positive one against the rest."""
    if (kind == "binary") != (positive is not None):
        raise AuricleError(
            f"a binary task, and no other, has a positive label; got kind {kind!r}, positive {positive!r}"
        )
    labels = labels_of(manifest, positive=positive)
    refuse_untrained(labels, parts, manifest.source)
    if kind == "binary" and not any(labels.of_clip[part.test].any() for part in parts):
        raise AuricleError(f"{manifest.source} has no test clips of label {positive!r}: there is nothing to detect")
    return labels


def _test_scores(trained: TrainedProbes, x: torch.Tensor, parts: list[Partition], seed: int) -> NDArray[np.float32]:
    """Probabilities of the pooled test clips under the probes of one seed, by its position: ``(n_test, outputs)``."""
    scores = []
    for index, part in enumerate(parts):
        logits = trained.logits(seed * len(parts) + index, x, part.test)
        binary = logits.shape[1] == 1
        scores.append(torch.sigmoid(logits) if binary else torch.softmax(logits, dim=1))
    pooled: NDArray[np.float32] = torch.cat(scores).cpu().numpy()
    return pooled


def _class_metrics(truth: Rows, predicted: Rows) -> dict[str, SeedMetric]:
    return {
        "accuracy": lambda seed, weights: metrics.accuracy(truth, predicted[seed], weights=weights),
        "balanced_accuracy": lambda seed, weights: metrics.balanced_accuracy(truth, predicted[seed], weights=weights),
    }


def _binary_metrics(truth: Rows, scores: NDArray[np.float32]) -> dict[str, SeedMetric]:
    return {
        "average_precision": lambda seed, weights: metrics.average_precision(truth, scores[seed], weights=weights),
        "prevalence": lambda _seed, weights: metrics.prevalence(truth, weights=weights),
    }


def _mean_over_seeds(of_seed: SeedMetric, seeds: int, weights: Floats) -> Floats:
    mean: Floats = np.mean([of_seed(position, weights) for position in range(seeds)], axis=0)
    return mean


def _ends(found: tuple[float, float] | None) -> tuple[float | None, float | None]:
    return found if found is not None else (None, None)


def _clusters(manifest: Manifest, rows: Rows) -> list[str | None]:
    for name in ("cluster", "group"):
        if manifest.has(name):
            values = manifest.column(name)
            return [values[row] for row in rows]
    return [None] * len(rows)


def _predictions(
    manifest: Manifest,
    parts: list[Partition],
    cluster: list[str | None],
    seeds: Sequence[int],
    names: tuple[str, ...],
    truth: Rows,
    predicted: Rows,
    scores: NDArray[np.float32],
) -> pa.Table:
    rows = np.concatenate([part.test for part in parts])
    folds = [part.fold for part in parts for _ in part.test]
    known = manifest.table.select([name for name in ("path", "start", "end") if manifest.has(name)]).take(
        pa.array(rows)
    )
    classes = pa.array(names)
    tables = []
    for position, seed in enumerate(seeds):
        guess = predicted[position]
        best = scores[position].max(axis=1)
        columns = {
            "row": pa.array(rows),
            **{name: known.column(name) for name in known.column_names},
            "cluster": pa.array(cluster, pa.string()),
            "fold": pa.array(folds, pa.int64()),
            "seed": pa.array([seed] * len(rows), pa.int64()),
            "label": classes.take(pa.array(truth)),
            "predicted": classes.take(pa.array(guess)),
            "correct": pa.array(guess == truth),
            "score": pa.array(best),
        }
        tables.append(pa.table(columns))
    return pa.concat_tables(tables)
