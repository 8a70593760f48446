"""Chromium opens every page: pictures load, formulas are typeset, nothing sticks out or fails.

Screenshots land in `_build/screenshots`, for a person to look at.
"""

import functools
import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pages
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
)
from shared import Rendered

pytestmark = pytest.mark.browser

MEGABYTES = 2.0  # what one page may weigh, compressed, nothing cached
# docutils calls a list of references a list and its entries something that ARIA has dropped.
KNOWN_BARRIERS = {("aria-required-children", ".citation-list")}
SCREENSHOTS = pages.ROOT / "_build" / "screenshots"

UNLOADED_PICTURES = """() => [...document.images]
  .filter(image => !(image.complete && image.naturalWidth > 0)).map(image => image.src)"""
BARE_FORMULAS = """() => [...document.querySelectorAll('.math')]
  .filter(formula => !formula.querySelector('mjx-container') || formula.querySelector('mjx-merror'))
  .map(formula => formula.textContent.trim())"""
POINTS = 9  # the least size of a figure's text, as shown; a point is 4/3 pixels
SMALL_TEXTS = """points => [...document.querySelectorAll('.drawn :is(text, tspan)')]
  .filter(text => text.getClientRects().length && text.textContent.trim())
  .map(text => {
    const {a, b} = text.getScreenCTM();
    const size = 0.75 * parseFloat(getComputedStyle(text).fontSize) * Math.hypot(a, b);
    return [text.textContent, size];
  })
  .filter(([text, size]) => size < points - 0.05)
  .map(([text, size]) => `${text} ${size.toFixed(1)}`)"""
TEXTS_OUTSIDE = """() => [...document.querySelectorAll('.drawn text')]
  .filter(text => text.getClientRects().length)
  .filter(text => {
    const word = text.getBoundingClientRect();
    const sheet = text.ownerSVGElement.getBoundingClientRect();
    return word.left < sheet.left - 3 || word.right > sheet.right + 3;
  })
  .map(text => text.textContent)"""
UNSEEN_FIGURES = """() => [...document.querySelectorAll('.drawn:not(.explorable.live *)')]
  .filter(figure => [...figure.querySelectorAll('svg')].filter(
    svg => svg.getClientRects().length && svg.getBoundingClientRect().width > 0).length !== 1)
  .map(figure => figure.ariaLabel)"""
OVERHANG = """() => {
  const root = document.documentElement;
  return root.scrollWidth - root.clientWidth;
}"""

# A page's code has thousands of coloured words of a few kinds, and axe takes milliseconds for each.
# It sees one of each kind: same element, same classes, all the way up.
HIDE_TWINS = """() => {
  const seen = new Set();
  for (const word of document.querySelectorAll('.highlight pre *, .sig *')) {
    if (word.children.length) continue;
    let kind = '';
    for (let up = word; up; up = up.parentElement) kind += `${up.tagName}.${up.className} `;
    if (seen.has(kind)) word.style.visibility = 'hidden'; else seen.add(kind);
  }
}"""


@functools.cache
def zipped(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), 6)


