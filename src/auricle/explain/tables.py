"""The tables of an explanation, as HTML: what its figures show in numbers, and every task on its own."""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from auricle.explain.figures import short, some_of_each_family, title_of
from auricle.explain.inference import SIGNIFICANT, Average, benjamini_hochberg, is_retained
from auricle.explain.outcome import Explanation
from auricle.explain.similarity import Similarity
from auricle.explain.task_clips import CLUSTERS, TaskClips
from auricle.report.page import band, line, table, text
from auricle.words import counted

_TINT = 0.75  # correlation at which a cell's tint is strongest
_MOST_OPAQUE = 0.8
_NAMED = 3  # descriptors of a model that the summary names, one of a family


def number(value: float | None, digits: int = 2) -> str:
    """A correlation for reading; a dash for what could not be computed."""
    return "–" if value is None else f"{value:z.{digits}f}".replace("-", "−")


def descriptors(explanation: Explanation) -> str:
    """Descriptors × models: averages over tasks of retained and of all correlations, and of partial ones."""
    several = len(explanation.tasks) > 1
    lines: list[str] = []
    for family, columns in explanation.families().items():
        lines.append(band(family, len(explanation.models)))
        for column in columns:
            cells = []
            for model in explanation.models:
                found = explanation.over_tasks(model.name, column)
                partial = explanation.partial_over_tasks(model.name, column)
                small = "" if partial.every is None else f"<small>partial {number(partial.every)}</small>"
                if several:
                    small = f"<small>all {number(found.every)}</small>{small}{_on_tasks(found)}"
                    cells.append(_tinted(found.retained, small))
                else:
                    cells.append(_tinted(found.every, small, tint=found.retained is not None))
            lines.append(line(f"<th>{text(title_of(column))}</th>", cells))
    head = ["", *(text(short(model.name)) for model in explanation.models)]
    return table(head, lines, kind="heat", identity="table-descriptors")


def models(explanation: Explanation) -> str:
    """Every pair of models: correlation of distances, CKA, correlation of feature profiles."""
    several = len(explanation.tasks) > 1
    profiles, p = explanation.profiles()
    lines = []
    for i, one in enumerate(explanation.models):
        for j, other in enumerate(explanation.models[i + 1 :], i + 1):
            found, cka = explanation.between(one.name, other.name)
            profile = None if np.isnan(profiles[i, j]) else float(profiles[i, j])
            chance = "" if profile is None else f"<small>p {_chance(float(p[i, j]))}</small>"
            cells = [
                f"<td>{number(found.retained)}{_on_tasks(found) if several else ''}</td>",
                f"<td>{number(found.every)}</td>",
                f"<td>{number(cka)}</td>",
                f"<td>{number(profile)}{chance}</td>",
            ]
            lines.append(line(f"<th>{text(one.name)} – {text(other.name)}</th>", cells))
    head = ["models", "distances, retained", "distances, all", "CKA", "feature profiles"]
    return table(head, lines, identity="table-models")


def layers(explanation: Explanation) -> str:
    """Each layer's strongest descriptors, averages over all tasks."""
    lines = []
    for model in explanation.models:
        if not model.layers:
            continue
        lines.append(band(model.name, 3))
        for layer in (*model.layers, None):
            averages = {
                column: value
                for column in explanation.columns
                if (value := explanation.over_tasks(model.name, column, layer=layer).every) is not None
            }
            best = sorted(averages, key=lambda column: -averages[column])[:3]
            cells = [f'<td class="words">{text(title_of(column))} {number(averages[column])}</td>' for column in best]
            lines.append(line(f"<th>{text(layer or 'embedding')}</th>", cells))
    return table(
        ["layer", "first", "second", "third"], lines, words=("first", "second", "third"), identity="table-layers"
    )


def ceilings(explanation: Explanation) -> str:
    """Noise ceilings, models × tasks, or why there is none."""
    lines = []
    for model in explanation.models:
        cells = []
        for task in explanation.tasks:
            rows = [
                row for row in explanation.rows if (row.model, row.layer, row.task) == (model.name, None, task.name)
            ]
            known = next((row for row in rows if row.ceiling_low is not None), None)
            if known is None:
                why = next((row.note for row in rows if row.note and row.note.startswith("no noise")), "–")
                cells.append(f'<td class="words same"><small>{text(why)}</small></td>')
            else:
                cells.append(f"<td>{number(known.ceiling_low)} – {number(known.ceiling_high)}</td>")
        lines.append(line(f"<th>{text(model.name)}</th>", cells))
    return table(["model", *(text(task.name) for task in explanation.tasks)], lines, identity="table-ceilings")


