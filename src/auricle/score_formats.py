"""Score tables as Markdown, CSV, HTML and LaTeX, with the same content: scores, intervals, ranks, notes."""

import csv
import html
import io
from collections.abc import Callable, Iterable, Mapping, Sequence

from auricle.results import Result
from auricle.score_tables import ScoreTable, format_interval, format_value, score_tables

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Scores</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem; color: #1b1b1b; background: #fff; }}
table {{ border-collapse: collapse; margin: 0 0 1rem; }} caption {{ text-align: left; font-weight: 600; }}
th, td {{ padding: .3rem .8rem; border-bottom: 1px solid #ddd; text-align: right; vertical-align: top; }}
th:first-child {{ text-align: left; }} small {{ display: block; color: #595959; }} p {{ max-width: 60rem; }}
@media (prefers-color-scheme: dark) {{ body {{ color: #e8e8e8; background: #16181b; }} small {{ color: #a9a9a9; }}
th, td {{ border-color: #3a3a3a; }} }}
</style></head><body>
{body}
</body></html>
"""
_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "≥": r"$\geq$",
    "–": "--",
    "·": r"$\cdot$",
    "′": r"$'$",
}


def markdown_table(results: Iterable[Result], *, metrics: Mapping[str, str] | None = None) -> str:
    """The tables of :func:`auricle.score_tables.score_tables` in Markdown, as percentages with their intervals.

    Examples
    --------
    >>> row = Result(model="a", task="esc50", protocol="ogg2025", metric="accuracy", value=0.5, n=8)
    >>> print(markdown_table([row]))
    | model | esc50 (accuracy, %) |
    |---|---:|
    | a | 50.0 |
    """
    return "\n\n".join(_markdown_table(table) for table in score_tables(results, metrics=metrics))


def as_markdown(tables: Sequence[ScoreTable]) -> str:
    """Each table under its protocol, with what must stand below it."""
    parts = []
    for table in tables:
        parts += [f"Protocol: {_plain_markdown(table.protocol)}", _markdown_table(table), *table.notes()]
    return "\n\n".join(parts) + "\n"


def as_csv(tables: Sequence[ScoreTable]) -> str:
    """One line per protocol and model, for every task a score, the ends of its interval and whether it is best.

    Values are as in the results file, fractions where the metric is a share. Notes have no place in it.
    """
    columns = list(dict.fromkeys(task for table in tables for task in table.tasks))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = ["protocol", "model"]
    for column in columns:
        name = column.removesuffix(", %)") + ")" if column.endswith(", %)") else column
        head += [name, f"{name} low", f"{name} high", f"{name} best"]
    writer.writerow([*head, "mean rank", "won", "tied", "lost"])
    for table in tables:
        ranks, tallies = table.mean_ranks(), table.tallies()
        for row, model in enumerate(table.models):
            line: list[object] = [table.protocol, model]
            for column in columns:
                at = table.tasks.index(column) if column in table.tasks else None
                cell = None if at is None else table.cells[row][at]
                if cell is None or at is None:
                    line += [None] * 4
                else:
                    line += [cell.value, cell.ci_low, cell.ci_high, "yes" if table.is_best(row, at) else "no"]
            tally = tallies[row]
            writer.writerow([*line, None if ranks is None else ranks[row], tally.won, tally.tied, tally.lost])
    return text.getvalue()


def as_html(tables: Sequence[ScoreTable]) -> str:
    """A page that needs nothing else."""
    return _PAGE.format(body=html_fragment(tables))


def html_fragment(tables: Sequence[ScoreTable]) -> str:
    """What the page shows, for a notebook or a page of someone else's."""
    parts = []
    for table in tables:
        head = "".join(
            f'<th scope="col">{html.escape(title)}</th>' for title in ["model", *table.tasks, *_extra(table)]
        )
        lines = []
        for row, model in enumerate(table.models):
            cells = [_html_cell(table, row, column) for column in range(len(table.tasks))]
            cells += [f"<td>{html.escape(text)}</td>" for text in _summary(table, row)]
            lines.append(f'<tr><th scope="row">{html.escape(model)}</th>{"".join(cells)}</tr>')
        body = "\n".join(lines)
        parts.append(
            f"<table><caption>Protocol: {html.escape(table.protocol)}</caption>\n"
            f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
        )
        parts += [f"<p>{html.escape(note)}</p>" for note in table.notes()]
    return "\n".join(parts)


def as_latex(tables: Sequence[ScoreTable]) -> str:
    """``table`` environments for the package booktabs; best scores are bold, intervals small."""
    parts = []
    for table in tables:
        titles = ["model", *table.tasks, *_extra(table)]
        lines = [" & ".join(map(_latex, titles)) + r" \\"]
        lines.append(r"\midrule")
        for row, model in enumerate(table.models):
            cells = [_latex_cell(table, row, column) for column in range(len(table.tasks))]
            lines.append(" & ".join([_latex(model), *cells, *map(_latex, _summary(table, row))]) + r" \\")
        notes = " ".join(_latex(note) for note in table.notes())
        parts.append(
            "\n".join(
                [
                    r"\begin{table}",
                    rf"\caption{{Protocol: {_latex(table.protocol)}. {notes}}}",
                    rf"\begin{{tabular}}{{l{'r' * (len(titles) - 1)}}}",
                    r"\toprule",
                    *lines,
                    r"\bottomrule",
                    r"\end{tabular}",
                    r"\end{table}",
                ]
            )
        )
    return "\n\n".join(parts) + "\n"


FORMATS: Mapping[str, Callable[[Sequence[ScoreTable]], str]] = {
    "markdown": as_markdown,
    "csv": as_csv,
    "html": as_html,
    "latex": as_latex,
}


def _extra(table: ScoreTable) -> list[str]:
    """Titles of the columns that sum the others up; without comparisons there are none."""
    if not table.comparisons:
        return []
    return [*(["mean rank"] if table.mean_ranks() is not None else []), "won · tied · lost"]


def _summary(table: ScoreTable, row: int) -> list[str]:
    if not table.comparisons:
        return []
    ranks, tally = table.mean_ranks(), table.tallies()[row]
    return [*([f"{ranks[row]:.1f}"] if ranks is not None else []), f"{tally.won} · {tally.tied} · {tally.lost}"]


def _markdown_table(table: ScoreTable) -> str:
    lines = [["model", *table.tasks, *_extra(table)]]
    for row, model in enumerate(table.models):
        cells = [_markdown_cell(table, row, column) for column in range(len(table.tasks))]
        lines.append([_plain_markdown(model), *cells, *_summary(table, row)])
    text = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([text[0], "|---|" + "---:|" * (len(lines[0]) - 1), *text[1:]])


def _markdown_cell(table: ScoreTable, row: int, column: int) -> str:
    cell = table.cells[row][column]
    if cell is None:
        return "–"
    value, interval = format_value(cell), format_interval(cell)
    value = f"**{value}**" if table.is_best(row, column) else value
    return f"{value} [{interval}]" if interval else value


def _plain_markdown(text: str) -> str:
    return text.replace("|", r"\|")


def _html_cell(table: ScoreTable, row: int, column: int) -> str:
    cell = table.cells[row][column]
    if cell is None:
        return "<td>–</td>"
    value, interval = format_value(cell), format_interval(cell)
    value = f"<strong>{value}</strong>" if table.is_best(row, column) else value
    return f"<td>{value}<br/><small>{interval}</small></td>" if interval else f"<td>{value}</td>"


def _latex_cell(table: ScoreTable, row: int, column: int) -> str:
    cell = table.cells[row][column]
    if cell is None:
        return "--"
    value, interval = _latex(format_value(cell)), _latex(format_interval(cell))
    value = rf"\textbf{{{value}}}" if table.is_best(row, column) else value
    return rf"{value} {{\footnotesize [{interval}]}}" if interval else value


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
