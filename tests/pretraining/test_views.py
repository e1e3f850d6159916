"""Augmentations: distributions, identities, and agreement with a per-sample reference written as plain loops."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from auricle import randomness
from auricle.pretraining.recipe import Views
from auricle.pretraining.views import (
    MixupMemory,
    gaussian_noise,
    log_mix,
    make_view,
    mixup,
    random_linear_fader,
    random_resize_crop,
    resize_weights,
    standardise,
)

MELS, FRAMES = 64, 96


def keys(n: int, purpose: str = "test") -> torch.Tensor:
    return randomness.keys(0, purpose, torch.arange(n))


def crops(n: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, MELS, FRAMES, generator=torch.Generator().manual_seed(seed))


def test_mixing_is_linear_in_power() -> None:
    x, z, ratio = crops(4), crops(4, 1), torch.tensor([0.0, 0.1, 0.5, 1.0])[:, None, None]
    expected = (1 - ratio) * torch.exp(x) + ratio * torch.exp(z)
    assert torch.allclose(torch.exp(log_mix(x, z, ratio)), expected, rtol=1e-4, atol=1e-6)


def test_first_crops_pass_unmixed_and_later_ones_do_not() -> None:
    memory = MixupMemory.empty(8, MELS, FRAMES)
    x = crops(4)
    assert torch.equal(mixup(x, memory, keys(4), limit=0.4), x)
    memory.push(crops(4, 1))
    assert not torch.equal(mixup(x, memory, keys(4), limit=0.4), x)


def test_mixup_takes_only_what_the_memory_holds() -> None:
    memory = MixupMemory.empty(100, 1, 1)
    memory.push(torch.tensor([10.0, 20.0, 30.0]).view(3, 1, 1))
    mixed = torch.exp(mixup(torch.full((300, 1, 1), -50.0), memory, keys(300), limit=1.0)).flatten()
    ratio = randomness.uniform(keys(300), 2)[:, 1]
    source = torch.log(mixed / ratio)
    assert torch.isclose(source[:, None], torch.tensor([10.0, 20.0, 30.0]), atol=1e-2).any(dim=1).all()
    assert {round(float(s) / 10) for s in source} == {1, 2, 3}


def test_memory_is_first_in_first_out_over_batches_of_any_size() -> None:
    memory = MixupMemory.empty(5, 1, 1)
    kept: list[float] = []
    for start, stop in [(0, 3), (3, 7), (7, 8), (8, 30), (30, 32)]:
        batch = torch.arange(start, stop, dtype=torch.float32).view(-1, 1, 1)
        memory.push(batch)
        kept = (kept + batch.flatten().tolist())[-5:]
        assert sorted(memory.crops.flatten()[: memory.filled].tolist()) == sorted(kept)
        assert memory.written == stop


@pytest.mark.parametrize(("size", "target"), [(7, 64), (64, 64), (96, 40), (144, 96), (2, 96), (1, 96)])
def test_resize_agrees_with_bicubic_interpolation(size: int, target: int) -> None:
    x = torch.randn(1, 1, size, 1, dtype=torch.float64)
    expected = functional.interpolate(x, (target, 1), mode="bicubic", align_corners=True)[0, 0, :, 0]
    weights = resize_weights(torch.tensor([size]), torch.tensor([0]), source=size, target=target)
    assert torch.allclose(weights[0].double() @ x[0, 0, :, 0], expected, atol=1e-5)


def reference_crop(x: np.ndarray, draws: list[float], virtual: tuple, f_scale: tuple, t_scale: tuple) -> np.ndarray:
    """Random resize crop of one sample, as the papers describe it: canvas, cut, bicubic resize."""
    mels, frames = x.shape
    height, width = int(mels * virtual[0]), int(frames * virtual[1])
    canvas = np.zeros((height, width), dtype=np.float32)
    top, left = (height - mels) // 2, (width - frames) // 2
    canvas[top : top + mels, left : left + frames] = x
    h = min(max(int((f_scale[0] + (f_scale[1] - f_scale[0]) * draws[0]) * mels), 1), height)
    w = min(max(int((t_scale[0] + (t_scale[1] - t_scale[0]) * draws[1]) * frames), 1), width)
    i, j = int(draws[2] * (height - h + 1)), int(draws[3] * (width - w + 1))
    part = torch.from_numpy(canvas[i : i + h, j : j + w])[None, None]
    return functional.interpolate(part, (mels, frames), mode="bicubic", align_corners=True)[0, 0].numpy()


@pytest.mark.parametrize("scale", [(0.6, 1.5), (0.001, 0.05)])
def test_random_resize_crop_agrees_with_a_loop_over_samples(scale: tuple[float, float]) -> None:
    x, key = crops(32), keys(32)
    got = random_resize_crop(x, key, frequency_scale=scale, time_scale=scale)
    draws = randomness.uniform(key, 4).double().tolist()
    for sample in range(32):
        expected = reference_crop(x[sample].numpy(), draws[sample], (1.0, 1.5), scale, scale)
        assert np.allclose(got[sample].numpy(), expected, atol=2e-4)


def test_crop_widths_are_uniform_between_their_bounds() -> None:
    # End points are aligned, so that a line that rises by 1 per frame rises by width - 1 from end to end of its view.
    ramp = torch.arange(FRAMES, dtype=torch.float32).expand(4000, 1, FRAMES).clone()
    view = random_resize_crop(ramp, keys(4000), virtual_crop=(1.0, 1.0), time_scale=(0.6, 1.0))
    width = view[:, 0, -1] - view[:, 0, 0] + 1
    assert width.min() >= math.floor(0.6 * FRAMES) - 0.1
    assert width.max() <= FRAMES + 0.1
    counts, _ = np.histogram(width, bins=4, range=(57, 96))
    assert counts.min() > 0.8 * 1000


def test_neutral_parameters_change_nothing() -> None:
    x, key = crops(8), keys(8)
    same = random_resize_crop(x, key, virtual_crop=(1.0, 1.0), frequency_scale=(1.0, 1.0), time_scale=(1.0, 1.0))
    assert torch.allclose(same, x, atol=1e-5)
    assert torch.equal(random_linear_fader(x, key, gain=0.0), x)
    memory = MixupMemory.empty(4, MELS, FRAMES)
    memory.push(crops(4, 1))
    assert torch.equal(mixup(x, memory, key, limit=0.0), x)
    assert torch.allclose(gaussian_noise(x, key, limit=0.0), x, atol=1e-4)


def test_fader_adds_a_straight_line_within_its_gain() -> None:
    ramp = random_linear_fader(torch.zeros(500, MELS, FRAMES), keys(500), gain=1.0)
    assert torch.equal(ramp[:, 0], ramp[:, 1])
    assert torch.allclose(ramp.diff(dim=2).diff(dim=2), torch.zeros(1), atol=1e-5)
    assert ramp.abs().max() <= 1
    ends = torch.cat([ramp[:, 0, 0], ramp[:, 0, -1]])
    assert ends.min() < -0.95 and ends.max() > 0.95


def test_post_norm_gives_mean_0_and_deviation_1_over_both_views() -> None:
    views = standardise([crops(8) * 3 + 2, crops(8, 1) - 5])
    together = torch.cat(views)
    assert abs(float(together.mean())) < 1e-5
    assert abs(float(together.std()) - 1) < 1e-4


def test_a_view_depends_on_the_sample_index_alone() -> None:
    x, index = crops(12), torch.arange(100, 112)
    whole = make_view(x, MixupMemory.empty(32, MELS, FRAMES), index, settings=Views(), seed=5, view=0)
    part = make_view(x, MixupMemory.empty(32, MELS, FRAMES), index, settings=Views(), seed=5, view=0, rows=slice(4, 8))
    assert torch.allclose(whole[4:8], part, atol=1e-6)
    other = make_view(x, MixupMemory.empty(32, MELS, FRAMES), index, settings=Views(), seed=5, view=1)
    assert not torch.allclose(whole, other, atol=0.1)


def test_both_views_push_so_that_a_memory_fills_twice_per_batch() -> None:
    memory = MixupMemory.empty(2048, MELS, FRAMES)
    for view in range(2):
        make_view(crops(16), memory, torch.arange(16), settings=Views(), seed=0, view=view)
    assert memory.written == 32