def chances(explanation: Explanation) -> str:
    """How many correlations with descriptors are significant, by valid tests and by naive ones."""
    lines = []
    for task in explanation.tasks:
        rows = [
            row
            for row in explanation.rows
            if row.kind == "descriptor" and row.task == task.name and row.r_s is not None
        ]
        retained = sum(bool(is_retained(np.array(row.r_s), np.array(row.q))) for row in rows)
        naive = benjamini_hochberg(np.array([row.p_naive for row in rows], dtype=np.float64))
        above = np.array([(row.r_s or 0.0) > 0 for row in rows])
        partial = sum((row.r_partial or 0.0) > 0 and (row.q_partial or 1.0) < SIGNIFICANT for row in rows)
        cells = [
            f"<td>{count:,}</td>"
            for count in (len(rows), int((above & (naive < SIGNIFICANT)).sum()), retained, partial)
        ]
        lines.append(line(f"<th>{text(task.name)}</th>", cells))
    return table(["task", "correlations", "naive test", "permutation test", "partial, permutation test"], lines)


def one_task(explanation: Explanation, task: TaskClips) -> str:
    """Descriptors × models of one task, with intervals, tests and partial correlations."""
    lines = []
    for family, columns in explanation.families().items():
        known = [
            column
            for column in columns
            if explanation.described(explanation.models[0].name, column, task.name) is not None
        ]
        if known:
            lines.append(band(family, len(explanation.models)))
        for column in known:
            rows = [explanation.described(model.name, column, task.name) for model in explanation.models]
            lines.append(line(f"<th>{text(title_of(column))}</th>", [_comparison(row) for row in rows]))
    return table(["", *(text(short(model.name)) for model in explanation.models)], lines, kind="heat")


def tasks(explanation: Explanation) -> str:
    """What each task's clips are."""
    lines = []
    for task in explanation.tasks:
        known = "–"
        if (clusters := task.clusters) is not None:
            found = counted(len(set(clusters)), CLUSTERS[task.clustered_by or "cluster"])
            known = f"{found}<small>largest {max(Counter(clusters).values()):,}</small>"
        cells = [
            f"<td>{len(task.manifest):,}<small>of {task.available:,}</small></td>",
            f'<td class="words">{text(task.part)}</td>',
            f"<td>{known}</td>",
            f"<td>{'yes' if task.is_pitched else 'no'}</td>",
            f"<td><code>{task.manifest.fingerprint[:12]}</code></td>",
        ]
        lines.append(line(f"<th>{text(task.name)}</th>", cells))
    head = ["task", "clips", "drawn from", "clusters", "pitched", "fingerprint"]
    return table(head, lines, words=("drawn from",))


def sentences(explanation: Explanation) -> Iterator[str]:
    """What was found, in short, as plain text."""
    rows = [row for row in explanation.rows if row.kind == "descriptor" and row.layer is None and row.r_s is not None]
    retained = [row for row in rows if (row.r_s or 0.0) > 0 and (row.q or 0.0) < SIGNIFICANT and row.q is not None]
    yield (
        f"{counted(len(explanation.models), 'model')}, {counted(len(explanation.columns), 'acoustic descriptor')}, "
        f"{counted(sum(len(task.manifest) for task in explanation.tasks), 'clip')} of "
        f"{counted(len(explanation.tasks), 'task')}: of {counted(len(rows), 'correlation')} between embeddings and "
        f"descriptors {len(retained):,} {'is' if len(retained) == 1 else 'are'} above 0 and significant."
    )
    average = ", on average over all tasks" if len(explanation.tasks) > 1 else ""
    for model in explanation.models:
        averages = {column: explanation.over_tasks(model.name, column).every for column in explanation.columns}
        partial = {
            column: explanation.partial_over_tasks(model.name, column).retained for column in explanation.columns
        }
        named, kept = (
            ", ".join(
                f"{title_of(column)} ({number(known[column])})" for column in some_of_each_family(known, _NAMED, most=1)
            )
            for known in ({k: v for k, v in found.items() if v is not None} for found in (averages, partial))
        )
        rest = f"; with other families of descriptors controlled: {kept}" if kept else ""
        yield f"{model.name} is ordered most by {named}{average}{rest}."


# Parts ---------------------------------------------------------------------------------------------------------------


def _on_tasks(found: Average) -> str:
    return f"<small>{found.retained_tasks} of {counted(found.tasks, 'task')}</small>"


def _comparison(row: Similarity | None) -> str:
    if row is None or row.r_s is None:
        return f'<td class="same" title="{text(row.note if row and row.note else "not compared")}">–</td>'
    retained = bool(is_retained(np.array(row.r_s), np.array(np.nan if row.q is None else row.q)))
    interval = "" if row.ci_low is None else f"<small>{number(row.ci_low)} … {number(row.ci_high)}</small>"
    chance = "" if row.q is None else f"<small>q {_chance(row.q)}</small>"
    partial = ""
    if row.r_partial is not None and row.q_partial is not None:
        partial = f"<small>partial {number(row.r_partial)}, q {_chance(row.q_partial)}</small>"
    return _tinted(row.r_s, interval + chance + partial, tint=retained)


def _tinted(value: float | None, small: str, *, tint: bool = True) -> str:
    if value is None or not tint:
        return f'<td class="same">{number(value)}{small}</td>'
    opacity = _MOST_OPAQUE * min(max(value, 0.0), _TINT) / _TINT
    return f'<td style="background:rgba(var(--tint),{opacity:.2f})">{number(value)}{small}</td>'


def _chance(p: float) -> str:
    return "&lt; 0.001" if p < 0.001 else f"{p:.3f}"
