"""Each loader on a tiny copy of its published layout."""

import json
import shutil
from collections import Counter

import numpy as np
import pytest
import soundfile

from auricle import audio
from auricle.datasets.check import check
from auricle.datasets.registry import dataset
from auricle.errors import AuricleError

from . import layouts


def row(manifest, path):
    index = manifest.column("path").index(path)
    return {name: manifest.column(name)[index] for name in manifest.table.column_names if name != "path"}


def test_esc50(tmp_path):
    layouts.esc50(tmp_path)
    manifest = dataset("esc50").load(tmp_path)
    assert row(manifest, "audio/1-100032-A-0.wav") == {
        "label": "dog",
        "fold": 1,
        "cluster": "100032",
        "take": "A",
        "esc10": "yes",
    }
    assert manifest.column("cluster")[1:3] == ["100038", "100038"]  # in folds 2 and 3: allowed, and no `group`
    assert dataset("esc50").study_split(manifest).column("split") == ["train", "train", "train", "valid", "test"]
    assert not dataset("esc50").study_split(manifest).has("fold")


def test_a_copy_in_another_format_and_under_another_name_is_found(tmp_path):
    layouts.esc50(tmp_path, suffix=".flac")
    (tmp_path / "ESC-50-master").rename(tmp_path / "ESC-50")
    manifest = dataset("esc50").load(tmp_path / "ESC-50")
    assert manifest.column("path")[0] == "audio/1-100032-A-0.flac"
    manifest.validate(files=True)


def test_a_recording_that_is_listed_but_not_there_is_said(tmp_path):
    layouts.esc50(tmp_path)
    (tmp_path / "ESC-50-master" / "audio" / "4-5-A-0.wav").unlink()
    with pytest.raises(AuricleError, match=r"esc50: .*4-5-A-0\.wav is listed but not there"):
        dataset("esc50").load(tmp_path)


def test_urbansound8k(tmp_path):
    layouts.urbansound8k(tmp_path)
    entry = dataset("urbansound8k")
    manifest = entry.load(tmp_path)
    assert manifest.column("fold") == list(range(1, 11))
    assert row(manifest, "audio/fold2/1002-3-0-0.wav") == {
        "label": "dog_bark",
        "fold": 2,
        "group": "1002",
        "cluster": "1002",
        "salience": "foreground",
    }
    assert entry.study_split(manifest).column("split") == ["train"] * 8 + ["valid", "test"]


@pytest.mark.parametrize(
    ("rate", "channels", "subtype"),
    [
        (8000, 1, "PCM_U8"),
        (11025, 1, "MS_ADPCM"),
        (44100, 2, "PCM_16"),
        (48000, 2, "FLOAT"),
        (96000, 2, "PCM_24"),
        (192000, 1, "PCM_32"),
    ],
)
def test_urbansound8k_s_mixed_rates_depths_and_channels_sound_alike(rate, channels, subtype, tmp_path):
    layouts.urbansound8k(tmp_path)
    file = tmp_path / "UrbanSound8K" / "audio" / "fold1" / "1001-3-0-0.wav"
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * rate) / rate)
    soundfile.write(file, np.repeat(tone[:, None], channels, axis=1), rate, subtype=subtype)
    heard = audio.read(dataset("urbansound8k").load(tmp_path).files[0], sample_rate=16000)
    assert len(heard) / 16000 == pytest.approx(2.0, abs=0.1)  # ADPCM fills its last block
    spectrum = np.abs(np.fft.rfft(heard[:16000]))
    assert int(spectrum.argmax()) == 440
    assert np.abs(heard[8000:16000]).max() == pytest.approx(0.5, abs=0.03)


def test_speech_commands(tmp_path):
    layouts.speech_commands(tmp_path)
    manifest = dataset("speech_commands").load(tmp_path)
    assert len(manifest) == 5  # no background noise
    assert row(manifest, "no/cc_nohash_0.wav") == {
        "label": "no",
        "split": "test",
        "group": "cc",
        "cluster": "cc",
        "speaker": "cc",
    }
    assert Counter(manifest.column("split")) == {"train": 3, "valid": 1, "test": 1}


