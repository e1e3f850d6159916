"""The objective: bounds of the loss, the moving average, the monitors, and batch-norm over processes."""

import math
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

from auricle.models.byola import BYOLA2022, BYOLA2022Config
from auricle.models.global_norm import GlobalBatchNorm, use_global_batch_norm
from auricle.pretraining.byol import BYOL, effective_rank, regression_loss, spread


def small() -> BYOL:
    torch.manual_seed(0)
    return BYOL(BYOLA2022(BYOLA2022Config(channels=8, mlp_hidden=32)).trunk, hidden=64, dim=16)


def test_loss_is_0_for_the_same_direction_and_4_for_the_opposite() -> None:
    x = torch.randn(5, 16)
    assert math.isclose(float(regression_loss(x, 3 * x)), 0, abs_tol=1e-5)
    assert math.isclose(float(regression_loss(x, -x)), 4, abs_tol=1e-5)


def test_heads_have_the_parameters_of_the_paper() -> None:
    byol = BYOL(BYOLA2022().trunk)
    # Projector and predictor of a 3,072-d embedding, by arithmetic from the published sizes.
    assert sum(p.numel() for p in byol.online.projector.parameters()) == 13_644_032
    assert sum(p.numel() for p in byol.predictor.parameters()) == 2_109_696


def test_gradients_reach_everything_online_and_nothing_in_the_target() -> None:
    byol = small().train()
    loss, projections = byol(torch.randn(6, 64, 96), torch.randn(6, 64, 96), torch.arange(6))
    loss.backward()
    assert 0 <= loss.item() <= 8
    assert torch.allclose(projections.norm(dim=1), torch.ones(6), atol=1e-5)
    for name, parameter in byol.named_parameters():
        assert (parameter.grad is None) == name.startswith("target."), name


def test_target_is_a_moving_average_of_parameters_but_not_of_buffers() -> None:
    byol = small().train()
    with torch.no_grad():
        for parameter in byol.online.parameters():
            parameter += 1.0
    before = [parameter.clone() for parameter in byol.target.parameters()]
    statistics = byol.target.projector[1].running_mean.clone()
    byol.update_target(0.99)
    for old, new in zip(before, byol.target.parameters(), strict=True):
        assert torch.allclose(new, old + 0.01, atol=1e-6)
    assert torch.equal(byol.target.projector[1].running_mean, statistics)


def test_both_networks_update_their_own_batch_norm_statistics() -> None:
    byol = small().train()
    byol(torch.randn(6, 64, 96), torch.randn(6, 64, 96), torch.arange(6))
    assert int(byol.online.projector[1].num_batches_tracked) == 2
    assert int(byol.target.projector[1].num_batches_tracked) == 2


def test_monitors_tell_a_sphere_from_a_point() -> None:
    torch.manual_seed(0)
    even = nn.functional.normalize(torch.randn(20_000, 64), dim=1)
    assert math.isclose(spread(even), 1 / 8, rel_tol=0.01)
    assert math.isclose(effective_rank(even), 64, rel_tol=0.02)
    point = even[:1].expand(100, 64)
    assert spread(point) < 1e-6
    assert effective_rank(point) < 2
    two = torch.cat([even[:1].expand(50, 64), even[1:2].expand(50, 64)])
    assert math.isclose(effective_rank(two), 1, abs_tol=0.01)


def _normalise_in_a_process(rank: int, world: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world)
    torch.manual_seed(0)
    x = torch.randn(8, 5, 3, 4)
    target = torch.randn(8, 5, 3, 4)
    norm = use_global_batch_norm(nn.Sequential(nn.BatchNorm2d(5)))
    rows = slice(rank * 4, rank * 4 + 4)
    mine = x[rows].clone().requires_grad_()
    out = norm(mine)
    ((out - target[rows]) ** 2).sum().backward()
    gradient = norm[0].weight.grad
    dist.all_reduce(gradient)
    torch.save((out.detach(), mine.grad, gradient, norm[0].running_var), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_batch_norm_over_two_processes_equals_one(tmp_path: Path) -> None:
    mp.spawn(_normalise_in_a_process, args=(2, str(tmp_path)), nprocs=2)
    torch.manual_seed(0)
    x = torch.randn(8, 5, 3, 4, requires_grad=True)
    target = torch.randn(8, 5, 3, 4)
    norm = nn.BatchNorm2d(5)
    out = norm(x)
    ((out - target) ** 2).sum().backward()
    parts = [torch.load(tmp_path / f"{rank}.pt") for rank in range(2)]
    assert torch.allclose(torch.cat([part[0] for part in parts]), out, atol=1e-5)
    assert torch.allclose(torch.cat([part[1] for part in parts]), x.grad, atol=1e-5)
    for part in parts:
        assert torch.allclose(part[2], norm.weight.grad, atol=1e-4)
        assert torch.allclose(part[3], norm.running_var, atol=1e-5)


@pytest.mark.parametrize("shape", [(6, 4), (6, 4, 5), (6, 4, 5, 3)])
def test_global_batch_norm_alone_is_batch_norm(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    plain = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d}[len(shape)](4)
    assert torch.equal(GlobalBatchNorm(4)(x), plain(x))
