"""A map as a person has it: opened from disk in Chromium, clicked, listened to, filtered, lassoed, by mouse or keys."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.spatial.distance import cdist

from auricle.explore.excerpts import excerpts
from auricle.explore.html_map import sound_map, style_and_script
from auricle.explore.map_file import write_map
from auricle.manifest import Manifest
from auricle.report.page import Section, page
from auricle.transfer.run import evaluate_models
from auricle.transfer.task_source import Own, find_task

from .fields import CLIPS, NASTY, SECONDS, Field, make_field, ponds

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def field(tmp_path_factory) -> Field:
    return make_field(tmp_path_factory.mktemp("field"))


@pytest.fixture(scope="module")
def html(field) -> Path:
    out = field.file.with_suffix(".html")
    write_map(field.file, out, method="pca")
    return out


@pytest.fixture(scope="module")
def windows(field, tmp_path_factory) -> Path:
    """A map of windows, twelve of each of two recordings, an hour after they began."""
    folder = tmp_path_factory.mktemp("windows")
    table = pq.read_table(field.file)
    start = 3600 + 1.5 * (np.arange(CLIPS) % 12)
    for name, values in (
        ("path", [f"night {row // 12}.wav" for row in range(CLIPS)]),
        ("start", start),
        ("end", start + 3),
    ):
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    pq.write_table(table, folder / "windows.parquet")
    write_map(folder / "windows.parquet", folder / "windows.html", method="pca", sound=False)
    return folder / "windows.html"


def nearest_by_hand(vectors: np.ndarray) -> np.ndarray:
    """Rows by cosine distance of standardised vectors, by SciPy."""
    scaled = (vectors - vectors.mean(axis=0)) / np.sqrt(vectors.std(axis=0))
    distance = cdist(scaled, scaled, "cosine")
    np.fill_diagonal(distance, np.inf)
    return np.argsort(distance, axis=1)


def test_a_click_plays_the_clip(html, field, open_page) -> None:
    opened = open_page(html)
    opened.click(5)
    assert opened.chosen == 5
    assert opened.heard()["duration"] == pytest.approx(SECONDS, abs=0.02)
    assert opened.text(".map-chosen") == field.names[5]
    assert opened.text(".map-said") == f"▶ frog · {field.names[5]}"


def test_names_that_look_like_html_are_shown_as_text(html, open_page) -> None:
    opened = open_page(html)
    elements = opened.page.evaluate("document.querySelectorAll('script, img').length")
    for row, name in enumerate(NASTY):
        opened.click(row)
        opened.heard()
        assert opened.text(".map-chosen") == name
        assert name in opened.text(".map-card")
    assert opened.page.evaluate("document.querySelectorAll('script, img').length") == elements


def test_arrow_keys_go_to_the_nearest_clip_in_their_direction_and_play_it(html, open_page) -> None:
    opened = open_page(html)
    opened.map.focus()
    opened.page.keyboard.press("Enter")
    assert opened.heard()["duration"] == pytest.approx(SECONDS, abs=0.02)
    moves = 0
    for key, axis, sign in (("Left", "x", -1), ("Up", "y", -1), ("Right", "x", 1), ("Down", "y", 1)):
        before = opened.chosen
        opened.page.keyboard.press(f"Arrow{key}")
        if opened.chosen != before:
            moves += 1
            assert sign * (opened.place(opened.chosen)[axis] - opened.place(before)[axis]) > 0
    assert moves >= 3  # of the four, one may lead out of the map
    visited = opened.chosen
    opened.page.keyboard.press("Escape")
    assert opened.page.evaluate("document.querySelector('audio').paused")
    assert opened.chosen == visited


def test_keys_work_on_a_page_that_was_just_opened(html, open_page) -> None:
    opened = open_page(html)
    press, focused = opened.page.keyboard.press, "document.activeElement.className"
    press("ArrowRight")
    first = opened.chosen
    assert first >= 0
    press("+")
    opened.wait("document.querySelector('.sound-map').soundMap.view.zoom > 1.5")
    press("/")
    assert opened.page.evaluate(focused) == "map-find"
    press("ArrowLeft")
    opened.page.locator(".map-colour").focus()
    press("ArrowDown")
    assert opened.page.locator(".map-colour").input_value() == "1"
    assert opened.chosen == first  # those were keys of the field and of the list
    opened.page.get_by_role("button", name="show all").focus()
    press("Enter")
    assert opened.chosen == first
    press("0")
    press("ArrowLeft")
    assert opened.chosen != first


def test_neighbours_are_the_nearest_at_full_dimension_and_play(html, field, open_page) -> None:
    opened = open_page(html)
    opened.click(14)
    listed = (
        opened.page.locator(".map-right section")
        .first.locator("li .map-go")
        .evaluate_all("found => found.map(button => button.title)")
    )
    assert listed == [field.names[row] for row in nearest_by_hand(field.vectors)[14][: len(listed)]]
    assert len(listed) >= 8
    opened.page.get_by_role("button", name=f"play {listed[2]}").first.click()
    opened.heard()
    assert opened.text(".map-said").endswith(listed[2])
    assert opened.chosen == 14  # only heard; its name leads there
    opened.page.locator(".map-go").nth(2).click()
    assert field.names[opened.chosen] == listed[2]


def test_of_windows_of_one_recording_it_is_said_which(windows, open_page) -> None:
    opened = open_page(windows)
    opened.click(5)
    assert opened.text(".map-said") == "no sound: frog · 3607.5 – 3610.5 s · night 0.wav"
    assert opened.text(".map-card").splitlines()[:2] == ["night 0.wav", "3607.5 – 3610.5 s"]


def test_a_narrow_list_shows_the_number_and_the_stretch(windows, open_page) -> None:
    opened = open_page(windows)
    opened.click(5)
    for title in ("Most like it", "Unlike all others"):
        detail = opened.page.locator("section", has_text=title).locator(".map-go small").first.inner_text()
        assert re.fullmatch(r"-?[01]\.\d{3} · 36\d\d(\.5)? – 36\d\d(\.5)? s · (frog|bird)", detail), detail


@pytest.mark.parametrize("width", [1300, 420])
def test_no_point_of_the_whole_map_lies_under_its_buttons(html, open_page, width) -> None:
    opened = open_page(html)
    opened.page.set_viewport_size({"width": width, "height": 800})
    opened.page.wait_for_timeout(200)
    frame, tools = opened.map.bounding_box(), opened.page.locator(".map-tools").bounding_box()
    below = tools["y"] + tools["height"] - frame["y"]
    heights = [opened.place(row)["y"] for row in range(CLIPS)]
    assert below + 6 <= min(heights) < max(heights) <= frame["height"] - 6  # a point's radius is at most 5.5 here


def test_the_clip_that_is_like_no_other_is_listed_first(html, field, open_page) -> None:
    opened = open_page(html)
    first = opened.page.locator("section", has_text="Unlike all others").locator(".map-go").first
    assert first.get_attribute("title") == field.names[field.odd]
    first.click()
    assert opened.chosen == field.odd
    opened.heard()


def shown(opened) -> str:
    return opened.text("section:has(.map-find) .map-count")


def test_legend_and_text_filter_together(html, open_page) -> None:
    opened = open_page(html)
    assert shown(opened) == f"{CLIPS} of {CLIPS} clips shown"
    opened.page.locator(".map-legend button", has_text="bird").click()
    assert shown(opened) == f"{CLIPS // 2} of {CLIPS} clips shown"
    opened.page.locator(".map-find").fill("CLIP 0")
    assert shown(opened) == f"8 of {CLIPS} clips shown"  # both words, in any case: clip 03 … clip 10
    opened.page.locator(".map-find").fill("<img onerror")
    assert shown(opened) == f"1 of {CLIPS} clips shown"
    opened.map.focus()
    opened.page.keyboard.press("Enter")
    assert opened.chosen == 1
    opened.page.get_by_role("button", name="show everything").click()
    assert shown(opened) == f"{CLIPS} of {CLIPS} clips shown"


def test_hidden_clips_cannot_be_hit(html, open_page) -> None:
    opened = open_page(html)
    opened.page.locator(".map-legend button", has_text="frog").click(modifiers=["Shift"])  # only these
    assert shown(opened) == f"{CLIPS // 2} of {CLIPS} clips shown"
    opened.click(20)
    assert opened.chosen == -1
    opened.click(3)
    assert opened.chosen == 3


def test_any_column_colours_and_a_number_has_a_scale_to_filter_by(html, open_page) -> None:
    opened = open_page(html)
    names = opened.page.locator(".map-colour option").all_inner_texts()
    assert names == ["label", "level", "fold", "group", "distance from those like it"]
    opened.page.locator(".map-colour").select_option(label="level")
    bins = opened.page.locator(".map-legend button")
    assert bins.count() == 8
    assert bins.first.inner_text().startswith("-60 – -52.5")
    bins.first.click()  # -60 … -52.5 dB: three of the 24 steps of 60/23 dB
    assert shown(opened) == f"{CLIPS - 3} of {CLIPS} clips shown"
    colours = opened.page.evaluate(
        "(() => { const { picture } = document.querySelector('.sound-map').soundMap;"
        " return [0, 23].map(row => picture.looks[picture.column.lookOf[row]].colour); })()"
    )
    assert colours[0] != colours[1]


def lasso_frogs(opened) -> None:
    """Draw around the left third of the map, where the frogs are."""
    box = opened.map.bounding_box()
    low, high = box["x"] + 3, box["x"] + 0.4 * box["width"]
    opened.page.mouse.move(low, box["y"] + 60)
    opened.page.mouse.down()
    for x, y in ((high, 60), (high, box["height"] - 3), (3, box["height"] - 3)):
        opened.page.mouse.move(x if x == high else low, box["y"] + y, steps=4)
    opened.page.mouse.up()


def save(opened, label: str, to: Path) -> Path:
    opened.page.get_by_label("Name of the selection").fill(label)
    with opened.page.expect_download() as download:
        opened.page.get_by_role("button", name="save as CSV").click()
    assert download.value.suggested_filename == f"{label}.csv"
    download.value.save_as(to)
    return to


def left_side(opened) -> str:
    """The kind that principal components happened to put on the left."""
    return "frog" if opened.place(3)["x"] < opened.place(15)["x"] else "bird"


def test_a_lasso_becomes_a_manifest_that_evaluation_takes(html, field, open_page, tmp_path) -> None:
    opened = open_page(html)
    kind = left_side(opened)
    opened.page.get_by_role("button", name="Lasso").click()
    lasso_frogs(opened)
    saved = save(opened, "marsh", tmp_path / "marsh.csv")
    assert saved.read_text(encoding="utf-8").splitlines()[0] == "path,start,end,label,group"
    manifest = Manifest.read(saved).validate(files=True)
    assert [path.name for path in manifest.files] == field.names
    labels = np.array(manifest.column("label"))
    mine = np.array(["frog"] * (CLIPS // 2) + ["bird"] * (CLIPS // 2)) == kind
    mine[field.odd] = False  # it lies in the middle
    assert labels.tolist() == np.where(mine, "marsh", "other").tolist()
    assert manifest.column("end") == [SECONDS] * CLIPS
    assert manifest.column("group") == ponds()
    task = find_task(str(saved), own=Own())
    summary = evaluate_models(["logmel-stats"], [task], out=tmp_path / "scores.parquet", seeds=range(1), workers=1)
    assert summary.out.exists()


def test_shift_adds_to_a_selection_and_alt_takes_away(html, open_page) -> None:
    opened = open_page(html)
    opened.page.keyboard.press("Tab")
    opened.map.focus()
    opened.page.keyboard.press("l")
    count = opened.page.locator("section:has(.map-label) .map-count")
    lasso_frogs(opened)
    selected = int(count.inner_text().split()[0])
    assert selected >= CLIPS // 2 - 1
    opened.page.keyboard.down("Alt")
    lasso_frogs(opened)
    opened.page.keyboard.up("Alt")
    assert count.inner_text().startswith("Nothing selected")
    opened.page.keyboard.press("s")  # nothing is chosen yet
    assert count.inner_text().startswith("Nothing selected")
    opened.page.get_by_role("button", name="add all shown").click()
    assert count.inner_text() == f"{CLIPS} of {CLIPS} clips selected"


def test_everything_by_keyboard(html, field, open_page, tmp_path) -> None:
    opened = open_page(html)
    press, focused = opened.page.keyboard.press, "document.activeElement.className"
    for _ in range(8):
        press("Tab")
        if opened.page.evaluate(focused) == "map-over":
            break
    assert opened.page.evaluate(focused) == "map-over"
    press("Enter")
    first = opened.chosen
    press("s")
    press("/")
    assert opened.page.evaluate(focused) == "map-find"
    opened.page.keyboard.type("clip 21")
    for _ in range(20):
        press("Tab")
        if opened.page.evaluate("document.activeElement.textContent") == "add all shown":
            break
    press("Enter")
    for _ in range(3):
        press("Tab")
        if opened.page.evaluate(focused) == "map-label":
            break
    opened.page.keyboard.type('odd, "quoted"')
    with opened.page.expect_download() as download:
        for _ in range(3):
            press("Tab")
            if opened.page.evaluate("document.activeElement.textContent") == "save as CSV":
                break
        press("Enter")
    download.value.save_as(tmp_path / "odd.csv")
    labels = Manifest.read(tmp_path / "odd.csv").column("label")
    assert {row for row, label in enumerate(labels) if label == 'odd, "quoted"'} == {first, 21}
    assert set(labels) == {'odd, "quoted"', "other"}


def test_a_selection_needs_a_name_that_is_not_the_name_of_the_rest(html, open_page) -> None:
    opened = open_page(html)
    opened.page.get_by_role("button", name="add all shown").click()
    opened.page.get_by_role("button", name="save as CSV").click()
    assert "Name the selection" in opened.text("[role=alert]")
    opened.page.get_by_label("Name of the selection").fill("other")
    opened.page.get_by_role("button", name="save as CSV").click()
    assert "name the selection otherwise" in opened.text("[role=alert]")


def test_zoom_keeps_what_is_under_the_pointer_and_dragging_moves_the_map(html, open_page) -> None:
    opened = open_page(html)
    before = opened.place(3)
    box = opened.map.bounding_box()
    opened.page.mouse.move(box["x"] + before["x"], box["y"] + before["y"])
    opened.page.mouse.wheel(0, -400)
    opened.wait("document.querySelector('.sound-map').soundMap.view.zoom > 1.5")
    after = opened.place(3)
    assert (after["x"], after["y"]) == pytest.approx((before["x"], before["y"]), abs=1)
    opened.page.mouse.down()
    opened.page.mouse.move(box["x"] + before["x"] + 60, box["y"] + before["y"] + 30, steps=3)
    opened.page.mouse.up()
    moved = opened.place(3)
    assert (moved["x"] - after["x"], moved["y"] - after["y"]) == pytest.approx((60, 30), abs=1)
    assert opened.chosen == -1  # that was no click
    opened.page.keyboard.press("Tab")
    opened.map.focus()
    opened.page.keyboard.press("0")
    assert opened.place(3)["x"] == pytest.approx(before["x"], abs=0.01)


def test_beyond_the_budget_clips_play_from_their_files(field, open_page, tmp_path) -> None:
    out = field.folder.parent / "linked.html"
    summary = write_map(field.file, out, method="pca", audio_budget=0)
    assert (summary.inside, summary.linked) == (0, CLIPS)
    opened = open_page(out)
    for row in (2, 4):  # the first of these has quotes, a comma, # and % in its name
        opened.click(row)
        assert opened.heard()["duration"] == pytest.approx(SECONDS, abs=0.02)
    assert any(url.endswith(".wav#t=0,0.8") or ".wav" in url for url in opened.requests)


def luminance(colour: str) -> float:
    """Relative luminance of ``rgb(r, g, b)``, by WCAG 2."""
    parts = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_light_and_dark(html, open_page, scheme) -> None:
    opened = open_page(html, color_scheme=scheme)
    opened.click(3)
    paper = luminance(opened.page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert (paper < 0.2) == (scheme == "dark")
    for selector in ("h1", ".map-count", ".map-facts dt", ".map-go small", ".map-legend small", ".map-keys summary"):
        ink = luminance(opened.page.evaluate("s => getComputedStyle(document.querySelector(s)).color", selector))
        assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) >= 4.5, selector
    other = "light" if scheme == "dark" else "dark"
    opened.page.get_by_label("Colours").select_option(other)
    changed = luminance(opened.page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert (changed < 0.2) == (other == "dark")


def test_a_map_in_a_report_is_the_same_thing(field, open_page, tmp_path) -> None:
    found = excerpts([field.folder / name for name in field.names], budget=1_000_000)
    fragment = sound_map(
        field.vectors[:, :2],
        names=field.names,
        labels=["x<b>"] * CLIPS,
        sounds=found,
        identity="sound-map",
        title="Map of <i>",
    )
    out = tmp_path / "report.html"
    sections = [Section("map", "Listen", fragment)]
    out.write_text(page("t", "s", sections, summary=["short"], end=style_and_script()), encoding="utf-8")
    opened = open_page(out)
    assert opened.text(".map-said") == "Click a point to hear it, then use the arrow keys."
    opened.page.set_viewport_size({"width": 1280, "height": 300})
    opened.page.keyboard.press("ArrowDown")
    opened.wait("window.scrollY > 0")  # until the map is clicked, the keys are the report's
    opened.page.get_by_role("button", name="show all").focus()
    opened.page.keyboard.press("ArrowDown")
    assert opened.chosen == -1
    opened.page.set_viewport_size({"width": 1280, "height": 800})
    opened.click(0)
    assert opened.heard()["duration"] == pytest.approx(SECONDS, abs=0.02)
    opened.page.keyboard.press("ArrowRight")
    assert opened.chosen > 0
    assert opened.page.locator(".map-legend button").inner_text().startswith("x<b>")
    assert not opened.page.locator(".map-label").count()


def test_twenty_thousand_points_are_drawn_within_two_seconds(open_page, chromium, tmp_path) -> None:
    count = 20_000
    generator = np.random.default_rng(0)
    kinds = generator.integers(40, size=count)
    vectors = (generator.normal(0, 4, (40, 8))[kinds] + generator.standard_normal((count, 8))).astype(np.float32)
    table = {
        "path": [f"site {row % 30:02d}/a recording with quite a long name {row:05d}.wav" for row in range(count)],
        "start": np.zeros(count),
        "end": np.full(count, 5.0),
        "label": [f"kind {kind:02d}" for kind in kinds],
        "level": generator.normal(-30, 6, count),
        "embedding": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), 8),
    }
    pq.write_table(pa.table(table), tmp_path / "many.parquet")
    write_map(tmp_path / "many.parquet", tmp_path / "many.html", method="pca", sound=False)
    opened = open_page(tmp_path / "many.html")
    drawn = opened.page.evaluate("performance.getEntriesByName('sound-map-drawn').length")
    assert drawn == 1
    # Processor time of the page's main thread, from navigation on: a busy machine does not change it.
    session = opened.context.new_cdp_session(opened.page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    opened.page.reload()
    metrics = {entry["name"]: entry["value"] for entry in session.send("Performance.getMetrics")["metrics"]}
    assert 0 < metrics["TaskDuration"] < 2
    lit = opened.page.evaluate(
        "(() => { const base = document.querySelector('.map-base');"
        " const { data } = base.getContext('2d').getImageData(0, 0, base.width, base.height);"
        " let sum = 0; for (let at = 3; at < data.length; at += 4) sum += data[at] > 0;"
        " return sum / (data.length / 4); })()"
    )
    assert 0.05 < lit < 1  # the points are there
