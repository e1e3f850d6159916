"""The report of an ablation: one HTML file with every row against the recipe as it is."""

import platform
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

from auricle import __version__
from auricle.comparisons import Judged
from auricle.files import atomic_write
from auricle.projection import PALETTE
from auricle.report.page import Section, duration, facts, figure, line, note, page, table, text
from auricle.report.svg import FAINT, INK, PAPER, as_svg, page_figure
from auricle.results import Result
from auricle.study.ablation.definition import Variant
from auricle.study.ablation.outcome import Outcome, mean_of
from auricle.training import environment
from auricle.transfer.protocols import protocol
from auricle.words import counted

_TABLE = (
    "Each row changes the recipe as it says. Scores are those of probes on frozen embeddings, with 95 % bootstrap "
    "intervals over clusters of test clips; below them the difference to the recipe as it is, clip by clip over the "
    "same test clips, in percentage points, with its interval and the p-value of a paired permutation test, corrected "
    "by Holm's method for all comparisons of this table. Contrastive accuracy, of hidden frames (of clips, under COLA) "
    "told from others, at the end of training, and what a guess would reach: both change with how much is hidden and "
    "with the number of negatives, so that rows which change these do not compare by it."
)
_INVARIANCE = (
    "Clips of {task} are altered by known amounts, and the altered clip's embedding is held against the clip's own: "
    "the median way that it moves, in units of the median distance between embeddings of different clips (0: nothing "
    "changes, 1: it becomes another clip; means over seeds), and below how many of {clips} altered clips are still "
    "nearest to their own. Embeddings are centred and scaled over the unaltered clips. Pitch and speed are altered by "
    "a phase vocoder, which is heard: ±0 st (semitones) is the vocoder alone. Intervals are in invariance.csv."
)
_FIGURE = (
    "Differences of the table: changed recipe minus the recipe as it is, with 95 % intervals; filled where the paired "
    "test can tell them apart."
)


def write_report(outcome: Outcome, path: Path) -> None:
    """Write the report, all or nothing."""
    study = outcome.study
    changes = len(outcome.variants) - 1
    tasks = counted(len(outcome.tasks), "task")
    subtitle = f"{changes} changes of one recipe × {tasks} · study {study.name} · Auricle {__version__}"
    written = page(
        study.title or f"Study {study.name}",
        subtitle,
        list(_sections(outcome)),
        summary=outcome.sentences,
        notices=outcome.notices,
    )
    with atomic_write(path) as temporary:
        temporary.write_text(written, encoding="utf-8")


def _sections(outcome: Outcome) -> Iterator[Section]:
    published = outcome.study.published
    notes = (
        note(_TABLE) if published is None else note(_TABLE) + note(f"Published: {published.what}. {published.source}.")
    )
    yield Section("rows", "What each change does", f"{_table(outcome)}{notes}{figure(_figure(outcome), _FIGURE)}")
    if outcome.altered:
        first = next(iter(outcome.altered.values()))[0]
        task = outcome.study.invariance and outcome.study.invariance.task
        about = _INVARIANCE.format(task=task or outcome.tasks[0].name, clips=first[0].clips)
        yield Section("invariance", "What embeddings do not change with", f"{_invariance(outcome)}{note(about)}")
    yield Section("made", "How this was made", _made(outcome))


def _table(outcome: Outcome) -> str:
    against = outcome.against()
    published = {} if outcome.study.published is None else outcome.study.published.scores
    lines = []
    for variant in outcome.variants:
        watched = outcome.watched(variant)
        accuracy = "<td>–</td>"
        if watched:
            accuracy = f"<td>{100 * watched['accuracy']:.1f}<small>guessing {100 * watched['chance']:.1f}</small></td>"
        found = [(outcome.summaries(variant, task), against.get((variant.title, task.name))) for task in outcome.tasks]
        cells = [accuracy, *(_cell(scores, compared) for scores, compared in found)]
        if published:
            score = published.get(variant.title)
            cells.append("<td>–</td>" if score is None else f"<td>{score:.1f}</td>")
        changed = "".join(
            f"<small><code>{text(key)}={text(value)}</code></small>" for key, value in variant.changes.items()
        )
        lines.append(line(f"<th>{text(variant.title)}{changed}</th>", cells))
    heads = [f"{text(task.heading)}<small>{text(task.metric.replace('_', ' '))}, %</small>" for task in outcome.tasks]
    head = ["recipe and what it changes", "contrastive<small>accuracy, %</small>", *heads]
    return table([*head, *(["published<small>average, %</small>"] if published else [])], lines, kind="scores")


