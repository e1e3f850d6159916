import pytest

from auricle.datasets.registry import dataset
from auricle.errors import AuricleError

from . import layouts


def test_the_list_for_identification_is_the_split(tmp_path):
    layouts.voxceleb1(tmp_path)
    manifest = dataset("voxceleb1").load(tmp_path)
    assert manifest.column("path")[0] == "wav/id10001/1zcIwhmdeo4/00001.wav"
    assert manifest.column("label") == ["id10001", "id10001", "id10270"]
    assert manifest.column("split") == ["train", "valid", "test"]  # 1, 2 and 3
    assert manifest.column("cluster")[1] == "id10001/7gWzIy6yIIk"
    assert not manifest.has("group")  # every speaker stands in all parts


def test_its_csv_is_separated_by_tabs_and_may_be_missing(tmp_path):
    layouts.voxceleb1(tmp_path)
    manifest = dataset("voxceleb1").load(tmp_path)
    assert manifest.column("sex") == ["m", "m", None]
    assert manifest.column("nationality") == ["Ireland", "Ireland", None]
    (tmp_path / "VoxCeleb1" / "vox1_meta.csv").unlink()
    assert dataset("voxceleb1").load(tmp_path).column("sex") == [None, None, None]


def test_another_list_is_refused(tmp_path):
    layouts.voxceleb1(tmp_path)
    layouts.text(tmp_path / "VoxCeleb1" / "iden_split.txt", "1 id10001/1zcIwhmdeo4/00001.wav", "4 id10001/x/00001.wav")
    with pytest.raises(
        AuricleError, match=r"line 2 of .*iden_split\.txt is '4 id10001/x/00001\.wav'; expected 1, 2 or 3"
    ):
        dataset("voxceleb1").load(tmp_path)
