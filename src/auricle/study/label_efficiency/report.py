"""The report of a label-efficiency study: one HTML file with the figure, the numbers and how they were made."""

import platform
from collections.abc import Iterator
from pathlib import Path

from auricle import __version__
from auricle.files import atomic_write
from auricle.report.page import Section, band, duration, facts, figure, line, note, page, table, text
from auricle.study.intervals import Value
from auricle.study.label_efficiency.definition import PRETRAINED, STARTS, LabelEfficiency
from auricle.study.label_efficiency.figures import curves_svg
from auricle.study.label_efficiency.outcome import Curves, Outcome, in_points, percent
from auricle.training import environment
from auricle.words import counted, listed

_DIAMOND = (
    "the diamond, where the pre-trained one equals it (a straight line over the logarithm of the share between two "
    "shares; the share from which on it stays there)"
)
_SAME = (
    "Both starts have the same labels, augmentation and rule of when to stop, and each its own search of the learning "
    "rate at every share, by the first seed's validation score. All validation labels count at every share."
)
_WORTH = (
    "The share of the labels at which the pre-trained model equals the one from scratch with all of them, and "
    "differences in percentage points."
)
_REPLICATES = " Replicates of the bootstrap draw the same test clips and seeds for both."
_TRAININGS = (
    "The learning rate falls when validation stands still, and training ends on the third such plateau; “cap” where "
    "the number of epochs ended it before that. trainings.json beside this file has those of the search too."
)


def write_report(outcome: Outcome, path: Path) -> None:
    """Write the report, all or nothing."""
    study = outcome.study
    tasks = len(outcome.curves)
    subtitle = (
        f"{outcome.model} · {counted(tasks, 'task')} × {len(study.shares)} shares of the labels × "
        f"{counted(len(study.seeds), 'seed')} · study {study.name} · Auricle {__version__}"
    )
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
    drawn = any(curves.clusters > 1 for curves in outcome.curves)
    yield Section("curves", "Scores over labels", figure(curves_svg(outcome.curves), _caption(outcome)))
    worth = note(_WORTH + _REPLICATES * drawn)
    yield Section("worth", "What pre-training is worth", f"{_worth(outcome)}{worth}")
    yield Section("scores", "Scores", _scores(outcome))
    trainings = note(f"Every training at the chosen learning rate. {_epoch(outcome.study)} {_TRAININGS}")
    yield Section("trainings", "Trainings", f"{_trainings(outcome)}{trainings}")
    yield Section("made", "How this was made", _made(outcome))


def _caption(outcome: Outcome) -> str:
    """What the figure shows, and nothing that it does not."""
    study, every = outcome.study, outcome.curves
    seeds = len(study.seeds) > 1
    scores = [curves.score(start, share) for curves in every for start in STARTS for share in curves.shares]
    shown = "Scores on the test part"
    shown += ", means over seeds" if seeds else ""
    if any(score.low is not None for score in scores):
        shown += f", with 95 % bootstrap intervals over clusters of test clips{' and seeds' if seeds else ''}"
    lines = ["The dashed line is the model from scratch with all labels"]
    if any(curves.worth.is_reached for curves in every):
        lines.append(_DIAMOND)
    if any(curves.worth.band is not None for curves in every):
        lines.append("the band, the interval of the share at which the pre-trained one equals it")
    single = [curves.task.name for curves in every if curves.clusters == 1]
    alone = f" The test part of {listed(single)} is one cluster: no interval." if single else ""
    return f"{shown}. {'; '.join(lines)}.{alone} {_SAME}"


def _epoch(study: LabelEfficiency) -> str:
    """How long an epoch is."""
    sizes = {start: study.epoch_clips(start) for start in STARTS}
    words = {
        start: "as many clips as the training part has" if size is None else f"{size:,} clips"
        for start, size in sizes.items()
    }
    if len(set(words.values())) == 1:
        return f"An epoch is {words[PRETRAINED]}, at every share."
    return f"An epoch is, at every share, {listed(f'{start} {size}' for start, size in words.items())}."


