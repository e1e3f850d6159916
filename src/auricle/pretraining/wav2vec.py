"""wav2vec 2.0 on log-mel: tell a hidden frame's own latent from those of other hidden frames, by its context.

Baevski et al. 2020 (arXiv 2006.11477) with the choices of Srivastava et al. 2022 (arXiv 2110.07313): continuous targets
from the unmasked, normalised latents, 100 negatives from the same clip, cosine similarity with a temperature. The
original's quantiser of targets, with its diversity loss, is an option.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from auricle import randomness
from auricle.models.conformer import ConformerTrunk
from auricle.models.global_norm import sum_over_processes, world_size
from auricle.pretraining.masking import Masked, draw_negatives, has_negatives, masked_frames, span_mask
from auricle.pretraining.quantiser import Quantiser


@dataclass(frozen=True)
class Contrast:
    """How well hidden frames were told apart, clip by clip.

    Attributes
    ----------
    loss
        ``(batch,)`` sum over a clip's hidden frames of the cross-entropy, nats.
    correct
        ``(batch,)`` hidden frames whose own target is more similar than every negative.
    distinct
        ``(batch,)`` sum over hidden frames of the number of different negatives.
    frames
        ``(batch,)`` hidden frames that have a negative.
    """

    loss: Tensor
    correct: Tensor
    distinct: Tensor
    frames: Tensor


def contrast(
    predictions: Tensor, targets: Tensor, masked: Masked, negatives: Tensor, *, temperature: float
) -> Contrast:
    """The contrastive task over the masked frames of a batch.

    Parameters
    ----------
    predictions, targets
        ``(batch, most, dim)``: what the context says of each masked frame, and what it is.
    masked
        Which of them are there.
    negatives
        ``(batch, most, count)`` from :func:`auricle.pretraining.masking.draw_negatives`.
    temperature
        Of the cosine similarities.
    """
    # Negatives are frames of the same clip: all similarities at once are one small matrix product per clip.
    with torch.autocast(predictions.device.type, enabled=False):
        similarity = torch.bmm(
            functional.normalize(predictions.float(), dim=-1), functional.normalize(targets.float(), dim=-1).mT
        )
    logits = similarity / temperature
    own = logits.diagonal(dim1=1, dim2=2)
    others = logits.gather(2, negatives)
    counted = has_negatives(masked)
    loss = torch.logsumexp(torch.cat([own[:, :, None], others], dim=2), dim=2) - own
    drawn = torch.zeros_like(logits, dtype=torch.bool).scatter_(2, negatives, True)
    return Contrast(
        loss=loss.masked_fill(~counted, 0.0).sum(dim=1),
        correct=((own > others.amax(dim=2)) & counted).sum(dim=1),
        distinct=drawn.sum(dim=2).masked_fill(~counted, 0).sum(dim=1),
        frames=counted.sum(dim=1),
    )


class Wav2Vec(nn.Module):
    """An encoder's trunk, the vector that stands for what is hidden, the projection of targets, and the loss.

    Parameters
    ----------
    trunk
        The network to pre-train.
    mask_probability, mask_span
        Share of frames that is hidden at most, in spans of so many frames.
    negatives
        Drawn for every hidden frame.
    temperature
        Of the similarities.
    quantiser
        Of the targets; they stay continuous without one.
    diversity_weight
        Of the quantiser's diversity loss.
    seed
        Of masks, negatives and dropout.
    """

    def __init__(
        self,
        trunk: ConformerTrunk,
        *,
        mask_probability: float,
        mask_span: int,
        negatives: int,
        temperature: float,
        quantiser: Quantiser | None = None,
        diversity_weight: float = 0.1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.mask_probability, self.mask_span = mask_probability, mask_span
        self.negatives, self.temperature, self.seed = negatives, temperature, seed
        self.diversity_weight = diversity_weight
        self.mask_vector = nn.Parameter(torch.empty(trunk.latent_dim).uniform_())
        self.quantiser = quantiser
        self.target_projection = nn.Linear(trunk.latent_dim if quantiser is None else quantiser.dim, trunk.dim)

    def forward(self, log_mel: Tensor, frame_lengths: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        """Loss of a batch.

        Parameters
        ----------
        log_mel
            ``(batch, mels, frames)``, normalised.
        frame_lengths
            ``(batch,)`` true log-mel frames of each.
        index
            ``(batch,)`` global sample indices, for masks, negatives and dropout.

        Returns
        -------
        loss
            Scalar: mean over all hidden frames of the batch, nats.
        observed
            ``(batch, 6)`` per clip: loss, correct, distinct and frames of :class:`Contrast`, the variance of the
            normalised targets over its hidden frames, and the batch's mean perplexity of the codebooks (0 without).
        """
        latents, lengths = self.trunk.latents(log_mel, frame_lengths)
        mask = span_mask(
            self._keys("mask", index), lengths, latents.shape[1], probability=self.mask_probability, span=self.mask_span
        )
        masked = masked_frames(mask)
        hidden = torch.where(mask[:, :, None], self.mask_vector.to(latents.dtype), latents)
        context = self.trunk.context(hidden, lengths, self._keys("dropout", index))
        targets = masked.gather(latents)
        penalty = perplexity = torch.zeros((), device=latents.device)
        if self.quantiser is not None:
            perplexity = self.quantiser.perplexity(targets[masked.valid]).mean()
            targets, penalty = self.quantiser(targets, masked.valid, self._keys("codes", index))
        targets = self.target_projection(targets)
        found = contrast(
            masked.gather(context),
            targets,
            masked,
            draw_negatives(self._keys("negatives", index), masked, self.negatives),
            temperature=self.temperature,
        )
        # Processes average their losses: each divides by its share of all hidden frames, not by how many it has.
        frames = sum_over_processes(found.frames.sum()) / world_size()
        loss = found.loss.sum() / frames.clamp_min(1)
        variance = target_variance(targets, masked)
        observed = torch.stack(
            [found.loss, found.correct, found.distinct, found.frames, variance, perplexity.expand_as(variance)], dim=1
        )
        return loss + self.diversity_weight * penalty, observed.detach()

    def _keys(self, purpose: str, index: Tensor) -> Tensor:
        return randomness.keys(self.seed, f"wav2vec/{purpose}", index)


def target_variance(targets: Tensor, masked: Masked) -> Tensor:
    """Variance over a clip's hidden frames of L2-normalised targets, summed over dimensions: 0 collapsed, 1 spread."""
    unit = functional.normalize(targets.float(), dim=-1).masked_fill(~masked.valid[:, :, None], 0.0)
    centre = unit.sum(dim=1) / masked.counts.clamp_min(1)[:, None]
    return 1.0 - centre.square().sum(dim=1)


def chance(distinct: float) -> float:
    """Accuracy of a guess among a frame's own target and so many different negatives."""
    return 1.0 / (1.0 + distinct) if not math.isnan(distinct) else math.nan
