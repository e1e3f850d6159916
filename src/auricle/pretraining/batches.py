"""Which crops each forward pass takes: equal numbers in the epoch's order, or crops of like length, equal in frames.

With crops of very different lengths, equal numbers waste most of a batch on padding. Buckets put crops of about equal
length together, the more of them the shorter they are, so that every pass works on about as many frames. Everything
follows from (seed, epoch) and the lengths, so that a resumed run goes on in mid-epoch, and any number of processes
takes the same crops in the same order.
"""

from abc import ABC, abstractmethod
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from auricle import randomness
from auricle.crops import Crops
from auricle.errors import AuricleError

LENGTH_RATIO = 1.1  # crops of one length class differ by less, which bounds the padding within a class


class Batches(ABC):
    """The global sample indices of every forward pass of a run, numbered from 0."""

    @property
    @abstractmethod
    def per_epoch(self) -> Fraction:
        """Forward passes of an epoch."""

    @property
    @abstractmethod
    def padding_share(self) -> float:
        """Share of an epoch's samples that is padding."""

    @abstractmethod
    def index(self, number: int) -> Tensor:
        """``(batch,)`` int64: whose crops the `number`-th forward pass takes."""


class EqualBatches(Batches):
    """`size` crops in the epoch's order; a batch may reach into the next epoch."""

    def __init__(self, crops: Crops, size: int) -> None:
        self._crops, self._size = crops, size

    @property
    def per_epoch(self) -> Fraction:
        """Forward passes of an epoch; where epochs meet, a batch has crops of both."""
        return Fraction(len(self._crops), self._size)

    @property
    def padding_share(self) -> float:
        """Share of all crops' samples that is padding."""
        return self._crops.padding_share

    def index(self, number: int) -> Tensor:
        """The next `size` indices."""
        return torch.arange(number * self._size, (number + 1) * self._size)


class BucketedBatches(Batches):
    """Crops of about equal length, padded to no more samples than `size` crops of full length have.

    An epoch's crops are sorted into length classes, within a class in the epoch's order, and cut from the longest to
    the shortest; the batches come in a random order. A last batch with fewer than `size` crops joins the one before it.

    Parameters
    ----------
    crops
        What there is.
    size
        Crops of full length of a batch; the least that a batch has.

    Raises
    ------
    AuricleError
        When an epoch has fewer crops than that.
    """

    def __init__(self, crops: Crops, size: int) -> None:
        if len(crops) < size:
            raise AuricleError(
                f"an epoch has {len(crops):,} crops, fewer than a batch of {size}; lower batch_size or use bucket=false"
            )
        self._crops, self._count = crops, len(crops)
        self._bounds = _cut(np.sort(_nominal(crops.samples(torch.arange(len(crops)))))[::-1], crops.crop_samples, size)
        self._passes = len(self._bounds) - 1
        self._epoch: tuple[int, NDArray[np.int64], NDArray[np.int64]] | None = None

    @property
    def per_epoch(self) -> Fraction:
        """Forward passes of an epoch: as many in every one."""
        return Fraction(self._passes)

    @property
    def padding_share(self) -> float:
        """Share of the samples of the first epoch's batches that is padding."""
        lengths = [self._crops.samples(self.index(number)) for number in range(self._passes)]
        return 1.0 - float(sum(of.sum() for of in lengths)) / float(sum(of.max() * len(of) for of in lengths))

    def index(self, number: int) -> Tensor:
        """Crops of one epoch and nearly one length."""
        epoch, place = divmod(number, self._passes)
        if self._epoch is None or self._epoch[0] != epoch:
            first = epoch * self._count
            nominal = _nominal(self._crops.samples(torch.arange(first, first + self._count)))
            in_order = np.argsort(-nominal, kind="stable") + first
            order = randomness.permutation(self._crops.seed, "batches", epoch, self._passes).numpy()
            self._epoch = epoch, in_order, order
        _, in_order, order = self._epoch
        chosen = int(order[place])
        return torch.from_numpy(in_order[self._bounds[chosen] : self._bounds[chosen + 1]])


def _nominal(samples: NDArray[np.int64]) -> NDArray[np.int64]:
    """Every length rounded up to the next of a geometric series."""
    classes = np.ceil(np.log(np.maximum(samples, 1)) / np.log(LENGTH_RATIO) - 1e-9)
    nominal: NDArray[np.int64] = np.ceil(LENGTH_RATIO**classes).astype(np.int64)
    return nominal


def _cut(nominal: NDArray[np.int64], full: int, size: int) -> list[int]:
    """Bounds of batches in descending lengths: as many crops as fit into `size` full ones."""
    bounds = [0]
    while bounds[-1] < len(nominal):
        longest = min(int(nominal[bounds[-1]]), full)
        bounds.append(min(bounds[-1] + size * full // longest, len(nominal)))
    if len(bounds) > 2 and bounds[-1] - bounds[-2] < size:
        del bounds[-2]
    return bounds
