"""The moving weights in a browser: play, slider and unit by mouse, keys and finger."""

from collections.abc import Iterator
from typing import Any

import pytest
from playing import frame_time
from playwright.sync_api import Browser, Locator, Page
from shared import Rendered

from amnl.study.explorables.moving_weights import moving_weights, with_pulls
from amnl.study.rows import load_rows

pytestmark = pytest.mark.browser

ROWS = load_rows("rule_pulls")
SHOWN = moving_weights(ROWS)
UNITS = SHOWN.numbers["units"]
# Where each row's ring and dot stand on the axis, read back from the drawing: a tick is its odds.
READ = """() => {
  const ticks = [...document.querySelectorAll('.grid g')].map(g => {
    const [a, b] = g.textContent.split(' : ').map(text => Number(text.replaceAll(',', '')));
    return [Math.log10(a / b), g.transform.baseVal.consolidate().matrix.e];
  });
  const [[v0, x0], [v1, x1]] = [ticks[0], ticks.at(-1)];
  const value = (node) => 10 ** (v0 + (node.cx.baseVal.value - x0) / (x1 - x0) * (v1 - v0));
  return [...document.querySelectorAll('.rule')].map(row => ({
    name: row.querySelector('.name').textContent,
    gradients: value(row.querySelector('.ring')),
    pull: value(row.querySelector('.dot')),
    sum: row.querySelector('.sum').textContent,
  }));
}"""


def opened(browser: Browser, width: int = 1000, **options: Any) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": width, "height": 800}, **options)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: faults.append(f"asks for {request.url}"))
    size = "<meta name=viewport content='width=device-width'>"
    page.set_content(
        f"<!doctype html>{size}<body>{SHOWN._repr_html_()}<p style='height: 900px'></p></body>"
    )
    yield page
    page.close()
    assert faults == []


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    yield from opened(browser)


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    yield from opened(browser, width=390, has_touch=True, is_mobile=True)


@pytest.fixture
def still(browser: Browser) -> Iterator[Page]:
    yield from opened(browser, reduced_motion="reduce")


def slider(page: Page) -> Locator:
    return page.get_by_role("slider", name="Epoch")


def epoch(page: Page) -> int:
    return int(slider(page).input_value())


def shows(page: Page, unit: int, at: int) -> None:
    """The picture says what Python says of this unit and epoch."""
    assert epoch(page) == at
    found = page.evaluate(READ)
    assert [row["name"] for row in found] == [rule["name"] for rule in UNITS[unit]["rules"]]
    for row, rule in zip(found, UNITS[unit]["rules"], strict=True):
        assert row["gradients"] == pytest.approx(rule["gradients"][at], rel=0.01)
        assert row["pull"] == pytest.approx(rule["gradients"][at] * rule["weights"][at], rel=0.01)


def test_keys_reach_every_epoch_and_show_what_python_says(page: Page) -> None:
    slider(page).focus()
    for key, at in (
        ("Home", 0), ("ArrowRight", 1), ("ArrowUp", 2), ("PageUp", 6), ("ArrowLeft", 5),
        ("End", 40), ("PageDown", 36),
    ):  # fmt: skip
        page.keyboard.press(key)
        shows(page, 0, at)
        assert slider(page).get_attribute("aria-valuetext") == f"epoch {at} of 40"
    assert page.evaluate("scrollY") == 0
    page.keyboard.press("Tab")
    assert page.get_by_role("radio").first.evaluate("node => node === document.activeElement")


def test_the_unit_is_changed_by_mouse_and_keys(page: Page) -> None:
    slider(page).fill("30")
    page.get_by_role("radio", name="units of 125 cycles").check()
    shows(page, 1, 30)
    page.keyboard.press("ArrowUp")
    shows(page, 0, 30)


def test_play_runs_to_the_end_and_begins_again(page: Page) -> None:
    button = page.get_by_role("button")
    button.click()
    page.wait_for_function("document.querySelector('moving-weights input').value >= 3")
    assert button.inner_text().endswith("Pause")
    button.click()
    at = epoch(page)
    page.wait_for_timeout(400)
    shows(page, 0, at)
    assert at < 40 and button.inner_text().endswith("Play")
    slider(page).fill("38")
    button.press("Enter")
    page.wait_for_function("document.querySelector('moving-weights button').innerText[0] === '▶'")
    shows(page, 0, 40)
    button.press("Space")
    page.wait_for_function("document.querySelector('moving-weights input').value < 20")
    slider(page).fill("7")  # the hand takes over
    page.wait_for_timeout(400)
    shows(page, 0, 7)


