import json
import pickle
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import load_file, save_file

import auricle
from auricle.errors import AuricleError
from auricle.mel import MelRecipe
from auricle.models import checkpoint
from auricle.models.byola import BYOLA2020, BYOLA2022, BYOLA2022Config
from auricle.models.encoder import ModelCard

from .signals import chirps, with_lively_batch_norm


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small model with everything set that can be."""
    torch.manual_seed(1)
    config = BYOLA2022Config(mel=MelRecipe(n_mels=16, mel_scale="htk", norm=None), channels=4, mlp_hidden=32)
    encoder = BYOLA2022(config, mean=-7.81, std=4.10)
    with_lively_batch_norm(encoder)
    encoder.name = "byola-2022.forest"
    encoder.card = ModelCard(
        licence="CC-BY-4.0",
        source="trained here",
        data="2,110 h of forest",
        recipe={"steps": 200, "views": {"mixup": 0.2}},
        scores={"ESC-50 accuracy": 0.612},
    )
    return encoder.eval().save_pretrained(tmp_path / "forest")


def test_everything_comes_back(folder: Path) -> None:
    encoder = auricle.load(folder)
    assert isinstance(encoder, BYOLA2022)
    assert encoder.name == "byola-2022.forest"
    assert encoder.config.mel.mel_scale == "htk"
    assert encoder.config.channels == 4
    assert encoder.statistics == pytest.approx({"mean": -7.81, "std": 4.10})
    assert encoder.card.data == "2,110 h of forest"
    assert encoder.card.recipe["views"] == {"mixup": 0.2}
    again = auricle.load(encoder.save_pretrained(folder.parent / "again"))
    assert again.weights_fingerprint == encoder.weights_fingerprint
    assert again.card == encoder.card


def test_the_folder_is_three_files_without_pickle(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    for path in folder.iterdir():
        with pytest.raises((pickle.UnpicklingError, EOFError, ValueError, KeyError, IndexError)):
            pickle.loads(path.read_bytes())


def test_a_model_is_the_same_bytes_whenever_it_is_saved(folder: Path, tmp_path: Path) -> None:
    encoder = checkpoint.load_folder(folder)
    encoder.card = ModelCard(licence="CC-BY-4.0", data="2,110 h of forêt")
    encoder.save_pretrained(tmp_path / "0")
    for again in map(str, range(1, 9)):
        encoder.save_pretrained(tmp_path / again)
        for file in (tmp_path / "0").iterdir():
            assert (tmp_path / again / file.name).read_bytes() == file.read_bytes(), file.name
    assert checkpoint.load_file(tmp_path / "0" / "model.safetensors").card == encoder.card


def test_config_says_what_a_reader_needs(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert config["architecture"] == "byola-2022"
    assert config["normalisation"] == pytest.approx({"mean": -7.81, "std": 4.10})
    assert config["config"]["mel"]["mel_scale"] == "htk"
    assert config["sample_rate"] == 16_000


def test_card_tells_licence_data_statistics_recipe_and_scores(folder: Path) -> None:
    card = (folder / "README.md").read_text()
    assert card.startswith("---\n")
    assert "license: cc-by-4.0" in card  # as the hub spells it
    for text in (
        "CC-BY-4.0",
        "2,110 h of forest",
        "mean -7.81, std 4.1",
        '"steps": 200',
        "| ESC-50 accuracy | 0.612 |",
    ):
        assert text in card


def test_a_licence_that_is_a_sentence_is_other_to_the_hub(folder: Path) -> None:
    encoder = auricle.load(folder)
    encoder.card = ModelCard(licence="evaluation only: ask the owner")
    assert "license: other\n" in checkpoint.model_card(encoder)


def test_the_weights_file_alone_and_config_json_load_too(folder: Path, tmp_path: Path) -> None:
    expected = auricle.load(folder).weights_fingerprint
    assert auricle.load(folder / "model.safetensors").weights_fingerprint == expected
    assert auricle.load(folder / "config.json").weights_fingerprint == expected
    alone = tmp_path / "copied.safetensors"
    alone.write_bytes((folder / "model.safetensors").read_bytes())
    assert auricle.load(str(alone)).name == "byola-2022.forest"


def test_a_runs_folder_loads_its_model(folder: Path) -> None:
    run = folder.parent / "run"
    run.mkdir()
    folder.rename(run / "model")
    assert auricle.load(run).name == "byola-2022.forest"


def test_loading_and_saving_leave_the_random_numbers_alone(folder: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    auricle.load(folder).save_pretrained(folder)
    auricle.load("byola-2020-512", seed=5)
    assert torch.equal(torch.rand(1), expected)


def test_saving_over_a_model_replaces_it(folder: Path) -> None:
    encoder = auricle.load(folder)
    assert isinstance(encoder, BYOLA2022)
    encoder.trunk.fc[0].bias.data.add_(1.0)
    encoder.save_pretrained(folder)
    assert torch.equal(auricle.load(folder)(chirps(1, 16_000)), encoder(chirps(1, 16_000)))


def refusal(source: Path) -> str:
    with pytest.raises(AuricleError) as caught:
        auricle.load(source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert f"{name} is missing" in refusal(folder)


@pytest.mark.parametrize("keep", [0, 4, 100, 3000])
def test_a_truncated_weights_file_is_refused(folder: Path, keep: int) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    assert "model.safetensors is damaged" in refusal(folder)


def test_a_flipped_bit_is_noticed(folder: Path) -> None:
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-5] ^= 1
    weights.write_bytes(content)
    assert "fingerprint" in refusal(folder)


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"architecture": "byola-2022"}', "null"])
def test_a_damaged_config_is_refused(folder: Path, content: str) -> None:
    (folder / "config.json").write_text(content)
    assert "config.json" in refusal(folder)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("architecture",), "byola-2030", "unknown architecture 'byola-2030' (known: byola-2022"),
        (("architecture",), "byola-2020", "belongs to another config.json"),
        (("format",), 99, "is of format 99"),
        (("config", "channels"), 8, "does not hold the weights"),
        (("config", "channels"), "many", "config.json is damaged"),
        (("config", "mel", "mel_scale"), "slaney", "belongs to another config.json"),
        (("config", "wings"), 2, "unknown key 'wings'"),
        (("normalisation", "mean"), -1.0, "says mean -1.0, but model.safetensors holds -7.8"),
        (("normalisation", "mean"), "low", "config.json is damaged"),
        (("card",), 3, "config.json is damaged"),
    ],
    ids=str,
)
def test_an_edited_config_is_refused(folder: Path, path: tuple[str, ...], value: Any, message: str) -> None:
    place = folder / "config.json"
    config = json.loads(place.read_text())
    inner = config
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    place.write_text(json.dumps(config))
    assert message in refusal(folder)


def test_a_foreign_safetensors_file_is_refused(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    assert "was not written by Auricle" in refusal(tmp_path / "other.safetensors")


def test_weights_of_another_model_are_refused(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["trunk.fc.0.bias"] += 1
    header = {"weights_fingerprint": "0123456789abcdef"}
    save_file(tensors, folder / "model.safetensors", metadata=header)
    assert "expected 0123456789abcdef" in refusal(folder)


def test_a_header_that_lies_about_its_length_is_refused(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(struct.pack("<Q", 2**40) + weights.read_bytes()[8:])
    assert "damaged" in refusal(folder)


def test_from_pretrained_of_another_class_is_refused(folder: Path) -> None:
    with pytest.raises(AuricleError, match="holds a BYOLA2022, not a BYOLA2020"):
        BYOLA2020.from_pretrained(folder)


def test_a_folder_that_cannot_be_written_is_one_sentence(folder: Path) -> None:
    encoder = auricle.load(folder)
    with pytest.raises(AuricleError, match="README"):
        encoder.save_pretrained(folder / "README.md" / "inside")


class Hub:
    """Stands for huggingface_hub: repositories are folders."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.created: list[tuple[str, bool]] = []

    def create_repo(self, repo_id: str, *, private: bool, exist_ok: bool) -> None:
        self.created.append((repo_id, private))

    def upload_folder(self, *, repo_id: str, folder_path: str, commit_message: str) -> Any:
        (self.root / repo_id).mkdir(parents=True)
        for path in Path(folder_path).iterdir():
            (self.root / repo_id / path.name).write_bytes(path.read_bytes())
        return type("Commit", (), {"commit_url": f"https://hub/{repo_id}/commit/1"})()

    def snapshot_download(self, repo_id: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        return str(self.root / repo_id)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    hub = Hub(tmp_path / "hub")
    monkeypatch.setattr("huggingface_hub.HfApi", lambda token: hub)
    monkeypatch.setattr("huggingface_hub.snapshot_download", hub.snapshot_download)
    return hub


def test_to_the_hub_and_back(folder: Path, hub: Hub) -> None:
    encoder = auricle.load(folder)
    assert encoder.push_to_hub("someone/forest", private=True) == "https://hub/someone/forest/commit/1"
    assert hub.created == [("someone/forest", True)]
    for source in ("someone/forest", "hf:someone/forest"):
        assert auricle.load(source).weights_fingerprint == encoder.weights_fingerprint
    assert BYOLA2022.from_pretrained("someone/forest").weights_fingerprint == encoder.weights_fingerprint


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ConnectionError("no network"), "cannot get someone/nothing: no network; offline, give the path"),
        (LocalEntryNotFoundError("long story"), "not in the local cache and the Hugging Face hub cannot be reached"),
    ],
    ids=["any", "not-cached"],
)
def test_an_unreachable_hub_is_one_sentence(error: Exception, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(repo_id: str, **options: Any) -> str:
        raise error

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    with pytest.raises(AuricleError, match="someone/nothing is no folder here") as caught:
        auricle.load("someone/nothing")
    assert message in str(caught.value)
