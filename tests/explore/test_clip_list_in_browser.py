"""The list as a browser shows it: a click on a player is heard, one at a time, and nothing is asked of anybody."""

from pathlib import Path

from auricle.explore.clip_list import Group, Listed, clip_page

from .files import noise


def test_a_player_in_view_says_how_long_its_sound_is(open_page, tmp_path: Path) -> None:
    file = noise(tmp_path / "0.wav", 0, seconds=2.5)
    clips = [Listed(f"clip {number}", file, None, None, []) for number in range(60)]
    (tmp_path / "list.html").write_text(clip_page("t", "s", [Group("", clips)], columns=[], summary=[]), "utf-8")
    opened = open_page(tmp_path / "list.html")
    length = "Math.round(10 * [...document.querySelectorAll('audio')].at({}).duration) === 25"
    opened.wait(length.format(0))
    assert opened.page.evaluate("Number.isNaN([...document.querySelectorAll('audio')].at(-1).duration)")
    opened.page.locator("audio").last.scroll_into_view_if_needed()
    opened.wait(length.format(-1))


def test_players_play_one_at_a_time(open_page, tmp_path: Path) -> None:
    files = [noise(tmp_path / f"{seed}.wav", seed, seconds=2.5) for seed in range(2)]
    clips = [Listed(f"{file.name} <b>&", file, None, None, ["0.5"]) for file in files]
    page = clip_page("List", "of two", [Group("both", clips)], columns=["score"], summary=["two"])
    (tmp_path / "list.html").write_text(page, encoding="utf-8")
    opened = open_page(tmp_path / "list.html")
    players = opened.page.locator("audio")
    assert players.count() == 2
    length = (  # it plays on, for a busy machine
        "player => new Promise(done => {"
        " player.loop = true; player.onplaying = () => done(player.duration); player.play(); })"
    )
    assert 2.4 < players.nth(0).evaluate(length) < 2.6
    assert 2.4 < players.nth(1).evaluate(length) < 2.6
    assert players.nth(0).evaluate("player => player.paused") and not players.nth(1).evaluate("player => player.paused")
    assert opened.page.get_by_role("rowheader", name="0.wav <b>&").count() == 1
