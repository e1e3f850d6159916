"""wav2vec 2.0 on log-mel: tell a hidden frame's own latent from those of other hidden frames, by its context.

Baevski et al. 2020 (arXiv 2006.11477) with the choices of Srivastava et al. 2022 (arXiv 2110.07313): continuous targets
from the unmasked, normalised latents, 100 negatives from the same clip, cosine similarity with a temperature. The
original's quantiser of targets, with its diversity loss, is an option.
"""

import torch
from torch import Tensor, nn

from auricle import randomness
from auricle.models.conformer import ConformerTrunk
from auricle.models.global_norm import sum_over_processes, world_size
from auricle.pretraining.contrast import contrast, correct_by_interpolation, target_variance
from auricle.pretraining.masking import draw_negatives, masked_frames, span_mask
from auricle.pretraining.quantiser import Quantiser


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
    centre
        Whether similarities are those of vectors less their clip's mean. What all hidden frames share (the mask vector
        first of all) otherwise hides how they differ, for as long as the network takes to unlearn it.
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
        centre: bool = False,
        quantiser: Quantiser | None = None,
        diversity_weight: float = 0.1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.mask_probability, self.mask_span = mask_probability, mask_span
        self.negatives, self.temperature, self.centre, self.seed = negatives, temperature, centre, seed
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
            ``(batch, 7)`` per clip: loss, correct, distinct and frames of
            :class:`auricle.pretraining.contrast.Contrast`, the frames that interpolation tells apart, the variance of
            the normalised targets over its hidden frames, and the batch's mean perplexity of the codebooks (0 without).
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
        codes = None
        if self.quantiser is not None:
            perplexity = self.quantiser.perplexity(targets[masked.valid]).mean()
            targets, codes, penalty = self.quantiser(targets, masked.valid, self._keys("codes", index))
        targets = self.target_projection(targets)
        negatives = draw_negatives(self._keys("negatives", index), masked, self.negatives)
        found = contrast(
            masked.gather(context),
            targets,
            masked,
            negatives,
            temperature=self.temperature,
            centre=self.centre,
            codes=codes,
        )
        # Processes average their losses: each divides by its share of all hidden frames, not by how many it has.
        frames = sum_over_processes(found.frames.sum()) / world_size()
        loss = found.loss.sum() / frames.clamp_min(1)
        with torch.no_grad():
            guessed = correct_by_interpolation(
                latents, lengths, mask, masked, negatives, found.apart, centre=self.centre
            )
            spread = target_variance(targets, masked)
            per_clip = (found.loss, found.correct, found.distinct, found.frames, guessed, spread)
            observed = torch.stack([*per_clip, perplexity.expand_as(spread)], dim=1)
        return loss + self.diversity_weight * penalty, observed

    def _keys(self, purpose: str, index: Tensor) -> Tensor:
        return randomness.keys(self.seed, f"wav2vec/{purpose}", index)
