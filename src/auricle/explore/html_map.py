"""A map that plays sound, as HTML: points on a canvas, what they are, what is near them, and the clips themselves.

It needs no server and no network. Numbers are in the page as base64 of little-endian arrays, names as JSON that no file
name can break out of, excerpts as Ogg Vorbis at the end, so that the map is drawn before they have all been read. The
same fragment stands in a page of its own (:func:`map_page`) and in reports, which define the colours (``--ink``,
``--faint``, ``--paper``, ``--line``, ``--accent``); scripts and style are in ``sound_map/`` beside this module.
"""

import base64
import html
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auricle.explore.columns import Classes, Column, Numbers, classes
from auricle.explore.excerpts import Excerpts
from auricle.neighbours import Nearest
from auricle.projection import PALETTE
from auricle.report.page import POLICY

SCRIPTS = ("marks.js", "clips.js", "view.js", "canvas.js", "sound.js", "panels.js", "selection.js", "start.js")
BLOCK_CHARACTERS = 1_000_000  # of base64 in one element of sounds
_LINKED = "media-src data: file: 'self'"  # the files beside the page, from disk or from the same server
_UNLINKED = "media-src data:"


@dataclass(frozen=True, kw_only=True)
class SoundMap:
    """What a map shows; every sequence has one entry per clip.

    Attributes
    ----------
    identity
        Of the fragment in its page: letters, digits and hyphens.
    title
        For those who do not see the picture.
    points
        ``(n, 2)``; the picture is filled in both directions, for the axes of such maps mean nothing.
    names
        What each clip is called, for instance its path; shown as text, whatever it holds.
    columns
        What points can be coloured by, at least one; the first is to begin with.
    sounds
        Of the clips.
    links
        Where a clip's file is, relative to the page, as a URL; played where there is no excerpt.
    starts, ends
        Seconds of the file that are the clip; None for its beginning and end.
    nearest
        The clips most like each.
    outliers
        Rows, the most unlike all others first, and ``distances`` of all clips to those most like them.
    paths, root
        Of the manifest that a selection is exported as; no selection can be when not given.
    """

    identity: str
    title: str
    points: NDArray[np.floating[Any]]
    names: Sequence[str]
    columns: Sequence[Column]
    sounds: Excerpts | None = None
    links: Sequence[str | None] | None = None
    starts: Sequence[float | None] | None = None
    ends: Sequence[float | None] | None = None
    nearest: Nearest | None = None
    outliers: Sequence[int] = ()
    distances: NDArray[np.floating[Any]] | None = None
    paths: Sequence[str] | None = None
    root: str = ""

    def __len__(self) -> int:
        return len(self.names)


def sound_map(
    points: NDArray[np.floating[Any]],
    *,
    names: Sequence[str],
    labels: Sequence[str],
    sounds: Excerpts,
    identity: str,
    title: str,
) -> str:
    """A map of classes for a report, with its sounds; arguments are as the attributes of :class:`SoundMap`."""
    column = classes("class", [label or None for label in labels]) or Classes("class", [], _unknown(len(names)), 0)
    shown = SoundMap(
        identity=identity,
        title=title,
        points=points,
        names=names,
        columns=[column],
        sounds=sounds,
    )
    return "".join([*fragment(shown), *sound_blocks(shown)])


def fragment(shown: SoundMap) -> Iterator[str]:
    """The map in pieces of HTML: where it will be drawn, and its data without the sounds."""
    name = html.escape(shown.identity)
    label = html.escape(f"{shown.title}: {len(shown):,} clips. Arrow keys go to the nearest clip and play it.")
    yield f'<div class="sound-map" id="{name}" data-label="{label}"></div>\n'
    yield json_block(_data(shown), identity=f"{shown.identity}-data")


def sound_blocks(shown: SoundMap) -> Iterator[str]:
    """The sounds, in pieces of HTML that may stand anywhere behind the fragment."""
    for number, block in enumerate(_blocks(shown.sounds)):
        yield f'<script type="text/plain" id="{html.escape(shown.identity)}-sounds-{number}">'
        yield from block
        yield "</script>\n"


def style_and_script() -> Iterator[str]:
    """What a page with maps needs once, behind their fragments: a style and a script element."""
    folder = resources.files("auricle.explore") / "sound_map"
    yield f"<style>{(folder / 'sound_map.css').read_text(encoding='utf-8')}</style>\n"
    scripts = "\n".join((folder / name).read_text(encoding="utf-8") for name in SCRIPTS)
    yield f'<script>"use strict";\n(() => {{\n{scripts}}})();</script>\n'


