"""Chapter 1's mixing board under mouse, finger and keys shows what Python computes."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playing import (
    FRAMES,
    SPOKEN,
    TEXTS,
    Hand,
    alone,
    built_page,
    centre,
    dark,
    kept_and_live,
    page_functions,
    scrolled,
    still,
)
from playwright.sync_api import Browser, Locator, Page
from shared import Rendered

from amnl.combine import combine_losses
from amnl.study.explorables import mixing_board
from amnl.study.explorables.mixing_board import UNITS

pytestmark = pytest.mark.browser

CHAPTER = page_functions("01-convex-combination", "at_angle", "useful_interval", "share")
RATIO = 225.4
BOARD = mixing_board(RATIO, CHAPTER["useful_interval"], CHAPTER["share"])
READ = """() => {
  const board = document.querySelector('mixing-board');
  const grip = kind => board.querySelector(`g.handle.${kind}`);
  const tip = kind => ({length: Number(grip(kind).getAttribute('aria-valuenow')),
    turn: Number(grip(kind).dataset.turn), said: grip(kind).getAttribute('aria-valuetext')});
  const rows = [...board.querySelectorAll('.panel tbody tr')];
  const span = board.querySelector('.span');
  return {rul: tip('rul'), hs: tip('hs'),
    lam: Number(grip('mix').getAttribute('aria-valuenow')),
    slider: board.querySelector('.lam input').valueAsNumber,
    words: rows.map(row => row.cells[1].dataset.word),
    changes: rows.map(row => Number(row.cells[2].dataset.value)),
    shown: rows.map(row => row.cells[2].textContent),
    share: Number(board.querySelector('.words').dataset.value),
    interval: [Number(span.dataset.low), Number(span.dataset.high)], span: span.textContent,
    unit: board.querySelectorAll('.slider output')[1].textContent};
}"""
CORE = """([rul, hs, lam]) => {
  const core = amnl.cores['mixing-board'], mix = core.mixture(rul, hs, lam);
  const ratio = Math.hypot(...rul) / Math.hypot(...hs);
  return [core.combine(rul[0], hs[0], lam), ...mix, ...core.usefulInterval(rul, hs),
    core.share(lam, ratio), core.change(mix, rul), core.change(mix, hs)];
}"""


@pytest.fixture(scope="module")
def opened(browser: Browser) -> Iterator[Page]:
    with alone(browser, BOARD, reduced_motion="reduce") as page:
        yield page


@pytest.fixture
def page(opened: Page) -> Page:
    opened.evaluate("scrollTo(0, 0)")
    press(opened, "start again")
    return opened


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).click()
    still(page)


def tip(page: Page, kind: str) -> Locator:
    names = {"rul": "RUL gradient", "hs": "health gradient", "mix": "λ on the segment"}
    return page.get_by_role("slider", name=names[kind])


def lam_slider(page: Page) -> Locator:
    return page.get_by_role("slider", name="λ, the weight of the RUL loss")


def mixture(rul: Any, hs: Any, lam: float) -> Any:
    return np.array([combine_losses(one, other, lam) for one, other in zip(rul, hs, strict=True)])


def read(page: Page) -> Any:
    """What the board shows, after a check that it is what the page's Python says of its arrows."""
    still(page)
    shown = page.evaluate(READ)
    rul, hs = (
        CHAPTER["at_angle"](shown[task]["turn"], shown[task]["length"]) for task in ("rul", "hs")
    )
    lam = shown["lam"]
    assert shown["slider"] == pytest.approx(lam)
    mix = mixture(rul, hs, lam)
    changes = [-mix @ rul, -mix @ hs]
    assert shown["changes"] == pytest.approx(changes, rel=1e-9, abs=1e-12)
    assert shown["interval"] == pytest.approx(CHAPTER["useful_interval"](rul, hs), abs=1e-9)
    ratio = np.linalg.norm(rul) / np.linalg.norm(hs)
    assert shown["share"] == pytest.approx(CHAPTER["share"](lam, ratio), abs=1e-9)
    for change, word, text in zip(changes, shown["words"], shown["shown"], strict=True):
        if word == "stays":
            assert abs(change) < 1e-9
        else:
            assert word == ("falls" if change < 0 else "rises")
            written = float(text.replace("−", "-").replace(",", ""))
            assert written == pytest.approx(change, rel=0.006)
    return shown


