import pytest

from auricle.datasets.registry import dataset
from auricle.errors import AuricleError

from . import layouts


def test_labels_are_lists_and_val_is_valid(tmp_path):
    layouts.fsd50k(tmp_path)
    manifest = dataset("fsd50k").load(tmp_path).validate(files=True)
    assert manifest.column("path") == [
        "FSD50K.dev_audio/64760.wav",
        "FSD50K.dev_audio/16399.wav",
        "FSD50K.eval_audio/37199.wav",
    ]
    assert manifest.column("labels") == [["Electric_guitar", "Guitar", "Music"], ["Music"], ["Guitar"]]
    assert manifest.column("split") == ["train", "valid", "test"]
    assert manifest.column("cluster") == ["64760", "16399", "37199"]


def test_the_vocabulary_has_no_header_and_may_have_one(tmp_path):
    layouts.fsd50k(tmp_path)
    vocabulary = tmp_path / "FSD50K" / "FSD50K.ground_truth" / "vocabulary.csv"
    lines = vocabulary.read_text().splitlines()
    before = dataset("fsd50k").load(tmp_path).fingerprint
    layouts.text(vocabulary, "idx,label,mid", *lines)
    assert dataset("fsd50k").load(tmp_path).fingerprint == before
    # Its first line is a label and no header: without it, that label is unknown.
    layouts.text(vocabulary, *lines[1:])
    with pytest.raises(AuricleError, match=r"line 2 of .*dev\.csv has the label 'Electric_guitar', which is not in"):
        dataset("fsd50k").load(tmp_path)
    layouts.text(vocabulary, "Guitar")
    with pytest.raises(AuricleError, match=r"vocabulary\.csv is not the published file"):
        dataset("fsd50k").load(tmp_path)
