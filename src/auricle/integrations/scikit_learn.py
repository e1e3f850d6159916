"""An encoder as a scikit-learn transformer: paths, excerpts or waveforms in, embeddings out.

::

    make_pipeline(AudioEmbedder("byola-2022"), StandardScaler(), LogisticRegression()).fit(paths, labels)

It works where transformers do: in a Pipeline, in GridSearchCV (model, layer and pooling are parameters like others),
with clone, pickle and joblib. A pickle holds the model's name and the fingerprint of its weights, never the weights.
"""

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array

from auricle import audio
from auricle.embedding import choose_device
from auricle.errors import AuricleError
from auricle.models.checkpoint import WEIGHTS_FILE
from auricle.models.encoder import Encoder
from auricle.models.pooled import pooled
from auricle.models.registry import load

BATCH_SECONDS = 60.0  # of equally long clips that go through the encoder at a time
KEPT_ENCODERS = 4  # in memory, for all the clones that a search makes

FloatArray = NDArray[np.float32]

_WHOLE = (str, os.PathLike, np.ndarray, torch.Tensor)  # what a clip that is no excerpt may be


class EmbedderError(AuricleError, ValueError):
    """An :class:`AuricleError` where scikit-learn's conventions ask for a ValueError."""


class AudioEmbedder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Embeddings of recordings; nothing is learnt from them, so :meth:`fit` only looks at the model.

    Parameters
    ----------
    model
        Whatever :func:`auricle.load` takes, or an encoder.
    layer, pooling
        As of :func:`auricle.models.pooled.pooled`; None for the model's own.
    sample_rate
        Hz of waveforms; the model's own when None. Files know theirs.
    root
        Folder that relative paths start from.
    device
        ``auto``, ``cpu`` or ``cuda``; an encoder that is given stays where it is.

    Attributes
    ----------
    weights_fingerprint_
        Of the encoder that was there in :meth:`fit`; another one is refused from then on.

    Examples
    --------
    >>> import numpy as np
    >>> AudioEmbedder("logmel-stats").fit_transform(np.zeros((2, 16000))).shape
    (2, 192)
    """

    def __init__(
        self,
        model: str | Path | Encoder = "byola-2022",
        *,
        layer: str | None = None,
        pooling: str | None = None,
        sample_rate: int | None = None,
        root: str | Path | None = None,
        device: str = "auto",
    ) -> None:
        self.model = model
        self.layer = layer
        self.pooling = pooling
        self.sample_rate = sample_rate
        self.root = root
        self.device = device

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002 (scikit-learn's signature)
        """Look whether there is such a model and whether `X` can be embedded; see :meth:`transform`."""
        self._clips(X)
        encoder, fingerprint = self._encoder()
        self.weights_fingerprint_ = fingerprint
        self._n_features_out = encoder.embedding_dim
        return self

    def transform(self, X: Any) -> FloatArray:
        """Embeddings of some recordings.

        Parameters
        ----------
        X
            Paths of audio files; excerpts of files, ``(path, start, end)`` in seconds with `end` None for the end, as
            :attr:`auricle.manifest.Manifest.excerpts` gives them; or waveforms in [-1, 1], as a list of arrays
            ``(samples,)`` or ``(channels, samples)`` or as one array ``(clips, samples)``.

        Returns
        -------
        ndarray
            ``(clips, embedding_dim)`` float32.

        Raises
        ------
        EmbedderError
            A ValueError too: when a recording cannot be embedded, or the model is not what it was in :meth:`fit`.
        """
        clips = self._clips(X)
        encoder, fingerprint = self._encoder()
        fitted = getattr(self, "weights_fingerprint_", fingerprint)
        if fitted != fingerprint:
            raise EmbedderError(
                f"{encoder.name} is not the model that this AudioEmbedder was fitted with: "
                f"its weights are {fingerprint}, expected {fitted}; fit again, or give the folder of the other"
            )
        try:
            if isinstance(clips, np.ndarray) and self.sample_rate in (None, encoder.sample_rate):
                return _of_equal_length(encoder, clips)
            return np.stack([self._of_one(encoder, clip, number) for number, clip in enumerate(clips)])
        except AuricleError as error:
            raise EmbedderError(str(error)) from error

    def _of_one(self, encoder: Encoder, clip: Any, number: int) -> FloatArray:
        if isinstance(clip, str | os.PathLike):
            return encoder.embed(Path(self.root or "", clip))
        if isinstance(clip, tuple):
            path, start, end = clip
            duration = None if end is None else end - start
            sound = audio.stream(
                Path(self.root or "", path), sample_rate=encoder.sample_rate, offset=start, duration=duration
            )
            return encoder.embed_stream(sound)
        try:
            return encoder.embed(clip, sample_rate=self.sample_rate)
        except AuricleError as error:
            raise AuricleError(f"clip {number}: {error}") from error

    def _clips(self, X: Any) -> Sequence[Any] | FloatArray:
        """One entry per clip: a path, an excerpt, or samples."""
        if hasattr(X, "to_numpy"):  # a column of a table
            X = X.to_numpy()
            X = X[:, 0] if X.ndim == 2 and X.shape[1] == 1 and X.dtype == object else X
        if isinstance(X, str | os.PathLike):
            raise EmbedderError(f"expected several recordings, got the path {X}: give a list of paths")
        several = isinstance(X, list | tuple) or (isinstance(X, np.ndarray) and (X.dtype.kind in "OU" and X.ndim == 1))
        if (
            several
            and len(X)
            and (isinstance(X[0], str | os.PathLike | np.ndarray | torch.Tensor) or _is_excerpt(X[0]))
        ):
            return list(X)
        return check_array(X, dtype=np.float32, estimator=self)  # type: ignore[no-any-return]

    def _encoder(self) -> tuple[Encoder, str]:
        """The encoder and its fingerprint."""
        try:
            if isinstance(self.model, Encoder):
                encoder = pooled(self.model, layer=self.layer, pooling=self.pooling)
                return encoder, encoder.weights_fingerprint
            return _loaded(str(self.model), self.layer, self.pooling, self.device, _changed(Path(self.model)))
        except AuricleError as error:
            raise EmbedderError(str(error)) from error

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        return True


def _is_excerpt(clip: Any) -> bool:
    return isinstance(clip, tuple) and len(clip) == 3 and isinstance(clip[0], str | os.PathLike)


@lru_cache(maxsize=KEPT_ENCODERS)
def _loaded(
    model: str,
    layer: str | None,
    pooling: str | None,
    device: str,
    changed: int,  # noqa: ARG001 (a folder with new weights is another model)
) -> tuple[Encoder, str]:
    encoder = pooled(load(model), layer=layer, pooling=pooling).to(choose_device(device))
    return encoder, encoder.weights_fingerprint


def _changed(model: Path) -> int:
    """When the weights in a folder were written, in nanoseconds; 0 for a model that is not a folder."""
    times = [
        path.stat().st_mtime_ns for path in (model / WEIGHTS_FILE, model / "model" / WEIGHTS_FILE) if path.exists()
    ]
    return max(times, default=0)


@torch.inference_mode()
def _of_equal_length(encoder: Encoder, clips: FloatArray) -> FloatArray:
    was_training = encoder.training
    encoder.eval()
    device = next((tensor.device for tensor in encoder.state_dict().values()), None)
    at_once = max(1, round(BATCH_SECONDS * encoder.sample_rate) // max(encoder.min_samples, clips.shape[1]))
    try:
        parts = [
            encoder(torch.from_numpy(clips[first : first + at_once]).to(device)).float().cpu().numpy()
            for first in range(0, len(clips), at_once)
        ]
    finally:
        encoder.train(was_training)
    return np.concatenate(parts)
