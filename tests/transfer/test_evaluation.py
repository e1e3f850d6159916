import dataclasses
import time

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.results import summary
from auricle.transfer import ProbeSettings, compare, evaluate
from auricle.transfer.bootstrap import interval

from .worlds import blobs, clips

FAST = ProbeSettings(epochs=30, learning_rate=0.03)


@pytest.fixture(scope="module")
def folded():
    x, labels = blobs()
    manifest = clips(labels, fold=np.arange(400) % 5 + 1, group=np.char.add("film ", (np.arange(400) % 40).astype(str)))
    return x, manifest, evaluate(x, manifest, task="blobs", model="m", diet="d", settings=FAST)


def test_rows_are_one_per_seed_and_one_summary_per_metric(folded) -> None:
    _, manifest, evaluation = folded
    assert [(row.metric, row.seed) for row in evaluation.results] == [
        (metric, seed) for metric in ("accuracy", "balanced_accuracy") for seed in (0, 1, 2, None)
    ]
    for row in evaluation.results:
        assert (row.model, row.diet, row.task, row.split, row.n) == ("m", "d", "blobs", "test", 400)
        assert row.dataset_fingerprint == manifest.fingerprint
        assert row.ci_low < row.value < row.ci_high


def test_summary_is_the_mean_over_seeds_of_the_pooled_folds(folded) -> None:
    _, _, evaluation = folded
    table = evaluation.predictions.to_pandas()
    assert len(table) == 3 * 400
    assert sorted(table[table.seed == 1].row) == list(range(400))
    by_seed = table.groupby("seed").apply(lambda part: (part.label == part.predicted).mean())
    accuracy = {row.seed: row.value for row in evaluation.results if row.metric == "accuracy"}
    assert accuracy == pytest.approx({**by_seed.to_dict(), None: by_seed.mean()})


def test_interval_is_the_cluster_bootstrap_of_correctness_averaged_over_seeds(folded) -> None:
    _, manifest, evaluation = folded
    rows, correct, cluster = evaluation.correctness()
    assert rows.tolist() == list(range(400))
    assert cluster == manifest.column("group")
    low, high = interval(lambda weights: weights @ correct / weights.sum(-1), cluster)
    found = summary(evaluation.results)[0]
    # The bootstrap meets the clusters in the order of the test clips, so that its draws are others.
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high), abs=0.01)


def test_accuracy_is_about_that_of_logistic_regression(folded) -> None:
    x, manifest, evaluation = folded
    labels, fold = np.array(manifest.column("label")), np.array(manifest.column("fold"))
    right = 0
    for tested in range(1, 6):
        train = (fold != tested) & (fold != tested % 5 + 1)
        fitted = LogisticRegression(class_weight="balanced").fit(x[train], labels[train])
        right += (fitted.predict(x[fold == tested]) == labels[fold == tested]).sum()
    assert summary(evaluation.results)[0].value == pytest.approx(right / 400, abs=0.03)


def test_splits_are_scored_on_test_clips_alone() -> None:
    x, labels = blobs(300)
    split = np.array(["train", "train", "valid", "test"])[np.arange(300) % 4]
    evaluation = evaluate(x, clips(labels, split=split), task="t", model="m", settings=FAST, seeds=[5])
    assert evaluation.predictions.column("row").to_pylist() == list(range(3, 300, 4))
    assert set(evaluation.predictions.column("fold").to_pylist()) == {None}
    assert [row.seed for row in evaluation.results] == [5, None, 5, None]
    assert {row.n for row in evaluation.results} == {75}


def test_what_test_labels_are_does_not_change_the_probe() -> None:
    x, labels = blobs(300)
    split = np.array(["train", "train", "valid", "test"])[np.arange(300) % 4]
    spoilt = np.where(split == "test", 0, labels)
    honest, blind = (
        evaluate(x, clips(these, split=split), task="t", model="m", settings=FAST, seeds=[0])
        for these in (labels, spoilt)
    )
    assert honest.predictions.column("predicted") == blind.predictions.column("predicted")


def test_detection_reports_average_precision_beside_prevalence() -> None:
    x, labels = blobs(500, classes=5)
    manifest = clips(
        np.where(labels == 0, "speech", "none"), split=np.repeat(["train", "valid", "test"], [300, 100, 100])
    )
    evaluation = evaluate(x, manifest, task="vad", model="m", kind="binary", positive="speech", settings=FAST)
    precision, prevalence = summary(evaluation.results)
    table = evaluation.predictions.to_pandas()
    assert set(table.label) == {"speech", "none"}
    assert (precision.metric, prevalence.metric) == ("average_precision", "prevalence")
    assert prevalence.value == pytest.approx((labels[400:] == 0).mean())
    expected = [
        average_precision_score(part.label == "speech", part.score) for _, part in table.groupby("seed", sort=True)
    ]
    assert precision.value == pytest.approx(np.mean(expected))
    assert prevalence.value < precision.ci_low < precision.value < precision.ci_high
    assert ((table.score > 0.5) == (table.predicted == "speech")).all()


def test_nothing_is_learnt_from_noisy_labels() -> None:
    x, labels = blobs(200)
    rng = np.random.default_rng(3)
    scores, covered = [], 0
    for _ in range(8):
        manifest = clips(rng.permutation(labels), fold=np.arange(200) % 4)
        found = summary(evaluate(x, manifest, task="t", model="m", settings=FAST, seeds=[0]).results)[1]
        scores.append(found.value)
        covered += found.ci_low <= 0.25 <= found.ci_high
    error = np.std(scores, ddof=1) / np.sqrt(len(scores))
    assert abs(np.mean(scores) - 0.25) < 3 * error
    assert covered >= 6


