"""How good a classifier is: its logits of whole clips, and the metrics of their kind."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from auricle.embedding.batches import Embedder, Rows
from auricle.embedding.pools import Clip
from auricle.errors import AuricleError
from auricle.finetuning.classifier import Classifier
from auricle.finetuning.labelled_clips import LabelledClips
from auricle.models.global_norm import sum_over_processes
from auricle.transfer import scoring
from auricle.transfer.bootstrap import REPLICATES
from auricle.transfer.scoring import Scores
from auricle.transfer.targets import Kind, Targets

BATCH_SECONDS = 60.0  # of sound that go through the encoder at a time
POOL_CLIPS = 256  # whose samples are held at a time


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


def score(
    targets: Targets,
    rows: NDArray[np.int64],
    logits: NDArray[np.float32],
    cluster: Sequence[object] | None = None,
) -> Scores:
    """The metrics of a kind of task.

    Parameters
    ----------
    targets
        What is true of each row of the manifest.
    rows
        ``(n,)`` those that are scored.
    logits
        ``(n, outputs)``.
    cluster
        ``(n,)`` units of the bootstrap; without them there are no intervals.
    """
    return scoring.score(
        targets.kind,
        targets.values[rows],
        [answers(targets.kind, logits)],
        fold=np.zeros(len(rows), dtype=np.int64),
        cluster=[0] * len(rows) if cluster is None else cluster,
        fold_by_fold=False,
        replicates=REPLICATES,
    )


def answers(kind: Kind, logits: NDArray[np.float32]) -> NDArray[np.generic]:
    """What the metrics of a kind of task take of logits ``(n, outputs)``: predicted classes, or scores."""
    if kind == "multi-class":
        classes: NDArray[np.int64] = logits.argmax(axis=1)
        return classes
    return logits[:, 0] if kind == "binary" else logits
