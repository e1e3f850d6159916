"""The figures of an explanation: descriptors × models, model × model, layers, intervals under ceilings, and pictures.

The first two and the last are counterparts of figures 3, 4 and 2 of Ogg (2025).
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from auricle.explain.descriptors import COLUMNS
from auricle.explain.outcome import Explanation, Picture
from auricle.explain.similarity import Similarity
from auricle.explain.task_clips import TaskClips
from auricle.projection import MARKERS, PALETTE, scatter
from auricle.report.heat import heat
from auricle.report.svg import FAINT, LINE, as_svg, page_figure

Floats = NDArray[np.float64]

_NUMBERED = re.compile(r" (?:band|group|octave) \d+\b")  # one of several like it
_FREQUENCIES = re.compile(r"([\d.]+(?: to [\d.]+)? (?:Hz|cycles per kHz))")
_ABBREVIATIONS = ("erb", "rms", "am", "f0")
_ROW = 0.185  # inches, of one descriptor
_STRONGEST = 14  # descriptors that the figure of layers shows
_STRONGEST_OF_A_TASK = 6
_OF_A_FAMILY = 3  # of those at most: a dozen bands of energy say one thing
_PANELS_IN_A_ROW = 2
_BETWEEN_PICTURES = 0.14  # inches
_EXTRA_COLOURINGS = ("pitch", "sex")  # columns that pictures are re-coloured by, where a task has them


def title_of(column: str) -> str:
    """What figures and tables call a descriptor; one of several bands by its frequencies."""
    words = column.removesuffix("_median").replace("_iqr", " IQR").replace("_", " ")
    numbered = _NUMBERED.search(words)
    band = _FREQUENCIES.search(COLUMNS[column].definition)
    if numbered is not None and band is not None:
        words = f"{words[: numbered.start()]}{words[numbered.end() :]} {band[1]}"
    return " ".join(word.upper() if word in _ABBREVIATIONS else word for word in words.split(" "))


def short(name: str, length: int = 22) -> str:
    """A model's name as narrow columns can take it: its end tells paths apart."""
    return name if len(name) <= length else f"…{name[1 - length :]}"