class Handler(SimpleHTTPRequestHandler):
    """Sends text compressed, as the book's host does: a page's weight is what crosses the wire."""

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if path.suffix not in (".html", ".js", ".css", ".svg", ".json") or not path.is_file():
            return super().do_GET()
        body = zipped(path)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    handler = functools.partial(Handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def site(book: Rendered) -> Iterator[str]:
    with served(book.html) as address:
        yield address


@dataclass
class Visit:
    """A page as opened: what went wrong while it loaded, and what it asked for."""

    page: Page
    faults: list[str] = field(default_factory=list)
    finished: list[Request] = field(default_factory=list)

    def megabytes(self) -> float:
        sizes = [request.sizes() for request in self.finished]
        return sum(size["responseBodySize"] + size["responseHeadersSize"] for size in sizes) / 1e6


@contextmanager
def visit(browser: Browser, address: str, width: int = 1280, **options: Any) -> Iterator[Visit]:
    """Open a page on such a screen, in light colours, with nothing in the cache."""
    page = browser.new_page(viewport={"width": width, "height": 900}, **options)
    seen = Visit(page)
    site = "/".join(address.split("/")[:3])

    def console(message: ConsoleMessage) -> None:
        if message.type == "error":
            seen.faults.append(f"console: {message.text}")

    def request(request: Request) -> None:
        if not request.url.startswith((site, "data:", "blob:")):
            seen.faults.append(f"leaves the site: {request.url}")

    page.on("console", console)
    page.on("pageerror", lambda error: seen.faults.append(f"script: {error}"))
    page.on("request", request)
    page.on("requestfailed", lambda request: seen.faults.append(f"failed: {request.url}"))
    page.on("requestfinished", lambda request: seen.finished.append(request))
    page.goto(address, wait_until="load")
    page.evaluate("() => window.MathJax?.startup?.promise")
    try:
        yield seen
    finally:
        page.close()


def faults_on(seen: Visit) -> list[str]:
    """What a reader would see go wrong on an open page, and what went wrong as it loaded."""
    page, found = seen.page, list(seen.faults)
    found += [f"picture: {source}" for source in page.evaluate(UNLOADED_PICTURES)]
    found += [f"formula: {text}" for text in page.evaluate(BARE_FORMULAS)]
    found += [f"figure: {label}" for label in page.evaluate(UNSEEN_FIGURES)]
    found += [f"small text: {text}" for text in page.evaluate(SMALL_TEXTS, POINTS)]
    found += [f"text outside its figure: {text}" for text in page.evaluate(TEXTS_OUTSIDE)]
    if (overhang := page.evaluate(OVERHANG)) > 0:
        found.append(f"the page is {overhang} pixels wider than its window")
    if (weight := seen.megabytes()) > MEGABYTES:
        found.append(f"the page weighs {weight:.2f} MB, more than {MEGABYTES}")
    return found


def barriers_on(page: Page) -> list[str]:
    """What axe-core calls serious or critical."""
    page.evaluate(HIDE_TWINS)
    options = {"preload": False, "resultTypes": ["violations"]}
    found = Axe().run(page, options=options).response["violations"]
    return [
        f"{violation['id']}: {' '.join(node['target'])}"
        for violation in found
        for node in violation["nodes"]
        if violation["impact"] in ("serious", "critical")
        and (violation["id"], *node["target"]) not in KNOWN_BARRIERS
    ]


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("path", [*pages.html_pages(pages.ROOT), "404.html", "genindex.html"])
def test_page_as_a_reader_sees_it(browser: Browser, site: str, path: str, width: int) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with visit(browser, f"{site}/{path}", width) as seen:
        for scheme in ("dark", "light") if width == 1280 else ("light", "dark"):
            seen.page.emulate_media(color_scheme=scheme)
            seen.page.wait_for_function(f"document.documentElement.dataset.theme == '{scheme}'")
            assert faults_on(seen) == [], scheme
        # Each width and each scheme once: axe and a picture take seconds on a long page.
        picture = SCREENSHOTS / f"{Path(path).stem}-{width}-{scheme}.jpg"
        seen.page.screenshot(path=picture, full_page=True)
        assert barriers_on(seen.page) == []


@pytest.mark.parametrize("path", ["book/five-minutes.html", "notebooks/03-fixed-weight-loss.html"])
def test_on_paper_is_the_page_alone(browser: Browser, site: str, path: str) -> None:
    # A4 less margins; the page was read in the dark.
    with visit(browser, f"{site}/{path}", 680, color_scheme="dark") as seen:
        page = seen.page
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        page.emulate_media(media="print", color_scheme="dark")
        page.wait_for_function("document.documentElement.dataset.theme == 'light'")
        for gone in (".bd-sidebar-primary", ".bd-header-article", "button.copybtn", ".cite"):
            assert not any(found.is_visible() for found in page.locator(gone).all()), gone
        for drawn in page.locator(".drawn").all():
            assert drawn.locator(".wide").is_visible()
            assert not drawn.locator(".narrow").is_visible()
        wraps = page.evaluate("""() => [...document.querySelectorAll('.bd-article pre')]
          .map(code => getComputedStyle(code).whiteSpace)""")
        assert set(wraps) <= {"pre-wrap"}
        assert page.evaluate(OVERHANG) == 0
        page.emulate_media(media="screen", color_scheme="dark")
        page.wait_for_function("document.documentElement.dataset.theme == 'dark'")


def test_what_a_cell_prints_breaks_its_lines(browser: Browser, site: str) -> None:
    with visit(browser, f"{site}/notebooks/03-fixed-weight-loss.html", 390) as seen:
        cut_off = seen.page.evaluate("""() =>
          [...document.querySelectorAll('.cell_output .output.stream pre, .cell_output > pre')]
          .filter(code => code.scrollWidth > code.clientWidth).map(code => code.textContent)""")
        printed = seen.page.locator(".cell_output pre")
        assert printed.count() > 0 and cut_off == []
        assert printed.first.evaluate("code => getComputedStyle(code).whiteSpace") == "pre-wrap"


def test_icons_are_drawn_by_the_font(browser: Browser, site: str) -> None:
    # book/_static/scripts/fontawesome.js leaves out the theme's script, which draws them again.
    with visit(browser, f"{site}/book/index.html") as seen:
        bars = seen.page.locator(".fa-bars").first
        assert "\uf0c9" in bars.evaluate("icon => getComputedStyle(icon, '::before').content")
        fonts = seen.page.evaluate("[...document.fonts].map(f => [f.family, f.status].join())")
        assert any("Awesome" in font and "loaded" in font for font in fonts)


def test_search_finds_a_word(browser: Browser, site: str) -> None:
    with visit(browser, f"{site}/search.html?q=GABA") as seen:
        hits = seen.page.locator("#search-results li a")
        hits.first.wait_for(timeout=20_000)
        assert any(
            "GABA" in text for text in seen.page.locator("#search-results li").all_inner_texts()
        )
        assert seen.faults == []


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("<img src='nothing.png'>", "picture:"),
        ("<span class='math'>x^2</span>", "formula:"),
        ("<div style='width: 3000px'>wide</div>", "the page is"),
        ("<div class=drawn><svg><text y=20 font-size=11.6px>t", "small text: t 8.7"),
        ("<div class=drawn><svg width=90 viewBox='0 0 99 9'><text font-size=12>t", "small text: t"),
        ("<div class=drawn><svg width=20><text x=9 y=20>wide", "text outside its figure: wide"),
        ("<div class=drawn aria-label=a><svg style='display: none'>", "figure: a"),
        ("<div class=drawn aria-label=a><svg></svg><svg></svg>", "figure: a"),
        ("<img src='heavy.png'>", "the page weighs 2."),
        ("<script>console.error('no')</script>", "console: no"),
        ("<script>throw new Error('no')</script>", "script: no"),
        ("<script src='http://127.0.0.1:9/x.js'></script>", "leaves the site:"),
        ("<script src='http://127.0.0.1:9/x.js'></script>", "failed:"),
        ("<input>", "label: input"),
        ("<p style='color: #bbb; background: #fff'>pale</p>", "color-contrast: p"),
        ("<p class=sig>" + 2 * "<b style='color: #bbb'>pale</b>", "color-contrast: b"),
    ],
)
def test_each_fault_is_seen(browser: Browser, tmp_path: Path, body: str, complaint: str) -> None:
    (tmp_path / "page.html").write_text(f"<!doctype html><body>{body}</body>")
    noise = np.random.default_rng(0).integers(256, size=(850, 850, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "heavy.png")  # 2.2 MB
    with served(tmp_path) as address, visit(browser, f"{address}/page.html") as seen:
        found = faults_on(seen) + barriers_on(seen.page)
    assert any(fault.startswith(complaint) for fault in found), found


SOUND = """<!doctype html><html lang=en><title>t</title><link rel=icon href=data:,>
<main><h1>words</h1></main>"""


def test_a_sound_page_has_no_fault(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(SOUND)
    with served(tmp_path) as address, visit(browser, f"{address}/page.html") as seen:
        assert faults_on(seen) + barriers_on(seen.page) == []
