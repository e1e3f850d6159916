"""AudioEmbedder is a scikit-learn transformer: by scikit-learn's own checks, and where its users put transformers."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import auricle
from auricle.integrations.scikit_learn import AudioEmbedder
from auricle.manifest import Manifest

RATE = 16_000
ANY_LENGTH = "clips may be of any length, so that there is no number of features in"


def two_kinds(clips: int, seconds: float = 0.3) -> tuple[list[np.ndarray], np.ndarray]:
    """Low and high tones in noise, in turn, each of its own length."""
    generator = np.random.default_rng(0)
    labels = np.arange(clips) % 2
    waveforms = []
    for number, label in enumerate(labels):
        time = np.arange(round(seconds * RATE) + 17 * number) / RATE
        tone = 0.2 * np.sin(2 * np.pi * (300 + 2000 * label + 20 * number) * time)
        waveforms.append((tone + 0.01 * generator.standard_normal(len(time))).astype(np.float32))
    return waveforms, labels


def test_scikit_learns_own_checks() -> None:
    expected = dict.fromkeys(("check_n_features_in", "check_n_features_in_after_fitting"), ANY_LENGTH)
    checks = check_estimator(AudioEmbedder("logmel-stats"), expected_failed_checks=expected, on_skip=None)
    assert len([check for check in checks if check["status"] == "passed"]) > 30


def test_embeddings_are_those_of_the_encoder() -> None:
    waveforms, _ = two_kinds(3)
    encoder = auricle.load("byola-2020-512")
    embedder = AudioEmbedder("byola-2020-512")
    expected = np.stack([encoder.embed(waveform) for waveform in waveforms])
    np.testing.assert_array_equal(embedder.fit_transform(waveforms), expected)
    together = embedder.transform(np.stack([waveform[:4000] for waveform in waveforms]))
    np.testing.assert_allclose(together, [encoder.embed(waveform[:4000]) for waveform in waveforms], atol=1e-5)
    assert embedder.get_feature_names_out()[-1] == "audioembedder511"
    given = AudioEmbedder(encoder, sample_rate=8000).transform(waveforms)
    np.testing.assert_array_equal(given[0], encoder.embed(waveforms[0], sample_rate=8000))


def test_files_by_relative_paths(sound_file) -> None:
    waveforms, _ = two_kinds(2)
    files = [sound_file(f"{number}.wav", waveform) for number, waveform in enumerate(waveforms)]
    found = AudioEmbedder("logmel-stats", root=files[0].parent).transform(["0.wav", Path("1.wav")])
    np.testing.assert_allclose(found, AudioEmbedder("logmel-stats").transform(waveforms), atol=1e-4)


def test_excerpts_of_a_manifest_are_heard_and_not_their_whole_files(tmp_path: Path, sound_file) -> None:
    waveforms, labels = two_kinds(12, seconds=0.5)
    night = np.concatenate([waveform[:8000] for waveform in waveforms])
    sound_file("night.wav", night)
    rows = [
        {"path": "night.wav", "start": number / 2, "end": None if number == 11 else (number + 1) / 2}
        for number in range(12)
    ]
    clips = Manifest.from_rows(rows, root=tmp_path)
    found = AudioEmbedder("logmel-stats").transform(clips.excerpts)
    expected = AudioEmbedder("logmel-stats").transform([waveform[:8000] for waveform in waveforms])
    np.testing.assert_allclose(found, expected, atol=1e-3)
    assert len(np.unique(found, axis=0)) == 12
    pipeline = make_pipeline(AudioEmbedder("logmel-stats"), StandardScaler(), LogisticRegression())
    assert cross_val_score(pipeline, clips.excerpts, labels, cv=3).mean() == 1


def test_search_over_models_and_poolings() -> None:
    waveforms, labels = two_kinds(12)
    pipeline = make_pipeline(AudioEmbedder("logmel-stats"), StandardScaler(), LogisticRegression())
    grid = [
        {"audioembedder__model": ["logmel-stats", "mfcc-stats"]},
        {
            "audioembedder__model": ["byola-2020-512"],
            "audioembedder__layer": ["conv1"],
            "audioembedder__pooling": ["max"],
        },
    ]
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(waveforms, labels)
    assert search.best_score_ == 1.0
    assert search.cv_results_["mean_test_score"][0] == 1.0
    assert search.best_estimator_.predict(waveforms[:2]).tolist() == [0, 1]


def test_other_processes_hear_the_same() -> None:
    waveforms, labels = two_kinds(8)
    pipeline = make_pipeline(AudioEmbedder("logmel-stats"), StandardScaler(), LogisticRegression())
    here, there = (cross_val_score(pipeline, waveforms, labels, cv=2, n_jobs=jobs) for jobs in (1, 2))
    np.testing.assert_array_equal(here, there)


def test_a_pickle_holds_no_weights_and_refuses_others(tmp_path: Path) -> None:
    waveforms, _ = two_kinds(1)
    auricle.load("byola-2020-512").save_pretrained(tmp_path / "model")
    embedder = AudioEmbedder(tmp_path / "model").fit(waveforms)
    pickled = pickle.dumps(embedder)
    assert len(pickled) < 2000
    np.testing.assert_array_equal(pickle.loads(pickled).transform(waveforms), embedder.transform(waveforms))
    auricle.load("byola-2020-512", seed=1).save_pretrained(tmp_path / "model")
    with pytest.raises(ValueError, match="is not the model that this AudioEmbedder was fitted with"):
        pickle.loads(pickled).transform(waveforms)
    clone(embedder).fit(waveforms).transform(waveforms)  # whoever fits again takes what is there now


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        ("dog.wav", "give a list of paths"),
        (["nowhere.wav"], "nowhere.wav"),
        ([np.zeros(9, np.float32), np.full(9, np.nan, np.float32)], "clip 1: .* NaN"),
        ([np.zeros((9, 2), np.float32)], "clip 0: .* transpose"),
    ],
)
def test_what_cannot_be_embedded_is_said(clips, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AudioEmbedder("logmel-stats").fit(clips[:] if isinstance(clips, list) else clips).transform(clips)


def test_an_unknown_model_is_said_in_fit() -> None:
    with pytest.raises(ValueError, match="did you mean"):
        AudioEmbedder("logmel-stat").fit([np.zeros(9, np.float32)])


@pytest.mark.real
def test_a_pipeline_tells_real_keywords_from_other_sounds(real_data: Path) -> None:
    keywords = sorted((real_data / "speech_commands").glob("[a-z]*/*.ogg"))[::150][:20]
    others = sorted((real_data / "ESC-50-master" / "audio").glob("*.ogg"))[::100][:20]
    labels = ["speech"] * len(keywords) + ["other"] * len(others)
    pipeline = make_pipeline(AudioEmbedder("logmel-stats"), StandardScaler(), LogisticRegression())
    assert cross_val_score(pipeline, [*keywords, *others], labels, cv=4).mean() > 0.85