def descriptors(explanation: Explanation) -> str:
    """Descriptors × models: averages over tasks of retained correlations, of all, and of all partial ones."""
    lines: list[str | None] = []
    families: list[tuple[int, str]] = []
    for family, columns in explanation.families().items():
        lines += [None] * bool(lines)
        families.append((len(lines), family))
        lines += [None, *columns]
    shown = np.full((3, len(lines), len(explanation.models)), np.nan)
    for place, column in enumerate(lines):
        for number, model in enumerate(explanation.models):
            if column is not None:
                found = explanation.over_tasks(model.name, column)
                partial = explanation.partial_over_tasks(model.name, column)
                averages = [found.retained, found.every, partial.every]
                shown[:, place, number] = np.array(averages, dtype=np.float64)
    top = _top(shown)
    with page_figure(1.3 + _ROW * len(lines)) as figure:
        panels = figure.subplots(1, 3, sharey=True)
        every = "all tasks" if len(explanation.tasks) > 1 else "all"
        titles = ("significant and above 0", every, f"{every}, partial")
        for axes, values, title in zip(panels, shown, titles, strict=True):
            heat(axes, values, [short(model.name) for model in explanation.models], top=top, width=2.5)
            axes.set_title(title, pad=8)
        panels[0].set_yticks(range(len(lines)), ["" if column is None else title_of(column) for column in lines])
        for place, family in families:
            panels[0].annotate(
                family, (0, place), (-6, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                ha="right", va="center", fontweight="bold",
            )  # fmt: skip
        panels[0].tick_params(axis="y", labelsize=8)
        return as_svg(figure, "descriptors", "Correlation of models with acoustic descriptors; numbers in the table")


def models(explanation: Explanation) -> str:
    """Model × model: correlation of RDMs, CKA, and correlation of feature profiles."""
    names = [model.name for model in explanation.models]
    size = len(names)
    alike, cka = np.eye(size), np.eye(size)
    for i, one in enumerate(names):
        for j, other in enumerate(names):
            if i != j:
                found, mean = explanation.between(one, other)
                alike[i, j] = np.nan if found.every is None else found.every
                cka[i, j] = np.nan if mean is None else mean
    profiles, _ = explanation.profiles()
    with page_figure(1.6 + 0.42 * size) as figure:
        panels = figure.subplots(1, 3, sharey=True)
        kinds = (("distances (Spearman)", alike), ("embeddings (CKA)", cka), ("feature profiles", profiles))
        for axes, (title, values) in zip(panels, kinds, strict=True):
            heat(axes, values, [short(name) for name in names], top=1.0, width=2.7)
            axes.set_title(title, pad=8)
        panels[0].set_yticks(range(size), [short(name) for name in names])
        return as_svg(figure, "models", "How alike models are; numbers in the table")


def layers(explanation: Explanation) -> str:
    """The strongest descriptors at every layer of every model that has layers, averages over all tasks."""
    shown = [model for model in explanation.models if model.layers]
    columns = strongest(explanation, _STRONGEST)
    values = {}
    for model in shown:
        found = [
            [explanation.over_tasks(model.name, column, layer=layer).every for layer in (*model.layers, None)]
            for column in columns
        ]
        values[model.name] = np.array(found, dtype=np.float64)  # None becomes NaN
    top = _top(np.concatenate([array.ravel() for array in values.values()]))
    with page_figure(len(shown) * (1.5 + 1.15 * _ROW * len(columns))) as figure:
        panels = figure.subplots(len(shown), 1, squeeze=False)[:, 0]
        for axes, model in zip(panels, shown, strict=True):
            heat(axes, values[model.name], [*model.layers, "embedding"], top=top, width=8.0)
            axes.set_yticks(range(len(columns)), [title_of(column) for column in columns])
            axes.set_title(model.name, pad=8)
        return as_svg(figure, "layers", "Correlation with acoustic descriptors at every layer; numbers in rsa.parquet")


def strongest(explanation: Explanation, count: int) -> list[str]:
    """The descriptors with the largest averages over all tasks, of any model; no more than three of a family."""
    best = {}
    for column in explanation.columns:
        averages = [explanation.over_tasks(model.name, column).every for model in explanation.models]
        best[column] = max((value for value in averages if value is not None), default=-1.0)
    return some_of_each_family(best, count)


def some_of_each_family(size: Mapping[str, float], count: int, *, most: int = _OF_A_FAMILY) -> list[str]:
    """The `count` largest, no more than `most` of a family of descriptors."""
    found: list[str] = []
    taken: Counter[str] = Counter()
    for column in sorted(size, key=lambda column: -size[column]):
        family = COLUMNS[column].family
        if taken[family] < most and len(found) < count:
            found.append(column)
            taken[family] += 1
    return found


def ceilings(explanation: Explanation) -> str:
    """For each task the strongest descriptors with intervals, under the noise ceiling of each model."""
    tasks = explanation.tasks
    columns = min(_PANELS_IN_A_ROW, len(tasks))
    lines = -(-len(tasks) // columns)
    height = 0.9 + (1 + _STRONGEST_OF_A_TASK) * (0.16 + 0.085 * len(explanation.models))
    with page_figure(0.4 + lines * height) as figure:
        panels = figure.subplots(lines, columns, squeeze=False)
        for axes, task in zip(panels.flat, tasks, strict=False):
            _under_ceiling(axes, explanation, task)
        for axes in panels.flat[len(tasks) :]:
            axes.set_visible(False)
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", frameon=False, ncols=3)
        return as_svg(figure, "ceilings", "The strongest descriptors with intervals, under noise ceilings")


def _under_ceiling(axes: Axes, explanation: Explanation, task: TaskClips) -> None:
    found = {
        column: {
            model.name: row
            for model in explanation.models
            if (row := explanation.described(model.name, column, task.name)) is not None and row.r_s is not None
        }
        for column in explanation.columns
    }
    size = {column: max((row.r_s or 0.0 for row in rows.values()), default=-1.0) for column, rows in found.items()}
    columns = some_of_each_family(size, _STRONGEST_OF_A_TASK)
    count = len(explanation.models)
    for number, model in enumerate(explanation.models):
        colour, marker = PALETTE[number % len(PALETTE)], MARKERS[number % len(MARKERS)]
        shift = 0.7 * ((number + 0.5) / count - 0.5)
        own = [rows[model.name] for rows in found.values() if model.name in rows]
        _ceiling(axes, own, shift, colour)
        for place, column in enumerate(columns, 1):
            row = found[column].get(model.name)
            if row is None or row.r_s is None:
                continue
            if row.ci_low is not None and row.ci_high is not None:
                axes.plot([row.ci_low, row.ci_high], [place + shift] * 2, color=colour, linewidth=1.6, alpha=0.6)
            axes.plot([row.r_s], [place + shift], marker, color=colour, markersize=4.2, markeredgewidth=0)
        axes.plot([], [], marker, color=colour, markersize=4.2, markeredgewidth=0, label=model.name)
    axes.axvline(0, color=FAINT, linewidth=0.8)
    axes.axhline(0.5, color=LINE, linewidth=0.8)
    axes.set_yticks(range(len(columns) + 1), ["noise ceiling", *(title_of(column) for column in columns)])
    axes.set_ylim(len(columns) + 0.5, -0.5)
    axes.set_xlim(min(0.0, axes.get_xlim()[0]) - 0.02, 1.02)
    axes.set_title(task.name, loc="right")  # a long name then runs over the descriptors' names, where there is room
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)


def _ceiling(axes: Axes, rows: Sequence[Similarity], shift: float, colour: str) -> None:
    known = next((row for row in rows if row.ceiling_low is not None and row.ceiling_high is not None), None)
    if known is not None and known.ceiling_low is not None and known.ceiling_high is not None:
        ends = [known.ceiling_low, max(known.ceiling_high, known.ceiling_low + 0.004)]
        axes.plot(ends, [shift] * 2, color=colour, linewidth=3.2, solid_capstyle="butt")


def pictures(shown: Sequence[Picture]) -> str:
    """t-SNE pictures: one panel per task coloured by class, and more where pitch or sex are known."""
    panels_of: list[tuple[Picture, str | None]] = []
    for picture in shown:
        panels_of += [(picture, _class_column(picture))]
        panels_of += [(picture, column) for column in _EXTRA_COLOURINGS if picture.task.manifest.has(column)]
    columns = min(_PANELS_IN_A_ROW, len(panels_of))
    lines = -(-len(panels_of) // columns)
    with page_figure(3.3 * lines) as figure:
        figure.set_layout_engine("constrained", h_pad=_BETWEEN_PICTURES)
        panels = figure.subplots(lines, columns, squeeze=False)
        for axes, (picture, column) in zip(panels.flat, panels_of, strict=False):
            values = [None] * len(picture.rows)
            if column is not None:
                every = picture.task.manifest.column(column)
                values = [every[row] for row in picture.rows]
            title = picture.task.name if column in (None, "label", "target") else f"{picture.task.name}, by {column}"
            scatter(axes, picture.points, values, title=title)
            for drawn in axes.collections:
                drawn.set_rasterized(True)
        for axes in panels.flat[len(panels_of) :]:
            axes.set_visible(False)
        return as_svg(figure, "pictures", "Two-dimensional maps of the embeddings of each task")


def _class_column(picture: Picture) -> str | None:
    return next((column for column in ("label", "target") if picture.task.manifest.has(column)), None)


def _top(values: Floats) -> float:
    """The end of the scale: the largest value, rounded up to a tenth."""
    largest = float(np.nanmax(values)) if np.isfinite(values).any() else 0.0
    return max(0.1, math.ceil(10 * largest) / 10)
