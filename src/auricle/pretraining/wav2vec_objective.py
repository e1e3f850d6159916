"""Conformer wav2vec 2.0's way to learn: tell hidden frames of a clip apart by their context."""

from collections.abc import Mapping

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.nn import functional

from auricle.models.conformer import Conformer
from auricle.models.spectrogram import NormalisedEncoder
from auricle.pretraining.contrast import chance
from auricle.pretraining.objective import Batch, Objective
from auricle.pretraining.quantiser import Quantiser
from auricle.pretraining.recipe import Recipe
from auricle.pretraining.wav2vec import Wav2Vec

COLLAPSED_VARIANCE = 0.01  # of L2-normalised targets; 1 when they point everywhere
GUESSING = 2.0  # times chance: an accuracy below says nothing
COLLAPSED_CODES = 2.0  # perplexity of a codebook


class Wav2VecObjective(Objective):
    """The contrastive task on masked latents."""

    family = Conformer
    sees_padding = False
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
            centre=settings.centre,
            quantiser=quantiser,
            diversity_weight=settings.diversity_weight,
            seed=recipe.seed,
        )

    def inputs(self, batch: Batch) -> tuple[Tensor, ...]:
        """Normalised log-mel, true frames and indices of this process's rows."""
        lengths = batch.lengths.clamp_min(self.encoder.min_samples)
        longest = int(lengths.max())
        trimmed = functional.pad(batch.waveform[:, 0], (0, longest - batch.waveform.shape[2]))
        with torch.no_grad():
            log_mel, frames = self.encoder.normalised_log_mel(trimmed, lengths)
        return log_mel, frames, batch.index[batch.rows]

    def monitors(self, observed: Tensor) -> dict[str, float]:
        """Accuracy, what interpolation and a guess among different ones reach, variance of targets, codes in use."""
        loss, correct, distinct, frames, guessed, variance, codes = observed.double().unbind(dim=1)
        counted = frames.sum().clamp_min(1)
        found = {
            "accuracy": float(correct.sum() / counted),
            "interpolation": float(guessed.sum() / counted),
            "chance": chance(float(distinct.sum() / counted)),
            "contrastive_loss": float(loss.sum() / counted),
            "target_variance": float(variance.mean()),
        }
        return found | ({"codes": float(codes.mean())} if self.network.quantiser is not None else {})

    def in_words(self, monitors: Mapping[str, float]) -> str:
        """Accuracy beside interpolation and chance."""
        accuracy, guessed, chance = (f"{monitors[name]:.1%}" for name in ("accuracy", "interpolation", "chance"))
        return f"accuracy {accuracy} (interpolation {guessed}, chance {chance})"

    def complaint(self, monitors: Mapping[str, float]) -> str | None:
        """Whether targets have become the same, or the codes that stand for them."""
        # Targets of steady sounds are alike as well, but are told apart all the same.
        guessing = monitors["accuracy"] < GUESSING * monitors["chance"]
        if guessing and monitors["target_variance"] < COLLAPSED_VARIANCE:
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
