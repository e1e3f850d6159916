"""Representational dissimilarity matrices (RDMs): how far apart all pairs of clips are, in one representation.

Kriegeskorte et al. 2008. An RDM is condensed: the distances of pairs (0, 1), (0, 2) … (n - 2, n - 1), which is SciPy's
order, as float32. Distances are computed in float64, some rows at a time, so that nothing of n × n is ever held.
"""

from collections.abc import Callable, Iterator
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from auricle.errors import AuricleError

Distance = Literal["cosine", "difference", "correlation", "euclidean"]
Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

FEWEST_CLIPS = 4
_ROWS_AT_ONCE = 256
_SAME = 1e-14  # squared distance, relative to the lengths, of what differs by rounding alone


def rdm(values: NDArray[np.floating], *, distance: Distance | None = None) -> Singles:
    """Distances of all pairs of clips.

    Parameters
    ----------
    values
        Embeddings ``(n, dim)``, or one number per clip ``(n,)``.
    distance
        ``cosine``: 1 less the cosine of the angle; ``correlation``: the same after each embedding's own mean is taken
        off; ``euclidean``; ``difference``: absolute difference of numbers. By default cosine for embeddings and
        difference for numbers.

    Returns
    -------
    ndarray
        ``(n (n - 1) / 2,)`` float32.

    Raises
    ------
    AuricleError
        When a value is not finite, an embedding has no direction, or the distance is for other values.

    Examples
    --------
    >>> rdm(np.array([1.0, 2.0, 4.0])).tolist()
    [1.0, 3.0, 2.0]
    """
    x = np.asarray(values, dtype=np.float64)
    if distance is None:
        distance = "difference" if x.ndim == 1 else "cosine"
    if distance not in get_args(Distance):
        raise AuricleError(f"no distance {distance!r}: expected {', '.join(get_args(Distance))}")
    if x.ndim != (1 if distance == "difference" else 2) or len(x) < 2:
        expected = "(n,)" if distance == "difference" else "(n, dim)"
        raise AuricleError(f"distance {distance} needs values of shape {expected}, two clips or more, got {x.shape}")
    finite = np.isfinite(x).reshape(len(x), -1).all(axis=1)
    if not finite.all():
        raise AuricleError(f"clip {int(np.argmin(finite))} has a value that is not finite: leave it out")
    return _condensed(len(x), _MAKERS[distance](x))


def clips_of(pairs: int) -> int:
    """How many clips have so many pairs.

    Raises
    ------
    AuricleError
        When no number of clips has.
    """
    n = int((1 + np.sqrt(1 + 8 * pairs)) / 2 + 0.5)
    if n * (n - 1) // 2 != pairs:
        raise AuricleError(f"{pairs} is no number of pairs: a condensed RDM of n clips has n (n - 1) / 2 distances")
    return n


def square(condensed: NDArray[np.floating]) -> Singles:
    """The symmetric matrix ``(n, n)`` of a condensed one, with 0 on its diagonal."""
    n = clips_of(len(condensed))
    full = np.zeros((n, n), dtype=np.float32)
    start = 0
    for row in range(n - 1):
        end = start + n - 1 - row
        full[row, row + 1 :] = full[row + 1 :, row] = condensed[start:end]
        start = end
    return full


Maker = Callable[[int, int], Floats]
"""Distances of clips `first` … `last` from clips `first` … n: ``(last - first, n - first)``."""


def _condensed(n: int, make: Maker) -> Singles:
    condensed = np.empty(n * (n - 1) // 2, dtype=np.float32)
    place = 0
    for first, last in row_blocks(n):
        block = make(first, last)
        for row in range(last - first):
            end = place + n - 1 - first - row
            condensed[place:end] = block[row, row + 1 :]
            place = end
    return condensed


def row_blocks(n: int, rows: int = _ROWS_AT_ONCE) -> Iterator[tuple[int, int]]:
    """First and last row of each block of rows."""
    for first in range(0, n, rows):
        yield first, min(n, first + rows)


def _difference(x: Floats) -> Maker:
    return lambda first, last: np.abs(x[first:last, None] - x[None, first:])


def _cosine(x: Floats) -> Maker:
    length = np.linalg.norm(x, axis=1)
    if not (length > 0).all():
        raise AuricleError(f"embedding {int(np.argmin(length))} has length 0: cosine distance needs a direction")
    unit = x / length[:, None]

    def make(first: int, last: int) -> Floats:
        distances: Floats = 1.0 - unit[first:last] @ unit[first:].T
        distances[distances < _SAME] = 0.0
        return distances

    return make


def _correlation(x: Floats) -> Maker:
    centred = x - x.mean(axis=1, keepdims=True)
    # What rounding leaves of a constant embedding is no direction.
    flat = np.linalg.norm(centred, axis=1) <= 1e-12 * np.linalg.norm(x, axis=1)
    if flat.any():
        raise AuricleError(f"embedding {int(np.argmax(flat))} is constant: correlation distance needs one that varies")
    return _cosine(centred)


def _euclidean(x: Floats) -> Maker:
    x = x - x.mean(axis=0)  # distances stay, rounding errors shrink
    squares = np.einsum("ij,ij->i", x, x)

    def make(first: int, last: int) -> Floats:
        scale = squares[first:last, None] + squares[None, first:]
        distances = scale - 2.0 * (x[first:last] @ x[first:].T)
        distances[distances < _SAME * scale] = 0.0
        return np.asarray(np.sqrt(distances))

    return make


_MAKERS: dict[str, Callable[[Floats], Maker]] = {
    "cosine": _cosine,
    "difference": _difference,
    "correlation": _correlation,
    "euclidean": _euclidean,
}
