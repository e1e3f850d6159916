import numpy as np
import pytest
from sklearn.calibration import _SigmoidCalibration
from sklearn.metrics import f1_score, log_loss

from auricle.errors import AuricleError
from auricle.transfer import ProbeSettings, fit_probe
from auricle.transfer.calibration import best_threshold, platt, temperature

from .worlds import blobs, clips

FAST = ProbeSettings(epochs=30, learning_rate=0.03)
SPLIT = np.array(["train", "train", "valid", "test"])[np.arange(600) % 4]


def softmax(logits: np.ndarray) -> np.ndarray:
    exponent = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponent / exponent.sum(axis=1, keepdims=True)


def test_temperature_undoes_a_factor_on_the_logits() -> None:
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(20_000, 5))
    classes = np.array([rng.choice(5, p=row) for row in softmax(logits)])
    found = temperature(10 * logits, classes)
    assert found.slope == pytest.approx([0.1] * 5, rel=0.03)
    assert found.offset == (0.0,) * 5
    losses = [log_loss(classes, softmax(factor * found(10 * logits)), labels=range(5)) for factor in (0.9, 1.0, 1.1)]
    assert losses[1] == min(losses)


def test_platts_line_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(500, 2)) * [1.0, 30.0]
    positive = rng.random((500, 2)) < 1 / (1 + np.exp(-(logits * [2.0, 0.02] - [1.0, 2.0])))
    found = platt(logits, positive)
    for output in range(2):
        reference = _SigmoidCalibration().fit(logits[:, output], positive[:, output])
        assert found.slope[output] == pytest.approx(-reference.a_, rel=1e-3)
        assert found.offset[output] == pytest.approx(-reference.b_, rel=1e-3)


def test_platt_never_turns_an_order_round() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(1000, 1))
    wrong = logits < rng.normal(size=(1000, 1)) - 1
    found = platt(logits, wrong)
    assert found.slope[0] > 0
    assert (1 / (1 + np.exp(-found(logits)))).mean() == pytest.approx(wrong.mean(), abs=0.01)
    separated = platt(logits, logits > 0.5)
    assert np.isfinite(separated.slope).all()
    assert platt(logits, np.zeros((1000, 1), dtype=bool)).slope == (1.0,)


@pytest.mark.parametrize("levels", [1000, 5])
def test_threshold_has_the_best_f1_there_is(levels: int) -> None:
    rng = np.random.default_rng(levels)
    positive = rng.random(300) < 0.3
    score = np.round(np.clip(0.3 * positive + 0.7 * rng.random(300), 0, 1) * levels) / levels
    found = best_threshold(score, positive)
    every = [f1_score(positive, score >= at) for at in np.unique(score)]
    assert f1_score(positive, score >= found) == pytest.approx(max(every))
    assert found not in score


def test_fitted_probe_predicts_new_clips_and_knows_its_thresholds() -> None:
    x, labels = blobs(600)
    probe = fit_probe(x, clips(labels, split=SPLIT), settings=FAST)
    scores = probe.scores(x)
    assert probe.outputs == probe.classes == ("0", "1", "2", "3")
    assert scores.sum(axis=1) == pytest.approx(np.ones(600), abs=1e-5)
    test = SPLIT == "test"
    assert (scores.argmax(axis=1) == labels)[test].mean() > 0.6
    valid = SPLIT == "valid"
    for output, threshold in enumerate(probe.thresholds):
        chosen = f1_score(labels[valid] == output, scores[valid, output] >= threshold)
        assert chosen >= max(f1_score(labels[valid] == output, scores[valid, output] >= at) for at in (0.2, 0.5, 0.8))
    with pytest.raises(AuricleError, match=r"takes embeddings of 10 dimensions, got an array \(600, 9\)"):
        probe.scores(x[:, :9])


def test_test_clips_have_no_part_in_a_fitted_probe() -> None:
    x, labels = blobs(600)
    spoilt_x = np.where((SPLIT == "test")[:, None], -x, x)
    spoilt = np.where(SPLIT == "test", 0, labels)
    one = fit_probe(x, clips(labels, split=SPLIT), settings=FAST)
    other = fit_probe(spoilt_x, clips(spoilt, split=SPLIT), settings=FAST)
    assert np.array_equal(one.weight, other.weight)
    assert one.thresholds == other.thresholds
    assert one.calibration == other.calibration


def test_detector_has_one_output() -> None:
    x, labels = blobs(600)
    named = np.where(labels == 0, "speech", "none")
    probe = fit_probe(x, clips(named, split=SPLIT), kind="binary", positive="speech", settings=FAST)
    assert probe.outputs == ("speech",)
    assert probe.classes == ("none", "speech")
    scores = probe.scores(x)[SPLIT == "valid", 0]
    assert scores.mean() == pytest.approx((labels == 0)[SPLIT == "valid"].mean(), abs=0.02)
