"""Test predictions as a table, one row per clip and seed, and what can be read from it class by class.

Kind and classes travel in the table's own metadata, which Parquet keeps.
"""

import json
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from auricle.manifest import Manifest
from auricle.transfer import ranking
from auricle.transfer.splits import Partition
from auricle.transfer.targets import Kind, Targets

Rows = NDArray[np.int64]

_KIND, _CLASSES = b"auricle.kind", b"auricle.classes"


def predictions_table(
    manifest: Manifest,
    parts: Sequence[Partition],
    cluster: Sequence[str | None],
    seeds: Sequence[int],
    targets: Targets,
    scores: Sequence[NDArray[np.float32]],
    *,
    predicted: Sequence[Rows] | None = None,
    rows: NDArray[np.integer[Any]] | None = None,
) -> pa.Table:
    """Predictions of every seed, clips in the order of the partitions' test parts.

    Parameters
    ----------
    manifest, parts, cluster
        Clips, which of them were tested by fold, and their units of the bootstrap.
    seeds
        One per entry of `scores`.
    targets
        What was predicted.
    scores
        For each seed ``(n_test, outputs)`` probabilities, or predicted targets.
    predicted
        For each seed ``(n_test,)`` classes; by default the likeliest.
    rows
        ``(n,)``: of which row of the manifest each clip is an excerpt; its start and end are then left out.

    Returns
    -------
    pa.Table
        ``row``, ``path``, ``start``, ``end`` (where known), ``cluster``, ``fold``, ``seed``, and by kind ``label``,
        ``predicted``, ``correct``, ``score`` (of the predicted class, or of the positive one); ``labels``, ``scores``,
        ``quality``; or ``target``, ``predicted``, ``error``.
    """
    tested = np.concatenate([part.test for part in parts])
    names = [name for name in ("path", "start", "end") if manifest.has(name) and (name == "path" or rows is None)]
    known = manifest.table.select(names).take(pa.array(tested if rows is None else rows[tested]))
    fixed = {
        "row": pa.array(tested),
        **{name: known.column(name) for name in names},
        "cluster": pa.array(list(cluster), pa.string()),
        "fold": pa.array([part.fold for part in parts for _ in part.test], pa.int64()),
    }
    guesses: Sequence[Rows | None] = [None] * len(scores) if predicted is None else predicted
    tables = [
        pa.table(
            {
                **fixed,
                "seed": pa.array(np.full(len(tested), seed, dtype=np.int64)),
                **_answers(targets, tested, of_seed, guess),
            }
        )
        for seed, of_seed, guess in zip(seeds, scores, guesses, strict=True)
    ]
    metadata = {_KIND: targets.kind.encode(), _CLASSES: json.dumps(list(targets.classes)).encode()}
    return pa.concat_tables(tables).replace_schema_metadata(metadata)


def kind_of(table: pa.Table) -> Kind:
    """What was predicted."""
    return cast(Kind, (table.schema.metadata or {})[_KIND].decode())


def classes_of(table: pa.Table) -> tuple[str, ...]:
    """Names of the classes; of a binary task the rest and the positive."""
    return tuple(json.loads((table.schema.metadata or {})[_CLASSES]))


def _answers(targets: Targets, rows: Rows, scores: NDArray[np.float32], guess: Rows | None) -> dict[str, pa.Array]:
    truth = targets.values[rows]
    if targets.kind == "regression":
        predicted = scores[:, 0].astype(np.float64)
        return {
            "target": pa.array(truth),
            "predicted": pa.array(predicted),
            "error": pa.array(np.abs(predicted - truth)),
        }
    if targets.kind == "multi-label":
        listed = [[targets.classes[label] for label in np.flatnonzero(clip)] for clip in truth]
        flat = pa.array(scores.astype(np.float32).ravel())
        return {
            "labels": pa.array(listed, pa.list_(pa.string())),
            "scores": pa.FixedSizeListArray.from_arrays(flat, scores.shape[1]),
            "quality": pa.array(label_ranking_precision(truth, scores)),
        }
    if guess is None:
        guess = predicted_classes(targets.kind, scores)
    classes = pa.array(targets.classes)
    return {
        "label": classes.take(pa.array(truth)),
        "predicted": classes.take(pa.array(guess)),
        "correct": pa.array(guess == truth),
        "score": pa.array(scores.max(axis=1).astype(np.float32)),
    }


def predicted_classes(kind: Kind, scores: NDArray[np.float32]) -> Rows:
    """The likeliest class of each clip; of a binary task the positive above one half."""
    guess: Rows = (scores[:, 0] > 0.5).astype(np.int64) if kind == "binary" else scores.argmax(axis=1)
    return guess


