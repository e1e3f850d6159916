import pytest

from auricle.datasets.registry import dataset
from auricle.errors import AuricleError

from . import layouts


def test_the_speaker_is_the_archives_name_up_to_its_first_hyphen(tmp_path):
    layouts.voxforge(tmp_path)
    rows = {row["archive"]: row for row in dataset("voxforge").load(tmp_path).table.to_pylist()}
    german = rows["ralfherzog-20080122-de38"]
    assert (german["label"], german["speaker"], german["group"]) == ("de", "ralfherzog", "ralfherzog")
    assert german["path"] == "de/ralfherzog-20080122-de38/wav/b0001.wav"
    assert rows["mwisconsin-20100108-xyz"]["path"].endswith("/flac/b0001.wav")
    # Who gave no name is one speaker, so that none of them stands in two parts.
    nameless = [rows["anonymous-20080425-aik"], rows["anonymous-20100907-wkb"]]
    assert {row["speaker"] for row in nameless} == {"anonymous"}
    assert len({row["split"] for row in nameless}) == 1


def test_archives_below_the_site_s_own_folders_are_found(tmp_path):
    layouts.silence(tmp_path / "voxforge/de/Trunk/Audio/Main/16kHz_16bit/guenter-20140214-afn/wav/de11-094.wav")
    manifest = dataset("voxforge").load(tmp_path)
    assert (manifest.column("archive"), manifest.column("label")) == (["guenter-20140214-afn"], ["de"])


def test_archives_that_are_still_packed_are_said(tmp_path):
    (tmp_path / "voxforge" / "de").mkdir(parents=True)
    (tmp_path / "voxforge" / "de" / "guenter-20140214-afn.tgz").write_bytes(b"packed")
    with pytest.raises(AuricleError, match=r"voxforge: the archives in .* are still packed; unpack each where it is"):
        dataset("voxforge").load(tmp_path)


def test_a_given_list_is_the_split_even_if_it_parts_a_speaker(tmp_path):
    layouts.voxforge(tmp_path)
    layouts.text(
        tmp_path / "voxforge" / "split.csv",
        "file_name,label,split",
        "anonymous-20080425-aik/wav/b0001.wav,en,train",
        "anonymous-20100907-wkb/wav/b0001.wav,en,test",
    )
    manifest = dataset("voxforge").load(tmp_path)
    assert manifest.column("split") == ["train", "test"]
    assert manifest.column("cluster") == ["anonymous", "anonymous"]
    assert not manifest.has("group")
