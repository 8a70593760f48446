"""Every number in the prose of the book is traced to where it comes from.

The pages are read as text. A number is traced by the first of these that it agrees with, exactly or
rounded (from one decimal more, from two after "about", from any that was worked out here):

1. a recomputation: it stands in a sentence of `test_prose_numbers.STATED`;
2. a cell: the code or the stored output of its section; for a number of three digits and more, and
   in a section without cells, of its page;
3. `known_numbers`: a setting of the package, a figure of the source, or one worked out from the
   rows, where its sentence has the words that go with it; or `ARITHMETIC` with others of its page;
4. a cell of a page or section that its sentence points to, or an expectation that it quotes;
5. a citation in its sentence;
6. a registration: the protocol says what was planned and expected, not what was found. Sentences
   that say what was known by then, and its changes, are traced like any other page;
7. `EXCEPTIONS`, each with its reason.

What this cannot see:

- Whether the number belongs to what the sentence says of it. 14.42 is traced by any 14.42 of its
  section, so a number in the wrong place, a wrong sign or a wrong unit goes unseen. Short numbers
  agree with something by accident: `test_a_wrong_digit_is_found` measures how often.
- Whole numbers up to 12, the weights of the sweep (0.5 without a unit after it), numbers in words,
  in formulas and on pictures, dates, and names (chapter 5, FD001): they are not looked at.
- Whether a cited source says what is quoted from it, unless its figure is in `source_*.csv`; and
  whether a registration is still the one that was registered.
- Whether a stored output is what the code prints now. Running the pages does that.
"""

import random
import re
from collections.abc import Iterable
from functools import cache

import pages
import pytest
import tracing
from known_numbers import entries
from test_prose_numbers import STATED
from tracing import EXACT, PAGES, ROOT, Number, Stated

CITED = re.compile(r"\{cite|\]\(http|[Cc]hapters?\s+\d+\.\d")
# Pages whose sections before this one are registrations, except what they quote as known.
REGISTERED = {"protocol": "changes"}
EXPECTED = re.compile(r"[Pp]rotocol|[Ee]xpect|predict")  # what quotes a registration
QUOTED = re.compile(r"[Kk]nown by then|[Tt]hose say|They say|\*\*Why")

# (page, phrase): the phrase's number, from others that stand on the page
ARITHMETIC = {
    ("01-convex-combination", "A total of 1.5 may be 1.5 and 1.5, or 3 and 0"): "3 / 2",
    ("01-convex-combination", "two losses of 1 give 1.2"): "0.6 + 0.6",
    ("01-convex-combination", "multiplied by the same 1.2"): "0.6 + 0.6",
    ("01-convex-combination", "a step 1.2 times as long"): "0.6 + 0.6",
    ("03-fixed-weight-loss", "falls from 2500"): "150 + 2350",
    ("06-weight-sweep", "by more than 0.07 cycles"): "0.06 + 0.01",  # the next above the largest
    ("10-ledger", "fall in 2⁵ = 32 ways"): "2**5",
    ("10-ledger", "happen by chance once in 16"): "2**5 / 2",
    ("five-minutes", "An error of 14 cycles"): "196**0.5",
    ("five-minutes", "squared, is 196"): "14**2",
    ("five-minutes", "cycles of the cap is 0.11"): "14 / 125",
    ("five-minutes", "0.11, and squared 0.013"): "(14 / 125) ** 2",
    ("protocol", "although the first is 3.3 times less"): "1e-3 / 3e-4",
    ("quiz-idea", "The RUL error is 14 cycles"): "196**0.5",
    ("quiz-idea", "0.5 · 196"): "14**2",
    ("quiz-idea", "= 98 against"): "0.5 * 196",
    ("quiz-idea", "(14/125)²"): "14",
    ("quiz-idea", "≈ 0.006 against"): "0.5 * (14 / 125) ** 2",
    ("protocol", "on its 30 cells of FD001"): "3 * 10",  # weights and seeds
    ("12-how-far-to-believe-it", "the same 25 trainings"): "5 * 5",  # weights and seeds
}
# (page, phrase): why no file here can tell its numbers
EXCEPTIONS = {
    ("08-where-half-could-win", "level from about 90 per cent on"): "read off the picture",
    ("quiz-idea", "falls from 1.6 to 1.5"): "an invented example",
    ("protocol", "at hand for 15 minutes"): "by the clock, of a machine that was lent",
    ("protocol", "TF32 would have needed 13"): "an estimate of that hour",
    ("protocol", "none of the 840 cells that had ended"): "how far two sweeps were at that hour",
    ("protocol", "was −0.099 cycles, standard error 0.145"): "a prototype's runs, not kept",
    ("protocol", "(14.4, 14.0, 14.5, 13.9)"): "the pilots' runs, not kept, as the page says",
}


def source(page: str) -> str:
    return (ROOT / "book" / f"{page}.md").read_text(encoding="utf-8")


def spans(patterns: Iterable[str], text: str) -> list[range]:
    """Where the patterns are found, wherever the text breaks its lines."""
    return [
        range(*found.span())
        for pattern in patterns
        for found in re.finditer(pattern.replace("\\ ", " ").replace(" ", r"\s+"), text, re.DOTALL)
    ]


@cache
def known() -> list[tuple[re.Pattern[str], set[Number]]]:
    return [
        (
            re.compile(words),
            {Number(abs(v), 0 if float(v).is_integer() else EXACT) for v in values()},
        )
        for words, values in entries().values()
    ]


@cache
def registered() -> set[Number]:
    """The numbers of the plans and expectations."""
    plans = [Page(name) for name in REGISTERED]
    return {said.number for page in plans for said in page.stated if said.start in page.registered}