RNG = np.random.default_rng(0)
CASES = [
    ([1.0, 0.0], [0.0, 1.0], 0.5),
    ([5.0, 0.0], [-0.5, 0.75**0.5], 0.5),  # the chapter's conflict at 5 : 1
    ([1.0, 0.0], [-1.0, 0.0], 0.5),  # opposite: no weight is useful
    ([225.0, 0.0], [0.1, 1.0], 0.0),
    ([1e-3, 1e-3], [-1e3, 1.0], 1.0),
    *((*RNG.normal(size=(2, 2)).tolist(), lam) for lam in RNG.uniform(size=20).tolist()),
]


@pytest.mark.parametrize(("rul", "hs", "lam"), CASES)
def test_the_core_is_the_python_of_the_page(
    page: Page, rul: list[float], hs: list[float], lam: float
) -> None:
    one, other = np.array(rul), np.array(hs)
    mix = mixture(one, other, lam)
    ratio = np.linalg.norm(one) / np.linalg.norm(other)
    expected = [combine_losses(rul[0], hs[0], lam), *mix]
    expected += [*CHAPTER["useful_interval"](one, other), CHAPTER["share"](lam, ratio)]
    expected += [-mix @ one, -mix @ other]
    assert page.evaluate(CORE, [rul, hs, lam]) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_it_starts_with_equal_lengths_in_conflict(page: Page) -> None:
    shown = read(page)
    assert shown["unit"] == "225 = (15 cycles)²"
    assert shown["rul"]["length"] == pytest.approx(RATIO / 225)
    assert (shown["hs"]["length"], shown["hs"]["turn"]) == (1, 120)
    assert shown["words"] == ["falls", "falls"] and shown["span"].endswith("0.33 to 0.67")


@pytest.mark.parametrize(
    ("button", "length", "words", "unit"),
    [
        ("the source's sizes", RATIO, ["falls", "rises"], "1 = (1 cycle)²"),
        ("units of 125", RATIO / 15_625, ["rises", "falls"], "15,625 = (125 cycles)²"),
        ("equal lengths", 1, ["falls", "falls"], "225 = (15 cycles)²"),
    ],
)
def test_the_buttons_change_the_unit_and_who_is_harmed(
    page: Page, button: str, length: float, words: list[str], unit: str
) -> None:
    press(page, button)
    shown = read(page)
    assert shown["rul"]["length"] == pytest.approx(length) and shown["hs"]["length"] == 1
    assert (shown["words"], shown["unit"], shown["lam"]) == (words, unit, 0.5)


@pytest.mark.parametrize("finger", [False, True])
@pytest.mark.parametrize("kind", ["rul", "hs"])
def test_a_tip_follows_the_hand_and_the_keys_go_on(
    browser: Browser, kind: str, finger: bool
) -> None:
    options: dict[str, Any] = {"has_touch": True, "is_mobile": True} if finger else {}
    with alone(browser, BOARD, 390 if finger else 1000, **options) as page:
        hand, handle = Hand(page, finger=finger), tip(page, kind)
        page.evaluate(SPOKEN)
        start, by = centre(handle), (-60 if kind == "rul" else 60, 15)
        hand.pull(start, by)
        assert centre(handle) == pytest.approx((start[0] + by[0], start[1] + by[1]), abs=1.5)
        held = read(page)
        hand.up()
        let_go = read(page)
        for quantity in ("length", "turn"):
            assert let_go[kind][quantity] == pytest.approx(held[kind][quantity])
        assert scrolled(page) == 0
        assert handle.evaluate("node => node === document.activeElement")
        page.wait_for_timeout(450)
        assert 1 <= page.evaluate("spoken_times") < 5  # when it rests, not at every frame
        page.keyboard.press("ArrowUp")
        assert read(page)[kind]["length"] == pytest.approx(1.1 * held[kind]["length"])


