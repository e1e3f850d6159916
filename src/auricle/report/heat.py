"""A heat map with its numbers, for the figures of reports."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from numpy.typing import NDArray

_COLOURS = colormaps["viridis"]
_DARK = 0.62  # share of the scale beyond which ink is dark
_LETTER = 0.075  # inches, of a column's title


def heat(axes: Axes, values: NDArray[np.float64], columns: Sequence[str], *, top: float, width: float) -> None:
    """A heat map from 0 to `top` with its numbers, about `width` inches wide; what is missing stays empty."""
    rows, count = values.shape
    axes.set_xlim(-0.5, count - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    for (row, column), value in np.ndenumerate(values):
        if np.isnan(value):
            continue
        share = min(max(value / top, 0.0), 1.0)
        axes.fill_between([column - 0.48, column + 0.48], row - 0.47, row + 0.47, color=_COLOURS(share), linewidth=0)
        ink = "#111111" if share > _DARK else "#ffffff"
        shown = f"{value:z.2f}".replace("-", "−")
        axes.text(column, row, shown, ha="center", va="center_baseline", fontsize=7, color=ink)
    slanted = _LETTER * max((len(name) for name in columns), default=0) > width / max(count, 1)
    axes.set_xticks(range(count), columns, rotation=38 if slanted else 0, ha="left" if slanted else "center")
    axes.tick_params(axis="x", top=False, bottom=False, labeltop=True, labelbottom=False, labelsize=8)
    axes.tick_params(axis="y", length=0)
    for side in axes.spines.values():
        side.set_visible(False)
