"""A map that plays sound: what is in it, and that no name breaks out of it."""

import base64
import json
import re
from html.parser import HTMLParser

import numpy as np

from auricle.explore.columns import classes, numbers
from auricle.explore.excerpts import Excerpts
from auricle.explore.html_map import SoundMap, fragment, json_block, map_page, sound_blocks, sound_map, style_and_script
from auricle.neighbours import Nearest
from auricle.projection import MARKERS

NASTY = ["</script><script>alert(1)</script>", "a\"b'c&amp;.wav", "line\u2028end", "<!-- <img src=x onerror=alert(2)>"]
POINTS = np.array([[0.0, 0.0], [1.0, 5.0], [2.0, 3.0], [4.0, 1.0]])


def nasty(**changes) -> SoundMap:
    given = {
        "identity": "m",
        "title": 'a "map"',
        "points": POINTS,
        "names": NASTY,
        "columns": [classes("<i>kind", ["x", "<b>y</b>", "x", "</script>"])],
        "sounds": Excerpts(b"hea", [b"one", None, b"three", b"four"], 3.0, []),
        **changes,
    }
    return SoundMap(**given)


class Page(HTMLParser):
    """The tags of a page, and the text of its script elements by their identity."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.scripts: dict[str | None, str] = {}
        self._inside: str | None = None
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._open = tag
        self._inside = dict(attrs).get("id")

    def handle_data(self, data: str) -> None:
        if self._open == "script":
            self.scripts[self._inside] = self.scripts.get(self._inside, "") + data

    def handle_endtag(self, tag: str) -> None:
        self._open = ""


def data_of(shown: SoundMap) -> dict:
    return json.loads(Page("".join(fragment(shown))).scripts["m-data"])


def array(text: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype=kind)


def test_names_that_look_like_html_stay_data() -> None:
    page = Page("".join([*fragment(nasty()), *sound_blocks(nasty())]))
    assert page.tags == ["div", "script", "script"]
    data = json.loads(page.scripts["m-data"])
    assert data["names"] == NASTY
    [column] = data["columns"]
    assert column["name"] == "<i>kind"
    assert [column["classes"][code] for code in array(column["codes"], "<i4")] == ["x", "<b>y</b>", "x", "</script>"]


def test_a_block_of_json_has_no_character_that_html_knows() -> None:
    block = json_block({"</script>": "<!--&\u2028"}, identity="d")
    inside = re.fullmatch(r'<script type="application/json" id="d">(.*)</script>\n', block)
    assert inside is not None
    assert not set("<>&\u2028") & set(inside[1])
    assert json.loads(inside[1]) == {"</script>": "<!--&\u2028"}


def test_points_fill_the_picture_and_keep_their_order() -> None:
    points = array(data_of(nasty())["points"], "<f4").reshape(-1, 2)
    assert points.min(axis=0).tolist() == [-0.5, -0.5]
    assert points.max(axis=0).tolist() == [0.5, 0.5]
    assert np.argsort(points[:, 0]).tolist() == [0, 1, 2, 3]
    assert np.argsort(points[:, 1]).tolist() == [0, 3, 2, 1]


def test_points_on_one_spot_are_drawn_too() -> None:
    points = array(data_of(nasty(points=np.ones((4, 2))))["points"], "<f4")
    assert np.isfinite(points).all()


def test_sounds_come_out_as_they_went_in() -> None:
    page = Page("".join([*fragment(nasty()), *sound_blocks(nasty())]))
    sounds = json.loads(page.scripts["m-data"])["sounds"]
    places = array(sounds["places"], "<i4").reshape(-1, 3)
    heard = [
        None if block < 0 else page.scripts[f"m-sounds-{block}"][start : start + length]
        for block, start, length in places.tolist()
    ]
    assert [sound and base64.b64decode(sounds["head"] + sound) for sound in heard] == [
        b"heaone",
        None,
        b"heathree",
        b"heafour",
    ]


def test_seconds_neighbours_and_numbers_are_exact() -> None:
    shown = nasty(
        columns=[numbers("level", np.array([-60.25, np.nan, 0.5, 3.0]))],
        starts=[0.1, None, 1 / 3, 0.0],
        ends=[None, None, 2.0, 1e-3],
        nearest=Nearest(np.array([[1], [0], [3], [2]]), np.array([[0.5], [0.5], [-0.25], [-0.25]], dtype=np.float32)),
    )
    data = data_of(shown)
    assert array(data["starts"], "<f8").tolist()[::2] == [0.1, 1 / 3]
    assert np.isnan(array(data["ends"], "<f8")).tolist() == [True, True, False, False]
    assert array(data["nearest"]["rows"], "<i4").tolist() == [1, 0, 3, 2]
    assert array(data["nearest"]["similarity"], "<f4").tolist() == [0.5, 0.5, -0.25, -0.25]
    level = array(data["columns"][0]["values"], "<f4")
    assert level[[0, 2, 3]].tolist() == [-60.25, 0.5, 3.0]
    assert np.isnan(level[1])


def test_a_map_in_a_report_holds_its_sounds() -> None:
    sounds = Excerpts(b"hea", [b"one", None, b"three", b"four"], 3.0, [])
    text = sound_map(POINTS, names=NASTY, labels=["x"] * 4, sounds=sounds, identity="m", title="t")
    assert Page(text).scripts["m-sounds-0"] == "".join(base64.b64encode(s).decode() for s in sounds.sounds if s)


def test_a_page_loads_nothing_and_says_so() -> None:
    text = "".join(map_page(nasty(), subtitle="<u>"))
    assert not re.search(r"https?://|@import|url\(|innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    assert "default-src 'none'" in text
    assert "connect-src" not in text
    assert "file:" not in text
    assert "<u>" not in text


def test_only_a_page_with_links_may_read_files_beside_it() -> None:
    linked = "".join(map_page(nasty(links=[None, "a%20b.wav", None, None]), subtitle=""))
    policy = re.search(r'content="(default-src[^"]*)"', linked)
    assert policy is not None
    assert "media-src data: file: 'self'" in policy[1]


def test_the_page_knows_as_many_markers_as_the_figures() -> None:
    script = "".join(style_and_script())
    shapes = re.search(r"const SHAPES = \[.*?\n(.*?)\];", script, re.DOTALL)
    assert shapes is not None
    assert shapes[1].count("=>") == len(MARKERS)
