"""Scores of a fine-tuned encoder: predictions of clips, the metrics of their kind, intervals."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from auricle.embedding.batches import Embedder, Rows
from auricle.embedding.pools import Clip
from auricle.errors import AuricleError
from auricle.finetuning.classifier import Classifier
from auricle.finetuning.labelled_clips import LabelledClips
from auricle.models.global_norm import sum_over_processes
from auricle.results import Result
from auricle.transfer import metrics
from auricle.transfer.bootstrap import Floats, interval
from auricle.transfer.targets import Kind

BATCH_SECONDS = 60.0  # of sound that go through the encoder at a time
POOL_CLIPS = 256  # whose samples are held at a time

Metric = Callable[[Floats | None], Floats]


def predict(
    classifier: Classifier, data: LabelledClips, clips: NDArray[np.int64], *, precision: str, share: slice
) -> NDArray[np.float32]:
    """Logits ``(len(clips), outputs)`` of whole clips; `share` of them by this process.

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
                    found[at] = classifier.logits(torch.from_numpy(rows.embeddings).to(embedder.device))[0]
    finally:
        classifier.train(was_training)
    logits: NDArray[np.float32] = sum_over_processes(found).cpu().numpy()
    return logits


def measures(truth: NDArray[np.bool_], logits: NDArray[np.float32], *, kind: Kind) -> Mapping[str, Metric]:
    """The metrics of a kind of task, each a function of the clips' weights.

    Parameters
    ----------
    truth
        ``(n, outputs)``: which classes a clip is of.
    logits
        ``(n, outputs)``.
    kind
        ``multi-class``, ``binary`` or ``multi-label``.
    """
    if kind == "multi-class":
        right, guess = truth.argmax(axis=1), logits.argmax(axis=1)
        return {
            "accuracy": lambda weights: metrics.accuracy(right, guess, weights=weights),
            "balanced_accuracy": lambda weights: metrics.balanced_accuracy(right, guess, weights=weights),
        }
    if kind == "binary":
        positive, score = truth[:, 0], logits[:, 0]
        return {
            "average_precision": lambda weights: metrics.average_precision(positive, score, weights=weights),
            "prevalence": lambda weights: metrics.prevalence(positive, weights=weights),
        }
    return {"mean_average_precision": partial(_mean_average_precision, truth, logits)}


def _mean_average_precision(truth: NDArray[np.bool_], logits: NDArray[np.float32], weights: Floats | None) -> Floats:
    """Mean over the classes that any clip is of."""
    each = [
        metrics.average_precision(truth[:, output], logits[:, output], weights=weights)
        for output in np.flatnonzero(truth.any(axis=0))
    ]
    mean: Floats = np.nanmean(each, axis=0)
    return mean


def results_of(measured: Mapping[str, Metric], cluster: list[str | None], row: "partial[Result]") -> list[Result]:
    """One summary per metric with its interval; `row` makes a result of metric, value and interval."""
    found = []
    for metric, of in measured.items():
        low, high = interval(of, cluster) or (None, None)
        found.append(row(metric=metric, value=float(of(None)), ci_low=low, ci_high=high))
    return found
