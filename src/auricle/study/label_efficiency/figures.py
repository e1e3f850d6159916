"""The figure of a label-efficiency study: scores over shares of the labels, for reports and as a picture."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from auricle.files import atomic_write
from auricle.projection import PALETTE
from auricle.report.svg import FAINT, INK, PAPER, as_svg, page_figure
from auricle.study.label_efficiency.definition import PRETRAINED, SCRATCH, STARTS
from auricle.study.label_efficiency.outcome import Curves

_COLOURS = {SCRATCH: INK, PRETRAINED: PALETTE[0]}
_ASIDE = {SCRATCH: 1.012, PRETRAINED: 1 / 1.012}  # that intervals do not hide each other
_PANEL = 3.3  # inches high
_ALONE = 6.0  # inches wide, of a single panel
_DPI = 150


def curves_svg(curves: Sequence[Curves]) -> str:
    """One panel per task, as an SVG element of a page."""
    with page_figure(_height(curves)) as figure:
        _draw(figure, curves)
        return as_svg(figure, "curves", "Scores over shares of the labels, from scratch and pre-trained")


def write_figure(curves: Sequence[Curves], path: Path) -> None:
    """The same as a PNG file."""
    with page_figure(_height(curves)) as figure, atomic_write(path) as temporary:
        _draw(figure, curves)
        figure.savefig(temporary, format="png", dpi=_DPI, facecolor="white", metadata={"Software": None})


def _height(curves: Sequence[Curves]) -> float:
    return _PANEL * -(-len(curves) // 2)


def _draw(figure: Figure, curves: Sequence[Curves]) -> None:
    columns = min(2, len(curves))
    if columns == 1:
        figure.set_figwidth(_ALONE)
    panels = figure.subplots(-(-len(curves) // columns), columns, squeeze=False)
    for axes, of_task in zip(panels.flat, curves, strict=False):
        _panel(axes, of_task)
    for axes in panels.flat[len(curves) :]:
        axes.set_visible(False)
    panels[0, 0].legend(frameon=False, loc="lower right")


def _panel(axes: Axes, curves: Curves) -> None:
    goal = 100 * curves.score(SCRATCH, 1.0).value
    axes.axhline(goal, color=FAINT, linewidth=1, linestyle=(0, (3, 3)))
    for start in STARTS:
        colour = _COLOURS[start]
        values = [curves.score(start, share) for share in curves.shares]
        at = [share * _ASIDE[start] for share in curves.shares]
        for share, value in zip(at, values, strict=True):
            if value.low is not None and value.high is not None:
                axes.plot([share] * 2, [100 * value.low, 100 * value.high], color=colour, linewidth=2, alpha=0.5)
        fill = PAPER if start == SCRATCH else colour
        axes.plot(
            at, [100 * value.value for value in values], "o-", color=colour, markerfacecolor=fill, markersize=6,
            markeredgewidth=1.6, linewidth=1.6, label=start,
        )  # fmt: skip
    _mark_worth(axes, curves, goal)
    axes.set_xscale("log")
    axes.set_xticks(curves.shares, [f"{share:.2g}\n{curves.clips(share):,}" for share in curves.shares])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("share and number of labelled clips", color=FAINT)
    axes.set_ylabel(f"{curves.task.metric.replace('_', ' ')}, %", color=FAINT)
    axes.tick_params(axis="y", colors=FAINT)
    axes.set_title(curves.task.name)
    axes.grid(axis="y")
    axes.set_axisbelow(True)


def _mark_worth(axes: Axes, curves: Curves, goal: float) -> None:
    """A diamond where the pre-trained model equals the goal, with its interval as far as it lies within the shares."""
    found, colour = curves.worth, _COLOURS[PRETRAINED]
    if found.band is not None:
        axes.plot(found.band, [goal] * 2, color=colour, linewidth=5, alpha=0.25, solid_capstyle="butt")
    if found.is_reached:
        axes.plot(
            [found.share.value], [goal], "D", color=colour, markersize=7, markeredgecolor=INK, markeredgewidth=0.8
        )
