"""The report's tables, as HTML: scores, what training adds, similarity to acoustic descriptors, the tasks."""

from collections.abc import Sequence
from statistics import fmean

from auricle.comparisons import SIGNIFICANT
from auricle.report.page import band, line, table, text
from auricle.report.svg import INK
from auricle.study.analyses import Similarity
from auricle.study.figures import colour_of
from auricle.study.outcome import Gain, Outcome, Row
from auricle.study.summary import points, split_of
from auricle.transfer.task import Task

_STRONGEST = 0.9  # opacity of a heat map's cell at a correlation of 1


def scores(outcome: Outcome) -> str:
    """Rows × tasks with intervals; the best in bold where the paired test tells it from all others."""
    head = [_task_head(task) for task in outcome.tasks]
    best = {task.name: (outcome.best(task), outcome.rivals(task)) for task in outcome.tasks}
    lines = []
    for row in outcome.rows:
        cells = []
        for task in outcome.tasks:
            score = outcome.score(row, task)
            leader, rivals = best[task.name]
            kind = "rival" if row.title in (leader, *rivals) else ""
            if row.title == leader and not rivals:
                kind = "best"
            value = f'<span class="{kind}">{100 * score.value:.1f}</span>'
            cells.append(f'<td class="score">{value}{_interval(score.low, score.high)}</td>')
        lines.append(line(_row_head(row, outcome), cells))
    chance = [f'<td class="score same">{100 * outcome.chance(task):.1f}</td>' for task in outcome.tasks]
    lines.append(line('<th class="same">guessing</th>', chance))
    return table(["encoder", *head], lines, kind="scores")


def gains(outcome: Outcome, found: Sequence[Gain]) -> str:
    """Trained rows × tasks: the difference to the random self, with interval and verdict."""
    signs = {1: ("up", "better"), 0: ("same", "not better"), -1: ("down", "worse")}
    lines = []
    for row in outcome.rows:
        own = {gain.task.name: gain for gain in found if gain.row.title == row.title}
        if not own:
            continue
        cells = []
        for task in outcome.tasks:
            gain = own[task.name]
            kind, word = signs[gain.verdict]
            low, high = gain.compared.ci_low, gain.compared.ci_high
            ends = "" if low is None or high is None else f"<small>{points(low)} … {points(high)}</small>"
            chance = "p &lt; 0.001" if gain.p < 0.001 else f"p = {gain.p:.3f}"
            cells.append(
                f'<td><span class="{kind}">{points(gain.compared.difference)}</span>{ends}'
                f'<small class="{kind}">{word}</small><small>{chance}</small></td>'
            )
        lines.append(line(_row_head(row, outcome), cells))
    return table(["encoder", *(text(task.name) for task in outcome.tasks)], lines)


def similarities(outcome: Outcome) -> str:
    """Descriptors × rows, task by task and on average: Spearman's correlations, tinted by their size."""
    rows = outcome.rows
    descriptors = list(dict.fromkeys(found.descriptor for found in outcome.similarities))
    lines = []
    if len(outcome.tasks) > 1:
        lines.append(band("mean over tasks", len(rows)))
        for descriptor in descriptors:
            of_descriptor = [found for found in outcome.similarities if found.descriptor == descriptor]
            cells = [_heat([found for found in of_descriptor if found.encoder in row.encoders]) for row in rows]
            lines.append(line(f"<th>{text(descriptor)}</th>", cells))
    for task in outcome.tasks:
        of_task = [found for found in outcome.similarities if found.task == task.name]
        clips = {found.clips for found in of_task}
        lines.append(band(f"{task.name}, {max(clips, default=0):,} clips", len(rows)))
        for descriptor in dict.fromkeys(found.descriptor for found in of_task):
            own = [found for found in of_task if found.descriptor == descriptor]
            cells = [_heat([found for found in own if found.encoder in row.encoders]) for row in rows]
            lines.append(line(f"<th>{text(descriptor)}</th>", cells))
    return table(["", *(_row_label(row, outcome) for row in rows)], lines, kind="heat")


def tasks(outcome: Outcome) -> str:
    """What each task is."""
    lines = []
    for task in outcome.tasks:
        manifest = task.manifest
        clips = f"{len(task):,}"
        if task.published_clips not in (None, len(task)):
            clips += f"<small>local copy; the release has {task.published_clips:,}</small>"
        cells = [
            f"<td>{clips}</td>",
            f"<td>{len(set(manifest.column('label'))):,}</td>",
            f'<td class="words">{text(split_of(task))}</td>',
            f'<td class="words about">{text(_about(task))}</td>',
            f"<td><code>{task.fingerprint[:12]}</code></td>",
        ]
        lines.append(line(f"<th>{text(task.name)}</th>", cells))
    return table(["task", "clips", "classes", "split", "about", "fingerprint"], lines, words=("split", "about"))


def diets(outcome: Outcome) -> str:
    """What each encoder was trained on."""
    lines = []
    for training in outcome.trainings:
        facts = training.stage.facts
        cells = [
            f"<td>{training.seed}</td>",
            f'<td class="words">{text(", ".join(training.diet.sources))}</td>',
            f"<td>{facts['files']:,}</td>",
            f"<td>{facts['hours']:.2f}</td>",
            f"<td>{facts['steps']:,}\u00a0×\u00a0{facts['batch_size']}</td>",
            f"<td>{facts['statistics']['mean']:.2f}, {facts['statistics']['std']:.2f}</td>",
            f"<td><code>{text(facts['weights_fingerprint'])}</code></td>",
        ]
        lines.append(line(f"<th>{text(training.diet.name)}</th>", cells))
    head = ["diet", "seed", "sources", "files", "hours", "steps", "log-mel mean, std", "weights"]
    return table(head, lines, words=("sources",))


# Parts ---------------------------------------------------------------------------------------------------------------


def _task_head(task: Task) -> str:
    return f"{text(task.name)}<small>{text(task.metric.replace('_', ' '))}, %</small>"


def _about(task: Task) -> str:
    title = "" if task.title == task.name else task.title
    return "; ".join(words for words in (title, task.about) if words) or "–"


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"<small>{100 * low:.1f} – {100 * high:.1f}</small>"


def _row_head(row: Row, outcome: Outcome) -> str:
    return f"<th>{_row_label(row, outcome)}</th>"


def _row_label(row: Row, outcome: Outcome) -> str:
    colour = colour_of(row, list(outcome.study.diets))
    if colour == INK:
        swatch = '<i class="swatch square"></i>'
    else:
        fill = colour if row.kind == "trained" else "transparent"
        swatch = f'<i class="swatch" style="border-color:{colour};background:{fill}"></i>'
    seeds = f" <small>mean of {row.seeds} seeds</small>" if row.seeds > 1 else ""
    return f"{swatch}{text(row.title)}{seeds}"


def _heat(found: Sequence[Similarity]) -> str:
    """One cell; where a test of one of its correlations is not significant it has no tint."""
    known = [one for one in found if one.r_s is not None]
    if not known:
        return '<td class="same" title="cannot be compared">–</td>'
    value = fmean(one.r_s for one in known if one.r_s is not None)
    retained = [one for one in known if one.q is not None and one.q < SIGNIFICANT and (one.r_s or 0) > 0]
    shown = f"{value:.2f}".replace("-", "−")
    if len(retained) * 2 < len(known):
        return f'<td class="same" title="not significant">{shown}</td>'
    return f'<td style="background:rgba(var(--tint),{_STRONGEST * min(max(0.0, value), 0.75):.2f})">{shown}</td>'
