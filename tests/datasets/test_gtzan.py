import pytest

from auricle import audio
from auricle.datasets.check import check
from auricle.datasets.registry import dataset
from auricle.errors import AuricleError

from . import layouts


def test_the_fault_filtered_lists_are_the_split(tmp_path):
    layouts.gtzan(tmp_path)
    manifest = dataset("gtzan").load(tmp_path).validate(files=True)
    assert manifest.column("path") == ["blues/blues.00029.wav", "jazz/jazz.00054.wav", "rock/rock.00099.wav"]
    assert manifest.column("label") == ["blues", "jazz", "rock"]
    assert manifest.column("split") == ["train", "valid", "test"]


@pytest.mark.parametrize("content", [b"", b"RIFF\x00\x00\x00\x00 not a sound"])
def test_the_broken_jazz_of_a_common_copy_is_left_out(content, tmp_path):
    layouts.gtzan(tmp_path)
    (tmp_path / "genres" / "jazz" / "jazz.00054.wav").write_bytes(content)
    assert dataset("gtzan").load(tmp_path).column("label") == ["blues", "rock"]
    assert check(dataset("gtzan"), tmp_path).missing == ["jazz/jazz.00054 (broken)"]


def test_the_original_s_au_files_are_found(tmp_path):
    layouts.gtzan(tmp_path)
    for genre in ("blues", "jazz", "rock"):
        for file in (tmp_path / "genres" / genre).glob("[!.]*.wav"):
            layouts.silence(file.with_suffix(".au"))
            file.unlink()
    manifest = dataset("gtzan").load(tmp_path)
    assert manifest.column("path") == ["blues/blues.00029.au", "jazz/jazz.00054.au", "rock/rock.00099.au"]
    assert audio.info(manifest.files[0]).frames == 160


def test_without_the_lists_it_says_where_they_are(tmp_path):
    layouts.gtzan(tmp_path)
    (tmp_path / "genres" / "valid_filtered.txt").unlink()
    with pytest.raises(AuricleError, match=r"valid_filtered\.txt is not there; put the three lists of https://"):
        dataset("gtzan").load(tmp_path)
    layouts.text(tmp_path / "genres" / "valid_filtered.txt", "salsa/salsa.00001.wav")
    with pytest.raises(AuricleError, match=r"names 'salsa/salsa\.00001\.wav'; expected for instance jazz"):
        dataset("gtzan").load(tmp_path)
