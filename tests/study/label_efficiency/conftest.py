"""A tiny conformer whose weights stand for pre-trained ones, and a study of what they are worth."""

from pathlib import Path

import pytest
import torch

from auricle.models.conformer import Conformer, ConformerConfig


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers, 32 wide."""
    torch.manual_seed(7)
    sizes = {"latent_dim": 32, "dim": 32, "layers": 2, "heads": 2, "feed_forward": 64, "first_kernel": 7, "kernel": 7}
    encoder = Conformer(ConformerConfig(**sizes), mean=-6.0, std=4.0)
    return encoder.save_pretrained(tmp_path_factory.mktemp("weights") / "tiny")


@pytest.fixture(scope="session")
def tiny_study(weights: Path) -> tuple[str, ...]:
    """Overrides of the built-in study: ten trainings of a few steps."""
    return (
        "data=synth",
        "world.clips=120",
        f"weights={weights}",
        "tasks=[event]",
        "shares=[1/3, 1]",
        "claim=1/3",
        "seeds=[0, 1]",
        "training={epochs: 2, patience: 1, batch_size: 16, workers: 1, precision: float32, mixup: 0.2, "
        "specaugment: {time_masks: 1}}",
        "scratch.learning_rates=[0.003]",
        "pretrained.learning_rates=[0.001, 0.003]",
    )