def map_page(shown: SoundMap, *, subtitle: str) -> Iterator[str]:
    """A page of its own around a map, in pieces."""
    style, script = style_and_script()
    folder = resources.files("auricle.explore") / "sound_map"
    policy = POLICY.replace(_UNLINKED, _LINKED) if any(shown.links or ()) else POLICY
    title = html.escape(shown.title)
    yield '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<title>{title}</title>\n'
    yield f"<style>{(folder / 'page.css').read_text(encoding='utf-8')}</style>\n{style}"
    yield f'</head><body class="map-page"><header><div><h1>{title}</h1><p>{html.escape(subtitle)}</p></div>\n'
    yield '<label>Colours <select class="map-theme"><option value="">as the system</option>'
    yield '<option value="light">light</option><option value="dark">dark</option></select></label></header>\n<main>'
    yield from fragment(shown)
    yield f"</main>\n{script}"
    yield from sound_blocks(shown)
    yield "</body></html>\n"


def json_block(data: Any, *, identity: str) -> str:
    """Data for a script in the page, as JSON in which no text can end the block."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return f'<script type="application/json" id="{html.escape(identity)}">{text}</script>\n'


def _data(shown: SoundMap) -> dict[str, Any]:
    """What the scripts read; arrays are base64 of the type that ``clips.js`` expects."""
    points = np.asarray(shown.points, dtype=np.float64)
    span = np.maximum(np.ptp(points, axis=0), 1e-9) if len(points) else np.ones(2)
    centred = (points - points.min(axis=0, initial=np.inf)) / span - 0.5
    data: dict[str, Any] = {
        "title": shown.title,
        "palette": PALETTE,
        "points": _encoded(centred, "<f4"),
        "names": list(shown.names),
        "columns": [_column(column) for column in shown.columns],
        "starts": _seconds(shown.starts),
        "ends": _seconds(shown.ends),
        "links": None if shown.links is None else list(shown.links),
        "sounds": None if shown.sounds is None else _places(shown.sounds),
        "outliers": list(shown.outliers),
        "distances": None if shown.distances is None else _encoded(shown.distances, "<f4"),
        "paths": None if shown.paths is None or list(shown.paths) == list(shown.names) else list(shown.paths),
        "root": None if shown.paths is None else shown.root,
    }
    if shown.nearest is not None:
        data["nearest"] = {
            "count": shown.nearest.rows.shape[1],
            "rows": _encoded(shown.nearest.rows, "<i4"),
            "similarity": _encoded(shown.nearest.similarity, "<f4"),
        }
    return data


def _unknown(count: int) -> NDArray[np.int32]:
    return np.full(count, -1, dtype=np.int32)


def _column(column: Column) -> dict[str, Any]:
    match column:
        case Classes():
            codes = _encoded(column.codes, "<i4")
            return {"name": column.name, "classes": column.classes, "codes": codes, "shown": column.shown}
        case Numbers():
            values = _encoded(column.values, "<f4")
            return {"name": column.name, "values": values, "low": column.low, "high": column.high}


def _encoded(array: NDArray[Any], kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(array, dtype=kind).tobytes()).decode("ascii")


def _seconds(values: Sequence[float | None] | None) -> str | None:
    """NaN where unknown; float64, for a manifest must come back as it was."""
    if values is None:
        return None
    return _encoded(np.array([np.nan if value is None else value for value in values]), "<f8")


def _places(sounds: Excerpts) -> dict[str, Any]:
    """Where each sound is: the block's number, the first character and how many; -1 for none."""
    places = np.full((len(sounds.sounds), 3), -1, dtype=np.int32)
    for number, rows in enumerate(_rows_of_blocks(sounds)):
        start = 0
        for row in rows:
            length = len(_text(sounds, row))
            places[row] = number, start, length
            start += length
    head = base64.b64encode(sounds.head).decode("ascii")
    return {"head": head, "places": _encoded(places, "<i4"), "seconds": sounds.seconds}


def _blocks(sounds: Excerpts | None) -> Iterator[Iterator[str]]:
    if sounds is not None:
        for rows in _rows_of_blocks(sounds):
            yield (_text(sounds, row) for row in rows)


def _rows_of_blocks(sounds: Excerpts) -> Iterator[list[int]]:
    rows: list[int] = []
    size = 0
    for row, sound in enumerate(sounds.sounds):
        if sound is None:
            continue
        rows.append(row)
        size += (len(sound) + 2) // 3 * 4
        if size >= BLOCK_CHARACTERS:
            yield rows
            rows, size = [], 0
    if rows:
        yield rows


def _text(sounds: Excerpts, row: int) -> str:
    sound = sounds.sounds[row]
    assert sound is not None
    return base64.b64encode(sound).decode("ascii")
