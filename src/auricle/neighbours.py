"""The search among embeddings: which vectors point in nearly the same direction, and which are nearest to which.

Vectors in, rows out; what they are of is not known here. All pairs are compared exactly, by matrix products of blocks,
so that memory stays flat however many vectors there are. Raw embeddings share most of their direction: to find what is
alike they are centred and scaled first; to find copies they are whitened, with the covariance of their own set, shrunk
as far as its size demands (Ledoit and Wolf 2004).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf_shrinkage

BLOCK_ROWS = 4096  # of the products: 64 MB of similarities at a time
FITTED_ROWS = 20_000  # that a covariance is estimated from, at most
LEAST_DEVIATION = 0.5  # of the median dimension's, below which a dimension counts less

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Pairs:
    """Pairs of vectors, the most similar first.

    Attributes
    ----------
    first, second
        ``(n,)`` rows, ``first < second``.
    similarity
        ``(n,)`` cosine of the angle between them.
    found
        How many there are in all, of which these are the most similar.
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    similarity: NDArray[np.float32]
    found: int

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True)
class Nearest:
    """The nearest rows of each query, the most similar first.

    Attributes
    ----------
    rows
        ``(queries, k)``; of equally similar ones the lower comes first.
    similarity
        ``(queries, k)`` cosine of the angle to them.
    """

    rows: NDArray[np.int64]
    similarity: NDArray[np.float32]


@dataclass(frozen=True)
class Scaling:
    """What makes the vectors of a set comparable: each dimension is centred and divided by the root of its deviation.

    Between leaving the dimensions as they are, where the largest decide alone, and making all equal, where noise counts
    as much as anything: Pareto scaling (van den Berg et al. 2006).

    Attributes
    ----------
    mean, weight
        ``(dim,)`` float64: ``(vector - mean) * weight``; the weight is 0 where nothing changes.
    """

    mean: NDArray[np.float64]
    weight: NDArray[np.float64]

    @classmethod
    def of(cls, vectors: Vectors) -> Self:
        """That of a set ``(n, dim)``, made from `FITTED_ROWS` rows spread evenly over it."""
        mean, deviation = _moments(np.asarray(vectors[fitted_rows(len(vectors))], dtype=np.float64))
        return cls(mean, np.divide(1.0, np.sqrt(deviation), out=np.zeros_like(deviation), where=deviation > 0))

    def units(self, vectors: Vectors) -> Vectors:
        """Unit vectors ``(n, dim)`` of vectors ``(n, dim)``; 0 for one that is the middle itself."""
        return _units((vectors - self.mean) * self.weight)


def fitted_rows(count: int) -> NDArray[np.int64]:
    """The rows of `count`, at most `FITTED_ROWS` and evenly spread, that stand for all."""
    return np.unique(np.linspace(0, count - 1, min(count, FITTED_ROWS)).round().astype(np.int64))


def scaled(vectors: Vectors) -> Vectors:
    """Unit vectors ``(n, dim)`` whose cosine says how alike clips are, by the set's own :class:`Scaling`."""
    scaling = Scaling.of(vectors)
    out = np.empty(vectors.shape, dtype=np.float32)
    for start in range(0, len(vectors), BLOCK_ROWS):
        out[start : start + BLOCK_ROWS] = scaling.units(vectors[start : start + BLOCK_ROWS])
    return out


def whitened(vectors: Vectors) -> Vectors:
    """Unit vectors ``(n, k)``, k at most `dim`, in whose coordinates the set has no preferred direction.

    Each dimension is centred and scaled, then the set is turned and scaled by the inverse root of its covariance, whose
    estimate is shrunk towards the identity; it is made from `FITTED_ROWS` rows spread evenly over the set. A dimension
    that hardly changes within the set (`LEAST_DEVIATION`) is not blown up, one that never does is left out. Where
    nothing changes at all there is nothing to measure by: all vectors are then 0.
    """
    sample = np.asarray(vectors[fitted_rows(len(vectors))], dtype=np.float64)
    mean, deviation = _moments(sample)
    kept = deviation > 0
    if not kept.any():
        return np.zeros((len(vectors), 1), dtype=np.float32)
    mean, deviation = mean[kept], deviation[kept]
    deviation = np.maximum(deviation, LEAST_DEVIATION * np.median(deviation))
    sample = (sample[:, kept] - mean) / deviation
    weight = float(ledoit_wolf_shrinkage(sample, assume_centered=True))
    covariance = sample.T @ sample / len(sample)
    values, axes = np.linalg.eigh((1 - weight) * covariance + weight * np.eye(len(covariance)))
    turn = axes / np.sqrt(np.maximum(values, values[-1] * 1e-9))
    out = np.empty((len(vectors), len(turn)), dtype=np.float32)
    for start in range(0, len(vectors), BLOCK_ROWS):
        out[start : start + BLOCK_ROWS] = _units((vectors[start : start + BLOCK_ROWS, kept] - mean) / deviation @ turn)
    return out


