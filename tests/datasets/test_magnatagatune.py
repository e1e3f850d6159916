import pytest

from auricle.datasets.registry import dataset
from auricle.errors import AuricleError

from . import layouts


def test_the_usual_50_tags_and_twelve_folders_to_one_to_three(tmp_path):
    layouts.magnatagatune(tmp_path)
    manifest = dataset("magnatagatune").load(tmp_path).validate(files=True)
    splits = dict(zip([path[0] for path in manifest.column("path")], manifest.column("split"), strict=True))
    assert splits == {"0": "train", "b": "train", "c": "valid", "d": "test", "f": "test"}
    labels = dict(zip(manifest.column("path"), map(set, manifest.column("labels")), strict=True))
    assert labels["0/american_bach_soloists-heinrich_schutz-01-psalm-0-29.mp3"] == {"choir"}  # medieval is none
    assert labels["d/william_brooke-karma_dogs-02-vampires-88-117.mp3"] == set()  # and its clip stays
    assert set(dataset("magnatagatune").labels) == set(layouts.MTT_TAGS)
    assert len(layouts.MTT_TAGS) == 50


def test_the_three_files_that_hold_nothing_are_left_out(tmp_path):
    layouts.magnatagatune(tmp_path)
    assert not any("norine_braun" in path for path in dataset("magnatagatune").load(tmp_path).column("path"))


def test_excerpts_of_a_track_are_one_cluster(tmp_path):
    layouts.magnatagatune(tmp_path)
    clusters = {cluster.partition("/")[2] for cluster in dataset("magnatagatune").load(tmp_path).column("cluster")}
    assert clusters == {
        "american_bach_soloists-heinrich_schutz-01-psalm",
        "william_brooke-karma_dogs-02-vampires",
        "william_brooke-karma_dogs-03-others",
    }


def test_a_table_without_a_tag_is_not_the_published_one(tmp_path):
    layouts.magnatagatune(tmp_path)
    table = tmp_path / "magnatagatune" / "annotations_final.csv"
    table.write_text(table.read_text().replace("sitar", "lute"))
    with pytest.raises(AuricleError, match="has no column `sitar`; is it the published file"):
        dataset("magnatagatune").load(tmp_path)
