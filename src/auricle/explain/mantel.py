"""Mantel's permutation test (1967): is a correlation of two RDMs larger than clips in another order would give?

Pairs of clips are not independent, so a correlation of RDMs has no p-value of its own. Rows and columns of one RDM are
permuted together; ranks are permuted with them, so nothing is ranked again. One permutation serves every RDM: all
permuted matrices are compared with all others in one matrix product, over the pairs above the diagonal alone. Clips are
permuted within blocks where they belong to some (speaker, film, source): what a whole block has in common, and so what
differs from block to block, then stands still and is no evidence.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from auricle import randomness
from auricle.errors import AuricleError
from auricle.explain.ranks import correlations, refuse_other_clips, standardised_ranks
from auricle.explain.rdm import Floats, Singles, clips_of, row_blocks, square

Orders = NDArray[np.int64]

PERMUTATIONS = 1000
ROOM_WITHIN = 4  # clips of a block that leave permutations within it some room
_BLOCK_BYTES = 2 << 20  # of RDMs that are multiplied at a time: they stay in the processor's cache
_SQUARES_BYTES = 512 << 20  # of whole matrices in memory at a time
_SAME = 1e-6  # correlations closer than this are equal: permuted ones are summed in float32


def mantel(
    a: NDArray[np.floating],
    b: NDArray[np.floating],
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
    blocks: Sequence[object] | None = None,
) -> tuple[float, float]:
    """Spearman's correlation of two RDMs and its one-sided p-value by permuting the clips of one of them.

    Parameters
    ----------
    a, b
        Condensed RDMs of the same clips.
    permutations
        Random permutations of the clips, rows and columns together.
    seed
        Of the permutations.
    blocks
        ``(n,)`` what each clip belongs to; clips are permuted within these only. By default all are one.

    Returns
    -------
    r_s, p
        p = (1 + number of permutations with a correlation at least as large) / (1 + permutations).

    Raises
    ------
    AuricleError
        When the RDMs are of different clips, one of them orders nothing, or no block has two clips.
    """
    refuse_other_clips(a, b)
    ranks, others = standardised_ranks(a)[None], standardised_ranks(b)[None]
    observed = correlations(ranks, others)
    orders = permuted_orders(clips_of(len(a)), permutations, seed=seed, blocks=blocks)
    null = null_correlations(ranks, others, orders)
    return float(observed[0, 0]), float(p_values(observed, null)[0, 0])


def permuted_orders(
    n: int, count: int, *, seed: int, blocks: Sequence[object] | None = None, exchange: bool = False
) -> Orders:
    """Random orders of clips ``(count, n)``, each a permutation within blocks.

    Parameters
    ----------
    n, count
        Numbers of clips and of orders.
    seed
        Of the orders.
    blocks
        ``(n,)`` what each clip belongs to; by default all are one block.
    exchange
        Whether blocks of equal size also change places as wholes, for clips of which most are a block of their own.

    Raises
    ------
    AuricleError
        When there are more or fewer blocks than clips, or nothing can be permuted.
    """
    generator = randomness.generator(seed, "mantel")
    if blocks is None:
        return np.stack([generator.permutation(n) for _ in range(count)])
    if len(blocks) != n:
        raise AuricleError(f"blocks say what each of {n} clips belongs to, got {len(blocks)}")
    _, of_clip, sizes = np.unique(np.array([str(block) for block in blocks]), return_inverse=True, return_counts=True)
    if sizes.max() == 1 and not exchange:
        raise AuricleError("every clip is a block of its own: within blocks there is nothing to permute")
    places = np.argsort(of_clip, kind="stable")  # clips block by block
    starts = np.cumsum(sizes) - sizes
    by_size = np.argsort(sizes, kind="stable")  # blocks, those of one size together
    orders = np.empty((count, n), dtype=np.int64)
    for row in range(count):
        # Random keys sorted within each block: the clips of a block change places with each other.
        shuffled = np.lexsort((generator.random(n), of_clip))
        if exchange:
            takes = np.empty(len(sizes), dtype=np.int64)  # whose clips come to a block's places
            takes[by_size] = np.lexsort((generator.random(len(sizes)), sizes))
            within = np.arange(n) - np.repeat(starts, sizes)
            shuffled = shuffled[np.repeat(starts[takes], sizes) + within]
        orders[row, places] = shuffled
    return orders


def permutes_within(clusters: Sequence[object]) -> bool:
    """Whether clusters leave room to permute clips within them: half the clips share theirs with three others."""
    sizes = Counter(clusters)
    return 2 * sum(size for size in sizes.values() if size >= ROOM_WITHIN) >= len(clusters)


def orders_within(clusters: Sequence[object] | None, n: int, permutations: int, *, seed: int) -> Orders:
    """Orders of clips that respect clusters: within them where there is room, else whole clusters change places too."""
    if clusters is None:
        return permuted_orders(n, permutations, seed=seed)
    return permuted_orders(n, permutations, seed=seed, blocks=clusters, exchange=not permutes_within(clusters))


def null_correlations(permuted: Singles, fixed: Singles, orders: Orders) -> Singles:
    """Correlations of RDMs whose clips are permuted with RDMs whose are not.

    Parameters
    ----------
    permuted
        Standardised ranks ``(k, pairs)``; the fewer, the faster.
    fixed
        Standardised ranks ``(m, pairs)``.
    orders
        ``(permutations, n)``.

    Returns
    -------
    ndarray
        float32 ``(permutations, k, m)``.
    """
    n = orders.shape[1]
    at_once = max(1, _SQUARES_BYTES // (4 * n * n))
    if len(permuted) > at_once:
        parts = [permuted[first : first + at_once] for first in range(0, len(permuted), at_once)]
        return np.concatenate([null_correlations(part, fixed, orders) for part in parts], axis=1)
    # All RDMs' distances of two clips side by side, so that one look-up moves them all.
    together = np.stack([square(ranks) for ranks in permuted], axis=2).reshape(n * n, len(permuted))
    null = np.zeros((len(orders), len(fixed), len(permuted)))
    rows = max(1, _BLOCK_BYTES // (4 * n * max(len(fixed), len(permuted))))
    place = 0
    for first, last in row_blocks(n, rows):
        # The block of the fixed RDMs with 0 on and below the diagonal: those pairs then count nowhere.
        block = np.zeros((len(fixed), last - first, n - first), dtype=np.float32)
        for row in range(last - first):
            end = place + n - 1 - first - row
            block[:, row, row + 1 :] = fixed[:, place:end]
            place = end
        against = block.reshape(len(fixed), -1)
        moved = np.empty((against.shape[1], len(permuted)), dtype=np.float32)
        for number, order in enumerate(orders):
            pairs = (order[first:last, None] * n + order[None, first:]).ravel()
            # mode="clip" only spares NumPy a copy: every index is inside.
            np.take(together, pairs, axis=0, out=moved, mode="clip")
            null[number] += against @ moved
    return null.transpose(0, 2, 1).astype(np.float32)


def p_values(observed: Floats, null: NDArray[np.floating]) -> Floats:
    """One-sided p-values of correlations, given those under permutation along the first axis.

    (1 + how many of them reach the observed one) / (1 + how many there are); NaN where the observed one is.
    """
    reached = (null >= observed - _SAME).sum(axis=0)
    p = (1 + reached) / (1 + len(null))
    return np.where(np.isnan(observed), np.nan, p)