def _moments(sample: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each dimension; of one that never changes but for rounding the latter is 0."""
    mean, deviation = sample.mean(axis=0), sample.std(axis=0)
    return mean, np.where(deviation > 1e-6 * deviation.max(initial=0), deviation, 0.0)


def _units(vectors: NDArray[np.float64]) -> Vectors:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: Vectors = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 0).astype(np.float32)
    return units


def near_pairs(
    units: Vectors,
    *,
    threshold: float,
    sides: NDArray[np.int64] | None = None,
    most: int = 100_000,
    report: Callable[[float], None] | None = None,
) -> Pairs:
    """All pairs of unit vectors whose cosine is at least `threshold`.

    Parameters
    ----------
    units
        ``(n, dim)`` vectors of length 1 (or 0, whose cosine with any other is 0); may lie on disk.
    threshold
        At most 1; below -1 all pairs are given.
    sides
        ``(n,)`` of what each vector is; only pairs across sides count. All pairs do when not given.
    most
        Pairs that are kept; there may be as many as ``n * (n - 1) / 2``.
    report
        Is told the share that is done.

    Returns
    -------
    Pairs
        The most similar first; of equal ones those of the lowest rows.
    """
    best = _Best(most)
    order = np.arange(len(units)) if sides is None else np.argsort(sides, kind="stable")
    of_side = np.zeros(len(units), dtype=np.int64) if sides is None else np.asarray(sides)[order]
    starts = range(0, len(units), BLOCK_ROWS)
    done, total = 0, len(starts) * (len(starts) + 1) // 2
    for start in starts:
        rows = slice(start, start + BLOCK_ROWS)
        block = np.asarray(units[order[rows]], dtype=np.float32)
        for other in range(start, len(units), BLOCK_ROWS):
            columns = slice(other, other + BLOCK_ROWS)
            # Rows lie by side: a block whose rows are all of one side is passed over with those of the same.
            if sides is None or of_side[rows][0] != of_side[columns][-1]:
                second = block if other == start else np.asarray(units[order[columns]], dtype=np.float32)
                similarity = block @ second.T
                hits = similarity >= threshold
                if sides is not None:
                    hits &= of_side[rows, None] != of_side[None, columns]
                if other == start:
                    hits = np.triu(hits, 1)
                row, column = np.nonzero(hits)
                best.add(order[start + row], order[other + column], similarity[row, column])
            done += 1
        if report is not None:
            report(done / total)
    return best.pairs()


def nearest(units: Vectors, k: int, *, report: Callable[[float], None] | None = None) -> Nearest:
    """The `k` nearest other rows of each row of `units`, exactly.

    Parameters
    ----------
    units
        ``(n, dim)`` vectors of length 1 (or 0: such a one is like no other); may lie on disk.
    k
        At least 1. Where there are fewer others, all of them are found.
    report
        Is told the share that is done.

    Returns
    -------
    Nearest
        ``(n, min(k, n - 1))``.
    """
    k = min(k, max(len(units) - 1, 0))
    rows = np.empty((len(units), k), dtype=np.int64)
    similarity = np.empty((len(units), k), dtype=np.float32)
    starts = range(0, len(units), BLOCK_ROWS)
    for done, start in enumerate(starts, 1):
        block = slice(start, start + BLOCK_ROWS)
        found = nearest_among(units[block], (units[other : other + BLOCK_ROWS] for other in starts), k, own=start)
        rows[block], similarity[block] = found.rows, found.similarity
        if report is not None:
            report(done / len(starts))
    return Nearest(rows, similarity)


def nearest_among(queries: Vectors, blocks: Iterable[Vectors], k: int, *, own: int | None = None) -> Nearest:
    """The `k` rows nearest to each of some queries, exactly; the rows come in blocks, each of which is seen once.

    Parameters
    ----------
    queries
        ``(m, dim)`` vectors of length 1 or 0, few enough for ``m`` times a block's rows to fit into memory.
    blocks
        ``(rows, dim)`` each, of length 1 or 0; rows are counted through all blocks.
    k
        At least 0. Where there are fewer rows, all of them are found.
    own
        Where the queries are rows themselves: the first one's row. None is then found as its own neighbour.
    """
    queries = np.asarray(queries, dtype=np.float32)
    rows = np.empty((len(queries), 0), dtype=np.int64)
    best = np.empty((len(queries), 0), dtype=np.float32)
    start = 0
    for block in blocks:
        similarity = queries @ np.asarray(block, dtype=np.float32).T
        if own is not None:
            itself = np.arange(max(own, start), min(own + len(queries), start + len(block)))
            similarity[itself - own, itself - start] = -np.inf
        values, columns = torch.from_numpy(similarity).topk(min(k, len(block)), dim=1)  # 4 times numpy's argpartition
        best = np.concatenate([best, values.numpy()], axis=1)
        rows = np.concatenate([rows, columns.numpy() + start], axis=1)
        order = np.lexsort((rows, -best), axis=-1)[:, :k]
        best, rows = np.take_along_axis(best, order, axis=1), np.take_along_axis(rows, order, axis=1)
        start += len(block)
    return Nearest(rows, best)


class _Best:
    """The most similar pairs so far."""

    def __init__(self, most: int) -> None:
        self._most, self._found, self._waiting = most, 0, 0
        self._parts: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]] = []

    def add(self, first: NDArray[np.int64], second: NDArray[np.int64], similarity: NDArray[np.float32]) -> None:
        self._parts.append((np.minimum(first, second), np.maximum(first, second), similarity))
        self._found += len(first)
        self._waiting += len(first)
        if self._waiting > 2 * self._most:
            self._reduce()

    def _reduce(self) -> None:
        first, second, similarity = (np.concatenate(arrays) for arrays in zip(*self._parts, strict=True))
        order = np.lexsort((second, first, -similarity))[: self._most]
        self._parts = [(first[order], second[order], similarity[order])]
        self._waiting = len(order)

    def pairs(self) -> Pairs:
        if not self._parts:
            nothing = np.empty(0, dtype=np.int64)
            return Pairs(nothing, nothing, np.empty(0, dtype=np.float32), 0)
        self._reduce()
        return Pairs(*self._parts[0], self._found)