@pytest.mark.parametrize("finger", [False, True])
def test_the_mixture_is_dragged_along_its_segment(browser: Browser, finger: bool) -> None:
    options: dict[str, Any] = {"has_touch": True, "is_mobile": True} if finger else {}
    with alone(browser, BOARD, 390 if finger else 1000, **options) as page:
        start, end = centre(tip(page, "mix")), centre(tip(page, "rul"))
        hand = Hand(page, finger=finger)
        part = 0.6  # of the way, so that λ goes from 0.5 to 0.8
        hand.pull(start, ((end[0] - start[0]) * part, (end[1] - start[1]) * part + 4))
        hand.up()
        shown = read(page)
        assert shown["lam"] == pytest.approx(0.8, abs=0.021)
        assert shown["words"] == ["falls", "rises"]


def test_a_swipe_on_the_empty_plot_scrolls_the_page(browser: Browser) -> None:
    with alone(browser, BOARD, 390, has_touch=True, is_mobile=True) as page:
        before = read(page)
        Hand(page, finger=True).pull((40, 330), (0, -200))
        page.wait_for_timeout(100)
        assert scrolled(page) > 50
        assert read(page) == before


KEYS = [
    ("ArrowUp", 1.1, 0),
    ("ArrowDown", 1 / 1.1, 0),
    ("PageUp", 2, 0),
    ("PageDown", 0.5, 0),
    ("ArrowLeft", 1, 5),
    ("ArrowRight", 1, -5),
    ("Shift+ArrowLeft", 1, 1),
]


@pytest.mark.parametrize("kind", ["rul", "hs"])
@pytest.mark.parametrize(("key", "times", "turn"), KEYS)
def test_a_key_moves_a_tip_and_not_the_page(
    page: Page, kind: str, key: str, times: float, turn: float
) -> None:
    before = read(page)[kind]
    tip(page, kind).press(key)
    after = read(page)[kind]
    assert after["length"] == pytest.approx(before["length"] * times)
    assert after["turn"] == pytest.approx(before["turn"] + turn)
    assert scrolled(page) == 0


@pytest.mark.parametrize("kind", ["rul", "hs", "mix"])
def test_home_and_end_reach_the_ends_that_are_announced(page: Page, kind: str) -> None:
    handle = tip(page, kind)
    for key, bound in (("Home", "aria-valuemin"), ("End", "aria-valuemax")):
        handle.press(key)
        read(page)
        assert handle.get_attribute("aria-valuenow") == handle.get_attribute(bound)
    assert scrolled(page) == 0


def test_lambda_answers_to_slider_and_keys(page: Page) -> None:
    slider = lam_slider(page)
    box = slider.bounding_box()
    assert box
    page.mouse.click(box["x"] + 0.7 * box["width"], box["y"] + box["height"] / 2)
    clicked = read(page)["lam"]
    assert clicked == pytest.approx(0.7, abs=0.03)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert read(page)["lam"] == pytest.approx(clicked + 0.03)
    for key, lam in (("End", 1), ("Home", 0), ("PageUp", 0.1), ("ArrowDown", 0.09)):
        page.keyboard.press(key)
        assert read(page)["lam"] == pytest.approx(lam)
    tip(page, "mix").press("PageUp")
    assert read(page)["lam"] == pytest.approx(0.19)
    assert scrolled(page) == 0


def test_the_dial_divides_the_first_loss(page: Page) -> None:
    dial = page.get_by_role("slider", name="Divide the RUL loss by")
    dial.press("Home")
    for unit in UNITS:
        shown = read(page)
        assert shown["rul"]["length"] == pytest.approx(RATIO / unit**2)
        assert shown["unit"].startswith(f"{unit**2:,} = ({unit} cycle")
        page.keyboard.press("ArrowRight")


