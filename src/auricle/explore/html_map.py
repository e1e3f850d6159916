"""A map that plays sound, as one piece of HTML: points on a canvas, and the clips themselves beside them.

The fragment needs no server and no network: excerpts are embedded as Ogg Vorbis under a size budget, names and labels
as JSON that no file name can break out of. It is put into a page that defines the colours (`--ink`, `--paper`,
`--line`, `--accent`); script and style are in ``sound_map.js`` and ``sound_map.css`` beside this module.
"""

import base64
import html
import io
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from auricle import audio
from auricle.projection import PALETTE
from auricle.report.page import POLICY

SAMPLE_RATE = 16_000  # Hz of the excerpts
LONGEST_SECONDS = 3.0  # of a clip that is embedded
SHORTEST_SECONDS = 0.5  # below this an excerpt says nothing: rather fewer clips sound
_COMPRESSION = 0.9  # of libsndfile's 0 (best) … 1; about 25 kbit/s, and as large as Opus at an eighth of its time
_TRIAL = 24  # clips that are encoded to see how large they become
_FADE_SECONDS = 0.02  # at the end of what was cut off
_BASE64 = 4 / 3


@dataclass(frozen=True)
class Excerpts:
    """The beginnings of clips, as they are embedded in a page.

    Attributes
    ----------
    sounds
        An Ogg Vorbis file of each clip; None for one that cannot be read, or beyond the budget.
    seconds
        What no excerpt is longer than.
    """

    sounds: list[bytes | None]
    seconds: float

    @property
    def size(self) -> int:
        """Bytes that they take in a page."""
        return sum(_embedded_size(sound) for sound in self.sounds if sound is not None)


def excerpts(
    files: Sequence[Path],
    *,
    starts: Sequence[float | None] | None = None,
    ends: Sequence[float | None] | None = None,
    budget: int,
) -> Excerpts:
    """Encode the beginning of each clip, as long as all of them fit into `budget` bytes of the page.

    Parameters
    ----------
    files
        One per clip.
    starts, ends
        Seconds of the file that are the clip; None for its beginning and end.
    budget
        Bytes, base64 included.
    """
    count = len(files)
    clips = list(zip(files, starts or [None] * count, ends or [None] * count, strict=True))
    seconds = _affordable_seconds(clips, budget)
    sounds: list[bytes | None] = []
    left = budget
    with ThreadPoolExecutor() as pool:
        for sound in pool.map(partial(_excerpt, seconds=seconds), clips):
            if sound is not None and _embedded_size(sound) > left:
                sound, left = None, 0  # all that come after it are silent too
            left -= 0 if sound is None else _embedded_size(sound)
            sounds.append(sound)
    return Excerpts(sounds, seconds)


Clip = tuple[Path, float | None, float | None]


def _affordable_seconds(clips: Sequence[Clip], budget: int) -> float:
    """The longest excerpts that some clips, taken evenly from all, suggest to fit."""
    trial = [clips[index] for index in np.linspace(0, len(clips) - 1, min(_TRIAL, len(clips))).astype(int)]
    seconds = LONGEST_SECONDS
    while seconds > SHORTEST_SECONDS:
        sizes = [_embedded_size(sound) for clip in trial if (sound := _excerpt(clip, seconds)) is not None]
        if not sizes or np.mean(sizes) * len(clips) <= 0.95 * budget:
            break
        seconds /= 2
    return max(seconds, SHORTEST_SECONDS)


def _excerpt(clip: Clip, seconds: float) -> bytes | None:
    file, start, end = clip
    offset = start or 0.0
    duration = seconds if end is None else min(seconds, end - offset)
    try:
        waveform = audio.read(file, sample_rate=SAMPLE_RATE, offset=offset, duration=duration)
    except audio.AudioError:
        return None
    fade = min(len(waveform), round(_FADE_SECONDS * SAMPLE_RATE))
    waveform[len(waveform) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    loudest = float(np.abs(waveform).max(initial=0.0))
    if loudest > 1.0:
        waveform /= loudest
    buffer = io.BytesIO()
    with soundfile.SoundFile(
        buffer, "w", SAMPLE_RATE, 1, format="OGG", subtype="VORBIS", compression_level=_COMPRESSION
    ) as file:
        file.write(waveform)
    return buffer.getvalue()


def _embedded_size(sound: bytes) -> int:
    return round(len(sound) * _BASE64) + 4


def sound_map(
    coordinates: NDArray[np.floating[Any]],
    *,
    names: Sequence[str],
    labels: Sequence[str],
    sounds: Sequence[bytes | None],
    identity: str,
    title: str,
) -> str:
    """The map as an HTML fragment: a canvas, a legend, a line that says what is heard.

    Parameters
    ----------
    coordinates
        ``(n, 2)``; the picture is filled in both directions, for the axes of such maps mean nothing.
    names
        What each clip is called, for instance its path; shown as text, whatever it holds.
    labels
        Classes, which decide colour and shape.
    sounds
        As of :class:`Excerpts`.
    identity
        Of the fragment in the page: letters, digits and hyphens.
    title
        For those who do not see the picture.
    """
    classes = sorted(set(labels))
    index = {label: position for position, label in enumerate(classes)}
    span = np.maximum(np.ptp(coordinates, axis=0), 1e-9)
    centred = (coordinates - coordinates.min(axis=0)) / span - 0.5
    data = {
        "colours": PALETTE,
        "classes": classes,
        "points": [
            [round(float(x), 4), round(float(y), 4), index[label], name]
            for (x, y), label, name in zip(centred, labels, names, strict=True)
        ],
        "sounds": [None if sound is None else base64.b64encode(sound).decode("ascii") for sound in sounds],
    }
    name = html.escape(identity)
    heard = sum(sound is not None for sound in sounds)
    return f"""<div class="sound-map" id="{name}">
<div class="sound-map-picture">
<canvas tabindex="0" role="application" aria-label="{html.escape(title)}: {len(names)} clips, {heard} of them can be \
played. Arrow keys go to the nearest clip in their direction and play it, Enter plays it again."></canvas>
<p class="sound-map-said" aria-live="polite">Click a point to hear it, or use the arrow keys.</p>
</div>
<div class="sound-map-legend" role="group" aria-label="Classes"></div>
{json_block(data, identity=f"{identity}-data")}
</div>"""


def json_block(data: Any, *, identity: str) -> str:
    """Data for a script in the page, as JSON in which no text can end the block."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return f'<script type="application/json" id="{html.escape(identity)}">{text}</script>'


def style_and_script() -> Iterator[str]:
    """What a page with maps needs once: a style and a script element."""
    folder = resources.files("auricle.explore")
    yield f"<style>{(folder / 'sound_map.css').read_text(encoding='utf-8')}</style>"
    yield f"<script>{(folder / 'sound_map.js').read_text(encoding='utf-8')}</script>"


def map_page(title: str, fragment: str) -> str:
    """A page of its own around a map."""
    style, script = style_and_script()
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{html.escape(title)}</title>
<style>
:root {{ color-scheme: light dark; --ink: #1b1f24; --line: #dfe3e8; --paper: #ffffff; --accent: #0067b8; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #e4e7eb; --line: #323943; --paper: #171b20; --accent: #6cb6ff; }}
}}
body {{ max-width: 80rem; margin: 0 auto; padding: 1.5rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }}
h1 {{ font-size: 1.4rem; }}
</style>
{style}
</head><body><h1>{html.escape(title)}</h1>
{fragment}
{script}
</body></html>
"""
