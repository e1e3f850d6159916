import pytest

from auricle.datasets.check import check
from auricle.datasets.registry import dataset
from auricle.errors import AuricleError

from . import layouts


def test_its_odd_csv_is_read(tmp_path):
    """Two comments, a header that begins with #, a space after each comma, and commas inside quotes."""
    layouts.audioset(tmp_path)
    manifest = dataset("audioset").load(tmp_path).validate(files=True)
    labels = dict(zip(manifest.column("cluster"), manifest.column("labels"), strict=True))
    assert labels == {
        "--4gqARaEJE": ["Speech", "Music"],
        "-0SdAVK79lg": ["Male speech, man speaking"],
        "---1_cCGK4M": ["Music"],
        "YzYzYzYzYzY": ["Speech"],
    }


def test_recordings_are_found_by_whatever_name_their_downloader_gave_them(tmp_path):
    layouts.audioset(tmp_path)
    manifest = dataset("audioset").load(tmp_path)
    paths = dict(zip(manifest.column("cluster"), manifest.column("path"), strict=True))
    assert paths == {
        "--4gqARaEJE": "balanced_train_segments/--4gqARaEJE.wav",
        "-0SdAVK79lg": "balanced_train_segments/Y-0SdAVK79lg.wav",
        "---1_cCGK4M": "unbalanced_train_segments/part00/---1_cCGK4M_0_10000.wav",
        "YzYzYzYzYzY": "eval_segments/YzYzYzYzYzY_30.000_40.000.wav",  # an id that begins with Y
    }
    splits = dict(zip(manifest.column("cluster"), manifest.column("split"), strict=True))
    assert (splits["---1_cCGK4M"], splits["YzYzYzYzYzY"]) == ("train", "test")
    assert splits["--4gqARaEJE"] in ("train", "valid")


def test_videos_that_have_gone_are_left_out_and_counted(tmp_path):
    layouts.audioset(tmp_path)
    copy = check(dataset("audioset-balanced"), tmp_path)
    assert copy.missing == ["balanced_train_segments/00000000gon"]
    assert copy.name == "audioset-balanced (local: 3 classes, 3 clips)"
    assert dataset("AudioSet-20K") is dataset("audioset-balanced")


def test_a_label_that_has_no_name_and_a_line_of_another_file_are_refused(tmp_path):
    layouts.audioset(tmp_path)
    names = tmp_path / "AudioSet" / "class_labels_indices.csv"
    published = names.read_text()
    names.write_text(published.replace("/m/05zppz", "/m/0"))
    with pytest.raises(AuricleError, match=r"marks -0SdAVK79lg with /m/05zppz, which is not in class_labels_indices"):
        dataset("audioset-balanced").load(tmp_path)
    names.write_text(published)
    layouts.text(tmp_path / "AudioSet" / "eval_segments.csv", "YzYzYzYzYzY,30.0,40.0")
    with pytest.raises(
        AuricleError, match=r"line 1 of .*eval_segments\.csv has 3 fields; expected YTID, start, end and"
    ):
        dataset("audioset").load(tmp_path)
