"""Copies that are the release and copies that are not; the published counts are those of the fact sheet."""

from dataclasses import replace

import pytest

from auricle.datasets.check import check
from auricle.datasets.registry import dataset, list_datasets
from auricle.errors import AuricleError

from . import layouts

PUBLISHED = {  # clips, classes, and clips by split, by the papers and the readers of others
    "esc50": (2000, 50, {f"fold {fold}": 400 for fold in range(1, 6)}),
    "nsynth": (305979, 11, {"train": 289205, "valid": 12678, "test": 4096}),
    "speech-commands": (105829, 35, {"train": 84843, "valid": 9981, "test": 11005}),
    "speech-commands-12": (100503, 12, {"train": 85511, "valid": 10102, "test": 4890}),
    "voxceleb1": (153516, 1251, {"train": 138361, "valid": 6904, "test": 8251}),
    "crema-d": (7438, 6, {"train": 5155, "valid": 732, "test": 1551}),
    "gtzan": (930, 10, {"train": 443, "valid": 197, "test": 290}),
    "fsd50k": (51197, 200, {"train": 36796, "valid": 4170, "test": 10231}),
    "surge": (2084 * 88, 88, {"train": 1692 * 88, "valid": 195 * 88, "test": 197 * 88}),
    "magnatagatune": (25860, 50, {"train": 18706, "valid": 1825, "test": 5329}),
    "urbansound8k": (8732, 10, None),
    "vctk": (44455, 110, None),
    "voxforge": (176428, 6, None),
    "emodb": (535, 7, None),
    "digits": (3000, 10, None),
    "audioset": (2042985 + 22176 + 20371, 527, None),
    "audioset-balanced": (22176 + 20371, 527, None),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_entries_hold_the_published_counts(name):
    entry = dataset(name)
    clips, classes, counts = PUBLISHED[name]
    assert (entry.clips, entry.classes) == (clips, classes)
    if counts is not None:
        assert entry.counts == counts


@pytest.mark.parametrize("name", list_datasets())
def test_counts_by_split_sum_to_the_clips(name):
    entry = dataset(name)
    by_split = {part: count for part, count in entry.counts.items() if part != entry.class_noun}
    assert not by_split or sum(by_split.values()) == entry.clips


def test_a_copy_with_the_counts_of_the_release_bears_its_name(tmp_path):
    layouts.esc50(tmp_path)
    small = replace(dataset("esc50"), classes=2, clips=5, counts={f"fold {fold}": 1 for fold in range(1, 6)})
    copy = check(small, tmp_path)
    assert (copy.name, copy.is_published, copy.missing, copy.differences) == ("esc50", True, [], [])
    assert (copy.clips, copy.classes, len(copy.manifest)) == (5, 2, 5)


def test_another_copy_is_called_what_it_is(tmp_path):
    layouts.speech_commands(tmp_path)
    copy = check(dataset("speech-commands"), tmp_path)
    assert copy.name == "speech-commands (local: 2 words, 5 clips)"
    assert not copy.is_published
    assert copy.differences == [
        "5 clips, the release has 105,829",
        "train: 3 clips, the release has 84,843",
        "valid: 1 clips, the release has 9,981",
        "test: 1 clips, the release has 11,005",
        "2 words, the release has 35",
    ]


def test_every_recording_that_is_listed_but_not_there_is_named(tmp_path):
    layouts.esc50(tmp_path)
    for name in ("2-100038-A-14.wav", "4-5-A-0.wav"):
        (tmp_path / "ESC-50-master" / "audio" / name).unlink()
    copy = check(dataset("esc50"), tmp_path)
    assert copy.missing == ["audio/2-100038-A-14.wav", "audio/4-5-A-0.wav"]
    assert copy.clips == 3
    assert "fold 4: 0 clips, the release has 400" in copy.differences


def test_a_split_that_is_absent_is_said(tmp_path):
    layouts.nsynth(tmp_path)
    (tmp_path / "nsynth" / "nsynth-train" / "examples.json").unlink()
    assert "train: 0 clips, the release has 289,205" in check(dataset("nsynth"), tmp_path).differences


def test_labels_of_another_language_are_no_release_whatever_their_number(tmp_path):
    layouts.fsd50k(tmp_path)
    small = replace(dataset("fsd50k"), classes=3, clips=3, counts={"train": 1, "valid": 1, "test": 1})
    assert check(small, tmp_path).is_published
    german = replace(small, labels=("E-Gitarre", "Guitar", "Music"))
    assert check(german, tmp_path).differences == ["missing classes: E-Gitarre", "unknown classes: Electric_guitar"]


def test_ava_speech_is_counted_in_films_since_many_have_gone(tmp_path):
    layouts.ava_speech(tmp_path, films=162, gone=2)
    copy = check(dataset("ava-speech"), tmp_path)
    assert copy.name == "ava-speech"  # the study's 160 films
    assert copy.missing == ["film000", "film001"]
    (tmp_path / "AVA-Speech" / "film007.wav").unlink()
    fewer = check(dataset("ava-speech"), tmp_path)
    assert fewer.name == "ava-speech (local: 159 films, 477 clips)"
    assert fewer.differences == ["159 films, the release has 160"]
    assert check(dataset("ava-speech-limited"), tmp_path).name == "ava-speech-limited"  # 30 + 10 + 10 of them


def test_a_number_to_predict_has_no_classes_but_instruments(tmp_path):
    layouts.nsynth(tmp_path)
    assert check(dataset("nsynth-pitch"), tmp_path).name == "nsynth-pitch (local: 2 instruments, 3 clips)"


def test_a_split_of_ours_is_not_the_published_one(tmp_path):
    layouts.surge(tmp_path)
    whole = replace(dataset("surge"), classes=3, clips=6, counts={}, labels=())
    assert check(whole, tmp_path).differences == [
        "there is no split.csv with the split of published scores: the split is ours"
    ]
    rows = [f"{patch}-velocity64/{note}.ogg,test" for patch in ("Bass 1", "Lead 2") for note in (21, 60, 108)]
    layouts.text(tmp_path / "surge" / "split.csv", "file_name,split", *rows)
    assert check(whole, tmp_path).name == "surge"


def test_nothing_at_all_is_an_error(tmp_path):
    layouts.esc50(tmp_path)
    for file in (tmp_path / "ESC-50-master" / "audio").iterdir():
        file.unlink()
    with pytest.raises(AuricleError, match="none of the 5 recordings that are listed"):
        check(dataset("esc50"), tmp_path)
