"""What a pre-training costs in arithmetic: floating-point operations of a step, counted as PyTorch does them.

Counted are products and convolutions of forward and backward pass of all networks of the objective, heads included; a
multiplication and an addition are two operations. Not counted are the spectrogram, the views and the optimiser.
"""

import torch
from torch.utils.flop_counter import FlopCounterMode

from auricle.pretraining.objective import Batch
from auricle.pretraining.recipe import Recipe
from auricle.pretraining.run import OBJECTIVES, build_encoder
from auricle.training import make_accelerator

_CLIPS = 2  # as few as batch-norm can take


def parameters_of(recipe: Recipe) -> int:
    """Trainable parameters of the encoder that a recipe asks for."""
    return build_encoder(recipe).parameters_count


def flop_per_clip(recipe: Recipe) -> float:
    """Operations of one clip in a step of pre-training, whether it gives one crop or two."""
    accelerator = make_accelerator(device="cpu", precision="float32")
    encoder = build_encoder(recipe)
    objective = OBJECTIVES[recipe.objective](recipe, encoder, accelerator)
    samples = round(recipe.crop_seconds * encoder.sample_rate)
    noise = 0.1 * torch.randn(_CLIPS, recipe.takes, samples, generator=torch.Generator().manual_seed(0))
    index = torch.arange(_CLIPS)
    inputs = objective.inputs(Batch(noise, torch.full((_CLIPS,), samples), index, slice(0, _CLIPS)))
    objective.network.train()
    with FlopCounterMode(display=False) as counter:
        loss, _ = objective.network(*inputs)
        loss.backward()
    return float(counter.get_total_flops()) / _CLIPS