def _invariance(outcome: Outcome) -> str:
    lines = []
    for title, seeds in outcome.altered.items():
        cells = []
        for of_alteration in zip(*seeds, strict=True):
            moved, found = (fmean(getattr(one, name) for one in of_alteration) for name in ("moved", "found"))
            cells.append(f"<td>{moved:.2f}<small>{100 * found:.0f} %</small></td>")
        lines.append(line(f"<th>{text(title)}</th>", cells))
    altered = [one.alteration for one in next(iter(outcome.altered.values()))[0]]
    return table(
        ["recipe", *(f"{text(of.what)}<small>{text(of.measure)}</small>" for of in altered)], lines, kind="scores"
    )


def _cell(results: Sequence[Result], against: Judged | None) -> str:
    lows = [result.ci_low for result in results if result.ci_low is not None]
    highs = [result.ci_high for result in results if result.ci_high is not None]
    ends = f"<small>{100 * min(lows):.1f} – {100 * max(highs):.1f}</small>" if lows and highs else ""
    score = f"{100 * mean_of(results):.1f}{ends}"
    if against is None:
        return f'<td class="score">{score}</td>'
    kind = {1: "up", 0: "same", -1: "down"}[against.verdict]
    compared = against.compared
    low, high = compared.ci_low, compared.ci_high
    between = "" if low is None or high is None else f" ({_points(low)} … {_points(high)})"
    p = "p &lt; 0.001" if against.p < 0.001 else f"p = {against.p:.3f}"
    return (
        f'<td class="score">{score}<small class="{kind}">{_points(compared.difference)}{between}</small>'
        f"<small>{p}</small></td>"
    )


def _points(difference: float) -> str:
    return f"{100 * difference:+.1f}".replace("-", "−")


def _figure(outcome: Outcome) -> str:
    changed, tasks = outcome.variants[1:], outcome.tasks
    against = outcome.against()
    with page_figure(0.9 + 0.27 * len(changed)) as drawn:
        panels = drawn.subplots(1, len(tasks), squeeze=False, sharey=True)
        for axes, task in zip(panels[0], tasks, strict=True):
            axes.axvline(0, color=FAINT, linewidth=1, linestyle=(0, (3, 3)))
            for position, variant in enumerate(changed):
                found = against.get((variant.title, task.name))
                if found is None:
                    continue
                compared, colour = found.compared, PALETTE[_keys(changed).index(_key(variant)) % len(PALETTE)]
                if compared.ci_low is not None and compared.ci_high is not None:
                    ends = [100 * compared.ci_low, 100 * compared.ci_high]
                    axes.plot(ends, [position] * 2, color=colour, linewidth=2, alpha=0.55)
                fill = colour if found.verdict else PAPER
                axes.plot(
                    [100 * compared.difference], [position], "o", color=colour, markerfacecolor=fill, markersize=6.5,
                    markeredgewidth=1.6,
                )  # fmt: skip
            axes.set_title(task.heading)
            axes.set_xlabel("difference, points", color=FAINT)
            axes.grid(axis="x")
            axes.set_axisbelow(True)
            axes.spines["left"].set_visible(False)
            axes.margins(x=0.08)
        panels[0, 0].set_yticks(range(len(changed)), [variant.title for variant in changed], color=INK)
        panels[0, 0].set_ylim(len(changed) - 0.4, -0.6)
        return as_svg(drawn, "differences", "Differences of every changed recipe to the recipe as it is")


def _keys(variants: Sequence[Variant]) -> list[str]:
    return list(dict.fromkeys(map(_key, variants)))


def _key(variant: Variant) -> str:
    """What rows of one colour have in common: the first key that they change."""
    return next(iter(variant.changes))


def _made(outcome: Outcome) -> str:
    now, study = environment(), outcome.study
    trained = [training for trainings in outcome.trainings.values() for training in trainings]
    first = trained[0].stage.facts
    entries = {
        "Command": f"<code>{text(outcome.command or 'auricle.study.run.run_study')}</code>",
        "Pre-training": text(
            f"{first['steps']:,} steps of {first['batch_size']} on {', '.join(study.diet)}, {first['hours']:.2f} h; "
            f"{duration(sum(training.stage.seconds for training in trained))} in all"
        ),
        "Seeds": text(
            f"study {study.seed}; pre-training {', '.join(map(str, study.pretraining.seeds))}; probes "
            f"{', '.join(map(str, study.probe.seeds))}"
        ),
        "Probe": text(
            f"{protocol(study.probe.protocol).label(study.probe.settings())}: {protocol(study.probe.protocol).source}"
        ),
        "Versions": text(f"Auricle {__version__}, torch {now['torch']}, {platform.system()} on {now['processor']}"),
        "Working time": text(f"{duration(outcome.seconds)} in all, cached stages included"),
        "Numbers": "<code>results.parquet</code>, <code>results.csv</code> beside this file",
    }
    return (
        f"{facts(entries.items())}<details><summary>The study, everything resolved</summary>"
        f"<pre>{text(study.as_yaml())}</pre></details>"
    )
