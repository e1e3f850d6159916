"""A list to listen to: its sounds can be decoded, its words cannot break out, what is left out is said."""

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import soundfile

from auricle.explore import clip_list
from auricle.explore.clip_list import Group, Listed, clip_page

from .files import RATE, noise

NASTY = "<script>alert(1)</script>\"'.wav"


class Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture
def clips(tmp_path: Path) -> list[Listed]:
    files = [noise(tmp_path / f"{seed}.wav", seed) for seed in range(3)]
    return [
        Listed(NASTY, files[0], None, None, ["0.91", "<b>bold</b>"]),
        Listed("part", files[1], 0.25, 0.75, ["0.80", "x"]),
        Listed("gone", tmp_path / "gone.wav", None, None, ["0.10", "y"]),
    ]


def test_what_is_played_is_the_clip_and_nothing_comes_from_elsewhere(clips: list[Listed]) -> None:
    html = clip_page("Title", "sub", [Group("", clips)], columns=["score", "label"], summary=["two were found"])
    page = Page(html)
    sounds = page.of("audio")
    assert [sound["aria-label"] for sound in sounds] == [NASTY, "part"]
    lengths = []
    for sound in sounds:
        assert sound["src"] is not None and "controls" in sound
        data = base64.b64decode(sound["src"].removeprefix("data:audio/ogg;base64,"))
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            lengths.append(len(file.read()) / file.samplerate)
    assert lengths == pytest.approx([1.0, 0.5], abs=0.01)
    assert "1 of 3 clips cannot be heard here: not readable, or beyond 20 MB." in page.words
    assert "Two were found" in page.words and "Up to 3 s of each clip are inside this file." in page.words
    assert not re.search(r"(src|href)=\"(https?:)?//", html)


def test_words_from_outside_stay_words(clips: list[Listed]) -> None:
    page = Page(clip_page(NASTY, NASTY, [Group(NASTY, clips)], columns=["score", NASTY], summary=[NASTY]))
    assert len(page.of("script")) == 1 and not page.of("b")
    assert page.words.count(NASTY) >= 5 and "<b>bold</b>" in page.words


def test_a_long_list_is_cut_and_a_small_budget_makes_sounds_short(
    clips: list[Listed], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip_list, "MOST_CLIPS", 3)
    groups = [Group("one", clips[:2]), Group("two", clips[:2]), Group("three", clips[:2])]
    page = Page(clip_page("t", "s", groups, columns=["score", "label"], summary=[]))
    assert "one" in page.words and "two" not in page.words  # one row of a pair is of no use
    assert "The first 2 of 6 clips are listed here; --out FILE.csv writes all." in page.words
    assert len(page.of("audio")) == 2
    silent = Page(clip_page("t", "s", groups[:1], columns=["score", "label"], summary=[], budget=0))
    assert not silent.of("audio") and "2 of 2 clips cannot be heard here: not readable, or beyond 0 MB." in silent.words
    assert clips[0].file.stat().st_size == 44 + 2 * RATE