def test_nothing_moves_by_itself_for_readers_who_want_no_motion(still: Page) -> None:
    button = still.get_by_role("button")
    for at in (10, 20, 30, 40, 0):
        button.click()
        shows(still, 0, at)
        still.wait_for_timeout(200)
        shows(still, 0, at)
    still.emulate_media(reduced_motion="no-preference")
    still.wait_for_function("document.querySelector('moving-weights button').innerText[0] === '▶'")


def test_a_finger_plays_drags_and_scrolls(phone: Page) -> None:
    phone.get_by_role("button").tap()
    phone.wait_for_function("document.querySelector('moving-weights input').value >= 1")
    phone.get_by_role("button").tap()
    phone.get_by_role("radio", name="units of 125 cycles").tap()
    remote = phone.context.new_cdp_session(phone)

    def finger(kind: str, *points: tuple[float, float]) -> None:
        touches = [{"x": x, "y": y} for x, y in points]
        remote.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    box = slider(phone).bounding_box()
    assert box
    share = epoch(phone) / 40
    x, y = box["x"] + 11 + share * (box["width"] - 22), box["y"] + box["height"] / 2
    finger("touchStart", (x, y))
    for part in range(1, 11):
        finger("touchMove", (x + 0.1 * part * (box["x"] + box["width"] - 11 - x), y + part))
    finger("touchEnd")
    shows(phone, 1, 40)
    picture = phone.locator("svg[role=img]").bounding_box()
    assert picture
    finger("touchStart", (200, picture["y"] + 300))
    for part in range(1, 11):
        finger("touchMove", (200, picture["y"] + 300 - 20 * part))
    finger("touchEnd")
    phone.wait_for_function("scrollY > 50")
    overhang = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert phone.evaluate(overhang) == 0


def test_the_core_multiplies_as_python_does(page: Page) -> None:
    core = "([rule, k]) => amnl.cores['moving-weights'].pull(rule, k)"
    for rule in UNITS[1]["rules"]:
        for k in (0, 17, 40):
            expected = rule["gradients"][k] * rule["weights"][k]
            assert page.evaluate(core, [rule, k]) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(1078.8, "1,100 : 1"), (1.0, "1 : 1"), (0.05, "1 : 20"), (5.26, "5.3 : 1"), (0.69, "1 : 1.4")],
)
def test_a_ratio_in_words(page: Page, ratio: float, text: str) -> None:
    assert page.evaluate("r => amnl.cores['moving-weights'].odds(r)", ratio) == text


def test_one_sentence_is_spoken_at_rest_and_none_while_it_plays(page: Page) -> None:
    page.locator(".spoken").evaluate("""node => {
      window.heard = [];
      new MutationObserver(() => heard.push(node.textContent)).observe(node, {childList: true});
    }""")
    page.get_by_role("button").click()
    page.wait_for_function("document.querySelector('moving-weights input').value >= 5")
    assert page.evaluate("heard") == []
    page.get_by_role("button").click()
    page.wait_for_function("heard.length > 0")
    page.wait_for_timeout(500)
    (said,) = page.evaluate("heard")
    found = with_pulls(ROWS)
    assert said.startswith(f"Epoch {epoch(page)}, cycles², pulls of RUL against health: a fixed")
    assert all(rule in said for rule in found.rule.unique())


def test_an_epoch_is_drawn_within_a_frame(page: Page) -> None:
    median = frame_time(page, "moving-weights input", 40)
    print(f"an epoch of the moving weights is drawn in {median:.1f} ms (median)")
    assert median < 50


def test_the_colours_follow_and_paper_has_the_table(page: Page) -> None:
    dot = page.locator(".rule .dot").first
    light = dot.evaluate("node => getComputedStyle(node).fill")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert dot.evaluate("node => getComputedStyle(node).fill") != light
    page.emulate_media(media="print")
    assert page.locator(".stands-in").is_visible() and not page.locator(".stage").is_visible()


def test_the_built_page_holds_it_and_keeps_its_place(browser: Browser, book: Rendered) -> None:
    for width in (1280, 390):
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.goto((book.html / "notebooks" / "09-adaptive-combiners.html").as_uri())
        element = page.locator("moving-weights.live")
        shows(page, 0, 0)
        live = element.evaluate("node => node.offsetHeight")
        kept = element.evaluate("node => (node.classList.remove('live'), node.offsetHeight)")
        assert kept == pytest.approx(live, abs=8)
        page.close()
