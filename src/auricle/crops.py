"""The waveform of any global sample index: which clip it is of, and which crop of that.

Both follow from draws that depend on (seed, index) alone, whatever the number of processes and whoever asks first.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from auricle import audio, randomness
from auricle.clips import FULL_SCALE, ClipReader, Clips, Samples
from auricle.errors import AuricleError

_NEIGHBOURS = 8  # clips in a row that may turn out to be unreadable in mid-training


class Crops:
    """The crop of every global sample index.

    Parameters
    ----------
    clips
        What there is.
    reader
        Where samples come from: the clips themselves (decode at every crop) or :class:`DecodedClips`.
    crop_samples
        Samples of a crop.
    sampling
        ``clip``: an epoch is one crop of every clip; ``duration``: as many crops as fit into each.
    padding
        Where a shorter clip lies in its zeros, or ``repeat``: it is repeated until the crop is full.
    seed
        The run's seed.
    shortest
        Samples of the zero-padded clip that an encoder makes of a shorter one; with ``repeat``, that is repeated.
    members
        ``(n,)`` the clips that crops are taken from; all of them when not given.
    """

    def __init__(
        self,
        clips: Clips,
        reader: ClipReader,
        *,
        crop_samples: int,
        sampling: Literal["clip", "duration"],
        padding: Literal["tail", "centre", "repeat"],
        seed: int,
        shortest: int = 0,
        members: NDArray[np.int64] | None = None,
    ) -> None:
        self.clips, self.reader = clips, reader
        self.crop_samples, self.padding, self.seed, self._shortest = crop_samples, padding, seed, shortest
        # Ten thousand hours are millions of clips: what follows from their number alone is not kept for each.
        self._members, self._count = members, len(clips) if members is None else len(members)
        self._slots = (
            None if sampling == "clip" else np.cumsum(np.maximum(1, self._samples_of(slice(None)) // crop_samples))
        )
        self.failed: dict[Path, str] = {}

    def __len__(self) -> int:
        """Crops of one epoch."""
        return self._count if self._slots is None else int(self._slots[-1])

    @property
    def padding_share(self) -> float:
        """Share of all crops' samples that is padding."""
        missing = np.maximum(0, self.crop_samples - self._samples_of(slice(None)))
        if self._slots is not None:
            missing *= np.diff(self._slots, prepend=0)
        return float(missing.sum() / (len(self) * self.crop_samples))

    def _samples_of(self, members: NDArray[np.int64] | slice) -> NDArray[np.int64]:
        """Samples of the clips of some members."""
        return self.clips.samples[members if self._members is None else self._members[members]]

    def _members_at(self, index: Tensor) -> NDArray[np.int64]:
        """Which member the crop of each global sample index is taken from; no order is kept, however long it is."""
        epochs, places = np.divmod(index.numpy(), len(self))
        members = np.empty(len(index), dtype=np.int64)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            members[here] = self._ordered(int(epoch), places[here])
        return members

    def _ordered(self, epoch: int, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Which members stand at these places of an epoch's order."""
        slots = randomness.permuted(self.seed, "order", epoch, places, len(self))
        return slots if self._slots is None else np.searchsorted(self._slots, slots, side="right")

    def samples(self, index: Tensor) -> NDArray[np.int64]:
        """True samples of the crops of these global sample indices: ``(n,)``."""
        return np.minimum(self._samples_of(self._members_at(index)), self.crop_samples)

    def lengths(self, clips: Tensor) -> Tensor:
        """True samples of crops of these clips, as :meth:`read` numbers them: ``(n,)`` int64 both."""
        return torch.from_numpy(np.minimum(self.clips.samples[clips.numpy()], self.crop_samples))

    def read(self, index: Tensor, *, width: int | None = None, purpose: str = "crop") -> tuple[Tensor, Tensor]:
        """Crops of global sample indices, and which clips they are of.

        Parameters
        ----------
        index
            ``(n,)`` int64.
        width
            Samples of what is returned, those of a crop when not given; what is longer is cut off at its end.
        purpose
            Of the draws that place the crops.

        Returns
        -------
        crops, clips
            ``(n, width)`` and ``(n,)`` int64.
        """
        width = width or self.crop_samples
        out = torch.empty(len(index), width)  # filled row by row: clearing it first would cost as much as reading
        rows = out.numpy()
        clips = torch.zeros(len(index), dtype=torch.int64)
        draws = randomness.uniform(randomness.keys(self.seed, purpose, index), 1)[:, 0].tolist()
        for row, member in enumerate(self._members_at(index).tolist()):
            clip, samples = self._read_one(member, draws[row])
            if self.padding == "repeat":
                samples = np.resize(np.pad(samples, (0, max(0, self._shortest - len(samples)))), self.crop_samples)
            at = (self.crop_samples - len(samples)) // 2 if self.padding == "centre" else 0
            samples = samples[: width - at]
            if len(samples) < width:
                rows[row, :at], rows[row, at + len(samples) :] = 0.0, 0.0
            place = rows[row, at : at + len(samples)]
            place[:] = samples
            if samples.dtype == np.int16:
                place *= np.float32(1 / FULL_SCALE)
            clips[row] = clip
        return out, clips

    def _read_takes(self, index: Tensor, width: int | None, takes: int) -> tuple[Tensor, Tensor]:
        purposes = ["crop", *(f"crop {number}" for number in range(1, takes))]
        crops, clips = zip(*(self.read(index, width=width, purpose=purpose) for purpose in purposes), strict=True)
        return torch.stack(crops, dim=1), clips[0]

    def _read_one(self, member: int, draw: float) -> tuple[int, Samples]:
        for step in range(_NEIGHBOURS):  # a file that turns out to be broken is replaced by its neighbour
            near = (member + step) % self._count
            clip = near if self._members is None else int(self._members[near])
            room = max(0, int(self.clips.samples[clip]) - self.crop_samples)
            try:
                return clip, self.reader.read(clip, int(draw * (room + 1)), self.crop_samples)
            except audio.AudioError as error:
                self.failed[error.path] = error.reason
                last = error
        raise AuricleError(f"{_NEIGHBOURS} clips in a row cannot be read; the last is {last.path}: {last.reason}")

    def batches(
        self, first: int, batch: int, steps: int, *, rows: slice, workers: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Crops of `steps` successive batches and their clips, read ahead in threads; of each batch only `rows`."""
        batches = (torch.arange(first + step * batch, first + (step + 1) * batch)[rows] for step in range(steps))
        return ((crops[:, 0], clips) for crops, clips in self.stream(batches, workers=workers))

    def stream(
        self, batches: Iterable[Tensor], *, workers: int, trimmed: bool = False, takes: int = 1
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Crops and clips of each batch of indices, read ahead in threads: ``(n, takes, width)`` and ``(n,)``.

        The first crop of an index is the one that :meth:`read` gives, others are drawn from the same clip. With
        `trimmed`, crops are only as wide as the longest of their batch.
        """
        coming = iter(batches)
        with ThreadPoolExecutor(max(1, workers)) as pool:

            def submit() -> list[Future[tuple[Tensor, Tensor]]] | None:
                index = next(coming, None)
                if index is None:
                    return None
                longest = int(self.samples(index).max()) if trimmed else None
                parts = torch.tensor_split(index, max(1, min(workers, len(index))))
                return [pool.submit(self._read_takes, part, longest, takes) for part in parts]

            ahead = [submit() for _ in range(2)]
            while (parts_of_batch := ahead.pop(0)) is not None:
                ahead.append(submit())
                crops, clips = zip(*(future.result() for future in parts_of_batch), strict=True)
                yield torch.cat(crops), torch.cat(clips)
