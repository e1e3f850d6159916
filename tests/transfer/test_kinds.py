"""Kinds of task and protocols, each against an implementation that is not ours."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn import metrics as reference
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import average_precision_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.preprocessing import StandardScaler

from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.results import summary
from auricle.transfer import Evaluation, ProbeSettings, evaluate, fit_probe
from auricle.transfer.protocols import PROTOCOLS
from auricle.transfer.splits import partitions

from .worlds import blobs, clips

FAST = ProbeSettings(epochs=30, learning_rate=0.03, standardise=True)
SPLIT = np.array(["train", "train", "valid", "test"])[np.arange(800) % 4]


def table_of(x: np.ndarray, **columns: list) -> Manifest:
    rows = [{"path": f"{n}.wav", **{name: values[n] for name, values in columns.items()}} for n in range(len(x))]
    return Manifest.from_rows(rows, root=clips(np.array([0])).root)


def several_labels() -> tuple[np.ndarray, np.ndarray, Manifest]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(800, 12)).astype(np.float32)
    truth = x @ rng.normal(size=(12, 5)) + 2 * rng.normal(size=(800, 5)) > np.linspace(1, 4, 5)
    labels = [[f"label {label}" for label in np.flatnonzero(row)] for row in truth]
    return x, truth, table_of(x, labels=labels, split=SPLIT.tolist())


def numbers() -> tuple[np.ndarray, np.ndarray, Manifest]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(800, 12)).astype(np.float32)
    target = 1000 + 50 * (x @ rng.normal(size=12) + rng.normal(size=800))
    return x, target, table_of(x, target=target.tolist(), split=SPLIT.tolist())


def values(evaluation: Evaluation) -> dict[str, float]:
    return {row.metric: row.value for row in summary(evaluation.results)}


def test_several_labels_at_once() -> None:
    x, truth, manifest = several_labels()
    evaluation = evaluate(x, manifest, task="t", model="m", kind="multi-label", settings=FAST, seeds=[0])
    found = values(evaluation)
    assert list(found) == ["mean_average_precision", "auroc", "d_prime", "prevalence"]
    train, test = SPLIT == "train", SPLIT == "test"
    score = np.stack(
        [LogisticRegression().fit(x[train], truth[train, n]).decision_function(x[test]) for n in range(5)], axis=1
    )
    assert found["mean_average_precision"] == pytest.approx(average_precision_score(truth[test], score), abs=0.03)
    assert found["auroc"] == pytest.approx(reference.roc_auc_score(truth[test], score), abs=0.02)
    given = np.stack(evaluation.predictions.column("scores").to_pylist())
    assert found["mean_average_precision"] == pytest.approx(average_precision_score(truth[test], given))
    assert found["prevalence"] == pytest.approx(truth[test].mean())
    quality = evaluation.predictions.column("quality").to_numpy().mean()
    assert quality == pytest.approx(reference.label_ranking_average_precision_score(truth[test], given))
    by_class = evaluation.per_class.to_pydict()
    assert by_class["n"] == truth[test].sum(axis=0).tolist()
    assert by_class["average_precision"] == pytest.approx(average_precision_score(truth[test], given, average=None))
    first = summary(evaluation.results)[0]
    assert first.ci_low < first.value < first.ci_high


def test_numbers() -> None:
    x, target, manifest = numbers()
    evaluation = evaluate(x, manifest, task="t", model="m", kind="regression", settings=FAST, seeds=[0, 1])
    found = values(evaluation)
    assert set(found) == {"r2", "spearman", "mean_absolute_error"}
    train, test = SPLIT == "train", SPLIT == "test"
    guess = Ridge(alpha=1e-6).fit(x[train], target[train]).predict(x[test])
    assert found["r2"] == pytest.approx(reference.r2_score(target[test], guess), abs=0.01)
    assert found["spearman"] == pytest.approx(spearmanr(target[test], guess).statistic, abs=0.01)
    assert found["mean_absolute_error"] == pytest.approx(np.abs(target[test] - guess).mean(), rel=0.02)
    rows, right, _ = evaluation.correctness()
    assert rows.tolist() == np.flatnonzero(test).tolist()
    assert right.mean() == pytest.approx(-found["mean_absolute_error"])
    assert evaluation.confusion.num_rows == evaluation.per_class.num_rows == 0


def test_a_fitted_regression_speaks_in_the_targets_unit() -> None:
    x, target, manifest = numbers()
    probe = fit_probe(x, manifest, kind="regression", settings=FAST, seeds=[0])
    assert probe.outputs == ("target",)
    test = SPLIT == "test"
    assert reference.r2_score(target[test], probe.scores(x[test])[:, 0]) > 0.8


def test_fitted_labels_are_calibrated_one_by_one() -> None:
    x, truth, manifest = several_labels()
    probe = fit_probe(x, manifest, kind="multi-label", settings=FAST, seeds=[0])
    scores = probe.scores(x[SPLIT == "valid"])
    assert scores.mean(axis=0) == pytest.approx(truth[SPLIT == "valid"].mean(axis=0), abs=0.02)
    assert len(probe.thresholds) == 5


def test_confusion_and_class_scores_are_scikit_learns() -> None:
    x, labels = blobs(800, noise=2.5)
    evaluation = evaluate(x, clips(labels, split=SPLIT), task="t", model="m", settings=FAST, seeds=[0])
    table = evaluation.predictions.to_pandas()
    counts = {(row["label"], row["predicted"]): row["count"] for row in evaluation.confusion.to_pylist()}
    expected = reference.confusion_matrix(table.label, table.predicted)
    assert [[counts.get((str(a), str(b)), 0) for b in range(4)] for a in range(4)] == expected.tolist()
    precision, recall, f1, n = reference.precision_recall_fscore_support(table.label, table.predicted)
    found = evaluation.per_class.to_pydict()
    assert found["n"] == n.tolist()
    assert found["precision"] == pytest.approx(precision)
    assert found["recall"] == pytest.approx(recall)
    assert found["f1"] == pytest.approx(f1)
    assert values(evaluation)["balanced_accuracy"] == pytest.approx(np.mean(recall))


def test_detectors_of_different_folds_are_not_ranked_against_each_other() -> None:
    x, labels = blobs(600, noise=2.0)
    fold = np.arange(600) % 3 + 1
    x = x + 30 * (fold == 1)[:, None].astype(np.float32)  # another microphone, which shifts all scores
    named = np.where(labels == 0, "speech", "none")
    evaluation = evaluate(
        x, clips(named, fold=fold), task="t", model="m", kind="binary", positive="speech", settings=FAST, seeds=[0]
    )
    table = evaluation.predictions.to_pandas()
    by_fold = [average_precision_score(part.label == "speech", part.score) for _, part in table.groupby("fold")]
    assert values(evaluation)["average_precision"] == pytest.approx(np.mean(by_fold))


# --- neighbours -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 5, 20])
def test_neighbours_vote_as_in_scikit_learn(count: int) -> None:
    x, labels = blobs(800, noise=2.0)
    settings = ProbeSettings(standardise=True, neighbours=(count,))
    found = evaluate(x, clips(labels, split=SPLIT), task="t", model="m", protocol="knn", settings=settings)
    train, test = SPLIT == "train", SPLIT == "test"
    scaled = StandardScaler().fit(x[train]).transform(x)
    voters = KNeighborsClassifier(count, metric="cosine").fit(scaled[train], labels[train])
    votes = voters.predict_proba(scaled[test])
    clear = np.sort(votes, axis=1)[:, -1] > np.sort(votes, axis=1)[:, -2]
    predicted = found.predictions.column("predicted").to_numpy(zero_copy_only=False).astype(int)
    assert (predicted == votes.argmax(axis=1))[clear].all()
    assert clear.mean() > 0.6
    assert {row.k for row in found.results} == {count}
    assert found.results[0].protocol == f"knn (class_weighted=True, neighbours=({count},))"


def test_neighbours_of_numbers_are_averaged() -> None:
    x, target, manifest = numbers()
    settings = ProbeSettings(standardise=False, neighbours=(7,))
    found = evaluate(x, manifest, task="t", model="m", kind="regression", protocol="knn", settings=settings)
    train, test = SPLIT == "train", SPLIT == "test"
    guess = KNeighborsRegressor(7, metric="cosine").fit(x[train], target[train]).predict(x[test])
    assert found.predictions.column("predicted").to_numpy() == pytest.approx(guess, rel=1e-5)


def test_validation_clips_choose_how_many_vote() -> None:
    x, labels = blobs(800, noise=2.5)
    spoilt = np.where((SPLIT == "test"), 0, labels)
    settings = ProbeSettings(standardise=True, neighbours=(1, 40))
    train, valid = SPLIT == "train", SPLIT == "valid"
    scaled = StandardScaler().fit(x[train]).transform(x)
    one, forty = (
        KNeighborsClassifier(k, metric="cosine").fit(scaled[train], labels[train]).score(scaled[valid], labels[valid])
        for k in settings.neighbours
    )
    assert forty > one + 0.05
    for these in (labels, spoilt):
        found = evaluate(x, clips(these, split=SPLIT), task="t", model="m", protocol="knn", settings=settings)
        assert {row.k for row in found.results} == {40}
        assert {row.seed for row in found.results} == {0, None}


# --- few shots --------------------------------------------------------------------------------------------------------


def test_few_shots_are_few_and_drawn_anew() -> None:
    x, labels = blobs(800, noise=1.0)
    one, five = (
        evaluate(x, clips(labels, split=SPLIT), task="t", model="m", settings=FAST, k=k, draws=12) for k in (1, 5)
    )
    assert {row.k for row in one.results} == {1}
    assert [row.seed for row in one.results[:13]] == [*range(12), None]
    assert 0.25 < values(one)["accuracy"] < values(five)["accuracy"]
    draws = [row.value for row in one.results if row.metric == "accuracy" and row.seed is not None]
    assert np.std(draws) > 0.02
    # The interval is for other draws too: it is wider than that of the test clips alone.
    mean = summary(one.results)[0]
    assert mean.ci_high - mean.ci_low > 2 * 1.96 * 0.8 * np.std(draws) / np.sqrt(12)


def test_what_cannot_be_drawn_is_refused() -> None:
    x, labels = blobs(800)
    manifest = clips(labels, split=SPLIT)
    with pytest.raises(AuricleError, match=r"has \d+ training clips, fewer than 500 shots"):
        evaluate(x, manifest, task="t", model="m", k=500)
    with pytest.raises(AuricleError, match="at least 1 clip of each class, got 0"):
        evaluate(x, manifest, task="t", model="m", k=0)
    with pytest.raises(AuricleError, match="a regression has none"):
        evaluate(*numbers()[::2], task="t", model="m", kind="regression", k=3)


# --- protocols --------------------------------------------------------------------------------------------------------


def test_auricle_selects_by_validation_clips_alone() -> None:
    x, labels = blobs(800, noise=2.0)
    spoilt = np.where(SPLIT == "test", 0, labels)
    honest, blind = (
        evaluate(x, clips(these, split=SPLIT), task="t", model="m", protocol="auricle", keep_probes=True, seeds=[0, 1])
        for these in (labels, spoilt)
    )
    assert honest.predictions.column("predicted") == blind.predictions.column("predicted")
    chosen = [(probe.learning_rate, probe.weight_decay) for probe in honest.probes]
    assert chosen == [(probe.learning_rate, probe.weight_decay) for probe in blind.probes]
    assert set(chosen) <= set(PROTOCOLS["auricle"].settings.configurations)
    assert {row.protocol for row in honest.results} == {"auricle"}


def test_auricle_is_as_good_as_tuned_logistic_regression() -> None:
    x, labels = blobs(800, classes=6, noise=2.0)
    found = values(evaluate(x, clips(labels, split=SPLIT), task="t", model="m", protocol="auricle"))
    train, valid, test = (part == SPLIT for part in ("train", "valid", "test"))
    scaled = StandardScaler().fit(x[train]).transform(x)
    fitted = [LogisticRegression(C=c, max_iter=500).fit(scaled[train], labels[train]) for c in (0.01, 0.1, 1, 10)]
    best = max(fitted, key=lambda model: model.score(scaled[valid], labels[valid]))
    assert found["accuracy"] == pytest.approx(best.score(scaled[test], labels[test]), abs=0.03)


def test_default_seeds_are_the_protocols() -> None:
    x, labels = blobs(800)
    for name, seeds in (("auricle", range(5)), ("evar", (42, 43, 44))):
        found = evaluate(x, clips(labels, split=SPLIT), task="t", model="m", protocol=name, replicates=10)
        assert [row.seed for row in found.results if row.metric == "accuracy"] == [*seeds, None]


def test_evar_knows_the_learning_rates_of_its_tasks() -> None:
    evar = PROTOCOLS["evar"]
    assert evar.settings_for("esc50").learning_rate == 1e-3
    assert evar.settings_for("speech-commands (local: 20 words, 6,000 clips)").learning_rate == 3e-5
    assert evar.settings_for("birds.csv").learning_rate == 3e-4
    assert evar.label(evar.settings_for("esc50"), task="esc50") == "evar"


def test_evar_holds_out_a_tenth_with_every_class_in_it() -> None:
    labels = np.arange(400) % 10
    manifest = clips(labels, fold=np.arange(400) // 100 + 1)
    parts = {seed: partitions(manifest, division="held-out tenth", seed=seed) for seed in (42, 43)}
    for part in parts[42]:
        assert len(part.valid) == 30
        assert set(labels[part.valid]) == set(range(10))
        assert len(part.train) == 270
        together = np.concatenate([part.train, part.valid, part.test])
        assert sorted(together.tolist()) == list(range(400))
        assert set((part.test // 100 + 1).tolist()) == {part.fold}
    assert parts[42][0].valid.tolist() != parts[43][0].valid.tolist()
    split = clips(labels, split=np.where(labels < 100, np.repeat(["train", "test"], [300, 100]), ""))
    (part,) = partitions(split, division="held-out tenth")
    assert len(part.valid) == 30


def test_hear_averages_over_folds_of_unequal_size() -> None:
    x, labels = blobs(500, noise=2.5)
    fold = np.repeat([1, 2, 3], [300, 150, 50])
    found = evaluate(x, clips(labels, fold=fold), task="t", model="m", protocol="hear", seeds=[0])
    table = found.predictions.to_pandas()
    by_fold = table.groupby("fold").correct.mean()
    assert values(found)["accuracy"] == pytest.approx(by_fold.mean())
    assert by_fold.mean() != pytest.approx(table.correct.mean(), abs=1e-4)
    assert found.results[0].protocol == "hear (linear)"


@pytest.mark.parametrize("kind", ["multi-label", "regression"])
@pytest.mark.parametrize("protocol", [name for name in PROTOCOLS if name != "ogg2025"])
def test_every_protocol_scores_every_kind(kind: str, protocol: str) -> None:
    x, _, manifest = several_labels() if kind == "multi-label" else numbers()
    found = values(evaluate(x, manifest, task="t", model="m", kind=kind, protocol=protocol, seeds=[0], replicates=10))
    if (kind, protocol) == ("regression", "evar"):  # two steps per epoch at its rate: it has hardly begun
        assert found["r2"] > 0.1
    else:
        assert found["auroc" if kind == "multi-label" else "r2"] > 0.6


@pytest.mark.parametrize(
    ("kind", "columns", "sentence"),
    [
        ("multi-label", {"label": ["a", "b"]}, "no column `labels`: a multi-label task needs one"),
        ("multi-label", {"labels": [["a"], ["a"]]}, "has 1 different labels"),
        ("regression", {"target": [1.0, None]}, r"row 2 \(1.wav\) has no finite target"),
        ("frames", {"label": ["a", "b"]}, "no kind of task 'frames' for probes of clips"),
    ],
)
def test_what_teaches_nothing_is_refused(kind: str, columns: dict, sentence: str) -> None:
    x = np.zeros((2, 3), dtype=np.float32)
    with pytest.raises(AuricleError, match=sentence):
        evaluate(x, table_of(x, split=["train", "valid"], **columns), task="t", model="m", kind=kind)
