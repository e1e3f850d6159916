from auricle.datasets.registry import dataset

from . import layouts


def test_the_file_s_name_is_the_note_and_its_folder_the_patch(tmp_path):
    layouts.surge(tmp_path)
    layouts.silence(tmp_path / "surge" / "Bass 1-velocity64" / "109.ogg")  # beyond the 88 keys
    layouts.silence(tmp_path / "surge" / "demo.ogg")
    manifest = dataset("surge").load(tmp_path)
    assert sorted(set(manifest.column("label"))) == ["108", "21", "60"]
    assert manifest.column("pitch")[0] == int(manifest.column("label")[0])
    assert set(manifest.column("patch")) == {"Bass 1-velocity64", "Lead 2-velocity64"}
    splits = set(zip(manifest.column("group"), manifest.column("split"), strict=True))
    assert len(splits) == 2  # a patch stands in one part


def test_88_pitches_from_21_to_108():
    labels = dataset("surge").labels
    assert (len(labels), labels[0], labels[-1]) == (88, "21", "108")
