"""The layers of any encoder from its input to its output, for whoever treats them by depth.

A layer is a child of a list of modules (`nn.ModuleList`, `nn.Sequential`), whatever is in it: a convolution of BYOL-A,
a block of a transformer. What no list holds is a layer by itself. Modules are taken in the order in which they were
registered, which in every family here is the order of the computation.
"""

from collections.abc import Iterator

from torch import nn

Layer = list[nn.Parameter]

_LISTS = (nn.ModuleList, nn.Sequential)


def layers_in_order(module: nn.Module) -> list[Layer]:
    """Trainable parameters layer by layer, the first layer first; empty for an encoder that has none.

    What has no matrix of its own, a norm or a single vector, belongs to the layer before it, at the beginning to the
    one after it. Every parameter is in one layer, the first that uses it.
    """
    layers: list[Layer] = []
    seen: set[int] = set()
    begun: Layer = []  # vectors before the first matrix
    for found in _parts(module):
        layer = [p for p in found if p.requires_grad and id(p) not in seen]
        seen |= {id(parameter) for parameter in layer}
        if any(parameter.ndim > 1 for parameter in layer):
            layers.append([*begun, *layer])
            begun = []
        elif layers:
            layers[-1] += layer
        else:
            begun += layer
    return [*layers, begun] if begun else layers


def _parts(module: nn.Module) -> Iterator[Layer]:
    if not any(isinstance(inside, _LISTS) for inside in module.modules()):
        yield list(module.parameters())
        return
    yield list(module.parameters(recurse=False))
    for child in module.children():
        if isinstance(module, _LISTS):
            yield list(child.parameters())
        else:
            yield from _parts(child)
