"""The loaders on the real audio at hand: counts from its own description."""

from collections import Counter, defaultdict

import pytest

from auricle import audio
from auricle.datasets.check import check
from auricle.datasets.registry import dataset, training_part
from auricle.datasets.windows import WindowedTask
from auricle.errors import AuricleError
from auricle.manifest import Manifest

pytestmark = pytest.mark.real


@pytest.mark.parametrize(
    ("name", "clips", "classes"),
    [
        ("esc50", 2000, 50),
        ("speech-commands", 6000, 20),
        ("vctk", 2500, 125),
        ("nsynth", 3465, 11),
        ("digits", 1800, 10),
        ("emodb", 535, 7),
    ],
)
def test_clips_and_classes(name, clips, classes, real_data):
    manifest = dataset(name).load(real_data).validate(files=True)
    assert len(manifest) == clips
    assert len(set(manifest.column("label"))) == classes


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("esc50", "esc50"),
        ("emodb", "emodb"),
        ("speech-commands", "speech-commands (local: 20 words, 6,000 clips)"),
        ("vctk", "vctk (local: 125 speakers, 2,500 clips)"),
        ("nsynth", "nsynth (local: 11 families, 3,465 clips)"),
        ("nsynth-pitch", "nsynth-pitch (local: 43 instruments, 3,465 clips)"),
        ("digits", "digits (local: 10 digits, 1,800 clips)"),
        ("digits-speakers", "digits-speakers (local: 10 digits, 1,800 clips)"),
    ],
)
def test_what_is_the_release_and_what_stands_in_for_it(name, called, real_data):
    copy = check(dataset(name), real_data)
    assert copy.name == called
    assert copy.missing == []


def test_the_films_are_forty_and_the_limited_task_trains_on_four_of_twenty(real_data):
    whole, limited = (check(dataset(name), real_data) for name in ("ava-speech", "ava-speech-limited"))
    assert (whole.classes, limited.classes) == (40, 24)
    assert whole.name.startswith("ava-speech (local: 40 films, ")
    training = {
        film
        for film, split in zip(limited.manifest.column("film"), limited.manifest.column("split"), strict=True)
        if split == "train"
    }
    assert training == {"a00film", "a01film", "a02film", "a03film"}
    frames = dataset("ava-speech-frames").load(real_data)
    assert frames.table.equals(whole.manifest.table)


def test_twelve_commands_need_the_english_words(real_data):
    with pytest.raises(AuricleError, match="has no word 'go'"):
        dataset("speech-commands-12").load(real_data)


def test_esc50_has_five_equal_folds_and_four_recordings_that_straddle_them(real_data):
    manifest = dataset("esc50").load(real_data)
    assert Counter(manifest.column("fold")) == dict.fromkeys(range(1, 6), 400)
    assert Counter(Counter(manifest.column("label")).values()) == {40: 50}
    folds = defaultdict(set)
    for cluster, fold in zip(manifest.column("cluster"), manifest.column("fold"), strict=True):
        folds[cluster].add(fold)
    straddling = sorted(cluster for cluster, seen in folds.items() if len(seen) > 1)
    assert len(straddling) == 4
    assert all(cluster in dataset("esc50").exceptions for cluster in straddling)
    split = Counter(dataset("esc50").study_split(manifest).column("split"))
    assert split == {"train": 1200, "valid": 400, "test": 400}


def test_speech_commands_has_thirty_speakers_and_official_lists(real_data):
    manifest = dataset("speech-commands").load(real_data)
    assert len(set(manifest.column("speaker"))) == 30
    assert Counter(manifest.column("split")) == {"train": 3600, "valid": 1200, "test": 1200}


def test_vctk_has_five_five_and_ten_utterances_of_each_speaker(real_data):
    manifest = dataset("vctk").load(real_data)
    assert Counter(manifest.column("split")) == {"valid": 625, "test": 625, "train": 1250}
    assert set(manifest.column("sex")) == {"f", "m"}
    assert min(manifest.column("age")) < 12
    assert all(manifest.column("text"))


def test_nsynth_has_43_instruments_and_midi_21_to_108(real_data):
    manifest = dataset("nsynth").load(real_data)
    assert len(set(manifest.column("instrument"))) == 43
    assert (min(manifest.column("pitch")), max(manifest.column("pitch"))) == (21, 108)
    families = defaultdict(set)
    for label, split in zip(manifest.column("label"), manifest.column("split"), strict=True):
        families[split].add(label)
    assert families["train"] - families["test"] == {"vocal"}


def test_ava_speech_has_forty_films_and_the_stated_prevalence_of_speech(real_data):
    manifest = dataset("ava-speech").load(real_data).validate(files=True)
    films = set(zip(manifest.column("split"), manifest.column("film"), strict=True))
    assert Counter(split for split, _ in films) == {"train": 20, "valid": 10, "test": 10}
    counts = WindowedTask(manifest).counts
    for split, prevalence in {"train": 0.40, "valid": 0.50, "test": 0.66}.items():
        share = counts[split, "speech"] / (counts[split, "speech"] + counts[split, "no_speech"])
        assert share == pytest.approx(prevalence, abs=0.01)


def test_emodb_and_digits_have_their_speakers(real_data):
    assert len(set(dataset("emodb").load(real_data).column("speaker"))) == 10
    digits = dataset("digits").load(real_data)
    assert len(set(digits.column("speaker"))) == 6
    assert Counter(digits.column("split")) == {"train": 1200, "valid": 300, "test": 300}


def test_what_is_for_pre_training(real_data):
    unlabelled = Manifest.read(real_data / "unlabelled" / "manifest.csv").validate(files=True)
    assert len(training_part(unlabelled)) == 1658
    assert sum(unlabelled.column("seconds")) / 3600 == pytest.approx(4.1, abs=0.1)
    for name, clips in {"speech-commands": 3600, "vctk": 1250, "nsynth": 1824, "digits": 1200}.items():
        part = training_part(dataset(name).load(real_data))
        assert len(part) == clips
        assert not part.has("label")


def test_every_hundredth_file_is_decoded_and_as_long_as_described(real_data):
    seconds = {"esc50": 5.0, "speech-commands": 1.0, "nsynth": 2.4}
    for name in ("esc50", "speech-commands", "vctk", "nsynth", "digits", "emodb"):
        for file in dataset(name).load(real_data).files[::100]:
            heard = audio.read(file, sample_rate=16000)
            if name in seconds:
                assert len(heard) / 16000 == pytest.approx(seconds[name], abs=0.05), file
