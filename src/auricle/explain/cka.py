"""Linear centred kernel alignment (CKA): how alike two representations are, whatever their axes and dimensions.

Kornblith et al. 2019, with the unbiased estimator of Song et al. (2012, equation 5) in place of the biased one, as by
Nguyen et al. (2021): the biased one nears 1 for any two representations with more dimensions than clips.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from auricle.errors import AuricleError
from auricle.explain.rdm import FEWEST_CLIPS, Floats, row_blocks


def cka(x: NDArray[np.floating], y: NDArray[np.floating]) -> float:
    """Debiased linear CKA of two representations of the same clips, ``(n, dim)`` each.

    1 for representations that differ by rotation and scale, about 0 (and a little below at times) for unrelated ones.

    Raises
    ------
    AuricleError
        When the numbers of clips differ, are fewer than four, or a representation is constant.
    """
    return float(cka_matrix([x, y])[0, 1])


def cka_matrix(representations: Sequence[NDArray[np.floating]]) -> Floats:
    """Debiased linear CKA ``(k, k)`` of each of k representations ``(n, dim)`` with each.

    Raises
    ------
    AuricleError
        As :func:`cka`.
    """
    sizes = {len(one) for one in representations}
    if len(sizes) != 1 or min(sizes) < FEWEST_CLIPS:
        raise AuricleError(
            f"CKA compares {FEWEST_CLIPS} clips or more, the same in every representation; got "
            f"{' and '.join(map(str, sorted(sizes)))} of them"
        )
    n = sizes.pop()
    centred = [_scaled(np.asarray(one, dtype=np.float64)) for one in representations]
    count = len(centred)
    products, sums = np.zeros((count, count)), np.zeros((count, n))
    # Gram matrices some rows at a time, without their diagonals.
    for first, last in row_blocks(n):
        block = np.stack([x[first:last] @ x.T for x in centred])
        block[:, np.arange(last - first), np.arange(first, last)] = 0.0
        sums[:, first:last] = block.sum(axis=2)
        flat = block.reshape(count, -1)
        products += flat @ flat.T
    total = sums.sum(axis=1)
    alignment = products + np.outer(total, total) / ((n - 1) * (n - 2)) - 2 / (n - 2) * (sums @ sums.T)
    own = np.sqrt(np.diagonal(alignment).clip(min=0.0))
    if (own == 0).any():
        raise AuricleError("a representation is the same for all clips: CKA compares what differs between them")
    return np.asarray(alignment / np.outer(own, own))


def _scaled(x: Floats) -> Floats:
    """Centred and of unit size: neither changes CKA, and both keep its sums exact."""
    centred = x - x.mean(axis=0)
    size = np.linalg.norm(centred)
    if not size > 1e-12 * np.linalg.norm(x):
        raise AuricleError("a representation is the same for all clips: CKA compares what differs between them")
    return np.asarray(centred / size)