class Page:
    """A page's source, and how its numbers are traced."""

    def __init__(self, name: str, text: str | None = None) -> None:
        self.name, self.text = name, source(name) if text is None else text
        self.stated = tracing.stated(self.text)
        self.recomputed = spans(
            (pattern for page, pattern, _ in STATED.values() if page == name), self.text
        )
        phrases = [re.escape(phrase) for page, phrase in EXCEPTIONS if page == name]
        self.excepted = spans(phrases, self.text)
        self.worked_out = [
            (span, Number(eval(sum_), EXACT))
            for (page, phrase), sum_ in ARITHMETIC.items()
            if page == name
            for span in spans([re.escape(phrase)], self.text)
        ]
        self.registered = range(0)
        if name in REGISTERED:
            (end,) = (
                at for at, heading in tracing.headings(self.text) if heading == REGISTERED[name]
            )
            self.registered = range(end)

    def trace(self, said: Stated) -> str:
        """Where a number comes from; empty when nothing tells."""
        digits = len(re.sub(r"\D", "", said.text).lstrip("0"))

        def shown(page: str, heading: str) -> bool:
            return any(map(said.agrees, tracing.evidence(page, heading, digits)))

        if any(said.start in span for span in self.recomputed):
            return "a recomputation"
        if shown(self.name, said.heading):
            return "a cell"
        for words, values in known():
            if words.search(said.sentence) and any(map(said.agrees, values)):
                return "a known number"
        if any(said.start in span and said.agrees(value) for span, value in self.worked_out):
            return "arithmetic"
        if EXPECTED.search(said.sentence) and any(map(said.agrees, registered())):
            return "a registration, quoted"
        if any(shown(*place) for place in tracing.linked(said.sentence)):
            return "a cell elsewhere"
        if CITED.search(said.sentence):
            return "a citation"
        if said.start in self.registered and not QUOTED.search(said.sentence):
            return "a registration"
        if any(said.start in span for span in self.excepted):
            return "an exception"
        return ""

    def untraced(self) -> list[Stated]:
        return [said for said in self.stated if not self.trace(said)]


def needs_files(page: str) -> bool:
    path = ROOT / "notebooks" / f"{page}.ipynb"
    return path.exists() and '"needs": "nasa"' in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_every_number_is_traced(name: str) -> None:
    found = Page(name).untraced()
    if found and needs_files(name) and (why := pages.no_nasa_files()):
        pytest.skip(why)
    faults = [f"book/{name}.md:{s.line}: {s.text} in {s.sentence[:160]!r}" for s in found]
    assert not faults, "\n".join(
        [
            *faults,
            "Trace a number in one of three ways: let a cell of its section print it (or name the "
            "page that does); compute it in test_prose_numbers.STATED, or in known_numbers with "
            "words of its sentence; cite where it is from.",
        ]
    )


@pytest.mark.parametrize(("page", "phrase"), [*ARITHMETIC, *EXCEPTIONS])
def test_an_exception_is_still_on_its_page(page: str, phrase: str) -> None:
    assert spans([re.escape(phrase)], source(page)), f"{page} no longer says {phrase!r}: drop it"


@pytest.mark.parametrize(("place", "said"), ARITHMETIC.items())
def test_arithmetic_is_of_numbers_on_the_page(place: tuple[str, str], said: str) -> None:
    page, _ = place
    there = {n.value for n in tracing.numbers(source(page))}
    there |= {n.value for section in tracing.computed(page).values() for n in section}
    assert {n.value for n in tracing.numbers(said) if n.value > tracing.SMALL} <= there


PAGE = """\
# A page

## Look

{sentence}
"""


@pytest.mark.parametrize(
    ("sentence", "untraced"),
    [
        ("It is 77.123 cycles.", ["77.123"]),
        ("It is 1,234,567 and 98 % of it.", ["1,234,567", "98"]),
        ("It is 0.4 to 0.8 cycles.", ["0.4", "0.8"]),
        ("| a | 77.123 |", ["77.123"]),
        ("```{image} x.png\n:alt: Bars of 77.123 height.\n:class: wide\n```", ["77.123"]),
        ("It is 77.123 {cite:p}`source`. Ours is 88.123.", ["88.123"]),
        ("The weight is 0.4, one of 12 (chapter 15, FD001, 23 November 2026).", []),
        ("A window has 30 cycles, capped at 125.", []),
        ("A window has 31 cycles, capped at 126.", ["31", "126"]),
        ("`77.123`, $77.123$ and [a link](77.123.html) <!-- 77.123 -->", []),
        ("```\n77.123\n```", []),
    ],
)
def test_a_planted_number_is_found(sentence: str, untraced: list[str]) -> None:
    page = Page("api", PAGE.format(sentence=sentence))
    assert [said.text for said in page.untraced()] == untraced


def test_a_wrong_digit_is_found() -> None:
    """Another last digit in a number of the prose: in three of four cases no number agrees with it.

    The rest agree with something by accident. Registrations are not asked; numbers of a
    recomputation and of arithmetic are found by their own tests.
    """
    draw = random.Random(0)
    found: list[bool] = []
    for page in map(Page, PAGES):
        for said in page.stated:
            if said.start in page.registered or not page.trace(said):
                continue
            last = re.findall(r"\d", said.text)[-1]
            digit = draw.choice("0123456789".replace(last, ""))
            how = page.trace(tracing.with_digit(said, digit))
            found.append(how in ("", "a recomputation", "an exception"))
    rate = sum(found) / len(found)
    print(f"{rate:.0%} of {len(found)} numbers with another last digit are found")
    assert rate > 0.65
