"""The smallest scaling study that goes through every stage: two widths, two amounts of audio, two seeds."""

import pytest

TINY = (
    "data=synth",
    "world.clips=120",
    "diet=[speech, non-speech]",
    "tasks=[event]",
    "widths={encoder.channels: [2, 4], encoder.mlp_hidden: [8, 16]}",
    "hours=[0.004, 0.008]",
    "steps=4",
    "pretraining={recipe: byola-2022, seeds: [0, 1], overrides: {batch_size: 8, log_every: 2, checkpoint_every: 2, "
    "workers: 0, statistics_crops: 16, precision: float32, views: {memory: 16}, projection_hidden: 16, "
    "projection_dim: 8}}",
    "probe={seeds: [0], overrides: {epochs: 5, learning_rate: 0.01, standardise: true}}",
)


@pytest.fixture(scope="session")
def tiny_scaling() -> tuple[str, ...]:
    """Overrides of the built-in study: three points, six trainings of four steps."""
    return TINY
