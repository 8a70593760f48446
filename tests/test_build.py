"""The book builds with warnings as errors, and every page is whole and served from one place."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pages
import pytest
from conftest import Rendered, render

PAGES = list(pages.html_pages(pages.ROOT))
TRACEBACK = re.compile(r"Traceback(?:</span>)? ?\(?(?:<[^>]*>)*most recent call last")


class Assets(HTMLParser):
    """Collects a page's pictures without a description and what it loads from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.undescribed: list[str] = []
        self.external: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        source = found.get("src") or ""
        if tag == "img" and not is_description(found.get("alt"), source):
            self.undescribed.append(source)
        loaded = found.get("href") if tag == "link" else source
        # `rel` links such as the licence's are read by nobody's browser.
        if (loaded or "").startswith(("http:", "https:", "//")):
            self.external.append(loaded or "")


def is_description(alt: str | None, source: str) -> bool:
    """Sphinx falls back on the file's name, which describes nothing."""
    return bool(alt and alt.strip()) and Path(alt or "").name != Path(source).name


def test_builds_without_a_warning(book: Rendered) -> None:
    assert book.status == 0, book.log


def test_the_front_door_opens(book: Rendered) -> None:
    assert f"url={PAGES[0]}" in (book.html / "index.html").read_text()


@pytest.mark.parametrize("page", PAGES)
def test_page_is_whole(book: Rendered, page: str) -> None:
    text = (book.html / page).read_text()
    assert not TRACEBACK.search(text)
    assets = Assets(text)
    assert assets.undescribed == []
    assert assets.external == []


SMALL_CONFIG = "title: t\nonly_build_toc_files: true\nexecute: {execute_notebooks: 'off'}\n"


def small_book(folder: Path, text: str) -> Rendered:
    source = folder / "src"
    source.mkdir()
    (source / "_config.yml").write_text(SMALL_CONFIG)
    (source / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    (source / "index.md").write_text(text)
    return render(source, folder)


def test_a_sound_small_book_builds(tmp_path: Path) -> None:
    built = small_book(tmp_path, "# A page\n\nWords.\n")
    assert built.status == 0, built.log


def test_a_broken_reference_stops_the_build(tmp_path: Path) -> None:
    built = small_book(tmp_path, "# A page\n\n[nowhere](no-such-page.md)\n")
    assert built.status != 0
    assert "no-such-page.md" in built.log


def test_faults_of_a_page_are_seen() -> None:
    page = """
      <img src="a/x.png"><img src="a/y.png" alt="_images/y.png"><img src="z.png" alt="a line">
      <script src="https://cdn.example/x.js"></script><link href="//cdn.example/x.css">
      <script src="local.js"></script><a href="https://example.org">words</a>
    """
    assets = Assets(page)
    assert assets.undescribed == ["a/x.png", "a/y.png"]
    assert assets.external == ["https://cdn.example/x.js", "//cdn.example/x.css"]


def test_a_traceback_is_seen() -> None:
    assert TRACEBACK.search("<span>Traceback</span> (most recent call last)")
    assert not TRACEBACK.search("<p>A traceback names the line.</p>")