def label_ranking_precision(truth: NDArray[np.bool_], scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """How high each clip's labels stand among all, from 0 to 1 (label-ranking average precision), ``(n,)``.

    1 for a clip that has no label or all of them, as in scikit-learn.
    """
    quality = np.ones(len(truth))
    for row in np.flatnonzero(truth.any(axis=1) & ~truth.all(axis=1)):
        own = scores[row, truth[row]]
        above = (scores[row][None, :] >= own[:, None]).sum(axis=1)
        among = (own[None, :] >= own[:, None]).sum(axis=1)
        quality[row] = np.mean(among / above)
    return quality


def confusion(table: pa.Table) -> pa.Table:
    """How often each class was taken for each: ``label``, ``predicted``, ``count``, the count as a mean over seeds.

    Of multi-class and binary tasks; empty of others.
    """
    if kind_of(table) not in ("multi-class", "binary"):
        return pa.table(
            {
                "label": pa.array([], pa.string()),
                "predicted": pa.array([], pa.string()),
                "count": pa.array([], pa.float64()),
            }
        )
    seeds = len(table.column("seed").unique())
    counted = table.group_by(["label", "predicted"]).aggregate([([], "count_all")])
    counted = counted.sort_by([("label", "ascending"), ("predicted", "ascending")])
    count = counted.column("count_all").to_numpy() / seeds
    return pa.table({"label": counted.column("label"), "predicted": counted.column("predicted"), "count": count})


def per_class(table: pa.Table) -> pa.Table:
    """Scores of single classes, means over seeds.

    Of multi-class and binary tasks ``label``, ``n``, ``recall``, ``precision`` and ``f1``; of multi-label ones
    ``label``, ``n``, ``average_precision``, ``auroc`` and ``prevalence``; empty of a regression. Null where a class has
    no clips, or was never predicted.
    """
    kind = kind_of(table)
    if kind == "regression":
        return pa.table({"label": pa.array([], pa.string()), "n": pa.array([], pa.int64())})
    by_seed = [table.filter(pa.compute.equal(table.column("seed"), seed)) for seed in table.column("seed").unique()]
    measure = _label_scores if kind == "multi-label" else _class_scores
    found = [measure(part, classes_of(table)) for part in by_seed]
    columns: dict[str, Any] = {"label": pa.array(classes_of(table)), "n": pa.array(found[0]["n"].astype(np.int64))}
    for name in found[0]:
        if name != "n":
            mean = ranking.mean_of_defined(np.array([scores[name] for scores in found]))
            columns[name] = pa.array(mean, from_pandas=True)
    return pa.table(columns)


def _class_scores(table: pa.Table, classes: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    index = {name: position for position, name in enumerate(classes)}
    truth, guess = (
        np.array([index[name] for name in table.column(column).to_pylist()]) for column in ("label", "predicted")
    )
    own, taken = (np.bincount(values, minlength=len(classes)).astype(np.float64) for values in (truth, guess))
    hits = np.bincount(truth[truth == guess], minlength=len(classes)).astype(np.float64)

    def ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)

    return {"n": own, "recall": ratio(hits, own), "precision": ratio(hits, taken), "f1": ratio(2 * hits, own + taken)}


def _label_scores(table: pa.Table, classes: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    truth, scores = label_arrays(table)
    folds = np.array([-1 if fold is None else fold for fold in table.column("fold").to_pylist()])
    found: dict[str, list[NDArray[np.float64]]] = {"average_precision": [], "auroc": []}
    for fold in np.unique(folds):
        part = folds == fold
        pairs = [(truth[part, label], scores[part, label]) for label in range(len(classes))]
        found["average_precision"].append(np.array([ranking.average_precision(*pair) for pair in pairs]))
        found["auroc"].append(np.array([ranking.area_under_roc(*pair) for pair in pairs]))
    means = {name: ranking.mean_of_defined(np.array(values)) for name, values in found.items()}
    return {"n": truth.sum(axis=0), **means, "prevalence": truth.mean(axis=0)}


def label_arrays(table: pa.Table) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Truth and scores ``(rows, classes)`` of a multi-label task's predictions."""
    classes = classes_of(table)
    index = {name: position for position, name in enumerate(classes)}
    truth = np.zeros((len(table), len(classes)), dtype=np.bool_)
    for row, labels in enumerate(table.column("labels").to_pylist()):
        truth[row, [index[label] for label in labels]] = True
    flat = table.column("scores").combine_chunks().flatten()
    return truth, flat.to_numpy().reshape(len(table), len(classes))
