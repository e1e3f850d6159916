"""A headless Chromium for the maps, and an opened page that must neither complain nor ask for anything."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def chromium() -> Iterator:
    """A browser; the test is skipped where there is none (in CI that is a failure)."""
    executable = os.environ.get("AURICLE_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if executable is None:
        pytest.skip("no Chromium: apt-get install chromium, or set AURICLE_CHROMIUM")
    driver = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


class Opened:
    """A page of its own, with what it asked for and what went wrong in it."""

    def __init__(self, browser, file: Path, **settings) -> None:
        self.file = file
        self.context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True, **settings)
        self.page = self.context.new_page()
        self.page.set_default_timeout(120_000)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda said: self.complaints.append(f"{said.type}: {said.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        self.page.goto(file.as_uri())

    @property
    def map(self):
        return self.page.locator(".map-over")

    def place(self, row: int) -> dict[str, float]:
        """Where a clip is drawn, in pixels of the picture."""
        return self.page.evaluate(
            "row => { const { view } = document.querySelector('.sound-map').soundMap;"
            " return { x: view.px[row], y: view.py[row] }; }",
            row,
        )

    def click(self, row: int) -> None:
        self.map.click(position=self.place(row))

    @property
    def chosen(self) -> int:
        return int(self.page.locator(".sound-map").get_attribute("data-chosen") or -1)

    def wait(self, condition: str) -> None:
        """Until a condition holds; Playwright's own way is forbidden by the page's security policy."""
        for _ in range(600):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(100)
        pytest.fail(f"not within a minute: {condition}")

    def heard(self) -> dict[str, float]:
        """Waits until the sound is playing or has been played; its length and where it is, in seconds."""
        self.wait("document.querySelector('audio').currentTime > 0")
        return self.page.evaluate(
            "(() => { const { duration, currentTime } = document.querySelector('audio');"
            " return { duration, currentTime }; })()"
        )

    def text(self, selector: str) -> str:
        return self.page.locator(selector).first.inner_text()

    def close(self) -> None:
        """The page asked for nothing but itself and what lies beside it, and nothing went wrong."""
        self.context.close()
        beside = self.file.parent.as_uri()
        elsewhere = [url for url in self.requests if not url.startswith((beside, "data:", "blob:"))]
        assert not elsewhere, elsewhere
        assert not self.complaints, self.complaints


@pytest.fixture
def open_page(chromium) -> Iterator:
    """Open an HTML file: ``open_page(file, color_scheme="dark")``."""
    opened: list[Opened] = []

    def make(file: Path, **settings) -> Opened:
        opened.append(Opened(chromium, file, **settings))
        return opened[-1]

    yield make
    for one in opened:
        one.close()