def test_vctk_and_its_three_known_gaps(tmp_path):
    layouts.vctk(tmp_path)
    manifest = dataset("vctk").load(tmp_path)
    assert all("mic1" in path for path in manifest.column("path"))
    splits = dict(zip(manifest.column("utterance"), manifest.column("split"), strict=True))
    assert splits == {1: "valid", 25: "valid", 26: "test", 50: "test", 51: "train", 100: "train", 366: "train"}
    folder = "wav48_silence_trimmed"
    assert row(manifest, f"{folder}/p225/p225_051_mic1.flac") == {
        "label": "p225",
        "split": "train",
        "speaker": "p225",
        "utterance": 51,
        "text": "Please call Stella.",
        "sex": "f",
        "age": 23,
        "accent": "English",
    }
    assert row(manifest, f"{folder}/p315/p315_366_mic1.flac")["text"] is None
    assert row(manifest, f"{folder}/s5/s5_100_mic1.flac")["sex"] is None
    assert not manifest.has("group")  # the speaker is the class


def test_vctk_p362_has_texts_that_nobody_is_heard_to_read(tmp_path):
    layouts.vctk(tmp_path)
    folder = tmp_path / "VCTK-Corpus-0.92"
    layouts.silence(folder / "wav48_silence_trimmed" / "p362" / "p362_002_mic1.flac")
    layouts.silence(folder / "wav48_silence_trimmed" / "p362" / "p362_003_mic2.flac")
    for utterance in ("001", "002", "003"):
        layouts.text(folder / "txt" / "p362" / f"p362_{utterance}.txt", "Ask her to bring these things.")
    copy = check(dataset("vctk"), tmp_path)
    paths = [path for path in copy.manifest.column("path") if "p362" in path]
    assert paths == ["wav48_silence_trimmed/p362/p362_002_mic1.flac"]
    assert copy.missing == []  # so it was released


@pytest.mark.parametrize("below", ["nsynth", "."])
def test_nsynth(below, tmp_path):
    layouts.nsynth(tmp_path, below=below)
    manifest = dataset("nsynth").load(tmp_path)
    assert row(manifest, "nsynth-train/audio/bass_synthetic_033-022-025.wav") == {
        "label": "bass",
        "split": "train",
        "cluster": "bass_synthetic_033",
        "instrument": "bass_synthetic_033",
        "pitch": 22,
        "velocity": 25,
        "source": "synthetic",
    }
    assert manifest.column("split") == ["train", "valid", "test"]  # though valid and test share an instrument


def test_nsynth_tests_no_synth_lead(tmp_path):
    layouts.nsynth(tmp_path)
    for split in ("train", "valid"):
        examples = tmp_path / "nsynth" / f"nsynth-{split}" / "examples.json"
        note = f"synth_lead_synthetic_00{split == 'train':d}-060-127"
        facts = {
            "pitch": 60,
            "velocity": 127,
            "instrument_str": note.partition("-")[0],
            "instrument_family_str": "synth_lead",
            "instrument_source_str": "synthetic",
        }
        examples.write_text(json.dumps({**json.loads(examples.read_text()), note: facts}))
        layouts.silence(examples.parent / "audio" / f"{note}.wav")
    manifest = dataset("nsynth").load(tmp_path)
    families = {split: set() for split in ("train", "valid", "test")}
    for split, label in zip(manifest.column("split"), manifest.column("label"), strict=True):
        families[split].add(label)
    assert families == {"train": {"bass", "synth_lead"}, "valid": {"guitar", "synth_lead"}, "test": {"guitar"}}
    assert "synth_lead" in dataset("nsynth").labels and len(dataset("nsynth").labels) == 11


def test_nsynth_s_pitch_is_a_number_to_predict(tmp_path):
    layouts.nsynth(tmp_path)
    manifest = dataset("nsynth-pitch").load(tmp_path)
    assert manifest.column("target") == [22.0, 60.0, 72.0]
    assert manifest.column("family") == ["bass", "guitar", "guitar"]


def test_nsynth_without_its_large_training_part(tmp_path):
    layouts.nsynth(tmp_path)
    shutil.rmtree(tmp_path / "nsynth" / "nsynth-train")
    assert dataset("nsynth").load(tmp_path).column("split") == ["valid", "test"]


