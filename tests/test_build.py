"""The book builds with warnings as errors, and every page is whole and served from one place."""

import re
import shutil
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import claim_picture
import nbformat
import pages
import pytest
import schematic
import yaml
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image
from shared import Rendered, render

PAGES = list(pages.html_pages(pages.ROOT))
NOTEBOOKS = [page for page in PAGES if page.startswith("notebooks/")]
ADDRESS = "https://github.com/someone/a-fork"
BUTTON = re.compile(r'<a href="([^"]*)"[^>]*\stitle="((?:Launch on|Download) [^"]*)"')
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


class Links(HTMLParser):
    """Collects where a page's links lead, and the places in it that a link can lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag in ("a", "link") and found.get("href"):
            self.targets.append(found["href"] or "")
        self.places.add(found.get("id") or "")


def broken_links(html: Path) -> list[str]:
    """Links within a rendered book that lead to no file, or to no place in one."""
    found = {
        path: Links(path.read_text())
        for path in html.rglob("*.html")
        if html / "_static" not in path.parents  # templates, which nobody opens
    }
    broken = []
    for path, links in found.items():
        for target in links.targets:
            address = urlsplit(target)
            if address.scheme or address.netloc:
                continue
            file = (path.parent / unquote(address.path)).resolve() if address.path else path
            place = unquote(address.fragment)
            if "=" in place:  # what an explorable on that page shall show
                place = ""
            if not file.is_file() or (file in found and place not in found[file].places | {""}):
                broken.append(f"{path.relative_to(html)}: {target}")
    return broken


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


SHOWN = re.compile(r'class="(?:drawn|explorable)" role="(?:img|group)" aria-label="([^"]*)"')


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_every_figure_has_a_number_a_caption_and_a_description(book: Rendered, page: str) -> None:
    text = (book.html / page).read_text()
    figures = re.findall(r"<figure\b.*?</figure>", text, re.DOTALL)
    drawn = [figure for figure in figures if SHOWN.search(figure)]
    in_figures = sum(figure.count('class="drawn"') for figure in drawn)
    assert text.count('class="drawn"') == in_figures + text.count("class='weigh-card'")
    assert all(figure.count('class="drawn"') <= 1 for figure in drawn)
    assert not re.search(r'<div class="cell_output[^>]*>\s*<img', text), "a figure is no drawing"
    found = [re.search(r'caption-number">Figure ([\d.]+) ', figure) for figure in drawn]
    numbers = [number[1] for number in found if number]
    # Pages that are no chapters have no number of their own, and count their figures together.
    chapter = re.match(r"0?([1-9]\d?)-", Path(page).stem)
    first = 1 if chapter or not numbers else int(numbers[0])
    before = f"{chapter[1]}." if chapter else ""
    assert numbers == [f"{before}{place}" for place in range(first, first + len(drawn))]
    for figure in drawn:
        caption = re.search(r'caption-text">(.*?)</span>', figure, re.DOTALL)
        assert caption and len(caption[1].split()) > 5
        assert all(len(label.split()) > 5 for label in SHOWN.findall(figure))
        name = re.search(r'<figure [^>]*id="(fig-[^"]+)"', figure)
        assert name and f'href="#{name[1]}"><span class="std std-numref">' in text, "never cited"


@pytest.mark.parametrize(("name", "drawing"), schematic.drawings().items())
def test_a_stored_schematic_is_what_its_tool_draws(name: str, drawing: str) -> None:
    assert (pages.ROOT / "book" / "_static" / name).read_text(encoding="utf-8") == drawing


def test_the_stored_claim_says_what_its_tool_draws() -> None:
    # Where each line runs depends on the version of matplotlib.
    words = re.compile(r'aria-label="[^"]*"|<text [^>]*>[^<]*|#[0-9a-f]{6}')
    stored = (pages.ROOT / "book" / "_static" / "claim.html").read_text(encoding="utf-8")
    said = [re.sub("<text [^>]*>", "", word) for word in words.findall(stored)]
    drawn = [re.sub("<text [^>]*>", "", word) for word in words.findall(claim_picture.fragment())]
    assert said == drawn and len(said) > 50


@pytest.mark.parametrize("page", PAGES)
def test_a_schematic_has_a_description_and_a_caption_beneath(book: Rendered, page: str) -> None:
    source = pages.ROOT / Path(page.replace("notebooks/", "book/")).with_suffix(".md")
    text = (book.html / page).read_text()
    drawn = re.findall(
        r'<div class="drawn (?:schematic|claim)" role="img" aria-label="([^"]+)">.*?'
        r"</svg></div>\s*</div>\s*<p><em>([^<]+)",
        text,
        re.DOTALL,
    )
    included = re.findall(r"_static/(?:schematic-|claim)", source.read_text(encoding="utf-8"))
    assert len(drawn) == len(included)
    assert text.count("drawn schematic") + text.count("drawn claim") == len(drawn)
    for described, caption in drawn:
        assert len(described.split()) > 20 and len(caption.split()) > 5


def test_the_front_page_and_its_short_version_have_a_schematic(book: Rendered) -> None:
    for page in PAGES[:2]:
        assert "drawn schematic" in (book.html / page).read_text()


@pytest.mark.parametrize("what", ["name", "caption", "alt"])
def test_a_figure_that_lacks_its_text_is_a_warning(tmp_path: Path, what: str) -> None:
    texts = {"figure": {"name": "fig-x", "caption": "What to see."}, "image": {"alt": "A line."}}
    del texts["image" if what == "alt" else "figure"][what]
    html = '<div class="drawn" role="img" aria-label="figure"><svg></svg></div>'
    cell = new_code_cell(
        "show",
        metadata={"mystnb": texts},
        outputs=[new_output("display_data", {"text/html": html})],
    )
    built = small_book(tmp_path, "# A page\n", extension="figure_texts", cells=[cell])
    assert f"a figure has no {what}" in built.log and built.status


@pytest.mark.parametrize("page", [p for p in NOTEBOOKS if re.search(r"/(?!00-)\d", p)])
def test_a_chapter_has_the_number_of_its_file(book: Rendered, page: str) -> None:
    number = re.search(
        r'<h1><span class="section-number">(\d+)\. ?</span>', (book.html / page).read_text()
    )
    assert number and int(number[1]) == int(Path(page).stem[:2])


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_a_page_counts_its_figures_and_exercises_from_one(book: Rendered, page: str) -> None:
    text = (book.html / page).read_text()
    chapter = re.match(r"notebooks/0*(\d*)", page)
    prefix = f"{chapter[1]}." if chapter and chapter[1] else ""
    for kind in ("Figure", "Exercise"):
        numbers = re.findall(rf'caption-number">{kind} ([\d.]+)', text)
        assert numbers == [f"{prefix}{k}" for k in range(1, len(numbers) + 1)]


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("book/")])
def test_no_mark_of_code_is_left_in_the_text(book: Rendered, page: str) -> None:
    """As of a backtick that follows a sign, which reStructuredText does not read."""
    text = (book.html / page).read_text()
    text = re.sub(r"<(pre|code|script|style)\b.*?</\1>", "", text, flags=re.DOTALL)
    assert re.findall(r".{0,30}`.{0,30}", re.sub(r"<[^>]*>", "", text)) == []


def test_links_within_the_book_lead_somewhere(book: Rendered) -> None:
    assert broken_links(book.html.resolve()) == []


def settings(root: Path) -> None:
    """The book's own settings, and what they name, for a book of other pages."""
    for folder in ("_ext", "_static", "_templates"):
        shutil.copytree(pages.ROOT / "book" / folder, root / "book" / folder)
    for file in ("_config.yml", "book/references.bib"):
        shutil.copy2(pages.ROOT / file, root / file)
    (root / "notebooks").mkdir()


