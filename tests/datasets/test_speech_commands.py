from collections import Counter

import pytest

from auricle.datasets.registry import dataset
from auricle.errors import AuricleError

from . import layouts

# Samples of the six files of background noise; TensorFlow Datasets cuts 668 clips for training and 121 for validation
# from them: 85,511 - 84,843 and 10,102 - 9,981 of its published counts.
NOISE = {
    "doing_the_dishes": 1_522_930,
    "dude_miaowing": 988_891,
    "exercise_bike": 980_062,
    "pink_noise": 960_000,
    "running_tap": 978_488,
    "white_noise": 960_000,
}


def test_a_word_that_is_listed_but_not_there_is_said(tmp_path):
    layouts.speech_commands(tmp_path)
    (tmp_path / "speech_commands" / "no" / "cc_nohash_0.wav").unlink()
    with pytest.raises(AuricleError, match=r"speech-commands: .*no/cc_nohash_0\.wav is listed but not there"):
        dataset("speech-commands").load(tmp_path)


def test_twelve_classes_are_ten_words_any_other_word_and_silence(tmp_path):
    layouts.speech_commands_twelve(tmp_path)
    manifest = dataset("speech-commands-12").load(tmp_path).validate(files=True)
    counts = Counter(zip(manifest.column("split"), manifest.column("label"), strict=True))
    assert counts["train", "yes"] == 1  # of three speakers one is for validation and one for test
    assert counts["train", "go"] == 3
    assert counts["valid", "yes"] == counts["valid", "_unknown_"] == 1
    assert counts["train", "_unknown_"] == 2  # marvin
    # The test part is the other archive, not the test list of the first.
    tested = [
        path for path, split in zip(manifest.column("path"), manifest.column("split"), strict=True) if split == "test"
    ]
    assert all(path.startswith("speech_commands_test_set_v0.02/") for path in tested)
    assert len(tested) == 12
    assert {label for split, label in counts if split == "test"} == set(dataset("speech-commands-12").labels)
    words = dict(zip(manifest.column("path"), manifest.column("word"), strict=True))
    assert words["speech_commands/marvin/aa_nohash_0.wav"] == "marvin"


def test_silence_is_cut_from_the_background_noise(tmp_path):
    layouts.speech_commands_twelve(tmp_path)
    manifest = dataset("speech-commands-12").load(tmp_path)
    silence = [row for row in manifest.table.to_pylist() if "_background_noise_" in row["path"]]
    assert [(row["cluster"], row["split"], row["start"], row["end"]) for row in silence] == [
        ("pink_noise", "train", 0.0, 1.0),
        ("pink_noise", "train", 0.5, 1.5),
        ("pink_noise", "train", 1.0, 2.0),
        ("running_tap", "valid", 0.0, 1.0),
    ]
    assert {row["label"] for row in silence} == {"_silence_"}


def test_as_much_silence_as_tensorflow_datasets_counts(tmp_path):
    layouts.speech_commands_twelve(tmp_path)
    for name, samples in NOISE.items():
        layouts.silence(tmp_path / "speech_commands" / "_background_noise_" / f"{name}.wav", seconds=samples / 16000)
    manifest = dataset("speech-commands-12").load(tmp_path)
    noise = [
        split
        for split, path in zip(manifest.column("split"), manifest.column("path"), strict=True)
        if "_background_noise_" in path
    ]
    assert Counter(noise) == {"train": 668, "valid": 121}


def test_the_other_archive_and_the_ten_words_are_needed(tmp_path):
    layouts.speech_commands_twelve(tmp_path)
    (tmp_path / "speech_commands_test_set_v0.02").rename(tmp_path / "elsewhere")
    with pytest.raises(
        AuricleError, match=r"expected .*speech_commands_test_set_v0\.02, the test part, beside .*; down"
    ):
        dataset("speech-commands-12").load(tmp_path)
    layouts.speech_commands(tmp_path / "arabic")
    with pytest.raises(AuricleError, match="has no word 'down'; the task needs down, go, left"):
        dataset("speech-commands-12").load(tmp_path / "arabic")
