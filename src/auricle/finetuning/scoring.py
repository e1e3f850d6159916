"""Scores of a fine-tuned encoder: predictions of clips, the metrics of their kind, intervals."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from auricle.embedding.batches import Embedder, Rows
from auricle.embedding.pools import Clip
from auricle.errors import AuricleError
from auricle.finetuning.classifier import Classifier
from auricle.finetuning.labelled_clips import LabelledClips
from auricle.models.global_norm import sum_over_processes
from auricle.results import Result
from auricle.transfer import metrics
from auricle.transfer.bootstrap import Floats, interval

BATCH_SECONDS = 60.0  # of sound that go through the encoder at a time
POOL_CLIPS = 256  # whose samples are held at a time

Metric = Callable[[Floats | None], Floats]


def predict(
    classifier: Classifier, data: LabelledClips, clips: NDArray[np.int64], *, precision: str, share: slice
) -> Tensor:
    """Probabilities ``(len(clips), outputs)`` of whole clips, on the CPU; `share` of them by this process.

    Raises
    ------
    AuricleError
        When a clip's embedding is not finite.
    """
    was_training = classifier.training
    classifier.eval()
    encoder = classifier.encoder
    embedder = Embedder(
        encoder, batch_samples=round(BATCH_SECONDS * encoder.sample_rate), precision=precision, frames=False
    )
    found = torch.zeros(len(clips), classifier.linear.out_features, device=embedder.device)
    mine = np.arange(len(clips))[share]
    try:
        for first in range(0, len(mine), POOL_CLIPS):
            positions = mine[first : first + POOL_CLIPS]
            pool = [Clip(int(at), 0.0, 0.0, data.waveform(int(clips[at]))) for at in positions]
            for at, rows in zip(positions, embedder.clips(pool, lambda _: None), strict=True):
                if not isinstance(rows, Rows):
                    path = data.clips.stretches[data.clips.stretch[clips[at]]].path
                    raise AuricleError(f"{path} {rows}")
                with torch.inference_mode():
                    logits = classifier.logits(torch.from_numpy(rows.embeddings).to(embedder.device))
                    found[at] = classifier.probabilities(logits)[0]
    finally:
        classifier.train(was_training)
    return sum_over_processes(found).cpu()


def measures(truth: Tensor, scores: Tensor, *, exclusive: bool) -> Mapping[str, Metric]:
    """The metrics of a kind of task, each a function of the clips' weights.

    Parameters
    ----------
    truth
        ``(n, outputs)``: 1 for each class that a clip is of.
    scores
        ``(n, outputs)`` probabilities.
    exclusive
        Whether a clip is of exactly one class.
    """
    if exclusive:
        right, guess = truth.argmax(dim=1).numpy(), scores.argmax(dim=1).numpy()
        return {
            "accuracy": lambda weights: metrics.accuracy(right, guess, weights=weights),
            "balanced_accuracy": lambda weights: metrics.balanced_accuracy(right, guess, weights=weights),
        }
    positive, score = truth[:, 0].numpy() > 0.5, scores[:, 0].numpy()
    return {
        "average_precision": lambda weights: metrics.average_precision(positive, score, weights=weights),
        "prevalence": lambda weights: metrics.prevalence(positive, weights=weights),
    }


def results_of(measured: Mapping[str, Metric], cluster: list[str | None], row: "partial[Result]") -> list[Result]:
    """One summary per metric with its interval; `row` makes a result of metric, value and interval."""
    found = []
    for metric, of in measured.items():
        low, high = interval(of, cluster) or (None, None)
        found.append(row(metric=metric, value=float(of(None)), ci_low=low, ci_high=high))
    return found