@pytest.mark.parametrize(
    ("turn", "span", "words"),
    [
        (30, "both fall from λ = 0 to 1", ["falls", "falls"]),
        (90, "both fall from λ = 0 to 1", ["falls", "falls"]),
        (180, "no λ lowers both", ["stays", "stays"]),
    ],
)
def test_the_interval_in_words(page: Page, turn: int, span: str, words: list[str]) -> None:
    press(page, "equal lengths")
    for _ in range(abs(turn - 120) // 5):
        tip(page, "hs").press("ArrowRight" if turn < 120 else "ArrowLeft")
    shown = read(page)
    assert shown["hs"]["turn"] == turn
    assert (shown["span"], shown["words"]) == (span, words)


def test_tab_comes_and_goes_and_reload_is_left_alone(page: Page) -> None:
    tip(page, "mix").focus()
    order = []
    for _ in range(5):
        order.append(page.evaluate("document.activeElement.getAttribute('aria-label') ?? ''"))
        page.keyboard.press("Tab")
    assert [label.split()[0] if label else "" for label in order] == ["λ", "RUL", "health", "", ""]
    page.keyboard.press("Shift+Tab")
    page.evaluate("""() => addEventListener('keydown',
      event => { window.kept = event.defaultPrevented; }, {once: true})""")
    tip(page, "rul").dispatch_event("keydown", {"key": "r", "ctrlKey": True, "bubbles": True})
    assert page.evaluate("kept") is False


def test_what_assistive_technology_reads(page: Page) -> None:
    sliders = page.get_by_role("slider")
    assert sliders.count() == 5
    for button in ("start again", "the source's sizes", "units of 125"):
        press(page, button)
        for kind in ("rul", "hs", "mix"):
            now, low, high = (
                float(tip(page, kind).get_attribute(f"aria-value{end}") or "nan")
                for end in ("now", "min", "max")
            )
            assert low <= now <= high
    assert tip(page, "hs").get_attribute("aria-valuetext") == (
        "length 1, 120° from the other, the health loss falls"
    )
    assert (lam_slider(page).get_attribute("aria-valuetext") or "").startswith(
        "0.50: the RUL loss rises, the health loss falls; both fall from λ = 0.97"
    )


def test_a_button_walks_unless_the_reader_wants_it_still(browser: Browser) -> None:
    with alone(browser, BOARD) as page:
        press(page, "the source's sizes")
        assert read(page)["unit"] != "1 = (1 cycle)²"
        page.wait_for_timeout(900)
        assert read(page)["unit"] == "1 = (1 cycle)²"


@pytest.mark.parametrize("width", [1000, 390])
def test_words_are_legible_in_light_and_dark(browser: Browser, width: int) -> None:
    with alone(browser, BOARD, width) as page:
        for theme in ("light", "dark"):
            if theme == "dark":
                dark(page)
            texts = page.evaluate(TEXTS)
            assert len(texts) > 15
            assert [text for text in texts if text[1] < 12 or text[2] < 4.5] == []
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_on_paper_stands_the_picture_with_its_numbers(page: Page) -> None:
    page.emulate_media(media="print")
    assert page.locator(".stands-in table").is_visible()
    assert not page.locator("mixing-board .stage").is_visible()
    page.emulate_media(media="screen")


def test_it_is_quick(browser: Browser) -> None:
    with alone(browser, BOARD) as page:
        page.evaluate(FRAMES)
        hand = Hand(page)
        hand.pull(centre(tip(page, "rul")), (-120, -90), steps=60)
        hand.up()
        frames = sorted(page.evaluate("frames_ms"))
        first = page.evaluate("""() => {
          const copy = document.querySelector('mixing-board').cloneNode(true);
          copy.classList.remove('live');
          copy.querySelector('.stage').replaceChildren();
          const began = performance.now();
          document.querySelector('main').append(copy);
          copy.getBoundingClientRect();
          return performance.now() - began;
        }""")
        median = frames[len(frames) // 2]
        print(f"frame: median {median:.1f} ms of {len(frames)}; first draw {first:.0f} ms")
        assert median < 50 and first < 200


def test_the_built_page_shows_it_from_a_file(browser: Browser, book: Rendered) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: faults.append(request.url) if "http" in request.url else 0)
    page.goto(built_page(book.html, "01-convex-combination"), wait_until="load")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        still(page)
        kept, live = kept_and_live(page, "mixing-board")
        assert kept == pytest.approx(live, abs=10)
        assert page.evaluate("document.documentElement.scrollWidth") == width
    press(page, "the source's sizes")
    shown = page.evaluate(READ)
    assert shown["words"] == ["falls", "rises"] and round(shown["rul"]["length"]) == 225
    page.close()
    assert faults == []
