"""COLA: the loss against its definition, two crops of a clip, and one process or several."""

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor

from auricle.models.byola import BYOLA2022, BYOLA2022Config
from auricle.models.registry import load
from auricle.pretraining import run
from auricle.pretraining.cola import COLA, Similarity
from auricle.pretraining.recipe import load_recipe
from auricle.training import MetricsFile

RATE = 16_000
SMALL = ["encoder.channels=4", "encoder.mlp_hidden=16", "cola.dim=16", "batch_size=12", "workers=1", "device=cpu"]


def small(similarity: Similarity = "bilinear") -> COLA:
    torch.manual_seed(0)
    trunk = BYOLA2022(BYOLA2022Config(channels=8, mlp_hidden=32, dropout=0.0)).trunk
    return COLA(trunk, dim=16, similarity=similarity)


def by_definition(projections: list[Tensor], matrix: Tensor | None, temperature: float) -> tuple[float, float]:
    """Loss and accuracy, clip by clip, as the paper writes them."""
    anchors, positives = projections
    losses, correct = [], []
    for row, anchor in enumerate(anchors):
        if matrix is not None:
            scores = [float(anchor @ matrix @ other) for other in positives]
        else:
            scores = [float(anchor @ other / anchor.norm() / other.norm()) / temperature for other in positives]
        losses.append(-scores[row] + math.log(sum(map(math.exp, scores))))
        correct.append(scores[row] == max(scores))
    return sum(losses) / len(losses), sum(correct) / len(correct)


@pytest.mark.parametrize("similarity", ["bilinear", "cosine"])
def test_the_loss_is_the_papers_cross_entropy_over_the_batch(similarity: Similarity) -> None:
    cola = small(similarity).eval()
    views, index = (torch.randn(6, 64, 96), torch.randn(6, 64, 96)), torch.arange(6)
    with torch.no_grad():
        loss, observed = cola(*views, index, 6)
        projections = [cola.branch(view, index) for view in views]
        matrix = None if cola.bilinear is None else cola.bilinear.weight
        expected, accuracy = by_definition(projections, matrix, cola.temperature)
    assert math.isclose(float(loss), expected, rel_tol=1e-5)
    assert math.isclose(float(observed[:, 0].mean()), accuracy, rel_tol=1e-5)
    assert torch.allclose(observed[:, 1:].norm(dim=1), torch.ones(6), atol=1e-5)


def test_the_head_has_the_parameters_of_the_paper() -> None:
    cola = COLA(BYOLA2022().trunk)
    # By arithmetic: 3,072 × 512 + 512 of the linear layer, 2 × 512 of the layer-norm, 512 × 512 of the bilinear form.
    heads = [cola.branch.projector, cola.bilinear]
    assert sum(p.numel() for head in heads if head is not None for p in head.parameters()) == 1_573_376 + 1024 + 262_144


def test_gradients_reach_everything() -> None:
    cola = small().train()
    loss, _ = cola(torch.randn(6, 64, 96), torch.randn(6, 64, 96), torch.arange(6), 6)
    loss.backward()
    assert all(parameter.grad is not None for parameter in cola.parameters())


def _learn_in_a_process(rank: int, world: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world)
    cola = small().eval()  # batch-norm by running statistics: over processes it has tests of its own
    torch.manual_seed(1)
    views, rows = (torch.randn(5, 64, 96), torch.randn(5, 64, 96)), slice(5 * rank // world, 5 * (rank + 1) // world)
    loss, _ = cola(views[0][rows], views[1][rows], torch.arange(5)[rows], 5)
    loss.backward()
    gradients = [parameter.grad / world for parameter in cola.parameters()]  # processes average theirs
    for gradient in gradients:
        dist.all_reduce(gradient)
    mean = loss.detach() / world
    dist.all_reduce(mean)
    torch.save((mean, gradients), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_tell_the_clips_of_the_global_batch_apart(tmp_path: Path) -> None:
    mp.spawn(_learn_in_a_process, args=(2, str(tmp_path)), nprocs=2)
    cola = small().eval()
    torch.manual_seed(1)
    loss, _ = cola(torch.randn(5, 64, 96), torch.randn(5, 64, 96), torch.arange(5), 5)
    loss.backward()
    for rank in range(2):  # of three clips and of two
        mean, gradients = torch.load(tmp_path / f"{rank}.pt")
        assert torch.allclose(mean, loss, rtol=1e-5)
        for own, parameter in zip(gradients, cola.parameters(), strict=True):
            assert torch.allclose(own, parameter.grad, atol=1e-5)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-four steady tones of 3 s: any two crops of one are alike, and unlike those of others."""
    folder = tmp_path_factory.mktemp("tones")
    for number in range(24):
        time = np.arange(3 * RATE) / RATE
        soundfile.write(folder / f"{number:02d}.wav", 0.3 * np.sin(2 * np.pi * 200 * 1.13**number * time), RATE)
    return folder


def test_a_run_learns_to_tell_clips_apart(sounds: Path, tmp_path: Path) -> None:
    recipe = load_recipe("cola", [f"data={sounds}", *SMALL, "steps=60", "log_every=5", "learning_rate=3e-3"])
    model = run.pretrain(recipe, tmp_path / "run")
    rows = MetricsFile(tmp_path / "run" / "metrics.jsonl").read()
    assert rows[-1]["chance"] == 1 / 12
    assert rows[-1]["accuracy"] > 0.8 > rows[0]["accuracy"]
    assert rows[-1]["loss"] < 0.5 * math.log(12)  # of a guess
    assert load(model).embed(np.zeros(RATE, dtype=np.float32)).shape == (16 * 4 + 16,)


def test_two_crops_of_a_clip_are_of_the_same_clip_and_differ(sounds: Path, tmp_path: Path) -> None:
    recipe = load_recipe("cola", [f"data={sounds}", *SMALL, "steps=1"])
    run.pretrain(recipe, tmp_path / "run")
    encoder = load(tmp_path / "run" / "model")
    crops = run.corpus.open_crops(recipe, encoder, tmp_path, lambda event: None)
    (takes, clips), *_ = crops.stream([torch.arange(12)], workers=2, takes=2)
    assert takes.shape == (12, 2, round(0.95 * RATE))
    alone, same = crops.read(torch.arange(12))
    assert torch.equal(takes[:, 0], alone) and torch.equal(clips, same)
    loudest = torch.fft.rfft(takes).abs().argmax(dim=2)
    assert (loudest[:, 0] - loudest[:, 1]).abs().max() <= 1  # the same tone
    assert not any(torch.allclose(first, second, atol=1e-3) for first, second in takes)  # from another moment on


def test_a_step_draws_two_crops_of_a_clip_only_where_the_recipe_says_so() -> None:
    assert [load_recipe(name).takes for name in ("cola", "byola-2022", "conformer-small")] == [2, 1, 1]
    assert load_recipe("cola", ["cola.crops=1"]).takes == 1
    assert load_recipe("byola-2022", ["cola.crops=2"]).takes == 1  # the section counts for cola alone
