"""Figures of a report, as SVG that takes its ink and paper from the page, so that it is at home in light and dark.

Matplotlib draws with stand-in colours for ink, faint ink, lines and paper; in the SVG they are replaced by the page's
variables. Points by the thousand are drawn as pictures inside, so that a figure stays small.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

WIDTH = 10.0  # inches; a page's width
_DPI = 160  # of what is drawn as a picture

INK, FAINT, LINE, PAPER = "#010203", "#818283", "#c1c2c3", "#fdfcfb"
_OF_THE_PAGE = {INK: "currentColor", FAINT: "var(--faint)", LINE: "var(--line)", PAPER: "var(--paper)"}
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "auricle",
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.parse_math": False,  # a class may be called $x$
    "figure.facecolor": "none",
    "xtick.color": FAINT,
    "ytick.color": INK,
    "ytick.left": False,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "legend.labelcolor": INK,
    "legend.fontsize": 8.5,
}


@contextmanager
def page_figure(height: float) -> Iterator[Figure]:
    """A figure as wide as a page and `height` inches high, to be drawn on and given to :func:`as_svg` within."""
    with matplotlib.rc_context(_STYLE):
        yield Figure(figsize=(WIDTH, height), dpi=_DPI, layout="constrained")


def as_svg(figure: Figure, identity: str, description: str) -> str:
    """The figure as an SVG element of an HTML page; `identity` tells it from others there."""
    buffer = io.StringIO()
    canvas: Any = FigureCanvasSVG(figure)
    canvas.print_svg(buffer, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", text, count=2)
    for stand_in, variable in _OF_THE_PAGE.items():
        text = text.replace(stand_in, variable)
    text = re.sub(r'\bid="', f'id="{identity}-', text)  # several figures share a page
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{identity}-", text)
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "inherit", text)
    size = re.search(r'width="([\d.]+)pt" height="([\d.]+)pt"', text)
    assert size is not None
    return text.replace(size[0], f'role="img" aria-label="{description}"', 1)
