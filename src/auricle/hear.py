"""Any encoder as a module of HEAR, the holistic evaluation of audio representations (Turian et al. 2022).

``python -m heareval.embeddings.runner auricle.hear --model byola-2022 --tasks-dir tasks``: the model file is whatever
:func:`auricle.load` takes. Scene embeddings are the encoder's own clip embeddings, timestamp embeddings its frames.
The interface is that of https://hearbenchmark.com/hear-api.html.
"""

import torch
from torch import Tensor, nn

from auricle.errors import AuricleError
from auricle.integrations.long_clips import frames_of_any_length
from auricle.models.encoder import Encoder
from auricle.models.registry import load

DEFAULT_MODEL = "byola-2022"


class HearModel(nn.Module):
    """An encoder with the attributes that HEAR asks for.

    Attributes
    ----------
    sample_rate
        Hz.
    scene_embedding_size, timestamp_embedding_size
        Dimensions.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.sample_rate = encoder.sample_rate
        self.scene_embedding_size = encoder.embedding_dim
        self.timestamp_embedding_size = encoder.frame_dim


def load_model(model_file_path: str = "") -> HearModel:
    """The model that HEAR hands back to the functions below.

    Parameters
    ----------
    model_file_path
        A name of ``auricle models``, a folder, a file or a hub id; ``byola-2022`` when empty.

    Examples
    --------
    >>> load_model("logmel-stats").scene_embedding_size
    192
    """
    return HearModel(load(model_file_path or DEFAULT_MODEL).eval())


def get_scene_embeddings(audio: Tensor, model: HearModel) -> Tensor:
    """One embedding per sound: ``(n_sounds, scene_embedding_size)`` float32.

    Parameters
    ----------
    audio
        ``(n_sounds, n_samples)`` in [-1, 1] at the model's rate.
    model
        Of :func:`load_model`.
    """
    _refuse_other_shapes(audio)
    encoder = model.encoder.eval()
    with torch.no_grad():
        embeddings: Tensor = encoder(audio).float()
    return embeddings


def get_timestamp_embeddings(audio: Tensor, model: HearModel) -> tuple[Tensor, Tensor]:
    """Frame embeddings ``(n_sounds, n_frames, timestamp_embedding_size)`` and their centres in milliseconds.

    Parameters are those of :func:`get_scene_embeddings`; the timestamps are ``(n_sounds, n_frames)`` float32.
    """
    _refuse_other_shapes(audio)
    frames, times = frames_of_any_length(model.encoder, audio)
    return frames, (1000.0 * times).float().expand(len(frames), -1)


def _refuse_other_shapes(audio: Tensor) -> None:
    if audio.ndim != 2:
        raise AuricleError(f"HEAR's audio has the shape (n_sounds, n_samples), got {tuple(audio.shape)}")
