"""The weights that come with Auricle: small, at hand without a network, licensed, and better than random ones."""

import json
import socket
from pathlib import Path

import numpy as np
import pytest
import torch

import auricle
from auricle import audio
from auricle.datasets.registry import dataset
from auricle.models.architectures import ARCHITECTURES
from auricle.models.encoder import Encoder
from auricle.models.releasing import released

MEGABYTES = {"byola-2022": 16, "conformer-small": 40}  # of a folder, at most
NAMES = list(released())


def test_there_are_some() -> None:
    assert "byola-2022.base" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_weights_load_without_a_network_and_say_what_they_are(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("no network is needed")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    encoder = auricle.load(name)
    folder, said = released()[name]
    assert sum(file.stat().st_size for file in folder.iterdir()) < 1e6 * MEGABYTES[said["architecture"]]
    card = (folder / "README.md").read_text(encoding="utf-8")
    for words in (encoder.weights_fingerprint, said["card"]["licence"], "## Scores", "## What it learnt from"):
        assert words in card
    assert said["card"]["licence"] == "CC-BY-SA-4.0"  # some of what was heard is shared alike
    assert "/" not in json.dumps(said["card"]["recipe"])  # no path of the machine that made it


def classified(encoder: Encoder, clips: dict[str, list[Path]]) -> float:
    """Share of the second half of each class's clips that lie nearest to the mean of their own class's first half."""
    vectors = {label: np.stack([encoder.embed(path) for path in paths]) for label, paths in clips.items()}
    half = min(map(len, clips.values())) // 2
    means = np.stack([of[:half].mean(axis=0) for of in vectors.values()])
    spread = np.concatenate([of[:half] for of in vectors.values()]).std(axis=0) + 1e-6
    right = [
        (np.linalg.norm((means - vector) / spread, axis=1).argmin() == place)
        for place, of in enumerate(vectors.values())
        for vector in of[half:]
    ]
    return float(np.mean(right))


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_weights_tell_sounds_apart_that_they_never_heard(name: str, real_data: Path) -> None:
    """ESC-50's first fold, fifty classes of eight clips; the network with random weights, behind the same front end."""
    esc50 = dataset("esc50").load(real_data)
    clips: dict[str, list[Path]] = {}
    for file, label, fold in zip(esc50.files, esc50.column("label"), esc50.column("fold"), strict=True):
        if fold == 1:
            clips.setdefault(label, []).append(file)
    encoder = auricle.load(name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        untrained = ARCHITECTURES[encoder.architecture].from_config(encoder.config.to_dict())
    untrained.set_statistics(**encoder.statistics)
    assert classified(encoder, clips) > classified(untrained.eval(), clips) + 0.05


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_of_any_rate_is_heard(name: str, tmp_path: Path) -> None:
    """What a product does with it: a file goes in, and a vector of finite numbers comes out."""
    time = np.arange(2 * 44_100) / 44_100
    audio.write(tmp_path / "tone.wav", 0.1 * np.sin(2 * np.pi * 440 * time).astype(np.float32), sample_rate=44_100)
    encoder = auricle.load(name)
    vector = encoder.embed(tmp_path / "tone.wav")
    assert vector.shape == (encoder.embedding_dim,)
    assert np.isfinite(vector).all()
