"""A map that plays sound: what is in it, what it weighs, and that no name breaks out of it."""

import base64
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import soundfile

from auricle.explore.html_map import excerpts, json_block, sound_map, style_and_script

NASTY = ["</script><script>alert(1)</script>", "a\"b'c&amp;.wav", "line\u2028end", "<!-- <img src=x onerror=alert(2)>"]


def fragment(**changes) -> str:
    given = {
        "names": NASTY,
        "labels": ["x", "<b>y</b>", "x", "</script>"],
        "sounds": [b"one", None, b"three", b"four"],
        "identity": "m",
        "title": 'a "map"',
        **changes,
    }
    return sound_map(np.array([[0.0, 0.0], [1.0, 5.0], [2.0, 3.0], [4.0, 1.0]]), **given)


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.script = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "script":
            self.script += data


def test_names_that_look_like_html_stay_data() -> None:
    page = Page()
    page.feed(fragment())
    assert page.tags == ["div", "div", "canvas", "p", "div", "script"]
    data = json.loads(page.script)
    assert [name for *_, name in data["points"]] == NASTY
    assert data["classes"] == ["</script>", "<b>y</b>", "x"]
    assert [data["classes"][kind] for _, _, kind, _ in data["points"]] == ["x", "<b>y</b>", "x", "</script>"]


def test_a_block_of_json_has_no_character_that_html_knows() -> None:
    block = json_block({"</script>": "<!--&\u2028"}, identity="d")
    inside = re.fullmatch(r'<script type="application/json" id="d">(.*)</script>', block)
    assert inside is not None
    assert not set("<>&\u2028") & set(inside[1])
    assert json.loads(inside[1]) == {"</script>": "<!--&\u2028"}


def test_points_fill_the_picture_and_keep_their_order() -> None:
    page = Page()
    page.feed(fragment())
    points = np.array([point[:2] for point in json.loads(page.script)["points"]], dtype=float)
    assert points.min(axis=0).tolist() == [-0.5, -0.5]
    assert points.max(axis=0).tolist() == [0.5, 0.5]
    assert np.argsort(points[:, 0]).tolist() == [0, 1, 2, 3]
    assert np.argsort(points[:, 1]).tolist() == [0, 3, 2, 1]


def test_sounds_come_out_as_they_went_in() -> None:
    page = Page()
    page.feed(fragment())
    sounds = json.loads(page.script)["sounds"]
    assert [sound and base64.b64decode(sound) for sound in sounds] == [b"one", None, b"three", b"four"]


def test_an_excerpt_is_the_clips_own_sound(sound_file, tone) -> None:
    long = np.concatenate([tone(300.0, seconds=1.0), tone(1000.0, seconds=5.0)])
    files = [sound_file("a.wav", long), sound_file("b.wav", tone(500.0, rate=44100, seconds=0.7), 44100)]
    found = excerpts(files, starts=[1.0, None], ends=[None, None], budget=1_000_000)
    for sound, seconds, hertz in zip(found.sounds, (3.0, 0.7), (1000.0, 500.0), strict=True):
        assert sound is not None
        samples, rate = soundfile.read(io.BytesIO(sound))
        assert abs(len(samples) / rate - seconds) < 0.01
        spectrum = np.abs(np.fft.rfft(samples))
        assert abs(np.fft.rfftfreq(len(samples), 1 / rate)[spectrum.argmax()] - hertz) < 5


def test_a_budget_is_kept_by_shorter_excerpts_and_then_by_silence(sound_file) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 16000 * 4).astype(np.float32)
    files = [sound_file(f"{number}.wav", noise) for number in range(12)]
    generous, tight = excerpts(files, budget=10_000_000), excerpts(files, budget=100_000)
    assert generous.seconds == 3.0
    assert tight.seconds < 3.0
    assert tight.size <= 100_000
    assert all(sound is not None for sound in tight.sounds)
    tiny = excerpts(files, budget=20_000)
    assert 0 < sum(sound is not None for sound in tiny.sounds) < 12
    assert tiny.size <= 20_000


def test_a_clip_that_cannot_be_read_is_silent(sound_file, tone, tmp_path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound")
    found = excerpts([sound_file("a.wav", tone(440.0)), broken], budget=1_000_000)
    assert [sound is None for sound in found.sounds] == [False, True]


def test_style_and_script_load_nothing() -> None:
    text = "".join(style_and_script())
    assert not re.search(r"https?://|@import|url\(|innerHTML|insertAdjacentHTML|document\.write|eval\(", text)