def test_better_embeddings_win_the_paired_comparison(folded) -> None:
    x, manifest, evaluation = folded
    noisy = x + 2 * np.random.default_rng(0).normal(size=x.shape).astype(np.float32)
    worse = evaluate(noisy, manifest, task="blobs", model="w", settings=FAST)
    found = compare(evaluation, worse)
    assert found.clusters == 40
    assert found.ci_low > 0
    assert found.p < 0.001
    other = evaluate(x[:300], manifest.select(range(300)), task="blobs", model="w", settings=FAST)
    with pytest.raises(AuricleError, match="same test clips only"):
        compare(evaluation, other)


def test_a_departure_from_the_protocol_is_named(folded) -> None:
    x, manifest, evaluation = folded
    assert evaluation.results[0].protocol == "ogg2025 (epochs=30, learning_rate=0.03)"
    short = dataclasses.replace(ProbeSettings(), epochs=1)
    assert evaluate(x, manifest, task="t", model="m", settings=short).results[0].protocol == "ogg2025 (epochs=1)"
    assert evaluate(x, manifest, task="t", model="m", seeds=[0]).results[0].protocol == "ogg2025"


def test_the_fold_counts_where_a_manifest_has_fold_and_split(folded) -> None:
    x, manifest, _ = folded
    both = manifest.with_column("split", ["train"] * 400)
    assert evaluate(x, both, task="t", model="m", settings=FAST, seeds=[0]).results[0].n == 400


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda x, m: (x[:-1], m), r"manifest has 400 clips: expected as many embeddings, .* got \(399, 10\)"),
        (lambda x, m: (np.where(np.arange(400)[:, None] == 7, np.nan, x), m), r"row 8 \(7.wav\) holds NaN"),
        (lambda x, m: (x, m.with_column("label", [None] + ["a"] * 399)), r"row 1 \(0.wav\) has no label"),
        (lambda x, m: (x, m.with_column("label", ["b"] + ["a"] * 399)), "no training clips of class 'b'"),
    ],
)
def test_input_that_cannot_be_scored_is_refused(folded, change, sentence: str) -> None:
    x, manifest, _ = folded
    with pytest.raises(AuricleError, match=sentence):
        evaluate(*change(x, manifest), task="t", model="m")


def test_arguments_that_contradict_each_other_are_refused(folded) -> None:
    x, manifest, _ = folded
    with pytest.raises(AuricleError, match="no protocol 'ogg2024'; choose auricle, ogg2025,"):
        evaluate(x, manifest, task="t", model="m", protocol="ogg2024")
    with pytest.raises(AuricleError, match="has a positive label"):
        evaluate(x, manifest, task="t", model="m", kind="binary")
    with pytest.raises(AuricleError, match="at least one seed"):
        evaluate(x, manifest, task="t", model="m", seeds=[])
    train_only = manifest.table.drop_columns("fold")
    unsplit = Manifest(train_only, manifest.root).with_column(
        "split", ["train"] * 200 + ["valid"] * 100 + ["test"] * 100
    )
    spoken = unsplit.with_column("label", ["speech", "none"] * 150 + ["none"] * 100)
    with pytest.raises(AuricleError, match="no test clips of label 'speech'"):
        evaluate(x, spoken, task="t", model="m", kind="binary", positive="speech")


@pytest.mark.slow
def test_esc50s_size_takes_less_than_a_minute() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(2000) % 50
    x = np.maximum(rng.normal(size=(50, 3072))[labels] + 3 * rng.normal(size=(2000, 3072)), 0).astype(np.float32)
    manifest = clips(labels, fold=np.arange(2000) // 50 % 5 + 1)
    start = time.process_time()
    evaluation = evaluate(x, manifest, task="t", model="m")
    assert time.process_time() - start < 2 * 60  # of two cores
    assert summary(evaluation.results)[0].value > 0.5


@pytest.mark.parametrize("protocol", ["ogg2025", "knn"])
def test_excerpts_of_segments_score_as_clips_of_their_own(protocol: str) -> None:
    rng = np.random.default_rng(0)
    rows = np.sort(rng.integers(60, size=400)).astype(np.int32)  # of each excerpt the segment
    label, part = np.arange(60) % 2, np.array(["train", "valid", "test"])[np.arange(60) // 2 % 3]
    film = np.char.add("film ", (np.arange(60) // 6).astype(str))
    x = (rng.normal(size=(2, 10))[label[rows]] + 1.5 * rng.normal(size=(400, 10))).astype(np.float32)
    settings = FAST if protocol == "ogg2025" else None
    said = {"task": "t", "model": "m", "kind": "binary", "positive": "1", "protocol": protocol, "settings": settings}
    cut = evaluate(x, clips(label, split=part, cluster=film), rows=rows, **said)  # type: ignore[arg-type]
    listed = clips(label[rows], split=part[rows], cluster=film[rows])
    plain = evaluate(x, listed, **said)  # type: ignore[arg-type]
    alike = [dataclasses.replace(row, dataset_fingerprint=None) for row in plain.results]
    assert [dataclasses.replace(row, dataset_fingerprint=None) for row in cut.results] == alike
    assert cut.predictions.drop_columns(["path"]).equals(plain.predictions.drop_columns(["path"]))
    assert cut.predictions.column("path").to_pylist() == [
        f"{rows[row]}.wav" for row in cut.predictions.column("row").to_pylist()
    ]
