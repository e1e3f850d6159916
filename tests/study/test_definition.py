"""A study file says what it means, and what is wrong with it is said in one sentence."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from auricle.cli.study import studies
from auricle.settings import SettingsError
from auricle.study.definition import list_studies, load_study
from auricle.study.diets import Diets

EXAMPLE = {"name": "mine", "data": "synth", "diets": {"voices": "speech"}, "tasks": ["event"]}


def write(folder: Path, **changes: object) -> Path:
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({**EXAMPLE, **changes}))
    return path


def test_every_built_in_study_can_be_read() -> None:
    assert "demo" in list_studies()
    for name in list_studies():
        assert load_study(name).name == name


def test_the_list_says_what_each_study_is_of() -> None:
    lines = CliRunner().invoke(studies, ["list"]).stdout.splitlines()
    assert [line.split()[0] for line in lines] == list_studies()
    kinds = {line.split()[0]: line.split()[1] for line in lines}
    assert kinds["demo"] == "diets" and kinds["label-efficiency-audioset"] == "label-efficiency"
    assert kinds["conformer-ablation"] == "ablation"


def test_a_single_source_is_as_good_as_a_list(tmp_path: Path) -> None:
    study = load_study(write(tmp_path))
    assert isinstance(study, Diets) and study.diets == {"voices": ("speech",)}


def test_what_is_written_resolved_reads_back_the_same(tmp_path: Path) -> None:
    study = load_study(write(tmp_path), ["pretraining.overrides.steps=7", "tsne=null"])
    (tmp_path / "resolved.yaml").write_text(study.as_yaml())
    assert load_study(tmp_path / "resolved.yaml") == study


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"task": ["event"]}, r"mine has no key `task`; did you mean `tasks`\?"),
        ({"tasks": []}, r"`tasks` is \[\]"),
        ({"diets": {}}, r"`diets` is \{\}"),
        ({"diets": {"a": []}}, "diet a has no source"),
        ({"tasks": ["event", "event"]}, "names one of event, event twice"),
        ({"probe": {"protocol": "ogg2024"}}, "there is no protocol 'ogg2024'"),
        ({"probe": {"overrides": {"epoch": 3}}}, "a probe has no setting `epoch`; it has epochs"),
        ({"probe": {"overrides": {"epochs": "many"}}}, "`epochs` is 'many': input should be a valid integer"),
        ({"rsa": {"descriptors": ["loudness"]}}, "no descriptor is called 'loudness'"),
        ({"rsa": {"clip": 10}}, r"mine has no key `rsa.clip`; did you mean `clips`\?"),
        ({"map": {"task": "evnt"}}, "`map.task` is evnt, but there are event"),
        ({"tsne": {"diets": ["noise"]}}, "`tsne.diets` is noise, but there are voices"),
        ({"pretraining": {"overrides": {"seed": 3}}}, "follows from the study's own diets and seeds"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        load_study(write(tmp_path, **changes))


def test_real_data_comes_from_the_file_or_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AURICLE_DATA", raising=False)
    study = load_study(write(tmp_path, data=None))
    with pytest.raises(SettingsError, match="where is the data"):
        study.data_folder()
    monkeypatch.setenv("AURICLE_DATA", str(tmp_path))
    assert study.data_folder() == tmp_path
    with pytest.raises(SettingsError, match="is not there"):
        load_study(write(tmp_path, data=str(tmp_path / "nowhere"))).data_folder()
