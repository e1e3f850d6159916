"""The report's figures, as SVG that takes its ink and paper from the page, so that it is at home in light and dark.

Matplotlib draws with stand-in colours for ink, faint ink, lines and paper; in the SVG they are replaced by the page's
variables. Points by the thousand are drawn as pictures inside, so that a figure stays small.
"""

import io
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from auricle.explore.projection import PALETTE, scatter
from auricle.study.analyses import Picture
from auricle.study.encoders import Training
from auricle.study.outcome import Outcome, Row
from auricle.transfer.task import Task

WIDTH = 10.0  # inches; a page's width
_DPI = 160  # of what is drawn as a picture
_PANELS_IN_A_ROW = 3

PAGE_INK, _FAINT, _LINE, _PAPER = "#010203", "#818283", "#c1c2c3", "#fdfcfb"
_OF_THE_PAGE = {PAGE_INK: "currentColor", _FAINT: "var(--faint)", _LINE: "var(--line)", _PAPER: "var(--paper)"}
_REFERENCE_MARKERS = ("s", "D", "^", "v", "P", "X")
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "auricle",
    "font.size": 9.5,
    "text.color": PAGE_INK,
    "axes.labelcolor": PAGE_INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": _LINE,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.parse_math": False,  # a class may be called $x$
    "figure.facecolor": "none",
    "xtick.color": _FAINT,
    "ytick.color": PAGE_INK,
    "ytick.left": False,
    "grid.color": _LINE,
    "grid.linewidth": 0.6,
    "legend.labelcolor": PAGE_INK,
    "legend.fontsize": 8.5,
}


@contextmanager
def _figure(height: float) -> Iterator[Figure]:
    with matplotlib.rc_context(_STYLE):
        yield Figure(figsize=(WIDTH, height), dpi=_DPI, layout="constrained")


def _svg(figure: Figure, identity: str, description: str) -> str:
    """The figure as an SVG element of an HTML page."""
    buffer = io.StringIO()
    canvas: Any = FigureCanvasSVG(figure)
    canvas.print_svg(buffer, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", text, count=2)
    for stand_in, variable in _OF_THE_PAGE.items():
        text = text.replace(stand_in, variable)
    text = re.sub(r'\bid="', f'id="{identity}-', text)  # several figures share a page
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{identity}-", text)
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "inherit", text)
    size = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', text)
    assert size is not None
    return text.replace(size[0], f'role="img" aria-label="{description}"', 1)


def colour_of(row: Row, diets: Sequence[str]) -> str:
    """The colour of a row of the table: its diet's, or the page's ink."""
    return PAGE_INK if row.diet is None else PALETTE[list(diets).index(row.diet) % len(PALETTE)]


def scores(outcome: Outcome) -> str:
    """Scores with intervals: one panel per task, one line per row of the table."""
    rows, tasks = outcome.rows, outcome.tasks
    columns = min(_PANELS_IN_A_ROW, len(tasks))
    lines = -(-len(tasks) // columns)
    with _figure(lines * (0.75 + 0.27 * len(rows))) as figure:
        panels = figure.subplots(lines, columns, squeeze=False, sharey=True)
        for axes, task in zip(panels.flat, tasks, strict=False):
            _score_panel(axes, outcome, task, rows)
        for axes in panels.flat[len(tasks) :]:
            axes.set_visible(False)
        panels[0, 0].set_yticks(range(len(rows)), [row.title for row in rows])
        panels[0, 0].set_ylim(len(rows) - 0.4, -0.6)
        return _svg(figure, "scores", "Scores of every encoder on every task with 95 % intervals; numbers in the table")


def _score_panel(axes: Axes, outcome: Outcome, task: Task, rows: Sequence[Row]) -> None:
    references = [row.title for row in rows if row.kind == "reference"]
    chance = 100 * outcome.chance(task)
    axes.axvline(chance, color=_FAINT, linewidth=1, linestyle=(0, (3, 3)))
    for position, row in enumerate(rows):
        score, colour = outcome.score(row, task), colour_of(row, list(outcome.study.diets))
        if score.low is not None and score.high is not None:
            axes.plot([100 * score.low, 100 * score.high], [position] * 2, color=colour, linewidth=2, alpha=0.55)
        if len(score.members) > 1:
            values = [100 * member.value for member in score.members]
            axes.plot(values, [position] * len(values), "|", color=colour, markersize=7, markeredgewidth=1.2)
        marker = _REFERENCE_MARKERS[references.index(row.title) % 6] if row.kind == "reference" else "o"
        fill = _PAPER if row.kind == "random" else colour
        axes.plot(
            [100 * score.value], [position], marker, color=colour, markerfacecolor=fill, markersize=6.5,
            markeredgewidth=1.6,
        )  # fmt: skip
    axes.set_title(task.name)
    axes.set_xlabel(f"{task.metric.replace('_', ' ')}, %", color=_FAINT)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.08)


def losses(trainings: Sequence[Training], diets: Sequence[str]) -> str:
    """Loss of every pre-training over its steps."""
    with _figure(2.7) as figure:
        axes = figure.subplots()
        for training in trainings:
            steps, loss = _history(training)
            colour = PALETTE[list(diets).index(training.diet) % len(PALETTE)]
            alone = sum(other.diet == training.diet for other in trainings) == 1
            label = training.diet if alone else f"{training.diet}, seed {training.seed}"
            axes.plot(steps, loss, color=colour, linewidth=1.8, label=label)
        axes.set_xlabel("step", color=_FAINT)
        axes.set_ylabel("BYOL loss (0 … 8)", color=_FAINT)
        axes.tick_params(axis="y", colors=_FAINT)
        axes.grid(axis="y")
        axes.margins(x=0.01)
        axes.legend(frameon=False, loc="upper right")
        return _svg(figure, "losses", "Pre-training loss over steps, one line for each diet")


def _history(training: Training) -> tuple[list[int], list[float]]:
    rows = [json.loads(line) for line in (training.stage.folder / "metrics.jsonl").read_text().splitlines()]
    return [row["step"] for row in rows], [row["loss"] for row in rows]


def pictures(shown: Sequence[Picture]) -> str:
    """t-SNE pictures, one panel per task and encoder."""
    columns = min(2, len(shown))
    lines = -(-len(shown) // columns)
    several = len({picture.encoder.label for picture in shown}) > 1
    with _figure(3.1 * lines) as figure:
        panels = figure.subplots(lines, columns, squeeze=False)
        for axes, picture in zip(panels.flat, shown, strict=False):
            labels = picture.task.manifest.column("label")
            title = f"{picture.task.name} · {picture.encoder.title}" if several else picture.task.name
            scatter(axes, picture.points, [labels[row] for row in picture.rows], title=title)
            for drawn in axes.collections:
                drawn.set_rasterized(True)
        for axes in panels.flat[len(shown) :]:
            axes.set_visible(False)
        return _svg(figure, "tsne", "Two-dimensional maps of the embeddings of each task, coloured by class")
