"""How objects look in a notebook: small tables of HTML, with everything escaped."""

import html
from collections.abc import Iterable, Sequence


def html_table(rows: Iterable[Sequence[object]], *, titles: Sequence[str] = (), caption: str) -> str:
    """A table as notebooks show it.

    Parameters
    ----------
    rows
        Cells of each row; None is an empty one, numbers stand at the right.
    titles
        Of the columns; without them the first cell of a row is its title.
    caption
        Stands above the table.
    """
    lines = [f'<table><caption style="text-align: left">{html.escape(caption)}</caption>']
    if titles:
        heads = "".join(f'<th scope="col">{html.escape(title)}</th>' for title in titles)
        lines.append(f"<thead><tr>{heads}</tr></thead>")
    lines.append("<tbody>")
    for first, *others in rows:
        cells = [_cell(first) if titles else f'<th scope="row">{html.escape(str(first))}</th>', *map(_cell, others)]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return "\n".join([*lines, "</tbody></table>"])


def _cell(value: object) -> str:
    if value is None:
        return "<td></td>"
    if isinstance(value, float):
        return f'<td style="text-align: right">{value:g}</td>'
    if isinstance(value, int):
        return f'<td style="text-align: right">{value}</td>'
    text = "; ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f'<td style="text-align: left">{html.escape(text)}</td>'
