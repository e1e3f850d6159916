"""What a descriptor's values over time come to: median and inter-quartile range, as in the Timbre Toolbox.

Peeters et al. 2011, section II-C. Values of frames that do not count are NaN.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

MEDIAN, IQR = "median", "iqr"


def quantiles(values: Tensor, shares: Sequence[float]) -> list[Tensor]:
    """Quantiles along the last axis of the values that are not NaN, linear between neighbours; NaN where there is none.

    Parameters
    ----------
    values
        ``(…, frames)``.
    shares
        Between 0 and 1.

    Returns
    -------
    list of Tensor
        For each share ``(…)``.
    """
    ordered = values.sort(dim=-1).values  # NaN comes last
    last = (~values.isnan()).sum(dim=-1, keepdim=True) - 1
    found = []
    for share in shares:
        place = last.clamp(min=0) * share
        below = place.floor().long()
        low = ordered.gather(-1, below)
        high = ordered.gather(-1, torch.minimum(below + 1, last.clamp(min=0)))
        found.append((low + (place - below) * (high - low)).squeeze(-1).to(values.dtype))
    return found


def summarise(values: Tensor) -> dict[str, Tensor]:
    """Median and inter-quartile range of ``(…, frames)``: each ``(…)``."""
    low, middle, high = quantiles(values, (0.25, 0.5, 0.75))
    return {MEDIAN: middle, IQR: high - low}
