"""Embeddings in two dimensions: t-SNE, and a figure of it.

Van der Maaten & Hinton 2008 by scikit-learn, after reduction to 50 principal components; as in Ogg 2025, Figure 2. Only
neighbourhoods mean something: axes, orientation and distances between far groups are arbitrary.
"""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib import colors
from matplotlib.axes import Axes
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from auricle.errors import AuricleError

Floats = NDArray[np.float64]

COMPONENTS = 50
FEWEST_CLIPS = 5
LEGEND_LIMIT = 12  # classes that a legend may hold before it becomes a wall
# Okabe & Ito 2008: distinguishable with every common kind of colour blindness.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#555555")
MARKERS = ("o", "^", "s", "D", "v", "P")


def tsne(embeddings: NDArray[np.floating], *, seed: int = 0, perplexity: float = 30.0) -> Floats:
    """Positions ``(n, 2)`` of embeddings ``(n, dim)``.

    Parameters
    ----------
    embeddings
        At least five clips, finite.
    seed
        Of principal components and of the layout; the same seed gives the same picture.
    perplexity
        Effective number of neighbours; lowered to a third of the clips where there are few.

    Raises
    ------
    AuricleError
        When there are fewer than five clips.
    """
    n, dim = embeddings.shape
    if n < FEWEST_CLIPS:
        raise AuricleError(f"a t-SNE picture needs at least {FEWEST_CLIPS} clips, got {n}")
    x = np.asarray(embeddings, dtype=np.float32)
    if min(n, dim) > COMPONENTS:
        x = PCA(COMPONENTS, svd_solver="randomized", random_state=seed).fit_transform(x)
    fitted = TSNE(perplexity=min(perplexity, (n - 1) / 3), init="pca", random_state=seed).fit_transform(x)
    return np.asarray(fitted, dtype=np.float64)


def scatter(axes: Axes, points: Floats, values: Sequence[str | float | None], *, title: str, name: str = "") -> None:
    """Draw points ``(n, 2)`` coloured by a class or by a number.

    Up to twelve classes get colour, marker and a legend; more get colours alone and a line that says how many there
    are. Numbers get a colour bar. Missing values are grey.

    Parameters
    ----------
    axes
        Where to draw.
    points
        ``(n, 2)``.
    values
        One per point: strings for classes, numbers for a scale.
    title
        Above the picture.
    name
        What the values are, with their unit.
    """
    known = [value for value in values if value is not None]
    axes.set_title(title)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_aspect("equal", adjustable="datalim")
    for side in axes.spines.values():
        side.set_visible(False)
    size = float(np.clip(6000 / max(len(points), 1), 6, 30))
    missing = np.array([value is None for value in values])
    axes.scatter(points[missing, 0], points[missing, 1], s=size, color="#BBBBBB", linewidths=0)
    if known and all(isinstance(value, int | float) and not isinstance(value, bool) for value in known):
        drawn = axes.scatter(
            points[~missing, 0],
            points[~missing, 1],
            s=size,
            c=np.array(known, dtype=float),
            cmap="viridis",
            linewidths=0,
        )
        figure = axes.get_figure()
        assert figure is not None
        figure.colorbar(drawn, ax=axes, shrink=0.7, label=name)
        return
    classes = sorted({str(value) for value in known})
    labels = np.array([None if value is None else str(value) for value in values], dtype=object)
    few = len(classes) <= LEGEND_LIMIT
    spectrum = matplotlib.colormaps["turbo"]
    for number, label in enumerate(classes):
        colour = PALETTE[number % len(PALETTE)] if few else colors.to_hex(spectrum(number / max(len(classes) - 1, 1)))
        marker = MARKERS[number // len(PALETTE) % len(MARKERS)] if few else "o"
        mine = points[labels == label]
        axes.scatter(mine[:, 0], mine[:, 1], s=size, color=colour, marker=marker, linewidths=0, alpha=0.85, label=label)
    if few and classes:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, title=name or None, markerscale=1.3)
    else:
        axes.text(0.5, -0.02, f"{len(classes)} classes", ha="center", va="top", transform=axes.transAxes)
