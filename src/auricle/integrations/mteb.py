"""Any encoder for MTEB, the massive text embedding benchmark, whose tasks include audio (MAEB).

::

    mteb.evaluate(MTEBEncoder("byola-2022"), tasks=mteb.get_tasks(tasks=["BeijingOpera"]))

The interface is that of MTEB 2 (``mteb.models.EncoderProtocol``). Needs the extra ``mteb``, which does not bring the
torchaudio and torchcodec that MTEB's own audio models want: audio is resampled by Auricle.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from auricle import __version__
from auricle.embedding import choose_device
from auricle.errors import AuricleError
from auricle.models.registry import load

HOMEPAGE = "https://github.com/auricle-audio/auricle"
RELEASED = "2026-11-21"  # of Auricle's first version; MTEB wants a date

FloatArray = NDArray[np.float32]


class MTEBEncoder:
    """An encoder of audio as MTEB calls it.

    Parameters
    ----------
    model_name
        Whatever :func:`auricle.load` takes.
    revision
        Not used: a result carries the fingerprint of the weights.
    device
        ``auto``, ``cpu`` or ``cuda``; None is ``auto``.
    """

    def __init__(
        self,
        model_name: str | Path,
        revision: str | None = None,  # noqa: ARG002 (MTEB's signature)
        *,
        device: str | None = None,
        **_: Any,
    ) -> None:
        self.encoder = load(model_name).to(choose_device(device or "auto"))

    def encode(self, inputs: Iterable[Mapping[str, Any]], **_: Any) -> FloatArray:
        """Embeddings ``(clips, embedding_dim)`` float32.

        Parameters
        ----------
        inputs
            Batches whose ``audio`` is a list of mappings with ``array`` and ``sampling_rate``. What else MTEB says
            (task, split, prompts) is for models of text.

        Raises
        ------
        AuricleError
            When a batch has no audio.
        """
        if getattr(inputs, "collate_fn", None) is not None:
            inputs.collate_fn = _collated  # type: ignore[attr-defined]
        return np.stack([self._embedding(clip) for batch in inputs for clip in _audio_of(batch)])

    def _embedding(self, clip: Any) -> FloatArray:
        samples, rate = _samples(clip)
        return self.encoder.embed(samples, sample_rate=rate or self.encoder.sample_rate)

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Tensor:
        """Cosine of every embedding of the first with every one of the second: ``(n, m)``."""
        return _unit(embeddings1) @ _unit(embeddings2).T

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Tensor:
        """Cosine of each embedding of the first with that of the second in the same row: ``(n,)``."""
        return (_unit(embeddings1) * _unit(embeddings2)).sum(dim=1)

    @property
    def mteb_model_meta(self) -> Any:
        """What MTEB writes beside a result.

        Raises
        ------
        AuricleError
            When MTEB is not installed.
        """
        try:
            from mteb.models import ModelMeta
        except ImportError as error:
            raise AuricleError('MTEB needs the `mteb` extra: pip install "auricle[mteb]"') from error
        encoder = self.encoder
        megabytes = sum(tensor.numel() * tensor.element_size() for tensor in encoder.state_dict().values()) / 2**20
        return ModelMeta(
            loader=type(self),
            name=f"auricle/{encoder.name.replace('/', '-')}",
            revision=encoder.weights_fingerprint,
            release_date=RELEASED,
            languages=[],
            n_parameters=encoder.parameters_count,
            memory_usage_mb=megabytes,
            max_tokens=None,
            embed_dim=encoder.embedding_dim,
            license=None,
            open_weights=True,
            public_training_code=HOMEPAGE,
            public_training_data=None,
            framework=["PyTorch"],
            reference=HOMEPAGE,
            similarity_fn_name="cosine",
            use_instructions=False,
            training_datasets=None,
            modalities=["audio"],
            experiment_kwargs={"auricle_version": __version__},
        )


def _collated(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows of a dataset as one mapping of lists: clips of a batch need not be equally long."""
    return {name: [row[name] for row in rows] for name in rows[0]}


def _audio_of(batch: Mapping[str, Any]) -> list[Any]:
    if "audio" not in batch:
        raise AuricleError(f"Auricle's encoders hear audio only, but MTEB sent {', '.join(map(str, batch))}")
    return list(batch["audio"])


def _samples(clip: Any) -> tuple[FloatArray, int | None]:
    """Samples and rate of a clip: ``array`` and ``sampling_rate``, of which datasets has two kinds."""
    rate = clip.get("sampling_rate") if isinstance(clip, Mapping) else clip["sampling_rate"]
    return np.asarray(clip["array"], dtype=np.float32), None if rate is None else int(rate)


def _unit(embeddings: Any) -> Tensor:
    rows = torch.as_tensor(np.ascontiguousarray(embeddings, dtype=np.float32))
    return functional.normalize(rows.reshape(-1, rows.shape[-1]), dim=1)
