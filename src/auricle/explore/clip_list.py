"""A list of clips to listen to, as one HTML file: what a search, a hunt for outliers or for duplicates has found.

Every row has the player of the browser, so that keyboard and screen readers work; the beginnings of the clips are
inside the file, under a budget of bytes.
"""

import base64
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain
from pathlib import Path

from auricle.explore.excerpts import excerpts
from auricle.report.page import Section, line, page, table, text

AUDIO_MEGABYTES = 20.0
MOST_CLIPS = 500  # of one list; nobody listens to more in one go

_END = """<style>
td.listen { padding: 0.2rem 0.7rem; }
td.listen audio { display: block; width: 15rem; height: 2.2rem; }
table.clips th:first-child { white-space: normal; overflow-wrap: anywhere; min-width: 17rem; max-width: 26rem; }
table.clips th.heading { max-width: none; padding-top: 1rem; font-weight: 650; }
</style>
<script>
document.addEventListener("play", (event) => {
  for (const other of document.querySelectorAll("audio")) if (other !== event.target) other.pause();
}, true);
// A player in view says how long its sound is; hundreds of them at once would take seconds.
const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) if (isIntersecting) target.preload = "metadata";
});
document.querySelectorAll("audio").forEach((player) => seen.observe(player));
</script>"""


@dataclass(frozen=True)
class Listed:
    """A clip of a list.

    Attributes
    ----------
    name
        What it is called.
    file
        Where its sound is.
    start, end
        Seconds of the file; None for its beginning and end.
    facts
        What is to be said of it, a word or number for each of the first columns of the list.
    """

    name: str
    file: Path
    start: float | None
    end: float | None
    facts: Sequence[str]


@dataclass(frozen=True)
class Group:
    """Clips that belong together, under a heading of their own unless that is empty."""

    heading: str
    clips: Sequence[Listed]


def clip_page(
    title: str,
    subtitle: str,
    groups: Sequence[Group],
    *,
    columns: Sequence[str],
    summary: Iterable[str],
    notices: Iterable[str] = (),
    budget: float = AUDIO_MEGABYTES,
    report: Callable[[str, float], None] | None = None,
) -> str:
    """The whole page.

    Parameters
    ----------
    title, subtitle
        Plain text.
    groups
        In order; after `MOST_CLIPS` clips the rest of them is left out, and the page says so.
    columns
        Names of the facts.
    summary, notices
        Sentences, plain text.
    budget
        MB of sound inside the page; excerpts become shorter until they fit.
    report
        Is told what is being done, and the share of it that is done.
    """
    shown = _first(groups)
    clips = [clip for group in shown for clip in group.clips]
    found = excerpts(
        [clip.file for clip in clips],
        starts=[clip.start for clip in clips],
        ends=[clip.end for clip in clips],
        budget=round(budget * 1e6),
        report=None if report is None else lambda share: report("encoding sound", share),
    )
    sounds = (found.file(row) for row in range(len(clips)))
    lines = list(_lines(shown, sounds, len(columns)))
    said = list(notices)
    total = sum(len(group.clips) for group in groups)
    if total > len(clips):
        said.append(f"The first {len(clips):,} of {total:,} clips are listed here; --out FILE.csv writes all.")
    silent = len(clips) - found.heard
    if silent:
        said.append(f"{silent:,} of {len(clips):,} clips cannot be heard here: not readable, or beyond {budget:g} MB.")
    content = table(["clip", "listen", *map(text, columns)], lines, kind="clips", words=["listen"])
    short = f"Up to {found.seconds:g} s of each clip are inside this file." if found.heard else ""
    section = Section("clips", "To listen to", content)
    sentences = [f"{sentence[:1].upper()}{sentence[1:]}" for sentence in [*summary, short] if sentence]
    return page(title, subtitle, [section], summary=sentences, notices=said, end=[_END])


def _first(groups: Sequence[Group]) -> list[Group]:
    """The first `MOST_CLIPS` clips, but at least two of each group that is shown."""
    shown, left = [], MOST_CLIPS
    for group in groups:
        if left < min(2, len(group.clips)):
            break
        shown.append(Group(group.heading, group.clips[:left]))
        left -= len(shown[-1].clips)
    return shown


def _lines(groups: Sequence[Group], sounds: Iterator[bytes | None], columns: int) -> Iterator[str]:
    for group in groups:
        if group.heading:
            yield f'<tr><th class="heading" scope="colgroup" colspan="{columns + 2}">{text(group.heading)}</th></tr>'
        for clip in group.clips:
            missing = [""] * (columns - len(clip.facts))
            facts = (f"<td>{text(fact)}</td>" for fact in [*clip.facts, *missing])
            yield line(f"<th>{text(clip.name)}</th>", chain([_player(clip, next(sounds))], facts))


def _player(clip: Listed, sound: bytes | None) -> str:
    if sound is None:
        return '<td class="words listen">–</td>'
    data = base64.b64encode(sound).decode("ascii")
    name = escape(clip.name, quote=True)
    return (
        f'<td class="words listen"><audio controls preload="none" aria-label="{name}" '
        f'src="data:audio/ogg;base64,{data}"></audio></td>'
    )
