from pathlib import Path

import numpy as np
import pytest

from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.transfer.splits import labels_of, partitions, refuse_untrained


def manifest(**columns: list) -> Manifest:
    rows = len(next(iter(columns.values())))
    names = {"path": [f"{row}.wav" for row in range(rows)], **columns}
    return Manifest.from_rows(
        [{name: values[row] for name, values in names.items()} for row in range(rows)],
        root=Path(),
        source="birds.csv",
    )


def test_esc50s_last_fold_is_selected_by_its_first() -> None:
    parts = partitions(manifest(fold=[1, 2, 3, 4, 5, 5]))
    assert [part.fold for part in parts] == [1, 2, 3, 4, 5]
    first, last = parts[0], parts[-1]
    assert (first.test.tolist(), first.valid.tolist(), first.train.tolist()) == ([0], [1], [2, 3, 4, 5])
    assert (last.test.tolist(), last.valid.tolist(), last.train.tolist()) == ([4, 5], [0], [1, 2, 3])


@pytest.mark.parametrize("folds", [[0, 1, 2, 3], [7, 2, 30, 2, 7]])
def test_every_clip_is_tested_once_and_never_by_a_probe_that_saw_it(folds: list[int]) -> None:
    parts = partitions(manifest(fold=folds))
    assert sorted(np.concatenate([part.test for part in parts]).tolist()) == list(range(len(folds)))
    for part in parts:
        together = np.concatenate([part.train, part.valid, part.test])
        assert sorted(together.tolist()) == list(range(len(folds)))
        assert {folds[row] for row in part.test} == {part.fold}
        assert len({folds[row] for row in part.valid}) == 1


def test_splits_make_one_partition() -> None:
    (part,) = partitions(manifest(split=["test", "train", "valid", "train"]))
    assert part.fold is None
    assert (part.train.tolist(), part.valid.tolist(), part.test.tolist()) == ([1, 3], [2], [0])


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"label": ["a", "b"]}, "birds.csv has neither a column `fold` nor a column `split`"),
        ({"split": ["train", "test"]}, "birds.csv has no clips of split valid"),
        ({"fold": [1, 2]}, "birds.csv has 2 folds: expected at least 3"),
    ],
)
def test_without_official_parts_there_is_no_probe(columns: dict, sentence: str) -> None:
    with pytest.raises(AuricleError, match=sentence):
        partitions(manifest(**columns))


def test_classes_are_the_sorted_labels() -> None:
    labels = labels_of(manifest(label=["wren", "owl", "wren", "crow"]))
    assert labels.classes == ("crow", "owl", "wren")
    assert labels.of_clip.tolist() == [2, 1, 2, 0]


def test_detection_sets_one_label_against_the_rest() -> None:
    labels = labels_of(manifest(label=["wren", "owl", "wren", "crow"]), positive="wren")
    assert labels.classes == ("not wren", "wren")
    assert labels.of_clip.tolist() == [1, 0, 1, 0]
    assert labels_of(manifest(label=["wren", "none"]), positive="wren").classes == ("none", "wren")


def test_labels_that_cannot_be_learnt_are_named() -> None:
    with pytest.raises(AuricleError, match=r"birds.csv: row 2 \(1.wav\) has no label"):
        labels_of(manifest(label=["owl", None]))
    with pytest.raises(AuricleError, match="only the class 'owl'"):
        labels_of(manifest(label=["owl", "owl"]))
    with pytest.raises(AuricleError, match="no label 'wren' to detect; it has crow, owl"):
        labels_of(manifest(label=["owl", "crow"]), positive="wren")


def test_a_scored_class_must_have_been_trained() -> None:
    clips = manifest(label=["owl", "wren", "owl", "owl", "owl"], fold=[1, 1, 2, 3, 4])
    with pytest.raises(AuricleError, match="no training clips of class 'wren' when fold 1 is tested"):
        refuse_untrained(labels_of(clips), partitions(clips), clips.source)


def test_a_class_without_test_clips_is_nothing_unusual() -> None:
    clips = manifest(label=["owl", "wren", "owl", "owl"], split=["train", "train", "valid", "test"])
    refuse_untrained(labels_of(clips), partitions(clips), clips.source)
