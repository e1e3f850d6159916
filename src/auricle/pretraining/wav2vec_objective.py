"""Conformer wav2vec 2.0's way to learn: tell hidden frames of a clip apart by their context."""

from collections.abc import Mapping

import torch
from accelerate import Accelerator
from torch import Tensor

from auricle.models.conformer import Conformer
from auricle.models.spectrogram import NormalisedEncoder
from auricle.pretraining.objective import Batch, Objective
from auricle.pretraining.quantiser import Quantiser
from auricle.pretraining.recipe import Recipe
from auricle.pretraining.wav2vec import Wav2Vec, chance

COLLAPSED_VARIANCE = 0.01  # of L2-normalised targets; 1 when they point everywhere
COLLAPSED_CODES = 2.0  # perplexity of a codebook


class Wav2VecObjective(Objective):
    """The contrastive task on masked latents."""

    family = Conformer
    network: Wav2Vec

    def __init__(self, recipe: Recipe, encoder: NormalisedEncoder, accelerator: Accelerator) -> None:
        super().__init__(recipe, encoder, accelerator)
        assert isinstance(encoder, Conformer)
        settings = recipe.wav2vec
        quantiser = None
        if settings.quantiser:
            quantiser = Quantiser(
                encoder.config.latent_dim,
                encoder.config.latent_dim,
                groups=settings.codebooks,
                codes=settings.codes,
                temperature=settings.gumbel_temperature,
            )
        self.network = Wav2Vec(
            encoder.trunk,
            mask_probability=settings.mask_probability,
            mask_span=settings.mask_span,
            negatives=settings.negatives,
            temperature=settings.temperature,
            quantiser=quantiser,
            diversity_weight=settings.diversity_weight,
            seed=recipe.seed,
        )

    def inputs(self, batch: Batch) -> tuple[Tensor, ...]:
        """Normalised log-mel, true frames and indices of this process's rows."""
        longest = max(int(batch.lengths.max()), self.encoder.min_samples)
        trimmed = batch.waveform[:, :longest]
        with torch.no_grad():
            log_mel, frames = self.encoder.normalised_log_mel(
                trimmed, batch.lengths.clamp_min(self.encoder.min_samples).clamp_max(trimmed.shape[1])
            )
        return log_mel, frames, batch.index[batch.rows]

    def monitors(self, observed: Tensor) -> dict[str, float]:
        """Accuracy over different negatives, what a guess would reach, variance of targets, codes in use."""
        loss, correct, distinct, frames, variance, codes = observed.double().unbind(dim=1)
        counted = frames.sum().clamp_min(1)
        found = {
            "accuracy": float(correct.sum() / counted),
            "chance": chance(float(distinct.sum() / counted)),
            "contrastive_loss": float(loss.sum() / counted),
            "target_variance": float(variance.mean()),
        }
        return found | ({"codes": float(codes.mean())} if self.network.quantiser is not None else {})

    def in_words(self, monitors: Mapping[str, float]) -> str:
        """Accuracy beside chance."""
        return f"accuracy {monitors['accuracy']:.1%} (chance {monitors['chance']:.1%})"

    def complaint(self, monitors: Mapping[str, float]) -> str | None:
        """Whether targets have become the same, or the codes that stand for them."""
        if monitors["target_variance"] < COLLAPSED_VARIANCE:
            return (
                f"the targets have collapsed (variance {monitors['target_variance']:.4f}): every frame looks the same; "
                "lower learning_rate or use wav2vec.quantiser=true"
            )
        if monitors.get("codes", COLLAPSED_CODES) < COLLAPSED_CODES:
            return (
                f"the codebooks have collapsed (perplexity {monitors['codes']:.1f}): one code stands for everything; "
                "raise wav2vec.diversity_weight"
            )
        return None
