"""Outliers: the clips of an embeddings file that are like no others.

A clip's score is its mean cosine distance (0 … 2) to its `k` nearest others (Angiulli & Pizzuti 2002; Ramaswamy et al.
2000 take the k-th), of embeddings scaled as for a search. Odd clips that are like each other do not stand out where
there are more than `k` of them.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from auricle.errors import AuricleError
from auricle.explore.embedded import Embedded
from auricle.neighbours import Nearest, nearest

NEIGHBOURS = 10

Report = Callable[[str, float], None]


def distances(found: Nearest) -> NDArray[np.float64]:
    """The mean cosine distance ``(n,)`` of each row to those nearest to it."""
    mean: NDArray[np.float64] = found.similarity.mean(axis=1, dtype=np.float64)
    return 1.0 - mean


def outliers(
    embedded: Embedded, *, k: int = NEIGHBOURS, top: int | None = None, report: Report | None = None
) -> pa.Table:
    """The clips of a file, those that are like no others first.

    Parameters
    ----------
    embedded
        The file.
    k
        Neighbours whose distance counts.
    top
        Only so many rows; all when not given.
    report
        Is told what is being done, and the share of it that is done.

    Returns
    -------
    pyarrow.Table
        ``rank`` (from 1), ``distance``, ``nearest`` (the path of the most similar other clip), and the columns of the
        clips.

    Raises
    ------
    AuricleError
        When there are not more than `k` clips.
    """
    if k < 1:
        raise AuricleError(f"k is {k}: expected 1 or more neighbours")
    if top is not None and top < 1:
        raise AuricleError(f"the number of rows wanted is {top}: expected 1 or more")
    if embedded.rows <= k:
        raise AuricleError(f"{embedded.path} has {embedded.rows} rows: more than k = {k} are needed; give a smaller -k")

    def comparing(share: float) -> None:
        if report is not None:
            report("comparing", share)

    with embedded.units() as units:
        found = nearest(units, k, report=comparing)
    score = distances(found)
    order = np.argsort(-score, kind="stable")[:top]
    clips = embedded.clips(order)
    own = {
        "rank": pa.array(np.arange(1, len(order) + 1), pa.int64()),
        "distance": pa.array(score[order], pa.float32()),
        "nearest": embedded.clips(found.rows[order, 0]).column("path"),
    }
    return pa.table({**own, **{name: clips.column(name) for name in clips.column_names if name not in own}})
