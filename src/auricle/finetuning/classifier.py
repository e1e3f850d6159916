"""An encoder under a linear head: what is fine-tuned, its loss, and the learning rate of each of its layers."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from auricle.errors import AuricleError
from auricle.models.depth import layers_in_order
from auricle.models.encoder import Encoder


class Classifier(nn.Module):
    """Waveforms → loss; the head is batch-norm, which brings every encoder's embedding to one size, and a linear layer.

    Parameters
    ----------
    encoder
        Any that has parameters.
    outputs
        Of the head; 1 for a binary task.
    exclusive
        Whether a clip is of exactly one class (softmax and cross-entropy), or of any number (sigmoids and binary
        cross-entropy).

    Attributes
    ----------
    unused : list of Parameter
        What the embedding does not depend on, for instance a published model's own classes; it is frozen meanwhile.

    Raises
    ------
    AuricleError
        When the encoder has nothing to train.
    """

    def __init__(self, encoder: Encoder, *, outputs: int, exclusive: bool) -> None:
        super().__init__()
        self.encoder = encoder.without_classifier()
        self.exclusive = exclusive
        self.norm = nn.BatchNorm1d(encoder.embedding_dim)
        self.linear = nn.Linear(encoder.embedding_dim, outputs)
        self.unused = _unused(encoder)
        for parameter in self.unused:
            parameter.requires_grad_(False)
        if not layers_in_order(encoder):
            raise AuricleError(
                f"{encoder.name} has no weights to fine-tune; score it as it is: auricle evaluate {encoder.name}"
            )

    def forward(self, waveform: Tensor, targets: Tensor) -> Tensor:
        """Mean loss of clips ``(batch, samples)`` whose targets, ``(batch, outputs)``, are shares of each class."""
        logits = self.logits(self.encoder(waveform)).float()
        if self.exclusive:
            return functional.cross_entropy(logits, targets)
        return functional.binary_cross_entropy_with_logits(logits, targets)

    def logits(self, embedding: Tensor) -> Tensor:
        """The head: ``(batch, embedding_dim)`` → ``(batch, outputs)``."""
        logits: Tensor = self.linear(self.norm(embedding))
        return logits

    def folded_head(self) -> tuple[Tensor, Tensor]:
        """The head in evaluation mode as one layer: weight ``(outputs, embedding_dim)`` and bias ``(outputs,)``."""
        assert self.norm.running_mean is not None and self.norm.running_var is not None
        with torch.no_grad():
            scale = self.norm.weight / torch.sqrt(self.norm.running_var + self.norm.eps)
            weight = self.linear.weight * scale
            bias = self.linear.bias + self.linear.weight @ (self.norm.bias - self.norm.running_mean * scale)
        return weight, bias


def _unused(encoder: Encoder) -> list[nn.Parameter]:
    """Trainable parameters that an embedding does not depend on."""
    parameters = [parameter for parameter in encoder.parameters() if parameter.requires_grad]
    if not parameters:
        return []
    was_training = encoder.training
    encoder.eval()
    with torch.enable_grad():
        embedding = encoder(torch.zeros(1, encoder.min_samples, device=parameters[0].device))
        gradients = torch.autograd.grad(embedding.sum(), parameters, allow_unused=True)
    encoder.train(was_training)
    return [parameter for parameter, gradient in zip(parameters, gradients, strict=True) if gradient is None]


def parameter_groups(classifier: Classifier, *, layer_decay: float, weight_decay: float) -> list[dict[str, Any]]:
    """All trained parameters for an optimiser, each group with its ``share`` of the learning rate.

    The head has 1, the encoder's last layer `layer_decay`, the one before it its square, and so on. Norms, biases and
    other vectors have no weight decay.
    """
    layers = layers_in_order(classifier.encoder)
    head = [*classifier.norm.parameters(), *classifier.linear.parameters()]
    groups = []
    for distance, layer in enumerate([head, *reversed(layers)]):
        for decayed in (True, False):
            chosen = [parameter for parameter in layer if (parameter.ndim > 1) == decayed]
            if chosen:
                decay = weight_decay if decayed else 0.0
                groups.append({"params": chosen, "weight_decay": decay, "share": layer_decay**distance})
    return groups
