"""The figures of a study's report: scores with intervals, losses, and what lies near what."""

import itertools
import json
from collections.abc import Sequence

from matplotlib.axes import Axes

from auricle.projection import PALETTE, scatter
from auricle.report.svg import FAINT, INK, PAPER, as_svg, page_figure
from auricle.study.analyses import Picture
from auricle.study.encoders import Training
from auricle.study.layers import LayerSimilarity, mean_by_layer
from auricle.study.outcome import Outcome, Row
from auricle.transfer.task import Task

_PANELS_IN_A_ROW = 3
_LINES = ("-", "--", ":")
_REFERENCE_MARKERS = ("s", "D", "^", "v", "P", "X")


def colour_of(row: Row, diets: Sequence[str]) -> str:
    """The colour of a row of the table: its diet's, or the page's ink."""
    return INK if row.diet is None else PALETTE[list(diets).index(row.diet) % len(PALETTE)]


def scores(outcome: Outcome) -> str:
    """Scores with intervals: one panel per task, one line per row of the table."""
    rows, tasks = outcome.rows, outcome.tasks
    columns = min(_PANELS_IN_A_ROW, len(tasks))
    lines = -(-len(tasks) // columns)
    with page_figure(lines * (0.75 + 0.27 * len(rows))) as figure:
        panels = figure.subplots(lines, columns, squeeze=False, sharey=True)
        for axes, task in zip(panels.flat, tasks, strict=False):
            _score_panel(axes, outcome, task, rows)
        for axes in panels.flat[len(tasks) :]:
            axes.set_visible(False)
        panels[0, 0].set_yticks(range(len(rows)), [row.title for row in rows])
        panels[0, 0].set_ylim(len(rows) - 0.4, -0.6)
        return as_svg(
            figure, "scores", "Scores of every encoder on every task with 95 % intervals; numbers in the table"
        )


def _score_panel(axes: Axes, outcome: Outcome, task: Task, rows: Sequence[Row]) -> None:
    references = [row.title for row in rows if row.kind == "reference"]
    chance = 100 * outcome.chance(task)
    axes.axvline(chance, color=FAINT, linewidth=1, linestyle=(0, (3, 3)))
    for position, row in enumerate(rows):
        score, colour = outcome.score(row, task), colour_of(row, list(outcome.study.diets))
        if score.low is not None and score.high is not None:
            axes.plot([100 * score.low, 100 * score.high], [position] * 2, color=colour, linewidth=2, alpha=0.55)
        if len(score.members) > 1:
            values = [100 * member.value for member in score.members]
            axes.plot(values, [position] * len(values), "|", color=colour, markersize=7, markeredgewidth=1.2)
        marker = _REFERENCE_MARKERS[references.index(row.title) % 6] if row.kind == "reference" else "o"
        fill = PAPER if row.kind == "random" else colour
        axes.plot(
            [100 * score.value], [position], marker, color=colour, markerfacecolor=fill, markersize=6.5,
            markeredgewidth=1.6,
        )  # fmt: skip
    axes.set_title(task.heading)
    axes.set_xlabel(f"{task.metric.replace('_', ' ')}, %", color=FAINT)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    axes.margins(x=0.08)


def losses(trainings: Sequence[Training], diets: Sequence[str], *, what: str) -> str:
    """Loss of every pre-training over its steps; `what` says which and in which range or unit."""
    with page_figure(2.7) as figure:
        axes = figure.subplots()
        for training in trainings:
            steps, loss = _history(training)
            colour = PALETTE[list(diets).index(training.diet.title) % len(PALETTE)]
            drawn = axes.get_legend_handles_labels()[1]
            label = "_" if training.diet.title in drawn else training.diet.title  # one entry for each diet
            axes.plot(steps, loss, color=colour, linewidth=1.8 if label != "_" else 1.0, label=label)
        axes.set_xlabel("step", color=FAINT)
        axes.set_ylabel(what, color=FAINT)
        axes.tick_params(axis="y", colors=FAINT)
        axes.grid(axis="y")
        axes.margins(x=0.01)
        axes.legend(frameon=False, loc="upper right")
        return as_svg(figure, "losses", "Pre-training loss over steps, one line for each diet")


def _history(training: Training) -> tuple[list[int], list[float]]:
    rows = [json.loads(line) for line in (training.stage.folder / "metrics.jsonl").read_text().splitlines()]
    return [row["step"] for row in rows], [row["loss"] for row in rows]


def layers(found: Sequence[LayerSimilarity]) -> str:
    """Correlations with descriptors from layer to layer: one panel for each task and diet, one line per descriptor."""
    tasks, diets = (
        list(dict.fromkeys(values)) for values in ([one.task for one in found], [one.diet for one in found])
    )
    descriptors = list(dict.fromkeys(one.descriptor for one in found))
    with page_figure(0.6 + 2.4 * len(tasks)) as figure:
        panels = figure.subplots(len(tasks), len(diets), squeeze=False, sharey=True)
        for (row, task), (column, diet) in itertools.product(enumerate(tasks), enumerate(diets)):
            axes = panels[row, column]
            axes.axhline(0, color=FAINT, linewidth=1, linestyle=(0, (3, 3)))
            for number, descriptor in enumerate(descriptors):
                own = [one for one in found if (one.task, one.diet, one.descriptor) == (task, diet, descriptor)]
                by_layer = mean_by_layer(own)
                style = _LINES[number // len(PALETTE) % len(_LINES)]
                colour = PALETTE[number % len(PALETTE)]
                axes.plot(list(by_layer.values()), style, marker="o", markersize=3, color=colour, label=descriptor)
            names = list(dict.fromkeys(one.layer for one in found if one.diet == diet))
            axes.set_xticks(range(len(names)), [name.removeprefix("layer") for name in names])
            axes.set_title(f"{task} · trained on {diet}")
            axes.grid(axis="y")
        panels[0, 0].set_ylabel("Spearman's correlation", color=FAINT)
        panels[0, -1].legend(frameon=False, fontsize=7.5)
        return as_svg(figure, "layers", "Similarity to acoustic descriptors from layer to layer")


def pictures(shown: Sequence[Picture]) -> str:
    """t-SNE pictures, one panel per task and encoder."""
    columns = min(2, len(shown))
    lines = -(-len(shown) // columns)
    several = len({picture.encoder.label for picture in shown}) > 1
    with page_figure(3.1 * lines) as figure:
        panels = figure.subplots(lines, columns, squeeze=False)
        for axes, picture in zip(panels.flat, shown, strict=False):
            labels = picture.task.select(picture.rows).column("label")
            title = f"{picture.task.heading} · {picture.encoder.title}" if several else picture.task.heading
            scatter(axes, picture.points, labels, title=title)
            for drawn in axes.collections:
                drawn.set_rasterized(True)
        for axes in panels.flat[len(shown) :]:
            axes.set_visible(False)
        return as_svg(figure, "tsne", "Two-dimensional maps of the embeddings of each task, coloured by class")
