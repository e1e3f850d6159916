import pytest

from auricle.datasets.registry import dataset, list_datasets, training_part
from auricle.errors import AuricleError
from auricle.manifest import Manifest, ManifestError

from . import layouts


@pytest.mark.parametrize("name", list_datasets())
def test_every_dataset_loads_says_what_it_is_and_names_itself(name, tmp_path):
    entry = dataset(name)
    layouts.BUILD[name](tmp_path)
    manifest = entry.load(tmp_path).validate(files=True)
    answer = {"multi-label": "labels", "regression": "target"}.get(entry.kind, "label")
    assert [column for column in ("label", "labels", "target") if manifest.has(column)] == [answer]
    assert manifest.has("split") != manifest.has("fold")
    assert (entry.kind in ("binary", "frames")) == (entry.positive is not None)
    assert entry.positive is None or entry.positive in manifest.column("label")
    assert entry.name == manifest.source == name
    assert entry.licence and entry.citation and entry.url and entry.download
    assert entry.clips > 0 and entry.unit_seconds > 0 and entry.hours > 0
    assert entry.classes > 1 or entry.kind == "regression"
    assert len(entry.labels) in (0, entry.classes)
    # The dataset's own folder is as good as the folder of all data.
    own = entry.load(tmp_path / entry.marker.split("/")[0])
    assert own.fingerprint == manifest.fingerprint


@pytest.mark.parametrize("name", list_datasets())
def test_every_dataset_that_is_not_there_says_what_it_expected(name, tmp_path):
    entry = dataset(name)
    with pytest.raises(AuricleError) as caught:
        entry.load(tmp_path)
    expected = (
        f"{name}: expected {tmp_path / entry.marker}; download from {entry.url} ({entry.download}, {entry.licence})"
    )
    assert str(caught.value) == expected


def test_a_plain_dataset_is_not_taken_for_another(tmp_path):
    layouts.emodb(tmp_path)
    with pytest.raises(AuricleError, match="digits: expected"):
        dataset("digits").load(tmp_path / "emodb")


def test_names_are_forgiving_and_a_wrong_one_names_the_nearest():
    assert dataset("Speech_Commands") is dataset("speech-commands")
    with pytest.raises(AuricleError, match=r"no dataset named esc-5; did you mean esc50\?"):
        dataset("esc-5")
    with pytest.raises(AuricleError, match="no dataset named xyzzy; there are esc50, "):
        dataset("xyzzy")


def test_the_study_has_no_split_for_a_dataset_that_it_does_not_use(tmp_path):
    layouts.emodb(tmp_path)
    with pytest.raises(ManifestError, match="emodb has no split in the study"):
        dataset("emodb").study_split(dataset("emodb").load(tmp_path))


def test_the_training_part_is_unlabelled_and_holds_no_clip_that_is_scored(tmp_path):
    layouts.nsynth(tmp_path)
    part = training_part(dataset("nsynth").load(tmp_path))
    assert part.column("path") == ["nsynth-train/audio/bass_synthetic_033-022-025.wav"]
    assert part.table.column_names == ["path", "instrument", "pitch", "velocity", "source"]
    assert part.files[0].exists()


def test_a_manifest_without_splits_is_all_for_training_and_one_with_folds_is_not(tmp_path):
    rows = [{"path": "a.wav", "seconds": 1.5}, {"path": "b.wav", "seconds": 2}]
    assert len(training_part(Manifest.from_rows(rows, root=tmp_path))) == 2
    with pytest.raises(ManifestError, match="scored on all of its folds"):
        training_part(Manifest.from_rows([row | {"fold": 1} for row in rows], root=tmp_path))
    with pytest.raises(ManifestError, match="has no training split"):
        training_part(Manifest.from_rows([row | {"split": "test"} for row in rows], root=tmp_path))
