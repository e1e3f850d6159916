"""Score tables on a terminal: as wide as it is, the best in bold, intervals below their scores."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from auricle.score_tables import ScoreTable, format_interval, format_value

_MODEL_WIDTH = 32  # of the first column, at most
_CELL_WIDTH = 14  # of the others, at least


def show(tables: Sequence[ScoreTable], console: Console) -> None:
    """Print tables with what must stand below them; one that is too wide is split into several."""
    for table in tables:
        columns = list(range(len(table.tasks)))
        room = max(1, (console.width - min(_MODEL_WIDTH, max(map(len, table.models))) - 4) // (_CELL_WIDTH + 3))
        summed_up = len(table.models) > 1 and bool(table.comparisons)
        # The last part has a column more.
        parts = [columns[start : start + room] for start in range(0, len(columns), room)]
        if summed_up and len(parts[-1]) == room and room > 1:
            parts.append([])
        for number, part in enumerate(parts):
            last = number == len(parts) - 1
            title = f"protocol {escape(table.protocol)}" + (f" ({number + 1}/{len(parts)})" if len(parts) > 1 else "")
            console.print(_rich_table(table, part, title, summed_up=summed_up and last))
        for note in table.notes():
            console.print(escape(note))
        console.print()


def _rich_table(table: ScoreTable, columns: Sequence[int], title: str, *, summed_up: bool) -> Table:
    shown = Table(title=title, title_justify="left", title_style="", box=box.SIMPLE_HEAD, pad_edge=False)
    shown.add_column("model", overflow="fold", max_width=_MODEL_WIDTH)
    for column in columns:
        name, _, detail = table.tasks[column].rpartition(" (")
        shown.add_column(
            f"{escape(name)}\n[dim]{escape(detail.removesuffix(')'))}[/]", justify="right", overflow="fold"
        )
    ranks, tallies = table.mean_ranks(), table.tallies()
    if summed_up:
        shown.add_column("mean rank\n[dim]won·tied·lost[/]", justify="right")
    for row, model in enumerate(table.models):
        cells = [escape(model), *(_cell(table, row, column) for column in columns)]
        if summed_up:
            rank = "–" if ranks is None else f"{ranks[row]:.1f}"
            cells.append(f"{rank}\n[dim]{tallies[row].won}·{tallies[row].tied}·{tallies[row].lost}[/]")
        shown.add_row(*cells)
    return shown


def _cell(table: ScoreTable, row: int, column: int) -> str:
    cell = table.cells[row][column]
    if cell is None:
        return "–"
    value, interval = format_value(cell), format_interval(cell)
    value = f"[bold]{value}[/]" if table.is_best(row, column) else value
    return f"{value}\n[dim]{interval}[/]" if interval else value
