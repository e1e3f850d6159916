"""What encoders accept: batches of clips, and samples as people hold them; anything else is one clear sentence."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from auricle.errors import AuricleError


def checked_batch(waveform: Tensor, lengths: Tensor | None, *, min_samples: int) -> tuple[Tensor, Tensor | None]:
    """A batch of clips, those shorter than `min_samples` zero-padded to it.

    Parameters
    ----------
    waveform
        ``(batch, samples)`` in [-1, 1], or one clip ``(samples,)``, of which a batch of one is made.
    lengths
        ``(batch,)`` true samples of each clip; all of them when not given.

    Raises
    ------
    AuricleError
        When the batch is empty, not finite or of another shape, or when the lengths are not its own.
    """
    waveform = waveform[None] if waveform.ndim == 1 else waveform
    if waveform.ndim != 2 or not waveform.is_floating_point():
        raise AuricleError(
            f"expected a floating-point waveform of shape (batch, samples) in [-1, 1], "
            f"got {tuple(waveform.shape)} of {waveform.dtype}"
        )
    if waveform.numel() == 0:
        raise AuricleError(f"the waveform is empty (shape {tuple(waveform.shape)}): give at least one sample")
    if not bool(torch.isfinite(waveform.sum())):
        raise AuricleError("the waveform holds NaN or infinity: clean it before embedding it")
    if lengths is not None:
        if lengths.shape != waveform.shape[:1] or not 1 <= int(lengths.min()) <= int(lengths.max()):
            raise AuricleError(
                f"expected a length of at least 1 sample for each of {len(waveform)} clips, got {lengths.tolist()}"
            )
        if int(lengths.max()) > waveform.shape[1]:
            raise AuricleError(f"a length of {int(lengths.max())} samples exceeds the waveform's {waveform.shape[1]}")
        if int(lengths.min()) < min_samples:
            waveform = silent_beyond(waveform, lengths)
            lengths = lengths.clamp_min(min_samples)
    missing = min_samples - waveform.shape[1]
    return (functional.pad(waveform, (0, missing)) if missing > 0 else waveform), lengths


def silent_beyond(waveform: Tensor, lengths: Tensor) -> Tensor:
    """The batch ``(batch, samples)`` with zeros beyond each clip's true samples."""
    return waveform.masked_fill(torch.arange(waveform.shape[1], device=waveform.device) >= lengths[:, None], 0.0)


def mono(samples: NDArray[np.float32] | Tensor) -> NDArray[np.float32]:
    """Samples as people hold them, ``(samples,)`` or ``(channels, samples)`` → float32 ``(samples,)``.

    Raises
    ------
    AuricleError
        When they are not finite, not floating-point or of another shape.
    """
    array = samples.detach().cpu().numpy() if isinstance(samples, Tensor) else np.asarray(samples)
    if not np.issubdtype(array.dtype, np.floating):
        raise AuricleError(f"expected floating-point samples in [-1, 1], got {array.dtype}: divide by its full scale")
    if array.ndim == 2:
        if array.shape[0] > array.shape[1]:
            raise AuricleError(f"expected (samples,) or (channels, samples), got {array.shape}: transpose the array")
        array = array.mean(axis=0)
    if array.ndim != 1:
        raise AuricleError(f"expected (samples,) or (channels, samples), got an array of shape {array.shape}")
    if not np.isfinite(array).all():
        raise AuricleError("the samples hold NaN or infinity: clean them before embedding them")
    return np.ascontiguousarray(array, dtype=np.float32)
