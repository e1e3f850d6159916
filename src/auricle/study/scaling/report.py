"""The report of a scaling study: one HTML file with a figure for each axis, the laws, and every point."""

import platform
from collections.abc import Callable, Iterator
from pathlib import Path

from auricle import __version__
from auricle.files import atomic_write
from auricle.report.page import Section, band, duration, facts, figure, line, note, page, table, text
from auricle.study.intervals import Value
from auricle.study.scaling.definition import HOURS, STEPS, WIDTH
from auricle.study.scaling.figures import axis_svg
from auricle.study.scaling.laws import JOINT_NEEDS, AxisLaw
from auricle.study.scaling.outcome import Outcome, TaskLaws, Trained
from auricle.study.scaling.power_law import STEEPEST
from auricle.study.scaling.summary import PHRASES, percent, sentences, signed_percent
from auricle.training import environment
from auricle.transfer.protocols import protocol
from auricle.words import counted, listed

_FIGURE = (
    "Error, one minus the score of a probe on frozen embeddings; both axes are logarithmic, so a power law is a "
    "straight line. Dots are means over pre-training seeds (dashes, where there are several), bars their 95 % "
    "intervals over clusters of test clips and over trainings. The line is the fitted law, with its floor where "
    "the points ask for one, in its 95 % band; grey and dashed where the interval of the exponent includes 0."
)
_LAWS = (
    "Exponent b of error = A·x^-b and the change of the error with each doubling, 2^-b − 1; then, where the error "
    "falls, error = E + A·x^-b with a floor E, which needs four points. Fitted are logarithms by least squares "
    "(Rosenfeld et al. 2020), each point weighed by its variance. Intervals are 95 %, from fits to replicates that "
    "draw test clips anew, the same for all points, and add the noise of training, measured between seeds or, with "
    "one seed, guessed from scatter about straight lines; they are not corrected for their number. p: how often such "
    "noise alone bends a straight line as much. A floor and the error at twice the largest place extrapolate: nothing "
    "was measured there."
)
_JOINT = (
    "error = E + A·N^-α + B·D^-β + C·S^-γ over parameters N, hours D and steps S (after Hoffmann et al. 2022), fitted "
    "to all points of the grid. An exponent whose interval reaches 0 or has no upper end is not identified."
)
_POINTS = (
    "Score of every point, means over pre-training seeds; the interval is that of the means of its probes over test "
    "clips. Time and arithmetic are those of one pre-training: operations of products and convolutions, forward and "
    "backward, heads included. A wider encoder gives a longer embedding too, so that the probe has more to learn from. "
    "A few hours are part of more; with few hours and many steps, sound is heard again and again (passes)."
)
_NONE = "<td>–</td>"


def write_report(outcome: Outcome, path: Path) -> None:
    """Write the report, all or nothing."""
    study = outcome.study
    tasks, seeds = len(outcome.tasks), len(study.pretraining.seeds)
    subtitle = (
        f"{len(outcome.trained)} points × {counted(seeds, 'seed')} × {counted(tasks, 'task')} "
        f"· study {study.name} · Auricle {__version__}"
    )
    written = page(
        study.title or f"Study {study.name}",
        subtitle,
        list(_sections(outcome)),
        summary=sentences(outcome),
        notices=outcome.notices,
    )
    with atomic_write(path) as temporary:
        temporary.write_text(written, encoding="utf-8")


def _sections(outcome: Outcome) -> Iterator[Section]:
    for number, axis in enumerate(outcome.axes):
        caption = f"At {_others(outcome, axis)}. {'As above.' if number else _FIGURE}"
        yield Section(f"over-{axis}", PHRASES[axis].capitalize(), figure(axis_svg(outcome, axis), caption))
    yield Section("laws", "Exponents", f"{_laws(outcome)}{note(_LAWS)}{_joint(outcome)}")
    yield Section("points", "Points", f"{_points(outcome)}{note(_POINTS)}")
    yield Section("made", "How this was made", _made(outcome))


def _others(outcome: Outcome, axis: str) -> str:
    """Where the other axes are."""
    largest = outcome.trained[-1]
    amounts = {
        WIDTH: f"{largest.parameters:,} parameters",
        HOURS: f"{largest.point.hours:g} hours",
        STEPS: f"{largest.point.steps:,} steps",
    }
    return listed(words for name, words in amounts.items() if name != axis)


def _laws(outcome: Outcome) -> str:
    lines = []
    for axis in outcome.axes:
        points = len(outcome.tasks[0].laws[axis].x)
        lines.append(band(f"over {PHRASES[axis]}, {points} points", 6))
        lines += [_law(found, found.laws[axis]) for found in outcome.tasks]
    head = [
        "task",
        "exponent",
        "each doubling, %",
        "straight line?",
        "floor, %",
        "exponent above the floor",
        "error at twice the largest, %<small>extrapolated</small>",
    ]
    return table(head, lines, kind="scores")