@pytest.mark.parametrize("page", [*PAGES, "404.html", "genindex.html", "search.html"])
def test_a_page_is_furnished(book: Rendered, page: str) -> None:
    text = (book.html / page).read_text()
    titles = re.findall(r"<title>(.*?)</title>", text.partition("</head>")[0])  # drawings have some
    assert len(titles) == 1
    parts = re.split(r" &#8212; | - ", titles[0])
    assert len(set(parts)) == len(parts) == (1 if page == PAGES[0] else 2)
    assert parts[-1] == "One weight, two losses"
    assert "_static/logo.svg" in text
    assert "ADDRESS-OF" not in text
    foot = text[text.index('class="bd-footer-content"') :]
    assert "creativecommons.org/licenses/by/4.0" in foot and "BSD 3-Clause" in foot
    cited = re.search(r"<pre>\s*(@misc\{.*?\n\})</pre>", foot, re.DOTALL)
    citation = yaml.safe_load((pages.ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited and f"title  = {{{{{citation['title']}}}}}" in cited[1]
    assert f"author = {{{{{citation['authors'][0]['name']}}}}}".lower() in cited[1].lower()
    assert "url " not in cited[1]  # a checkout has no address


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_before_and_after_are_named(book: Rendered, page: str) -> None:
    text = (book.html / page).read_text()
    named = re.findall(r'<p class="prev-next-title">(.+?)</p>', text, re.DOTALL)
    assert len(named) == (1 if page in (PAGES[0], PAGES[-1]) else 2)


def test_a_wrong_address_leads_into_the_published_book(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMNL_SITE", "https://example.org/book/")
    settings(tmp_path)
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/index\n")
    (tmp_path / "book" / "index.md").write_text("# A page\n\nWords.\n")
    pages.stage(tmp_path, tmp_path / "src")
    built = render(tmp_path / "src", tmp_path)
    assert built.status == 0, built.log
    missing = (built.html / "404.html").read_text()
    base = missing.index('<base href="https://example.org/book/" />')
    assert base < missing.index("_static/")  # or what stands before it is looked for elsewhere
    assert "No such page" in missing and 'href="book/index.html"' in missing
    page = (built.html / "book" / "index.html").read_text()
    assert "<base" not in page and "{https://example.org/book}" in page


def buttons(page: Path) -> dict[str, str]:
    """Where a page's launch and download buttons lead, by their titles."""
    return {title: href for href, title in BUTTON.findall(page.read_text())}


@pytest.mark.parametrize("page", NOTEBOOKS)
def test_a_checkouts_page_can_be_downloaded_and_not_launched(book: Rendered, page: str) -> None:
    found = buttons(book.html / page)
    assert list(found) == ["Download source file"]
    notebook = pages.executed_half(pages.ROOT, Path(page).stem)
    served = (book.html / page).parent / found["Download source file"]
    assert served.read_bytes() == notebook.read_bytes()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """A page under the book's own settings, rendered as a fork's workflow does."""
    root = tmp_path_factory.mktemp("published")
    settings(root)
    (root / "_toc.yml").write_text("format: jb-book\nroot: notebooks/01-page\n")
    cells = [new_markdown_cell("# A page"), new_code_cell('REPOSITORY = ""')]
    python = {"language_info": {"name": "python", "pygments_lexer": "ipython3"}}
    nbformat.write(new_notebook(cells=cells, metadata=python), root / "notebooks/01-page.ipynb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AMNL_REPOSITORY", ADDRESS)
        patch.delenv("AMNL_DISCUSSIONS", raising=False)
        pages.stage(root, root / "src")
    return render(root / "src", root)


def test_a_published_page_opens_in_its_own_repository(published: Rendered) -> None:
    assert published.status == 0, published.log
    page = published.html / "notebooks" / "01-page.html"
    found = buttons(page)
    assert found["Launch on Colab"] == (
        "https://colab.research.google.com/github/someone/a-fork/blob/published/"
        "notebooks/01-page.ipynb"
    )
    assert found["Launch on Binder"] == (
        "https://mybinder.org/v2/gh/someone/a-fork/published"
        "?urlpath=lab/tree/notebooks/01-page.ipynb"
    )
    assert Assets(page.read_text()).external == []


def test_a_published_page_downloads_with_its_address(published: Rendered) -> None:
    page = published.html / "notebooks" / "01-page.html"
    served = nbformat.read(page.parent / buttons(page)["Download source file"], as_version=4)
    assert served.cells[1].source == f'REPOSITORY = "{ADDRESS}"'


def test_a_published_page_takes_issues(published: Rendered) -> None:
    page = (published.html / "notebooks" / "01-page.html").read_text()
    assert f'href="{ADDRESS}/issues/new?' in page


def test_a_page_is_discussed_where_the_publisher_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMNL_REPOSITORY", ADDRESS)
    monkeypatch.setenv("AMNL_DISCUSSIONS", "R_1 Pages DIC_2")
    settings(tmp_path)
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/index\n")
    (tmp_path / "book" / "index.md").write_text("# A page\n\nWords.\n")
    pages.stage(tmp_path, tmp_path / "src")
    built = render(tmp_path / "src", tmp_path)
    assert built.status == 0, built.log
    page = (built.html / "book" / "index.html").read_text()
    for key, value in {
        "repo": "someone/a-fork",
        "repo-id": "R_1",
        "category": "Pages",
        "category-id": "DIC_2",
        "term": "book/index",
    }.items():
        assert f'data-{key}="{value}"' in page


@pytest.mark.parametrize("words", ["R_1 Pages", "R_1 Pages DIC_2 more"])
def test_a_discussion_without_a_place_is_refused(
    words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMNL_REPOSITORY", ADDRESS)
    monkeypatch.setenv("AMNL_DISCUSSIONS", words)
    with pytest.raises(SystemExit, match="three words"):
        pages.discussions()


SMALL_CONFIG = "title: t\nonly_build_toc_files: true\nexecute: {execute_notebooks: 'off'}\n"


def small_book(
    folder: Path, text: str, *, extension: str = "", cells: Sequence[NotebookNode] = ()
) -> Rendered:
    """A page of text, with code cells a notebook."""
    source = folder / "src"
    source.mkdir()
    config = SMALL_CONFIG
    if extension:
        shutil.copy2(pages.ROOT / "book" / "_ext" / f"{extension}.py", source)
        config += f"sphinx: {{local_extensions: {{{extension}: .}}}}\n"
    (source / "_config.yml").write_text(config)
    (source / "_toc.yml").write_text("format: jb-book\nroot: index\n")
    if cells:
        kernel = {"kernelspec": {"display_name": "", "language": "python", "name": "python3"}}
        notebook = new_notebook(cells=[new_markdown_cell(text), *cells], metadata=kernel)
        nbformat.write(notebook, source / "index.ipynb")
    else:
        (source / "index.md").write_text(text)
    return render(source, folder)


def test_a_sound_small_book_builds(tmp_path: Path) -> None:
    built = small_book(tmp_path, "# A page\n\nWords.\n")
    assert built.status == 0, built.log


def test_a_broken_reference_stops_the_build(tmp_path: Path) -> None:
    built = small_book(tmp_path, "# A page\n\n[nowhere](no-such-page.md)\n")
    assert built.status != 0
    assert "no-such-page.md" in built.log


def test_a_link_that_leads_nowhere_is_seen(tmp_path: Path) -> None:
    text = """# A page

<a href="no-such-page.html">a</a> <a href="index.html#no-such-place">b</a> <a href="#c">c</a>
<a href="index.html#a-page">fine</a> <a href="https://example.org/x#y">elsewhere</a>
"""
    html = small_book(tmp_path, text).html.resolve()
    assert broken_links(html) == [
        f"index.html: {target}"
        for target in ("no-such-page.html", "index.html#no-such-place", "#c")
    ]


def meta(html: str) -> dict[str, str]:
    return dict(re.findall(r'<meta (?:property|name)="([^"]*)" content="([^"]*)"', html))


def test_a_published_page_can_be_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, book: Rendered
) -> None:
    monkeypatch.setenv("AMNL_SITE", "https://example.org/book")
    built = small_book(tmp_path, "# A page\n\nWords about $\\lambda$.\n", extension="published")
    assert built.status == 0, built.log
    page = (built.html / "index.html").read_text()
    said = meta(page)
    assert said["og:title"] == "A page" and said["og:site_name"] == "t"
    assert said["og:description"] == said["description"] == "Words about λ."
    assert said["og:url"] == "https://example.org/book/index.html"
    assert said["twitter:card"] == "summary_large_image"
    assert '<link rel="canonical" href="https://example.org/book/index.html"' in page
    picture = said["og:image"].removeprefix("https://example.org/book/")
    size = ("og:image:width", "og:image:height")
    with Image.open(book.html / picture) as image:
        assert image.size == tuple(int(said[key]) for key in size)
    listed = ElementTree.parse(built.html / "sitemap.xml").iterfind(".//{*}loc")
    assert [place.text for place in listed] == ["https://example.org/book/index.html"]


def test_a_book_without_an_address_says_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AMNL_SITE", raising=False)
    built = small_book(tmp_path, "# A page\n\nWords.\n", extension="published")
    assert built.status == 0, built.log
    assert not [key for key in meta((built.html / "index.html").read_text()) if "og:" in key]
    assert not (built.html / "sitemap.xml").exists()


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