def _worth(outcome: Outcome) -> str:
    claim = outcome.study.claim
    lines = []
    for curves in outcome.curves:
        cells = [
            f"<td>{text(curves.worth.in_words())}</td>",
            f"<td>{text(in_points(curves.difference(claim, 1.0)))}</td>",
            f"<td>{text(in_points(curves.difference(1.0, 1.0)))}</td>",
        ]
        lines.append(line(f"<th>{text(curves.task.name)}</th>", cells))
    head = [
        "task",
        "share that equals all labels from scratch",
        f"pre-trained with {claim:.2g} − from scratch with all",
        "pre-trained − from scratch, both with all",
    ]
    return table(head, lines)


def _scores(outcome: Outcome) -> str:
    shares = outcome.study.shares
    lines = []
    for curves in outcome.curves:
        metric = curves.task.metric.replace("_", " ")
        alone = ", which are one cluster: no interval" if curves.clusters == 1 else ""
        lines.append(band(f"{curves.task.name}: {metric}, %, of {curves.test_clips:,} clips{alone}", len(shares)))
        for start in STARTS:
            cells = [_cell(curves.score(start, share)) for share in shares]
            lines.append(line(f"<th>{start}</th>", cells))
        cells = [f"<td>{text(in_points(curves.difference(share, share)))}</td>" for share in shares]
        lines.append(line(f'<th class="same">{PRETRAINED} − from scratch</th>', cells))
    return table(["share of the labels", *(f"{share:.2g}" for share in shares)], lines, kind="scores")


def _cell(value: Value) -> str:
    ends = (
        ""
        if value.low is None or value.high is None
        else f"<small>{percent(value.low)} – {percent(value.high)}</small>"
    )
    return f'<td class="score">{percent(value.value)}{ends}</td>'


def _trainings(outcome: Outcome) -> str:
    lines = []
    for curves in outcome.curves:
        lines.append(band(curves.task.name, 6))
        lines += [_training_line(outcome, curves, start, share) for start in STARTS for share in curves.shares]
    head = ["start", "share", "labelled clips", "learning rate", "validation, %", "test, %", "epochs to the best (all)"]
    return table(head, lines)


def _training_line(outcome: Outcome, curves: Curves, start: str, share: float) -> str:
    found = curves.chosen(start, share)
    tests = [row.value for one in found for row in one.results() if row.metric == curves.task.metric]
    epochs = ", ".join(
        f"{one.stage.facts['best_epoch']} ({one.stage.facts['epochs']}{'' if one.stage.facts['plateau'] else ', cap'})"
        for one in found
    )
    tried = ", ".join(f"{rate:g}" for rate in outcome.study.start(start).learning_rates)
    cells = [
        f"<td>{share:.2g}</td>",
        f"<td>{curves.clips(share):,}</td>",
        f"<td>{found[0].rate:g}<small>of {tried}</small></td>",
        f"<td>{', '.join(percent(one.valid) for one in found)}</td>",
        f"<td>{', '.join(percent(value) for value in tests)}</td>",
        f"<td>{epochs}</td>",
    ]
    return line(f"<th>{start}</th>", cells)


def _made(outcome: Outcome) -> str:
    now, study = environment(), outcome.study
    entries = {
        "Command": f"<code>{text(outcome.command or 'auricle.study.run.run_study')}</code>",
        "Model": text(f"{outcome.model}, {outcome.parameters:,} parameters, {outcome.source}"),
        "Weights": f"<code>{text(outcome.fingerprint)}</code>",
        "From scratch": "the same architecture with random weights of each seed, behind the same front-end statistics",
        "Seeds": text(
            f"{', '.join(map(str, study.seeds))}: of the choice of labels (the same for both starts), of new weights "
            "and of training"
        ),
        "Versions": text(f"Auricle {__version__}, torch {now['torch']}, {platform.system()} on {now['processor']}"),
        "Working time": text(f"{duration(outcome.seconds)} in all, cached stages included"),
        "Numbers": "<code>results.parquet</code>, <code>results.csv</code>, <code>trainings.json</code> and the "
        "figure, <code>label-efficiency.png</code>, beside this file",
    }
    if outcome.pretraining is not None:
        trained = outcome.pretraining.facts
        entries["Pre-training"] = text(
            f"{trained['steps']:,} steps of {trained['batch_size']} on {trained['hours']:.2f} h, "
            f"{duration(outcome.pretraining.seconds)}"
        )
    return (
        f"{facts(entries.items())}<details><summary>The study, everything resolved</summary>"
        f"<pre>{text(study.as_yaml())}</pre></details>"
    )