def _law(found: TaskLaws, law: AxisLaw) -> str:
    kind = {1: "up", 0: "same", -1: "down"}[law.direction]
    bend = "–" if law.bend_p is None else f"p&nbsp;=&nbsp;{law.bend_p:.3f}"
    cells = [
        _cell(law.exponent, _exponent, kind),
        _cell(law.change, signed_percent, kind),
        f'<td class="{"down" if law.is_bent else ""}">{bend}</td>',
        _cell(law.floor, percent),
        _cell(law.floored_exponent, _exponent),
        _cell(law.ahead, percent),
    ]
    return line(f"<th>{text(found.task.name)}</th>", cells)


def _cell(value: Value | None, word: Callable[[float], str], kind: str = "") -> str:
    if value is None:
        return _NONE
    ends = "" if value.low is None or value.high is None else f"<small>{word(value.low)} … {word(value.high)}</small>"
    return f'<td class="score"><span class="{kind}">{word(value.value)}</span>{ends}</td>'


def _exponent(value: float) -> str:
    return f"&gt; {STEEPEST:g}" if value > STEEPEST else f"{value:.2f}".replace("-", "−")


def _joint(outcome: Outcome) -> str:
    if outcome.study.grid != "full":
        return ""
    found = [(one.task.name, one.joint) for one in outcome.tasks]
    lines = [
        line(
            f"<th>{text(name)}</th>",
            [*(_cell(value, _exponent) for value in law.exponents), _cell(law.floor, percent)],
        )
        for name, law in found
        if law is not None
    ]
    if not lines:
        return note(
            f"All axes together are not fitted: that takes two axes, at least {JOINT_NEEDS} values on each that is "
            "varied, and a noise of training that is known."
        )
    axes = next(law.axes for _, law in found if law is not None)
    head = ["all axes together", *(f"exponent of {PHRASES[axis]}" for axis in axes), "floor, %"]
    return f"{table(head, lines, kind='scores')}{note(_JOINT)}"


def _points(outcome: Outcome) -> str:
    lines = [_point(outcome, place, one) for place, one in enumerate(outcome.trained)]
    heads = [
        f"{text(found.task.heading)}<small>{text(found.task.metric.replace('_', ' '))}, %</small>"
        for found in outcome.tasks
    ]
    head = ["parameters", "width", "hours", "steps", "passes", "time", "TFLOP", *heads]
    return table(head, lines, kind="scores", words=("width",))


def _point(outcome: Outcome, place: int, one: Trained) -> str:
    passes = one.passes
    cells = [
        f'<td class="words">{text(outcome.study.width_words(one.point.width))}</td>',
        f"<td>{one.point.hours:g}</td>",
        f"<td>{one.point.steps:,}</td>",
        f"<td>{passes:.2g}</td>" if passes < 10 else f"<td>{passes:,.0f}</td>",
        f"<td>{duration(one.seconds).replace(' ', '&nbsp;')}</td>",
        f"<td>{one.flop / 1e12:,.3g}</td>",
    ]
    for found in outcome.tasks:
        value, low, high = found.score(place)
        ends = "" if low is None or high is None else f"<small>{percent(low)} – {percent(high)}</small>"
        cells.append(f'<td class="score">{percent(value)}{ends}</td>')
    return line(f"<th>{one.parameters:,}</th>", cells)


def _made(outcome: Outcome) -> str:
    now, study = environment(), outcome.study
    seconds = sum(training.stage.seconds for one in outcome.trained for training in one.trainings)
    settings = study.probe.settings()
    clips = "; ".join(
        f"{found.task.name} {found.errors.clips:,} clips, {found.errors.clusters:,} clusters" for found in outcome.tasks
    )
    entries = {
        "Command": f"<code>{text(outcome.command or 'auricle.study.run.run_study')}</code>",
        "Pre-training": text(f"on {', '.join(study.diet)}, {duration(seconds)} in all"),
        "Seeds": text(
            f"study {study.seed}; pre-training {', '.join(map(str, study.pretraining.seeds))}; probes "
            f"{', '.join(map(str, study.probe.seeds))}"
        ),
        "Probe": text(f"{protocol(study.probe.protocol).label(settings)}: {protocol(study.probe.protocol).source}"),
        "Test parts": text(clips),
        "Versions": text(f"Auricle {__version__}, torch {now['torch']}, {platform.system()} on {now['processor']}"),
        "Working time": text(f"{duration(outcome.seconds)} in all, cached stages included"),
        "Numbers": "<code>results.parquet</code>, <code>results.csv</code>, <code>points.csv</code> and "
        "<code>laws.csv</code> beside this file",
    }
    return (
        f"{facts(entries.items())}<details><summary>The study, everything resolved</summary>"
        f"<pre>{text(study.as_yaml())}</pre></details>"
    )
