import numpy as np
import pytest
import torch

from auricle.models.pooling import FrameStatistics


def test_statistics_are_numpys() -> None:
    frames = torch.randn(3, 50, 7, dtype=torch.float64)
    found = FrameStatistics.of(frames, with_deviations=True)
    np.testing.assert_allclose(found.mean, frames.numpy().mean(axis=1))
    np.testing.assert_allclose(found.maximum, frames.numpy().max(axis=1))
    assert found.deviations is not None
    np.testing.assert_allclose((found.deviations / found.count).sqrt(), frames.numpy().std(axis=1))


def test_frames_beyond_a_clips_length_do_not_count() -> None:
    frames = -1 - torch.rand(2, 10, 3)  # all below 0, so that padding would be the maximum
    frames[1, 4:] = 0
    found = FrameStatistics.of(frames, torch.tensor([10, 4]), with_deviations=True)
    alone = FrameStatistics.of(frames[1:, :4], with_deviations=True)
    torch.testing.assert_close(found.mean[1:], alone.mean)
    torch.testing.assert_close(found.maximum[1:], alone.maximum)
    assert found.deviations is not None
    assert alone.deviations is not None
    torch.testing.assert_close(found.deviations[1:], alone.deviations)


@pytest.mark.parametrize("cuts", [[25, 25], [1, 49], [7, 3, 40], [1] * 50])
def test_merged_chunks_are_the_whole(cuts: list[int]) -> None:
    frames = 1000 + torch.randn(2, 50, 4)  # a mean far above the deviation, where sums of squares cancel
    whole = FrameStatistics.of(frames.double(), with_deviations=True)
    parts = [FrameStatistics.of(chunk, with_deviations=True) for chunk in frames.split(cuts, dim=1)]
    total = parts[0]
    for part in parts[1:]:
        total = total.merged(part)
    torch.testing.assert_close(total.count, whole.count)
    torch.testing.assert_close(total.mean, whole.mean, rtol=1e-6, atol=0)
    torch.testing.assert_close(total.maximum.double(), whole.maximum)
    assert total.deviations is not None
    assert whole.deviations is not None
    torch.testing.assert_close(total.deviations, whole.deviations, rtol=1e-3, atol=0)


def test_bfloat16_frames_are_summed_in_float32() -> None:
    frames = torch.ones(1, 100_000, 1, dtype=torch.bfloat16)
    assert FrameStatistics.of(frames).mean.item() == 1.0
    assert FrameStatistics.of(frames).mean.dtype == torch.float32
