from collections import Counter

from auricle.datasets.registry import dataset

from . import layouts


def test_a_name_says_actor_sentence_emotion_and_level(tmp_path):
    layouts.crema_d(tmp_path)
    rows = {row["path"]: row for row in dataset("crema-d").load(tmp_path).table.to_pylist()}
    happy, neutral = rows["AudioWAV/1001_IEO_HAP_LO.wav"], rows["AudioWAV/1001_DFA_NEU_XX.wav"]
    assert (happy["label"], happy["speaker"], happy["sentence"], happy["level"]) == ("happiness", "1001", "IEO", "low")
    assert (neutral["label"], neutral["level"]) == ("neutral", None)


def test_63_actors_train_9_validate_19_are_scored_and_stay_there_in_a_part_of_the_corpus(tmp_path):
    layouts.crema_d(tmp_path)
    manifest = dataset("crema-d").load(tmp_path)
    split_of = dict(zip(manifest.column("speaker"), manifest.column("split"), strict=True))
    assert Counter(split_of.values()) == {"train": 63, "valid": 9, "test": 19}
    assert manifest.column("group") == manifest.column("speaker")
    for file in sorted((tmp_path / "CREMA-D" / "AudioWAV").iterdir())[::2]:
        file.unlink()
    part = dataset("crema-d").load(tmp_path)
    assert all(
        split_of[actor] == split for actor, split in zip(part.column("speaker"), part.column("split"), strict=True)
    )


def test_four_recordings_are_never_used(tmp_path):
    layouts.crema_d(tmp_path)
    before = len(dataset("crema-d").load(tmp_path))
    # 7,442 of the corpus, 7,438 of its readers.
    for name in ("1040_ITH_SAD_XX", "1006_TIE_NEU_XX", "1013_WSI_DIS_XX", "1017_IWW_FEA_XX"):
        layouts.silence(tmp_path / "CREMA-D" / "AudioWAV" / f"{name}.wav")
    assert len(dataset("crema-d").load(tmp_path)) == before
    layouts.silence(tmp_path / "CREMA-D" / "AudioWAV" / "1040_ITH_SAD_X.wav")  # one X is a level, too
    assert len(dataset("crema-d").load(tmp_path)) == before + 1
