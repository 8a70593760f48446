"""Chromium opens every page: pictures load, formulas are typeset, nothing sticks out or fails.

Screenshots land in `_build/screenshots`, for a person to look at.
"""

import functools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pages
import pytest
from conftest import Rendered, find_browser
from playwright.sync_api import Browser, Page, sync_playwright

pytestmark = pytest.mark.browser

QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCREENSHOTS = pages.ROOT / "_build" / "screenshots"

UNLOADED_PICTURES = """() => [...document.images]
  .filter(image => !(image.complete && image.naturalWidth > 0)).map(image => image.src)"""
BARE_FORMULAS = """() => [...document.querySelectorAll('.math')]
  .filter(formula => !formula.querySelector('mjx-container') || formula.querySelector('mjx-merror'))
  .map(formula => formula.textContent.trim())"""
OVERHANG = """() => {
  const root = document.documentElement;
  return root.scrollWidth - root.clientWidth;
}"""


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    handler = functools.partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Closed with this module: its event loop must be gone before nbval starts kernels.
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_browser(), args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def site(book: Rendered) -> Iterator[str]:
    with served(book.html) as address:
        yield address


def open_page(browser: Browser, address: str, width: int, scheme: str) -> tuple[Page, list[str]]:
    """Open a page on such a screen, in such a scheme; also what went wrong while it loaded."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.add_init_script(
        f"localStorage.setItem('mode', '{scheme}'); localStorage.setItem('theme', '{scheme}')"
    )
    faults: list[str] = []
    site = "/".join(address.split("/")[:3])

    def console(message: object) -> None:
        if message.type == "error":  # type: ignore[attr-defined]
            faults.append(f"console: {message.text}")  # type: ignore[attr-defined]

    page.on("console", console)
    page.on("pageerror", lambda error: faults.append(f"script: {error}"))
    page.on("requestfailed", lambda request: faults.append(f"failed: {request.url}"))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((site, "data:", "blob:"))
            else faults.append(f"leaves the site: {request.url}")
        ),
    )
    page.goto(address, wait_until="load")
    page.evaluate("() => window.MathJax?.startup?.promise")
    return page, faults


def faults_on(page: Page) -> list[str]:
    """What a reader would see go wrong on an open page."""
    found = [f"picture: {source}" for source in page.evaluate(UNLOADED_PICTURES)]
    found += [f"formula: {text}" for text in page.evaluate(BARE_FORMULAS)]
    if (overhang := page.evaluate(OVERHANG)) > 0:
        found.append(f"the page is {overhang} pixels wider than its window")
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("path", list(pages.html_pages(pages.ROOT)))
def test_page_as_a_reader_sees_it(
    browser: Browser, site: str, path: str, width: int, scheme: str
) -> None:
    page, faults = open_page(browser, f"{site}/{path}", width, scheme)
    try:
        assert page.evaluate("document.documentElement.dataset.theme") == scheme
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        picture = SCREENSHOTS / f"{Path(path).stem}-{width}-{scheme}.png"
        page.screenshot(path=picture, full_page=True)
        assert faults + faults_on(page) == []
    finally:
        page.close()


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("<img src='nothing.png'>", "picture:"),
        ("<span class='math'>x^2</span>", "formula:"),
        ("<div style='width: 3000px'>wide</div>", "the page is"),
        ("<script>console.error('no')</script>", "console: no"),
        ("<script>throw new Error('no')</script>", "script: no"),
        ("<script src='http://127.0.0.1:9/x.js'></script>", "leaves the site:"),
        ("<script src='http://127.0.0.1:9/x.js'></script>", "failed:"),
    ],
)
def test_each_fault_is_seen(browser: Browser, tmp_path: Path, body: str, complaint: str) -> None:
    (tmp_path / "page.html").write_text(f"<!doctype html><body>{body}</body>")
    with served(tmp_path) as address:
        page, faults = open_page(browser, f"{address}/page.html", 1280, "light")
        seen = faults + faults_on(page)
        page.close()
    assert any(fault.startswith(complaint) for fault in seen), seen


def test_a_sound_page_has_no_fault(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<!doctype html><link rel=icon href=data:,><p>words</p>")
    with served(tmp_path) as address:
        page, faults = open_page(browser, f"{address}/page.html", 1280, "light")
        seen = faults + faults_on(page)
        page.close()
    assert seen == []
