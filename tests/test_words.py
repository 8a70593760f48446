"""A page spells an abbreviation out before it uses it, and links it to the glossary.

Read from the rendered pages: headings, paragraphs, tables and captions, without code, its outputs
and formulas. CPU and GPU are left to the reader.
"""

import re

import pytest
from bs4 import BeautifulSoup
from shared import Rendered
from test_build import PAGES

EXPANSIONS = {
    "RUL": r"remaining.useful.life",
    "RMSE": r"root mean square error",
    "C-MAPSS": r"simulat",
    "AMNL": r"adaptive multi-task normalized loss",
    "GABA": r"gradient-aware balancing",
    "GRACE": r"with sample weights",
    "GradNorm": r"gradient normalisation",
    "DWA": r"dynamic weight average",
    "LSTM": r"long short-term memory",
    "MSE": r"mean squared error",
    "CI": r"continuous integration",
}
LISTS = ("book/api.html", "book/glossary.html", "book/references.html")  # read by lookup
PROSE = [page for page in PAGES if page not in LISTS]


def prose(html: str) -> BeautifulSoup:
    article = BeautifulSoup(html, "html.parser").select_one("article.bd-article")
    assert article, "a page without an article"
    for part in article.select(
        "pre, script, style, .cell_input, .math, .MathJax, svg, .headerlink"
    ):
        part.decompose()
    return article


def first_use(text: str, word: str) -> re.Match[str] | None:
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text)


def unexplained(text: str) -> list[str]:
    """Abbreviations whose first use comes before their words, or without them."""
    found = []
    for word, words in EXPANSIONS.items():
        use = first_use(text, word)
        if use and not re.search(words, text[: use.end() + 90], re.IGNORECASE):
            found.append(f"{word}: …{text[max(0, use.start() - 40) : use.end() + 20]}…")
    return found


@pytest.mark.parametrize("page", PROSE)
def test_an_abbreviation_is_spelled_out_where_it_is_first_used(book: Rendered, page: str) -> None:
    text = " ".join(prose((book.html / page).read_text(encoding="utf-8")).get_text(" ").split())
    assert unexplained(text) == []


@pytest.mark.parametrize("page", PROSE)
def test_an_abbreviation_is_linked_to_the_glossary(book: Rendered, page: str) -> None:
    article = prose((book.html / page).read_text(encoding="utf-8"))
    text = " ".join(article.get_text(" ").split())
    linked = {
        str(link["href"]).rpartition("#term-")[2] for link in article.select('[href*="#term-"]')
    }
    glossary = BeautifulSoup((book.html / "book/glossary.html").read_text(), "html.parser")
    terms = {str(term["id"])[len("term-") :] for term in glossary.select('dt[id^="term-"]')}
    used = {word for word in EXPANSIONS if word in terms and first_use(text, word)}
    assert used <= linked, f"never linked on this page: {sorted(used - linked)}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The remaining useful life (RUL) of an engine. RUL falls.", []),
        ("Its RUL, the remaining useful life, falls.", []),
        ("Its RUL falls." + " So it goes." * 20 + " The remaining useful life.", ["RUL"]),
        ("An error (RMSE) of 14.", ["RMSE"]),
        ("A GRACEFUL end of C-MAPSS-like data.", []),
    ],
)
def test_the_test_finds_what_it_looks_for(text: str, expected: list[str]) -> None:
    assert [found.partition(":")[0] for found in unexplained(text)] == expected
