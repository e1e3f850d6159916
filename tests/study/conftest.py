"""A tiny study on the sound world: the smallest that goes through every stage."""

import pytest

TINY = (
    "world.clips=120",
    "pretraining.overrides={steps: 8, batch_size: 16, log_every: 2, checkpoint_every: 3, workers: 1, "
    "statistics_crops: 64, precision: float32, views: {memory: 32}, encoder: {architecture: byola-2022, channels: 4, "
    "mlp_hidden: 16}, projection_hidden: 32, projection_dim: 16}",
    "random_seeds=[0, 1]",
    "models=[random, logmel-stats]",
    "tasks=[event, voice-activity]",
    "matches={speech: [voice-activity], non-speech: [event]}",
    "probe={seeds: [0], overrides: {epochs: 5, learning_rate: 0.01, standardise: true}}",
    "map.clips=20",
)


@pytest.fixture(scope="session")
def tiny() -> tuple[str, ...]:
    """Overrides that make the demo tiny."""
    return TINY
