"""The figures of a scaling study: errors along an axis, both on logarithmic scales, with the law that was fitted."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from auricle.projection import PALETTE
from auricle.report.svg import FAINT, INK, as_svg, page_figure
from auricle.study.scaling.definition import HOURS, WIDTH
from auricle.study.scaling.laws import AxisLaw
from auricle.study.scaling.outcome import Outcome, TaskLaws
from auricle.study.scaling.summary import PHRASES

_PANELS_IN_A_ROW = 3
_PANEL = 2.9  # inches high
_ALONE = 5.2  # inches wide, of a single panel
_PLACES = 60  # of a drawn law
_FINE = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)  # where ticks of errors may stand, in each power of ten
_MOST_TICKS = 5


def axis_svg(outcome: Outcome, axis: str) -> str:
    """One panel for each task."""
    tasks = outcome.tasks
    columns = min(_PANELS_IN_A_ROW, len(tasks))
    lines = -(-len(tasks) // columns)
    with page_figure(_PANEL * lines + 0.2) as figure:
        if columns == 1:
            figure.set_figwidth(_ALONE)
        panels = figure.subplots(lines, columns, squeeze=False)
        for number, (axes, found) in enumerate(zip(panels.flat, tasks, strict=False)):
            _panel(axes, found, found.laws[axis], first=number % columns == 0)
        for axes in panels.flat[len(tasks) :]:
            axes.set_visible(False)
        return as_svg(figure, f"axis-{axis}", f"Errors of every task over {PHRASES[axis]}, with the fitted power laws")


def _panel(axes: Axes, found: TaskLaws, law: AxisLaw, *, first: bool) -> None:
    claimed = law.direction != 0
    colour = PALETTE[0] if claimed else FAINT
    places = np.geomspace(law.x[0], law.x[-1], _PLACES)
    line, band = law.band(places)
    if band is not None:
        axes.fill_between(places, *(100 * band), color=colour, alpha=0.16, linewidth=0)
    axes.plot(places, 100 * line, color=colour, linewidth=1.8, linestyle="-" if claimed else (0, (4, 3)))
    for x, value in zip(law.x, law.points(), strict=True):
        if value.low is not None and value.high is not None:
            axes.plot([x, x], [100 * value.low, 100 * value.high], color=INK, linewidth=1.6, alpha=0.55)
    rows = list(found.lines[law.axis])
    seeds = 100 * found.errors.values[0, rows]
    if seeds.shape[1] > 1:
        axes.plot(law.x, seeds, "_", color=INK, markersize=7, markeredgewidth=1.1, alpha=0.7)
    axes.plot(law.x, 100 * np.exp(law.log_errors[0]), "o", color=INK, markersize=5.5)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(law.x, [_tick(x, law.axis) for x in law.x])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.08)
    _error_ticks(axes)
    axes.set_xlabel(PHRASES[law.axis], color=FAINT)
    if first:
        axes.set_ylabel("error, %", color=FAINT)
    axes.tick_params(axis="y", colors=FAINT)
    axes.set_title(found.task.heading)
    axes.grid(axis="y")
    axes.set_axisbelow(True)


def _error_ticks(axes: Axes) -> None:
    """A few round numbers: a logarithmic axis of less than a decade else shows one or none."""
    low, high = axes.get_ylim()
    if high / low < 1.3:  # nothing changes: a few per cent would fill the panel
        middle = np.sqrt(low * high)
        low, high = middle / 1.15, middle * 1.15
    candidates = [base * 10.0**power for power in range(-3, 3) for base in _FINE]
    ticks = [tick for tick in candidates if low <= tick <= high]
    while len(ticks) > _MOST_TICKS:
        ticks = ticks[::2]
    if len(ticks) < 2:
        ticks = [float(f"{tick:.2g}") for tick in np.geomspace(low * 1.02, high / 1.02, 3)]
    axes.set_ylim(low, high)
    axes.set_yticks(ticks)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda tick, _: f"{tick:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def _tick(x: float, axis: str) -> str:
    if axis == WIDTH:
        return f"{x / 1e6:.2g} M" if x >= 1e6 else f"{x / 1e3:.3g} k"
    return f"{x:g}" if axis == HOURS else f"{x:,.0f}"
