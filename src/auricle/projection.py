"""Embeddings in two dimensions: t-SNE, UMAP or principal components, and a figure of it.

t-SNE (van der Maaten & Hinton 2008, as in Ogg 2025, Figure 2) and UMAP (McInnes et al. 2018) begin with 50 principal
components. In theirs only neighbourhoods mean something: axes, orientation and distances between far groups are
arbitrary. Principal components keep large distances instead, and show little of the neighbourhoods.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from auricle.errors import AuricleError

Floats = NDArray[np.float64]

Method = Literal["tsne", "umap", "pca"]

COMPONENTS = 50
MANY_CLIPS = 5_000  # beyond which openTSNE draws t-SNE, where it is installed: its time grows linearly
FEWEST_CLIPS = 5
_ITERATIONS = 250, 500  # of openTSNE: with far groups pulled apart, then without; its own defaults
_TOLD_EVERY = 10  # iterations
LEGEND_LIMIT = 12  # classes that a legend may hold before it becomes a wall
MOST_NAMES = 24  # written into a picture of more classes
NAME_WIDTH, NAME_HEIGHT = 0.018, 0.045  # of a letter and a line, as shares of the picture
# Okabe & Ito 2008, distinguishable with every common kind of colour blindness; without their yellow, lost on white.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#000000")
MARKERS = ("o", "^", "s", "D", "v", "P", "X", "p")


def project(
    embeddings: NDArray[np.floating],
    *,
    method: Method = "tsne",
    seed: int = 0,
    report: Callable[[float], None] | None = None,
) -> Floats:
    """Positions ``(n, 2)`` of embeddings ``(n, dim)``, at least five and finite, by a method of that name.

    `report` is told the share that is done, of what can say so: t-SNE of many clips.

    Raises
    ------
    AuricleError
        When there are fewer than five clips, or the method's package is not installed.
    """
    if method == "tsne":
        return tsne(embeddings, seed=seed, report=report)
    return {"umap": umap, "pca": pca}[method](embeddings, seed=seed)


def pca(embeddings: NDArray[np.floating], *, seed: int = 0) -> Floats:
    """Positions ``(n, 2)`` of embeddings ``(n, dim)``: their first two principal components.

    The sign of each is such that the clip farthest from the middle along it lies on its positive side. With a single
    dimension the second component is 0.

    Raises
    ------
    AuricleError
        When there are fewer than five clips.
    """
    x = _checked(embeddings)
    points = np.zeros((len(x), 2))
    if not np.ptp(x, axis=0).any():
        return points
    kept = min(2, *x.shape)
    points[:, :kept] = PCA(kept, svd_solver="randomized", random_state=seed).fit_transform(x)
    farthest = points[np.abs(points).argmax(axis=0), [0, 1]]
    return points * np.where(farthest < 0, -1.0, 1.0)


def umap(embeddings: NDArray[np.floating], *, seed: int = 0, neighbours: int = 15) -> Floats:
    """Positions ``(n, 2)`` of embeddings ``(n, dim)`` by umap-learn, the extra `maps`.

    Parameters
    ----------
    embeddings
        At least five clips, finite.
    seed
        Of principal components and of the layout; the same seed gives the same picture.
    neighbours
        Of each clip that the layout respects; fewer where there are few clips.

    Raises
    ------
    AuricleError
        When there are fewer than five clips, or umap-learn is not installed.
    """
    x = _reduced(embeddings, seed)
    try:
        from umap import UMAP
    except ImportError as error:
        raise AuricleError('UMAP needs the `maps` extra: pip install "auricle[maps]"') from error
    # Of few points the spectral layout is undefined: those start at random.
    layout = UMAP(
        n_neighbors=min(neighbours, len(x) - 1),
        init="spectral" if len(x) > 2 * neighbours else "random",
        random_state=seed,
        n_jobs=1,
    )
    with warnings.catch_warnings():  # of libraries it uses
        warnings.simplefilter("ignore")
        return np.asarray(layout.fit_transform(x), dtype=np.float64)


def tsne(
    embeddings: NDArray[np.floating],
    *,
    seed: int = 0,
    perplexity: float = 30.0,
    report: Callable[[float], None] | None = None,
) -> Floats:
    """Positions ``(n, 2)`` of embeddings ``(n, dim)``.

    Parameters
    ----------
    embeddings
        At least five clips, finite.
    seed
        Of principal components and of the layout; the same seed gives the same picture.
    perplexity
        Effective number of neighbours; lowered to a third of the clips where there are few.
    report
        Is told the share that is done, where openTSNE draws.

    Notes
    -----
    scikit-learn draws it; of more than `MANY_CLIPS` clips openTSNE (extra `maps`), where it is installed.

    Raises
    ------
    AuricleError
        When there are fewer than five clips.
    """
    if not np.ptp(_checked(embeddings), axis=0).any():  # scikit-learn divides by their deviation, and crashes
        return np.zeros((len(embeddings), 2))
    x = _reduced(embeddings, seed)
    if x.shape[1] == 1:  # the layout begins with two principal components
        x = np.column_stack([x, np.zeros_like(x)])
    perplexity = min(perplexity, (len(x) - 1) / 3)
    if len(x) > MANY_CLIPS and (many := _open_tsne()) is not None:
        done = 0

        def tell(*_: object) -> None:  # it counts the iterations of its two phases apart
            nonlocal done
            done += _TOLD_EVERY
            if report is not None:
                report(min(1.0, done / sum(_ITERATIONS)))

        layout = many.TSNE(
            perplexity=perplexity,
            initialization="pca",
            early_exaggeration_iter=_ITERATIONS[0],
            n_iter=_ITERATIONS[1],
            callbacks=tell,
            callbacks_every_iters=_TOLD_EVERY,
            random_state=seed,
            n_jobs=-1,
        )
        fitted = layout.fit(x)
    else:
        fitted = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(x)
    return np.asarray(fitted, dtype=np.float64)


def _open_tsne() -> Any:
    try:
        import openTSNE
    except ImportError:
        return None
    return openTSNE


def _checked(embeddings: NDArray[np.floating]) -> NDArray[np.float32]:
    if len(embeddings) < FEWEST_CLIPS:
        raise AuricleError(f"a picture in two dimensions needs at least {FEWEST_CLIPS} clips, got {len(embeddings)}")
    return np.asarray(embeddings, dtype=np.float32)


def _reduced(embeddings: NDArray[np.floating], seed: int) -> NDArray[np.float32]:
    """Their first 50 principal components."""
    x = _checked(embeddings)
    if min(x.shape) > COMPONENTS:
        x = PCA(COMPONENTS, svd_solver="randomized", random_state=seed).fit_transform(x)
    return x


def scatter(axes: Axes, points: Floats, values: Sequence[str | float | None], *, title: str, name: str = "") -> None:
    """Draw points ``(n, 2)`` coloured by a class or by a number.

    Up to twelve classes get a legend; of more, those that lie closest together are named where they lie, as far as
    there is room, and a line says how many classes there are. Colour and marker together tell 56 classes apart. Numbers
    get a colour bar. Missing values are grey.

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
    size = float(np.clip(12_000 / max(len(points), 1), 8, 36))  # square points, of a marker
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
    for number, label in enumerate(classes):
        mine = points[labels == label]
        colour, marker = PALETTE[number % len(PALETTE)], MARKERS[number // len(PALETTE) % len(MARKERS)]
        axes.scatter(mine[:, 0], mine[:, 1], s=size, color=colour, marker=marker, linewidths=0, alpha=0.8, label=label)
    if classes and len(classes) <= LEGEND_LIMIT:
        legend = axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, title=name or None)
        for handle in legend.legend_handles:
            if isinstance(handle, PathCollection):
                handle.set_sizes([36.0])
    elif classes:
        _name_classes(axes, points, labels, classes)
        note = f"{len(classes)} classes; named where their clips lie close together"
        axes.text(0.5, -0.02, note, ha="center", va="top", transform=axes.transAxes)


def _name_classes(axes: Axes, points: Floats, labels: NDArray[np.object_], classes: Sequence[str]) -> None:
    """Write the names of classes at their middles, the most compact first, wherever no other name is near."""
    middles, spreads = [], []
    for label in classes:
        mine = points[labels == label]
        middles.append(np.median(mine, axis=0))
        spreads.append(float(np.median(np.linalg.norm(mine - middles[-1], axis=1))))
    low, high = points.min(axis=0), points.max(axis=0)
    extent = np.maximum(high - low, np.finfo(np.float64).tiny)
    taken: list[tuple[Floats, float]] = []
    for index in np.argsort(spreads, kind="stable")[:MOST_NAMES]:
        place = (middles[index] - low) / extent
        width = NAME_WIDTH * len(classes[index])
        if all(
            abs(place[1] - other[1]) > NAME_HEIGHT or abs(place[0] - other[0]) > (width + other_width) / 2
            for other, other_width in taken
        ):
            at = (float(middles[index][0]), float(middles[index][1]))
            text = axes.annotate(classes[index], at, (0, 3), textcoords="offset points", ha="center", fontsize=7)
            text.set_path_effects([patheffects.withStroke(linewidth=2.0, foreground="white")])
            taken.append((place, width))
