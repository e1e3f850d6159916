"""Layers from input to output: those of BYOL-A, of a transformer, and whatever a list does not hold."""

import torch
from torch import nn

from auricle.models import registry
from auricle.models.depth import layers_in_order

from .signals import untrained


def sizes(module: nn.Module) -> list[list[tuple[int, ...]]]:
    return [[tuple(parameter.shape) for parameter in layer] for layer in layers_in_order(module)]


def test_byola_has_two_convolutions_and_two_linear_layers() -> None:
    # Niizumi et al. 2022, Table I: each convolution with its batch-norm, then the two layers of the MLP.
    convolution = [(64,), (64,), (64,)]  # bias of the convolution, scale and shift of the batch-norm
    assert sizes(registry.load("byola-2022")) == [
        [(64, 1, 3, 3), *convolution],
        [(64, 64, 3, 3), *convolution],
        [(2048, 1024), (2048,)],
        [(2048, 2048), (2048,)],
    ]
    assert len(layers_in_order(registry.load("byola-2020-512"))) == 5


def test_every_parameter_is_in_one_layer() -> None:
    for name in registry.list_models():
        encoder = untrained(name)
        found = [parameter for layer in layers_in_order(encoder) for parameter in layer]
        assert len(found) == len({id(parameter) for parameter in found})
        assert {id(p) for p in found} == {id(p) for p in encoder.parameters() if p.requires_grad}


def test_a_transformer_has_a_layer_for_each_block() -> None:
    class Tagger(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mask = nn.Parameter(torch.zeros(8))
            self.convolutions = nn.ModuleList([nn.Sequential(nn.Conv1d(1, 8, 3), nn.GELU()), nn.Conv1d(8, 8, 3)])
            self.norm = nn.LayerNorm(8)
            block = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True)
            self.encoder = nn.TransformerEncoder(block, num_layers=3)
            self.frozen = nn.Linear(8, 8).requires_grad_(False)

    tagger = Tagger()
    layers = layers_in_order(tagger)
    assert len(layers) == 2 + 3
    assert layers[0][0] is tagger.mask  # a vector before the first matrix goes with it
    assert any(parameter is tagger.norm.weight for parameter in layers[1])
    assert {id(p) for p in layers[4]} == {id(p) for p in tagger.encoder.layers[2].parameters()}


def test_what_has_no_parameters_has_no_layers() -> None:
    assert layers_in_order(registry.load("logmel-stats")) == []
