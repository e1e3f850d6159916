"""A probe learns which of an encoder's layers count: its steps are torch's own, and it finds the layer that knows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from auricle.errors import AuricleError
from auricle.manifest import Manifest
from auricle.models.pooled import is_weighed
from auricle.results import summary
from auricle.transfer import evaluate, fit_probe
from auricle.transfer.layers import BIAS_RATE, MOMENTUM
from auricle.transfer.mixed_layers import MIX_RATE, MixedLayers
from auricle.transfer.protocols import PROTOCOLS
from auricle.transfer.run import evaluate_models
from auricle.transfer.saved_probe import load_probe
from auricle.transfer.task_source import own_task

from .worlds import clips

LAYERS, DIM, CLASSES = 4, 8, 3
KNOWS = 2  # the layer that tells the classes apart


def layered(n: int = 360) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings of four layers side by side, of which one knows the class; classes; parts."""
    rng = np.random.default_rng(0)
    label = np.arange(n) % CLASSES
    x = rng.normal(size=(n, LAYERS, DIM))
    x[:, KNOWS] = 0.5 * x[:, KNOWS] + rng.normal(size=(CLASSES, DIM))[label]
    return x.reshape(n, -1).astype(np.float32), label, np.array(["train", "valid", "test"])[np.arange(n) // 3 % 3]


@pytest.mark.parametrize("optimiser", ["descent", "adam"])
def test_its_steps_are_those_of_torch(optimiser: str) -> None:
    x, label, _ = layered(60)
    heard, target = torch.from_numpy(x), torch.from_numpy(label)
    rate, decay, start = (0.3 if optimiser == "descent" else 0.05), 0.01, torch.tensor([0.5, 0.0, -1.0])
    ours = MixedLayers(start.clone()[None, None], LAYERS * DIM, layers=LAYERS, descent=optimiser == "descent")
    ours.follow([[0]], [rate], [decay])

    weight, bias = nn.Parameter(torch.zeros(CLASSES, DIM)), nn.Parameter(start.clone())
    mix = nn.Parameter(torch.zeros(LAYERS))
    slower = (MIX_RATE, BIAS_RATE) if optimiser == "descent" else (1.0, 1.0)
    groups = [
        {"params": [weight], "weight_decay": decay},
        {"params": [mix], "lr": rate * slower[0]},
        {"params": [bias], "lr": rate * slower[1]},
    ]
    stepper: torch.optim.Optimizer = torch.optim.Adam(groups, lr=rate)
    if optimiser == "descent":
        stepper = torch.optim.SGD(groups, lr=rate, momentum=MOMENTUM)

    for _ in range(8):
        logits = ours.logits(slice(0, 1), heard)
        slope = (torch.softmax(logits, dim=-1) - nn.functional.one_hot(target)[None, :, None]) / len(target)
        ours.step(heard[None], slope, torch.arange(len(target))[None])
        stepper.zero_grad()
        both = (torch.softmax(mix, 0)[:, None] * heard.view(-1, LAYERS, DIM)).sum(dim=1)
        nn.functional.cross_entropy(nn.functional.linear(both, weight, bias), target).backward()
        stepper.step()
    with torch.no_grad():
        shares = torch.softmax(mix, 0)
        torch.testing.assert_close(ours.shares[0, 0], shares, rtol=1e-4, atol=1e-5)
        assert shares.argmax() == KNOWS and shares.max() > 1.001 / LAYERS
        # One layer for all layers side by side: a share of the same weight for each.
        side_by_side = (shares[None, :, None] * weight[:, None]).flatten(1)
        for one, other in zip(ours.layer(0, 0), (side_by_side, bias), strict=True):
            torch.testing.assert_close(one, other.detach(), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("protocol", ["auricle", "ogg2025", "evar"])
def test_the_layer_that_knows_gets_the_weight(protocol: str) -> None:
    x, label, part = layered()
    manifest = clips(label, split=part)
    settings = replace(PROTOCOLS[protocol].settings, learning_rate=(1.0, 5.0) if protocol == "auricle" else 0.01)
    chosen = {"protocol": protocol, "settings": settings, "seeds": [0]}
    found = evaluate(x, manifest, task="t", model="m", layers=LAYERS, **chosen)  # type: ignore[arg-type]
    (accuracy,) = [row.value for row in summary(found.results) if row.metric == "accuracy"]
    assert accuracy > 0.95
    probe = fit_probe(x, manifest, layers=LAYERS, **chosen)  # type: ignore[arg-type]
    size = np.linalg.norm(probe.weight.reshape(CLASSES, LAYERS, DIM), axis=(0, 2))
    assert size.argmax() == KNOWS
    assert size[KNOWS] > 1.2 * np.sort(size)[-2]


def test_neighbours_cannot_weigh_layers() -> None:
    x, label, part = layered()
    with pytest.raises(AuricleError, match="the protocol knn trains nothing that could weigh layers"):
        evaluate(x, clips(label, split=part), task="t", model="m", protocol="knn", layers=LAYERS)


def test_layers_are_weighed_in_an_evaluation_and_in_the_probe_that_is_kept(tmp_path: Path, sound_file, tone) -> None:
    for number in range(36):
        pitch = (200.0, 320.0, 500.0)[number % 3]
        sound_file(f"{number}.wav", tone(pitch * (1 + 0.02 * (number // 3)), seconds=0.3))
    label, part = np.arange(36) % 3, np.array(["train", "valid", "test", "train"])[np.arange(36) // 3 % 4]
    task = own_task(Manifest(clips(label, split=part).table, tmp_path, "pitch"), "pitch")
    out, probe = tmp_path / "x.parquet", tmp_path / "probe"
    models = ["byola-2020-512", "logmel-stats"]
    found = evaluate_models(models, [task], out=out, layer="weighted", seeds=[0], workers=1)
    assert {(row.model, row.layer) for row in found.results} == {(models[0], "weighted"), (models[1], None)}
    assert any("logmel-stats has no layers to choose from, but 'weighted' was" in said for said in found.notices)
    evaluate_models(models[:1], [task], out=out, layer="weighted", seeds=[0], workers=1, probe_folder=probe)
    saved = load_probe(probe)
    encoder = saved.encoder()
    assert is_weighed(encoder)
    # Its third block and both layers of its MLP are 512 wide; the probe is one linear layer for all of them.
    assert encoder.embedding_parts == {"conv3": 512, "fc1": 512, "fc2": 512}
    assert saved.probe.weight.shape == (3, 3 * 512)
