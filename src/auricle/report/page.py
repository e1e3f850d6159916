"""A report as one HTML file with everything inside, to be opened from disk, mailed or printed.

No script, style, picture or sound is loaded from anywhere, and the page's own security policy forbids it. Every word
that comes from data is to be escaped by :func:`text`.
"""

import html
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources

POLICY = (  # nothing comes from anywhere else
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; media-src data:; "
    "base-uri 'none'; form-action 'none'"
)
_WORDS = ' class="words"'


@dataclass(frozen=True)
class Section:
    """A part of a page: what links call it, its heading, and its content as HTML."""

    identity: str
    heading: str
    content: str


def page(
    title: str,
    subtitle: str,
    sections: Sequence[Section],
    *,
    summary: Iterable[str],
    notices: Iterable[str] = (),
    end: Iterable[str] = (),
) -> str:
    """The whole page.

    Parameters
    ----------
    title, subtitle
        Plain text.
    sections
        In order; the page's navigation links to each.
    summary, notices
        Sentences, plain text: what was found, and what its reader should know.
    end
        HTML that comes last, for instance scripts.
    """
    return "\n".join(_lines(title, subtitle, sections, summary, notices, end))


def _lines(
    title: str,
    subtitle: str,
    sections: Sequence[Section],
    summary: Iterable[str],
    notices: Iterable[str],
    end: Iterable[str],
) -> Iterator[str]:
    style = (resources.files("auricle.report") / "page.css").read_text(encoding="utf-8")
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
    yield f"<title>{text(title)}</title>"
    yield f"<style>{style}</style>"
    yield "</head><body><main>"
    yield f"<header><h1>{text(title)}</h1><p>{text(subtitle)}</p>"
    links = "".join(f'<a href="#{section.identity}">{text(section.heading)}</a>' for section in sections)
    yield f'<nav aria-label="Sections">{links}</nav></header>'
    yield '<div class="summary"><h2>In short</h2>'
    yield from (f"<p>{text(sentence)}</p>" for sentence in summary)
    yield from (f'<p class="notice">{text(notice)}</p>' for notice in notices)
    yield "</div>"
    for section in sections:
        yield f'<section id="{section.identity}"><h2>{text(section.heading)}</h2>\n{section.content}\n</section>'
    yield "</main>"
    yield from end
    yield "</body></html>\n"


def text(words: object) -> str:
    """Words from outside, as HTML that shows them as they are."""
    return html.escape(str(words))


def note(words: str) -> str:
    """Small print below a table."""
    return f'<p class="note">{text(words)}</p>'


def figure(svg: str, caption: str, *, link: tuple[str, str] | None = None) -> str:
    """A figure with its caption, and perhaps a link: the identity on this page, and what it says."""
    linked = "" if link is None else f' <a href="#{link[0]}">{text(link[1])}</a>'
    return (
        f'<figure><div class="scroll" tabindex="0">{svg}</div><figcaption>{text(caption)}{linked}</figcaption></figure>'
    )


def facts(entries: Iterable[tuple[str, str]]) -> str:
    """Names and what is to be said of each, as HTML."""
    return "<dl>" + "".join(f"<dt>{text(name)}</dt><dd>{value}</dd>" for name, value in entries) + "</dl>"


def table(
    head: Iterable[str], lines: Iterable[str], *, kind: str = "", words: Iterable[str] = (), identity: str = ""
) -> str:
    """A table that scrolls sideways where it is too wide; columns of `words` are set as text. Cells are HTML."""
    words = tuple(words)
    first = "".join(f'<th scope="col"{_WORDS if cell in words else ""}>{cell}</th>' for cell in head)
    body = "\n".join(lines)
    named = f' id="{identity}"' if identity else ""
    return (
        f'<div class="scroll" tabindex="0"{named}><table class="{kind}"><thead><tr>{first}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def line(head: str, cells: Iterable[str]) -> str:
    """A row of a table; `head` is its ``<th>``."""
    row_head = head.replace("<th", '<th scope="row"', 1)
    return f"<tr>{row_head}{''.join(cells)}</tr>"


def band(words: str, columns: int) -> str:
    """A row that says what the rows below it are of."""
    return f'<tr class="task"><th scope="rowgroup" colspan="{columns + 1}">{text(words)}</th></tr>'


def duration(seconds: float) -> str:
    """For people."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
