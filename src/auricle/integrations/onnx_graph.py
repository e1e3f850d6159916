"""Encoders written with nothing but what an ONNX graph knows: the same numbers, no Fourier transform, no loop.

ONNX runtimes compute their own short-time Fourier transform slowly, so a frame's spectrum is two matrix products here,
as Cooley & Tukey (1965) split it: with ``n = Q a + b`` and ``k = c + P d``, P transforms over `a` and then Q over `b`.
Power has the symmetry of a real signal's spectrum, so that half of the `c` are enough. Every clip has a length: one
graph serves whole clips and padded batches.
"""

import copy
import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from auricle.errors import AuricleError
from auricle.mel import LogMel
from auricle.models.around import EncoderAround
from auricle.models.byola import mask_frames
from auricle.models.encoder import Encoder
from auricle.models.pooling import FrameStatistics
from auricle.models.spectrogram import SpectrogramEncoder
from auricle.models.waveforms import silent_beyond
from auricle.models.yamnet import (
    BANDS,
    FFT,
    HOP,
    LOG_OFFSET,
    PATCH_FRAMES,
    PATCH_HOP,
    PATCH_HOP_FRAMES,
    PATCH_SAMPLES,
    WINDOW,
    YAMNet,
)


class BandPower(nn.Module):
    """Bands of the spectrum of every frame, by matrix products alone.

    Parameters
    ----------
    window
        ``(n_fft,)``, zeros where it is shorter than the transform.
    bank
        ``(n_fft // 2 + 1, bands)`` weight of every bin in every band.
    hop
        Samples from one frame to the next.
    power
        Exponent of the magnitude.
    """

    window: Tensor
    first: Tensor
    second: Tensor
    bank: Tensor

    def __init__(self, window: Tensor, bank: Tensor, *, hop: int, power: float) -> None:
        super().__init__()
        size = len(window)
        rows = max(divisor for divisor in range(1, math.isqrt(size) + 1) if size % divisor == 0)
        columns, kept = size // rows, rows // 2 + 1
        self.size, self.rows, self.columns, self.kept, self.hop, self.power = size, rows, columns, kept, hop, power
        self.block = math.gcd(size, hop)  # frames are gathered by blocks, not by samples
        c, b = np.arange(kept), np.arange(columns)
        over_rows = np.exp(-2j * np.pi * np.outer(c, np.arange(rows)) / rows)
        twiddle = np.exp(-2j * np.pi * np.outer(c, b) / size)
        over_columns = twiddle[:, :, None] * np.exp(-2j * np.pi * np.outer(b, b) / columns)
        from_real = np.concatenate([over_columns.real, over_columns.imag], axis=2)
        from_imaginary = np.concatenate([-over_columns.imag, over_columns.real], axis=2)
        bins = c[:, None] + rows * b
        bins = np.minimum(bins, size - bins).ravel()  # the other half of a real signal's spectrum is its mirror image
        weights = bank.double().numpy()[bins]
        weights[np.setdiff1d(np.arange(len(bins)), np.unique(bins, return_index=True)[1])] = 0.0  # each bin once
        self.register_buffer("window", window.clone())
        self.register_buffer("first", _float(np.concatenate([over_rows.real, over_rows.imag])))
        self.register_buffer("second", _float(np.concatenate([from_real, from_imaginary], axis=1)))
        self.register_buffer("bank", _float(weights))

    def forward(self, waveform: Tensor, frames: int) -> Tensor:
        """The first `frames` frames of ``(batch, samples)``, from sample 0 on: ``(batch, frames, bands)``."""
        batch, columns = waveform.shape[0], self.columns
        samples = (frames - 1) * self.hop + self.size
        blocks = waveform[:, :samples].reshape(batch, samples // self.block, self.block)
        starts = torch.arange(frames, device=waveform.device) * (self.hop // self.block)
        within = torch.arange(self.size // self.block, device=waveform.device)
        framed = blocks.index_select(1, (starts[:, None] + within).flatten()).reshape(batch * frames, self.size)
        across = self.first @ (framed * self.window).reshape(batch * frames, self.rows, columns)
        across = across.reshape(batch * frames, 2, self.kept, columns).permute(2, 0, 1, 3)
        spectrum = across.reshape(self.kept, batch * frames, 2 * columns) @ self.second
        squares = spectrum.square()
        power = squares[:, :, :columns] + squares[:, :, columns:]
        if self.power != 2.0:
            power = power.pow(self.power / 2.0)
        power = power.transpose(0, 1).reshape(batch, frames, self.kept * columns)
        return power @ self.bank


class GraphLogMel(LogMel):
    """:class:`auricle.mel.LogMel` by matrix products; every clip has a length."""

    def __init__(self, log_mel: LogMel) -> None:
        super().__init__(log_mel.recipe)
        recipe = self.recipe
        before = (recipe.n_fft - recipe.win_length) // 2  # torch.stft centres a shorter window
        window = functional.pad(self.window, (before, recipe.n_fft - recipe.win_length - before))
        self.band_power = BandPower(window, self.filter_bank.T, hop=recipe.hop_length, power=recipe.power)

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """As of the parent class."""
        assert lengths is not None
        padded = self._pad(waveform, lengths)
        frames = (padded.shape[1] - self.recipe.n_fft) // self.recipe.hop_length + 1
        log_mel = (self.band_power(padded, frames) + self.recipe.log_floor).log().transpose(1, 2)
        frame_lengths = lengths.div(self.recipe.hop_length, rounding_mode="floor") + 1
        return mask_frames(log_mel, frame_lengths, dim=2), frame_lengths


class GraphYAMNet(YAMNet):
    """:class:`auricle.models.yamnet.YAMNet` by matrix products, over all patches of a padded batch."""

    def __init__(self, encoder: YAMNet) -> None:
        super().__init__(encoder.config)
        self.load_state_dict(encoder.state_dict())
        window = functional.pad(self.patches.window, (0, FFT - WINDOW))
        self.band_power = BandPower(window, self.patches.mel_matrix, hop=HOP, power=1.0)

    def _encode_layers(
        self, waveform: Tensor, lengths: Tensor | None, names: Sequence[str]
    ) -> tuple[Tensor, Tensor | None]:
        assert lengths is not None
        true = self._frames_of(lengths)
        shape = waveform.shape[0], (waveform.shape[1] - PATCH_SAMPLES + PATCH_HOP - 1) // PATCH_HOP + 1
        frames = (shape[1] - 1) * PATCH_HOP_FRAMES + PATCH_FRAMES
        padded = functional.pad(silent_beyond(waveform, lengths), (0, PATCH_HOP + FFT - WINDOW))
        log_mel = torch.log(self.band_power(padded, frames) + LOG_OFFSET)
        starts = torch.arange(shape[1], device=waveform.device) * PATCH_HOP_FRAMES
        within = torch.arange(PATCH_FRAMES, device=waveform.device)
        x = log_mel.index_select(1, (starts[:, None] + within).flatten())
        x = x.reshape(shape[0] * shape[1], 1, PATCH_FRAMES, BANDS)
        found = {}
        for name, block in zip(self.layer_names, self.blocks, strict=True):
            x = block(x)
            if name in names:
                found[name] = x.mean(dim=(2, 3))
        joined = torch.cat([found[name] for name in names], dim=1)
        return mask_frames(joined.reshape(*shape, joined.shape[1]), true, dim=1), true


class Graph(nn.Module):
    """What is exported: waveforms and their lengths → embeddings and frame embeddings.

    Parameters
    ----------
    encoder
        Any whose front end is a mel spectrogram; it is copied.

    Raises
    ------
    AuricleError
        When its front end is another.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = _rewritten(encoder)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings and frame embeddings of a padded batch.

        Parameters
        ----------
        waveform
            ``(batch, samples)`` in [-1, 1] at the encoder's rate.
        lengths
            ``(batch,)`` int64, true samples of each clip, at least 1.

        Returns
        -------
        embedding
            ``(batch, embedding_dim)``.
        frames
            ``(batch, time, frame_dim)``, 0 beyond each clip's true frames.
        """
        encoder = self.encoder
        waveform = silent_beyond(waveform, lengths)
        if encoder.min_samples > 0:
            samples = torch.sym_max(waveform.shape[1], encoder.min_samples)  # type: ignore[no-untyped-call]
            waveform = functional.pad(waveform, (0, encoder.min_samples))[:, :samples]
            lengths = lengths.clamp_min(encoder.min_samples)
        frames, true = encoder._encode(waveform, lengths)
        with_deviations = encoder._with_deviations
        return encoder._summarise(FrameStatistics.of(frames, true, with_deviations=with_deviations)), frames


def _rewritten(encoder: Encoder) -> Encoder:
    """A copy in evaluation mode whose front end is matrix products."""
    if isinstance(encoder, YAMNet):
        return GraphYAMNet(encoder).eval()
    if isinstance(encoder, EncoderAround):
        around = copy.copy(encoder)
        around._modules = {**encoder._modules, "encoder": _rewritten(encoder.encoder)}
        return around.eval()
    if isinstance(encoder, SpectrogramEncoder):
        rewritten = copy.deepcopy(encoder)
        rewritten.log_mel = GraphLogMel(rewritten.log_mel)
        return rewritten.eval()
    raise AuricleError(
        f"{encoder.name} cannot become one ONNX graph: only encoders with a mel front end can "
        "(byola, conformer, yamnet, logmel-stats, mfcc-stats); a model of transformers is exported by optimum-cli"
    )


def _float(array: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(array).float()
