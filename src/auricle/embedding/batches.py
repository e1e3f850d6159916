"""From clips to embeddings: batches of clips of nearly one length through the encoder, long clips chunk by chunk.

A clip that the encoder refuses, or whose embedding is not finite, costs itself and not its batch.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from auricle.audio import Waveform
from auricle.embedding.pools import Clip, LongClip, end_of
from auricle.errors import AuricleError
from auricle.models.encoder import Encoder

SPREAD = 1.25  # longest to shortest clip of a batch: at most a fifth of it is padding
NOT_FINITE = "has an embedding that is not finite: are its samples within [-1, 1]?"

FloatArray = NDArray[np.float32]
TimeArray = NDArray[np.float64]


@dataclass(frozen=True)
class Rows:
    """Rows of the result that belong to one row of the manifest.

    Attributes
    ----------
    row
        Of the manifest.
    start, end
        ``(n,)`` seconds of the file.
    embeddings
        ``(n, dim)``.
    """

    row: int
    start: TimeArray
    end: TimeArray
    embeddings: FloatArray


class Embedder:
    """An encoder that works through pools.

    Parameters
    ----------
    model
        The encoder, in evaluation mode and on its device.
    batch_samples
        Samples that go through the encoder at a time, padding included.
    precision
        ``float32`` or ``bfloat16``.
    frames
        Whether to give every frame embedding instead of one embedding per clip.
    may_miss
        Whether a value may be NaN, where a clip has no such property.
    """

    def __init__(
        self, model: Encoder, *, batch_samples: int, precision: str, frames: bool, may_miss: bool = False
    ) -> None:
        self.model, self.batch_samples, self.precision, self.frames = model, batch_samples, precision, frames
        self.may_miss = may_miss
        self.device = device_of(model)

    def clips(self, clips: Sequence[Clip], done: Callable[[int], None]) -> list[Rows | AuricleError]:
        """Rows of each clip, in order, or why there are none; `done` is told after each batch how many clips it had."""
        found: dict[int, Rows | AuricleError] = {}
        for batch in self._batches(clips):
            found.update(zip(batch, self._embedded([clips[index] for index in batch]), strict=True))
            done(len(batch))
        return [found[index] for index in range(len(clips))]

    def _batches(self, clips: Sequence[Clip]) -> Iterator[list[int]]:
        """Indices of clips of nearly one length, the longest batches first."""
        lengths = [max(len(clip.waveform), self.model.min_samples) for clip in clips]
        batch: list[int] = []
        for index in sorted(range(len(clips)), key=lambda index: -lengths[index]):
            longest = lengths[batch[0]] if batch else 0
            if batch and ((len(batch) + 1) * longest > self.batch_samples or longest > SPREAD * lengths[index]):
                yield batch
                batch = []
            batch.append(index)
        if batch:
            yield batch

    def _embedded(self, batch: Sequence[Clip]) -> list[Rows | AuricleError]:
        try:
            arrays, times = self._forward([clip.waveform for clip in batch])
        except AuricleError as error:
            if len(batch) == 1:
                return [error]
            return [result for clip in batch for result in self._embedded([clip])]
        return [
            self._rows(clip.row, array, times, clip.start, clip.end)
            if self._is_fit(array)
            else AuricleError(NOT_FINITE)
            for clip, array in zip(batch, arrays, strict=True)
        ]

    def _rows(self, row: int, array: FloatArray, times: TimeArray | None, start: float, end: float) -> Rows:
        if times is None:
            return Rows(row, np.array([start]), np.array([end]), array)
        half = 0.5 / self.model.frame_rate
        times = start + times[: len(array)]
        inside = max(1, int(np.searchsorted(times, end)))  # the rest lies in the padding of a very short clip
        times = times[:inside]
        return Rows(row, np.maximum(times - half, start), np.minimum(times + half, end), array[:inside])

    def _forward(self, waveforms: Sequence[Waveform]) -> tuple[list[FloatArray], TimeArray | None]:
        """``(n, dim)`` of each waveform, n being 1 or its frames, and the frames' times."""
        lengths = torch.tensor([len(waveform) for waveform in waveforms])
        longest = int(lengths.max())
        batch = torch.zeros(len(waveforms), longest)
        for row, waveform in zip(batch, waveforms, strict=True):
            row[: len(waveform)] = torch.from_numpy(waveform)
        batch = batch.to(self.device, non_blocking=True)
        true = None if bool((lengths == longest).all()) else lengths.to(self.device)
        with torch.inference_mode(), self._precision():
            if not self.frames:
                return list(_to_numpy(self.model(batch, true))[:, None]), None
            frames, times = self.model.frames(batch, true)
            counts = self.model.frame_lengths(lengths).tolist()
            arrays = [frame[:count] for frame, count in zip(_to_numpy(frames), counts, strict=True)]
            return arrays, times.cpu().numpy()

    def long_clip(self, clip: LongClip, heard: Callable[[float], None], write: Callable[[Rows], None]) -> None:
        """Embed a long clip in flat memory; `heard` is told of seconds as they come.

        Raises
        ------
        AuricleError
            When the recording breaks off in error, or the encoder refuses it.
        """
        read = 0

        def blocks(recording: Iterable[Waveform]) -> Iterator[Waveform]:
            nonlocal read
            for block in recording:
                read += len(block)
                heard(len(block) / self.model.sample_rate)
                yield block

        def end() -> float:
            return end_of(clip.start, clip.end, read, self.model.sample_rate)

        with self._precision():
            if self.frames:
                for frames, times in self.model.stream_frames(blocks(clip.recording)):
                    array = _to_numpy(frames)
                    if not self._is_fit(array):
                        raise AuricleError(NOT_FINITE)
                    write(self._rows(clip.row, array, times.cpu().numpy(), clip.start, end()))
                return
            embedding = self.model.embed_stream(blocks(clip.recording))
        if not self._is_fit(embedding):
            raise AuricleError(NOT_FINITE)
        write(self._rows(clip.row, embedding[None], None, clip.start, end()))

    def _is_fit(self, array: FloatArray) -> bool:
        return bool((~np.isinf(array) if self.may_miss else np.isfinite(array)).all())

    def _precision(self) -> AbstractContextManager[None]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16")


def device_of(model: Encoder) -> torch.device:
    """Where an encoder's tensors are."""
    return next((tensor.device for tensor in (*model.parameters(), *model.buffers())), torch.device("cpu"))


def _to_numpy(tensor: Tensor) -> FloatArray:
    array: FloatArray = tensor.float().cpu().numpy()
    return array
