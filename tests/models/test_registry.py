import os
import subprocess
import sys
import textwrap
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
import torch

import auricle
from auricle.errors import AuricleError
from auricle.models import registry
from auricle.models.architectures import ARCHITECTURES
from auricle.models.hub_encoder import HubConfig

from .hub_models import SMALL


def test_names_that_users_know() -> None:
    untrained = {"byola-2022", "byola-2020-512", "byola-2020-1024", "byola-2020-2048"}
    controls = {"logmel-stats", "mfcc-stats"}
    assert untrained | controls | {"conformer-small", "conformer-large", "yamnet"} <= set(auricle.list_models())
    assert auricle.list_models("byola-2020-*") == ["byola-2020-512", "byola-2020-1024", "byola-2020-2048"]
    assert auricle.list_models("*wavlm*") == []


def test_the_seed_decides_the_random_weights() -> None:
    first, same, other = (auricle.load("byola-2020-512", seed=seed) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), same.parameters(), strict=True))
    assert not torch.equal(next(first.parameters()), next(other.parameters()))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("byola-2020", "did you mean byola-2020-512 or byola-2020-1024 or byola-2020-2048?"),
        ("logmel_stats", "did you mean logmel-stats?"),
        ("byola-2022.mine", "byola-2022 has no trained weights called 'mine'"),
        ("xyz", "known models: byola-2022, "),
        ("./nowhere", "./nowhere does not exist"),
        ("a/b/c", "a/b/c does not exist"),
        (Path("byola-2022"), "byola-2022 does not exist"),
    ],
    ids=str,
)
def test_unknown_sources_are_one_helpful_sentence(
    source: str | Path, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AuricleError) as caught:
        auricle.load(source)
    assert message in str(caught.value)


def test_a_folder_that_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(AuricleError, match=r"is not a saved model: config\.json is missing"):
        auricle.load(tmp_path)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".ckpt"])
def test_published_weights_are_sent_to_import(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    torch.save({}, path)
    with pytest.raises(AuricleError, match=r"statistics are not in this file .*auricle import .*--mean.*--stats-from"):
        auricle.load(path)


def test_a_name_cannot_be_taken_twice() -> None:
    with pytest.raises(ValueError, match="registered already"):
        registry.register(registry.entry("byola-2022"))


def test_every_architecture_is_built_from_its_own_configuration() -> None:
    small = {"transformers": HubConfig(transformers={"model_type": "wavlm", **SMALL})}  # by default it has 94 million
    for name, family in ARCHITECTURES.items():
        assert family.architecture == name
        config = small.get(name, family.config_class())
        assert family.from_config(config.to_dict()).config == config


def test_an_installed_package_brings_models_and_a_broken_one_costs_a_warning(tmp_path: Path) -> None:
    """Two distributions on the path, as pip would leave them."""
    for name, body in {
        "ours": """
            import dataclasses
            from auricle.models import registry
            registry.register(dataclasses.replace(registry.entry("logmel-stats"), name="logmel-of-ours"))
        """,
        "theirs": "import there_is_no_such_module",
    }.items():
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(body))
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[auricle.models]\n{name} = {name}\n")
    soundfile.write(tmp_path / "noise.wav", np.full(16_000, 0.1, np.float32), 16_000)
    program = [sys.executable, "-m", "auricle"]
    run = partial(
        subprocess.run, capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}
    )
    listed = run([*program, "models"])
    assert "logmel-of-ours" in listed.stdout
    assert "the models of theirs are not there: No module named 'there_is_no_such_module'" in listed.stderr
    done = run([*program, "embed", "logmel-of-ours", "noise.wav", "--out", "noise.parquet", "--workers", "1"])
    assert done.returncode == 0, done.stderr
    assert pq.read_table(tmp_path / "noise.parquet").num_rows == 1
