"""The numbers of a page: those its prose states, and those that its cells compute.

Prose is what a reader reads as sentences, tables and the words that stand in for a picture. Code,
formulas, addresses, citations and comments are blanked, so that every place in the text stays.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from amnl.study.tables import LAMS

ROOT = Path(__file__).parents[1]
PAGES = sorted(path.stem for path in (ROOT / "book").glob("*.md"))
SMALL = 12  # whole numbers up to this one are everywhere, and are not traced
WEIGHTS = {*LAMS, *(round(1 - lam, 2) for lam in LAMS)}
ROUNDED = 1  # decimals that prose may drop of a printed number, or one more after "about"
PRECISE = 3  # digits of a number that hardly occurs on a page by accident

_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_NUMBER = re.compile(
    r"(?<![\w.])(?P<whole>\d{1,3}(?:,\d{3})+|\d+)(?P<fraction>\.\d+)?(?P<power>e[+-]?\d+)?"
    r"(?:st|nd|rd|th)?(?!\w)"
)
_MORE = r"(?:,? (?:to|and|or|by|against) [−+±]?[\d.,]*\d)*\s?"  # 0.4 to 1.25 cycles
_UNIT = re.compile(_MORE + r"(?:%|cycle|point|of a )")
_PERCENT = re.compile(_MORE + "%")
_ABOUT = re.compile(r"\b(?:about|some|near|nearly|almost)\s+(?:[\d.,]+ (?:to|and) )?\Z")
_NAMES = re.compile(  # of days, of this book's parts and the source's, and of commits
    rf"\d{{1,2}} (?:{_MONTHS})(?: \d{{4}})?|\d\d:\d\d UTC|SHA-\d+|commit\s+\d+"
    r"|[Cc](?:hapter|laim)s?\s+\d+(?:\.\d+)?(?:(?:,| and| to| or)\s\d+(?:\.\d+)?)*"
)
_FENCE = r"^(?P<fence>```+).*?^(?P=fence)$"
_NO_PROSE = tuple(
    re.compile(pattern, re.MULTILINE | re.DOTALL)
    for pattern in (
        r"\A---\n.*?\n---\n",
        _FENCE,
        r"^:::+.*?$|^:\w[\w-]*:.*?$",
        r"^%.*?$|<!--.*?-->|</?[a-z][^>]*>",
        r"\$\$.*?\$\$|\$[^$]*\$",
        r"\{[\w:]+\}`[^`]*`|`[^`]*`|\]\([^)]*\)",
        r"^#+ \d+\S*|^ *\d+\. ",
        r"\*\*Time:\*\*[^.]*\.",  # how long a page takes to read, an editor's guess
    )
)
_WORDS = re.compile(
    r"^ *:?(?:alt|caption):(.*?)(?=^ *:|^\w|^---|^ +[\w-]+:|\Z)", re.MULTILINE | re.DOTALL
)
_END = re.compile(r"\n[ \t]*\n|\n(?=[ \t]*(?:\||- ))|(?<=[.!?])[*)\"]*\s+(?=[A-Z*\[(])")


class Number(NamedTuple):
    value: float
    decimals: int


EXACT = 99  # decimals of a number that was worked out, and is rounded to any


@dataclass(frozen=True)
class Stated:
    """A number in prose, and where it stands."""

    number: Number
    text: str
    percent: bool
    rounded: int  # decimals that it may have lost
    start: int
    line: int
    sentence: str
    heading: str

    def agrees(self, found: Number) -> bool:
        """Whether it is `found`, as exact as it is put or rounded from more decimals."""
        return any(
            _rounds_to(
                self.number, Number(found.value * scale, found.decimals - places), self.rounded
            )
            for scale, places in ((1, 0), (100, 2))[: 1 + self.percent]
        )


def _rounds_to(said: Number, found: Number, rounded: int) -> bool:
    worked_out = found.decimals >= EXACT - 2
    more = found.decimals - said.decimals
    slack = 0.5 * 10.0**-said.decimals if more else 0.0
    return (worked_out or 0 <= more <= rounded) and abs(found.value - said.value) <= slack + 1e-9


def _number(found: re.Match[str]) -> Number:
    whole, fraction, power = found.group("whole", "fraction", "power")
    exact = whole.replace(",", "") + (fraction or "")
    decimals = len(fraction or ".") - 1 - int((power or "e0")[1:])
    return Number(float(exact + (power or "")), max(0, decimals))


def with_digit(said: Stated, digit: str) -> Stated:
    """The number with another last digit."""
    match = re.match(r"[\d,.]*\d", said.text)
    assert match
    text = match[0][:-1] + digit
    found = _NUMBER.match(text)
    assert found
    return replace(said, number=_number(found), text=text)


def numbers(text: str) -> set[Number]:
    return {_number(found) for found in _NUMBER.finditer(text)}


def _blank(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found[0])


def _words_for_a_picture(found: re.Match[str]) -> str:
    text, shown = found[0], list(_blank(found))
    for words in _WORDS.finditer(text):
        shown[slice(*words.span(1))] = words[1]
    return "".join(shown)


def prose(text: str) -> str:
    """The text with all else blanked, as long as before."""
    for pattern in _NO_PROSE:
        fenced = pattern.pattern == _FENCE
        text = pattern.sub(_words_for_a_picture if fenced else _blank, text)
    return text


def _around(text: str, start: int, end: re.Pattern[str]) -> slice:
    ends = [found for found in end.finditer(text)]
    before = max((found.end() for found in ends if found.end() <= start), default=0)
    after = min((found.start() for found in ends if found.start() > start), default=len(text))
    return slice(before, after)


def slug(heading: str) -> str:
    """What a link calls a section."""
    return re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-"))


def headings(text: str) -> list[tuple[int, str]]:
    found = re.finditer(r"^## (.*)$", re.sub(_FENCE, _blank, text, flags=re.M | re.S), re.M)
    return [(0, ""), *((match.start(), slug(match[1])) for match in found)]


def stated(text: str) -> list[Stated]:
    """The numbers in the prose of a page's source that have to be traced.

    Whole numbers up to `SMALL`, and weights (those of the sweep, without a unit), are left out.
    """
    plain = prose(text)
    sections = headings(text)
    found = []
    for match in _NUMBER.finditer(_NAMES.sub(_blank, plain)):
        number, start = _number(match), match.start()
        unit = _UNIT.match(plain, match.end())
        if (number.decimals == 0 and number.value <= SMALL) or (
            number.value in WEIGHTS and number.decimals and not unit
        ):
            continue
        found.append(
            Stated(
                number,
                match[0],
                bool(_PERCENT.match(plain, match.end())),
                ROUNDED + bool(_ABOUT.search(plain, 0, start)),
                start,
                text.count("\n", 0, start) + 1,
                " ".join(text[_around(plain, start, _END)].split()),
                [heading for place, heading in sections if place <= start][-1],
            )
        )
    return found


def _texts(cell: dict[str, Any]) -> Iterable[str]:
    yield re.sub(r"#.*", "", "".join(cell["source"]))
    for output in cell["outputs"]:
        data = output.get("data", {})
        shown = [text for kind, text in data.items() if kind.startswith("text/")]
        for text in [output.get("text", ""), *shown]:
            plain = re.sub(r"<(script|style|svg).*?</\1>", " ", "".join(text), flags=re.S)
            yield re.sub(r"<[^>]*>|\]\([^)]*\)", " ", plain)


@cache
def computed(page: str) -> dict[str, set[Number]]:
    """The numbers in the code and the stored outputs of a page, by the section they are in."""
    path = ROOT / "notebooks" / f"{page}.ipynb"
    found: dict[str, set[Number]] = {}
    heading = ""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if path.exists() else ():
        if cell["cell_type"] == "code":
            found.setdefault(heading, set()).update(*map(numbers, _texts(cell)))
        elif cell["cell_type"] == "markdown":
            heading = headings("".join(cell["source"]))[-1][1] or heading
    return found


def evidence(page: str, heading: str, digits: int) -> set[Number]:
    """Where a number of so many digits is looked for: its section, or the page.

    A number of `PRECISE` digits is looked for on the whole page, and so is one in a section that
    computes nothing, such as the first and the last.
    """
    sections = computed(page)
    if digits < PRECISE and heading and heading in sections:
        return sections[heading]
    return set().union(*sections.values())


def linked(text: str) -> Iterable[tuple[str, str]]:
    """Pages and sections of this book that a text points to, by a link or as 'chapter 5'."""
    yield from re.findall(r"([\w-]+)\.(?:ipynb|md)(?:#([\w-]+))?\)", text)
    text = re.sub(r"\[[^\]]*\]\([^)]*\)", "", text)
    for several in re.findall(r"[Cc]hapters?\s+(\d+(?:(?:,| and| to| or)\s\d+)*)(?!\.?\d)", text):
        for number in re.findall(r"\d+", several):
            yield from ((page, "") for page in PAGES if page.startswith(f"{int(number):02d}-"))
