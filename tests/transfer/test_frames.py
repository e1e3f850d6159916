from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.results import summary
from auricle.transfer.frames import evaluate_frames
from auricle.transfer.probe import ProbeSettings

RATE = 10.0
FAST = ProbeSettings(epochs=20, learning_rate=0.03, standardise=True)
PARTS = ["train"] * 4 + ["valid"] * 2 + ["test"] * 4


def recordings(*, seconds: float = 60.0, noise: float = 0.3, silence: bool = True) -> tuple[list[dict], dict]:
    """Alternating stretches of silence and speech, and frames that tell them apart but for the noise."""
    rng = np.random.default_rng(0)
    rows, frames = [], {}
    for number, split in enumerate(PARTS):
        path, at, speaks = f"{number}.wav", 0.0, False
        times = (np.arange(seconds * RATE) + 0.5) / RATE
        active = np.zeros(len(times), dtype=bool)
        while at < seconds:
            end = min(seconds, at + 1 + 3 * rng.random())
            label = "speech" if speaks else "none"
            if speaks or silence:
                rows.append({"path": path, "start": at, "end": end, "label": label, "split": split})
            active |= speaks & (times >= at) & (times < end)
            at, speaks = end, not speaks
        x = np.outer(active - 0.5, np.ones(4)) + noise * rng.normal(size=(len(times), 4))
        frames[path] = (x.astype(np.float32), times)
    return rows, frames


def scored(rows: list[dict], frames: dict, **options):
    manifest = Manifest.from_rows(rows, root=Path())
    options = {"positive": "speech", "settings": FAST, "seeds": [0], **options}
    return evaluate_frames(frames.__getitem__, manifest, task="vad", model="m", **options)


def values(evaluation) -> dict[str, float]:
    return {row.metric: row.value for row in summary(evaluation.results)}


def test_clear_speech_is_found_where_it_is() -> None:
    evaluation = scored(*recordings(noise=0.01))
    found = values(evaluation)
    assert list(found) == ["frame_average_precision", "prevalence", "segment_f1", "event_onset_f1"]
    assert found["frame_average_precision"] == pytest.approx(1.0)
    assert found["event_onset_f1"] == pytest.approx(1.0)
    assert found["segment_f1"] > 0.97  # a segment of which less than a frame is speech can be missed
    assert {row.protocol for row in evaluation.results} == {
        "auricle (epochs=20, learning_rate=0.03, batch_size=64, patience=5, class_weighted=True, weight_decay=0.0, "
        "early_stopping=None, optimiser=adam)"
    }


def test_frame_average_precision_is_scikit_learns_over_annotated_frames() -> None:
    rows, frames = recordings(noise=2.0)
    # The last third of every recording is not annotated, and full of what sounds like speech.
    rows = [{**row, "end": min(row["end"], 40.0)} for row in rows if row["start"] < 40.0]
    for x, times in frames.values():
        x[times >= 40.0] = 5.0
    evaluation = scored(rows, frames, keep_probes=True)
    (probe,) = evaluation.probes
    score, truth = [], []
    for number in range(6, 10):
        x, times = frames[f"{number}.wav"]
        speech = [
            (row["start"], row["end"]) for row in rows if row["path"] == f"{number}.wav" and row["label"] == "speech"
        ]
        score.append(probe.logits(x)[times < 40.0, 0])
        truth.append([any(start <= at < end for start, end in speech) for at in times[times < 40.0]])
    expected = average_precision_score(np.concatenate(truth), np.concatenate(score))
    assert values(evaluation)["frame_average_precision"] == pytest.approx(expected, abs=1e-6)
    assert values(evaluation)["prevalence"] == pytest.approx(np.concatenate(truth).mean())
    first = evaluation.results[0]
    assert first.ci_low < first.value < first.ci_high
    assert evaluation.predictions.column("end").to_numpy().max() == 40.0


def test_segment_f1_is_that_of_its_predictions() -> None:
    evaluation = scored(*recordings(noise=1.5))
    table = evaluation.predictions.to_pandas()
    assert len(table) == 4 * 60
    expected = f1_score(table.label == "speech", table.predicted == "speech")
    assert values(evaluation)["segment_f1"] == pytest.approx(expected, abs=0.02)


def test_frames_that_know_nothing_score_the_prevalence() -> None:
    found = values(scored(*recordings(noise=1e6)))
    assert found["frame_average_precision"] == pytest.approx(found["prevalence"], abs=0.04)
    assert found["event_onset_f1"] < 0.5


def test_several_events_are_scored_class_by_class() -> None:
    rows, frames = recordings(noise=0.01)
    for path, (x, _) in frames.items():
        frames[path] = (np.concatenate([x, -x], axis=1), frames[path][1])
    found = scored(rows, frames, positive=None)
    assert values(found)["frame_average_precision"] == pytest.approx(1.0)
    assert found.per_class.column("label").to_pylist() == ["none", "speech"]


def test_folds_are_tested_in_turn() -> None:
    rows, frames = recordings(noise=0.3)
    folded = [{**row, "fold": int(row["path"][0]) % 5 + 1} for row in rows]
    for row in folded:
        del row["split"]
    evaluation = scored(folded, frames)
    assert set(evaluation.predictions.column("path").to_pylist()) == set(frames)
    assert values(evaluation)["frame_average_precision"] > 0.9


def test_memory_holds_a_sample_of_frames_only() -> None:
    rows, frames = recordings()
    asked: list[str] = []

    def once(path: str):
        asked.append(path)
        return frames[path]

    manifest = Manifest.from_rows(rows, root=Path())
    few = evaluate_frames(once, manifest, task="vad", model="m", positive="speech", settings=FAST, seeds=[0], sample=60)
    assert max(asked.count(path) for path in frames) <= 2
    assert values(few)["frame_average_precision"] > 0.9


def test_recordings_that_cannot_be_scored_are_refused() -> None:
    rows, frames = recordings()
    with pytest.raises(AuricleError, match="no label 'song' to detect; it has none, speech"):
        scored(rows, frames, positive="song")
    with pytest.raises(AuricleError, match=r"recording 0\.wav has more than one split"):
        scored([{**rows[0], "split": "test"}, *rows[1:]], frames)
    with pytest.raises(AuricleError, match="knn trains no probe"):
        scored(rows, frames, protocol="knn", settings=None)
    with pytest.raises(AuricleError, match="expected frames"):
        scored(rows, {path: (x, times[1:]) for path, (x, times) in frames.items()})