def test_ava_speech(tmp_path):
    layouts.ava_speech(tmp_path, films=55, gone=1)
    manifest = dataset("ava-speech").load(tmp_path)
    films = {name: set() for name in ("train", "valid", "test")}
    for film, split in zip(manifest.column("film"), manifest.column("split"), strict=True):
        films[split].add(film)
    assert {name: len(there) for name, there in films.items()} == {"train": 34, "valid": 10, "test": 10}
    assert max(films["train"]) < min(films["valid"]) < max(films["valid"]) < min(films["test"])
    assert "film000" not in films["train"]  # it is annotated, but gone
    assert manifest.column("label")[:3] == ["no_speech", "speech", "speech"]
    assert manifest.column("annotation")[:3] == ["NO_SPEECH", "CLEAN_SPEECH", "SPEECH_WITH_MUSIC"]
    assert (manifest.column("start")[0], manifest.column("end")[0]) == (900.0, 903.5)


@pytest.mark.parametrize(
    ("there", "kept"),
    [(140, 30), (20, 4), (34, 7), (165, 30), (1, 1)],  # the study's, the stand-in's; 30/140 of others, never more
)
def test_ava_speech_limited_trains_on_the_first_thirty_of_140_films(there, kept, tmp_path):
    layouts.ava_speech(tmp_path, films=there + 20, gone=0)
    manifest = dataset("ava-speech-limited").load(tmp_path)
    rows = set(zip(manifest.column("split"), manifest.column("film"), strict=True))
    training = sorted(film for split, film in rows if split == "train")
    assert training == [f"film{number:03d}" for number in range(kept)]
    assert len(rows) == kept + 20


def test_too_few_films_and_strange_annotations_are_said(tmp_path):
    layouts.ava_speech(tmp_path, films=20, gone=0)
    with pytest.raises(AuricleError, match="20 annotated films"):
        dataset("ava-speech").load(tmp_path)
    labels = tmp_path / "AVA-Speech" / "ava_speech_labels_v1.csv"
    labels.write_text("video,start,end,label\nfilm000,0,1,SPEECH\n")
    with pytest.raises(AuricleError, match=r"line 2 of .* is marked 'SPEECH'; expected NO_SPEECH, "):
        dataset("ava-speech").load(tmp_path)
    labels.write_text("film000,0,one,NO_SPEECH\n")
    with pytest.raises(AuricleError, match=r"line 1 of .* is 'film000,0,one,NO_SPEECH'; expected film,start,end"):
        dataset("ava-speech").load(tmp_path)


def test_digits(tmp_path):
    layouts.digits(tmp_path)
    manifest = dataset("digits").load(tmp_path)
    assert manifest.column("label") == ["0", "1", "2"]
    assert manifest.column("split") == ["test", "valid", "train"]
    assert manifest.column("take") == [0, 5, 10]


def test_digits_by_speaker_hold_out_one_of_six(tmp_path):
    layouts.digits_by_speakers(tmp_path)
    manifest = dataset("digits-speakers").load(tmp_path)
    folds = {fold: set() for fold in range(1, 7)}
    for fold, speaker in zip(manifest.column("fold"), manifest.column("group"), strict=True):
        folds[fold].add(speaker)
    assert [len(speakers) for speakers in folds.values()] == [1] * 6
    assert manifest.column("cluster") == manifest.column("speaker")
    assert set(dataset("digits").load(tmp_path).column("split")) == {"train", "valid", "test"}  # the same files by take
    table = tmp_path / "digits" / "manifest.csv"
    table.write_text(table.read_text().replace("theo", "thea"))
    for file in (tmp_path / "digits" / "audio").glob("*_theo_*"):
        file.rename(file.with_name(file.name.replace("theo", "thea")))
    with pytest.raises(AuricleError, match="unknown speaker 'thea'; expected one of george, jackson"):
        dataset("digits-speakers").load(tmp_path)


def test_emodb_holds_out_a_woman_and_a_man_in_each_fold(tmp_path):
    layouts.emodb(tmp_path)
    manifest = dataset("emodb").load(tmp_path)
    folds = {fold: set() for fold in range(1, 6)}
    for fold, sex in zip(manifest.column("fold"), manifest.column("sex"), strict=True):
        folds[fold].add(sex)
    assert all(sexes == {"f", "m"} for sexes in folds.values())
    assert manifest.column("group") == manifest.column("speaker") == manifest.column("cluster")
    assert "03" in manifest.column("speaker")
