"""The code stepper in a browser: every control by mouse, keys and finger, what it then shows."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest
import torch
from playing import frame_time
from playwright.sync_api import Browser, Locator, Page
from shared import Rendered

from amnl.combine import simulate_sweep
from amnl.combiners import FixedWeightLoss
from amnl.study.explorables.code_stepper import Recording, Step, code_stepper, record

pytestmark = pytest.mark.browser


def smoke_test(combiner: FixedWeightLoss) -> Any:
    rul_loss = torch.tensor(1.95, requires_grad=True)
    total = combiner(rul_loss, torch.tensor(1.10))
    total.backward()
    return rul_loss.grad


TWO = {"FD001": 0.85, "FD002": 1.95}, {"FD001": 1.1, "FD002": 1.1}, [0.1, 0.5, 0.9]
SWEEP = record(simulate_sweep, *TWO, reasons={"losses =": "A total for each of {lambdas}."})
SMOKE = record(smoke_test, FixedWeightLoss(0.7, 0.3), also=(FixedWeightLoss.forward,))
READ = """() => {
  const panel = document.querySelector('.panel.current');
  const text = (node) => node.textContent.trim();
  return {
    where: text(document.querySelector('.where > span')),
    reason: text(document.querySelector('.reason > span')),
    now: panel.querySelector('[aria-selected=true]').id.split('-').slice(-2).map(Number),
    did: text(panel.querySelector('[aria-selected=true] .did > span')),
    values: Object.fromEntries([...panel.querySelectorAll('.named:not(.unset)')]
      .map(row => [text(row.querySelector('dt')), text(row.querySelector('dd > span'))])),
    changed: [...panel.querySelectorAll('.changed dt')].map(text),
  };
}"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    yield from opened(browser)


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    yield from opened(browser, width=390, has_touch=True, is_mobile=True)


def opened(browser: Browser, width: int = 1000, **options: Any) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": width, "height": 800}, **options)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: faults.append(f"asks for {request.url}"))
    yield page
    page.close()
    assert faults == []


def show(page: Page, recording: Recording) -> None:
    html = code_stepper(recording)._repr_html_()
    size = "<meta name=viewport content='width=device-width'>"
    room = "<div style='height: 900px'></div>"
    page.set_content(f"<!doctype html>{size}<body><p>before</p>{html}{room}</body>")


def expected(step: Step) -> dict[str, Any]:
    """What the page should say at a step."""
    line = SWEEP.listings[0].statements[step.statement].number
    where = f"{step.within} · line {line}" + (f" · {step.round}" if step.round else "")
    return {
        "where": where, "reason": step.reason, "now": [step.listing, step.statement],
        "did": step.did, "values": step.values, "changed": step.changed,
    }  # fmt: skip


def slider(page: Page) -> Locator:
    return page.get_by_role("slider", name="Step")


def now(page: Page) -> int:
    return int(slider(page).input_value()) - 1


def test_forward_and_back_show_what_python_recorded(page: Page) -> None:
    show(page, SWEEP)
    forward, back = (page.get_by_role("button", name=name) for name in ("Forward", "Back"))
    assert back.get_attribute("aria-disabled") == "true"
    for k, step in enumerate(SWEEP.steps):
        assert now(page) == k and page.evaluate(READ) == expected(step)
        forward.click(force=True)  # at the end it is disabled, and does nothing
    assert forward.get_attribute("aria-disabled") == "true"
    assert now(page) == len(SWEEP.steps) - 1
    back.click()
    assert page.evaluate(READ) == expected(SWEEP.steps[-2])


def test_keys_step_and_leave_the_page_where_it_is(page: Page) -> None:
    show(page, SWEEP)
    last = len(SWEEP.steps) - 1
    for place in (page.get_by_role("listbox"), page.get_by_role("button", name="Forward")):
        place.focus()
        before = page.evaluate("scrollY")
        for key, step in (
            ("Home", 0), ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("PageUp", 3),
            ("PageDown", 1), ("End", last),
        ):  # fmt: skip
            page.keyboard.press(key)
            assert now(page) == step and page.evaluate(READ) == expected(SWEEP.steps[step])
        assert page.evaluate("scrollY") == before
        assert place.evaluate("node => node === document.activeElement")


def test_the_slider_goes_by_keys_and_tells_where_it_is(page: Page) -> None:
    show(page, SWEEP)
    slider(page).focus()
    for key, step in (("End", 23), ("Home", 0), ("ArrowRight", 1), ("ArrowUp", 2)):
        page.keyboard.press(key)
        assert now(page) == step
        said = slider(page).get_attribute("aria-valuetext") or ""
        assert said.startswith(f"{step + 1} of 24: ") and SWEEP.steps[step].did in said
    page.keyboard.press("Tab")
    assert page.get_by_role("listbox").evaluate("node => node === document.activeElement")
    page.keyboard.press("Tab")
    assert not page.get_by_role("listbox").evaluate("node => node === document.activeElement")


def test_up_and_down_go_from_line_to_line_that_ran(page: Page) -> None:
    show(page, SWEEP)
    page.get_by_role("listbox").focus()
    ran = sorted({step.statement for step in SWEEP.steps})
    for statement in ran[1:]:
        page.keyboard.press("ArrowDown")
        assert SWEEP.steps[now(page)].statement == statement
    page.keyboard.press("ArrowUp")
    assert SWEEP.steps[now(page)].statement == ran[-2]


def test_a_press_on_a_line_leads_to_the_next_step_there(page: Page) -> None:
    show(page, SWEEP)
    losses = page.get_by_role("option").filter(has_text="losses = [combine_losses")
    runs = [k for k, step in enumerate(SWEEP.steps) if step.did.startswith("losses = ")]
    for k in (*runs, runs[0]):
        losses.click()
        assert now(page) == k and page.evaluate(READ) == expected(SWEEP.steps[k])
    page.get_by_role("option").filter(has_text="raise KeyError").click(force=True)  # never ran
    assert now(page) == runs[0]


def test_into_a_function_and_back_keeps_the_focus_and_the_place(page: Page) -> None:
    show(page, SMOKE)
    page.get_by_role("listbox").focus()
    height = page.evaluate("document.querySelector('code-stepper').offsetHeight")
    for k, step in enumerate(SMOKE.steps):
        assert page.evaluate(READ)["now"] == [step.listing, step.statement]
        assert page.evaluate(READ)["values"] == step.values
        focus = page.evaluate("document.activeElement.getAttribute('aria-label')")
        assert focus == f"{SMOKE.listings[step.listing].name}, its lines"
        assert page.evaluate("document.querySelector('code-stepper').offsetHeight") == height
        page.keyboard.press("ArrowRight")
        assert now(page) == min(k + 1, len(SMOKE.steps) - 1)


def test_the_gradient_is_empty_until_backward(page: Page) -> None:
    show(page, SMOKE)
    page.get_by_role("option").filter(has_text="total = combiner").click()
    assert page.evaluate(READ)["values"]["rul_loss.grad"] == "none yet"
    page.get_by_role("option").filter(has_text="total.backward").click()
    assert page.evaluate(READ)["values"]["rul_loss.grad"] == "0.7"
    assert page.evaluate(READ)["changed"] == ["rul_loss.grad"]


def test_a_finger_presses_drags_and_scrolls(phone: Page) -> None:
    show(phone, SWEEP)
    phone.get_by_role("button", name="Forward").tap()
    phone.get_by_role("option").filter(has_text="least = min").tap()
    assert SWEEP.steps[now(phone)].did == "least = 0.875"
    slider(phone).tap(position={"x": 3, "y": 10})
    remote = phone.context.new_cdp_session(phone)

    def finger(kind: str, *points: tuple[float, float]) -> None:
        touches = [{"x": x, "y": y} for x, y in points]
        remote.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    box = slider(phone).bounding_box()
    assert box
    x, y = box["x"] + 11, box["y"] + box["height"] / 2
    finger("touchStart", (x, y))
    for part in range(1, 11):
        finger("touchMove", (x + part * 0.1 * (box["width"] - 22), y + part))
    finger("touchEnd")
    assert now(phone) == len(SWEEP.steps) - 1
    overhang = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert phone.evaluate(overhang) == 0


def test_what_earlier_rounds_did_is_wiped_when_a_round_begins(page: Page) -> None:
    """The pure core against Python's own account of it."""
    show(page, SWEEP)
    core = "([steps, now]) => [...amnl.cores['code-stepper'].trail(steps, now)]"
    steps = [asdict(step) for step in SWEEP.steps]
    for k, step in enumerate(SWEEP.steps):
        begun = 0  # the first step of this round
        while step.round and SWEEP.steps[begun].round != step.round:
            begun += 1
        before = [j for j in range(k + 1) if j >= begun or not SWEEP.steps[j].round]
        marks = {SWEEP.steps[j].statement: j for j in (before if step.round else range(k + 1))}
        assert dict(page.evaluate(core, [steps, k])) == marks


def test_one_sentence_is_spoken_when_the_hand_rests(page: Page) -> None:
    show(page, SWEEP)
    spoken = page.locator(".spoken")
    spoken.evaluate("""node => {
      window.heard = [];
      new MutationObserver(() => heard.push(node.textContent)).observe(node, {childList: true});
    }""")
    for value in range(2, 10):
        slider(page).fill(str(value))
    page.wait_for_function("heard.length > 0")
    assert page.evaluate("heard") == [
        "simulate_sweep · line 19 · round 1 of 2: losses = [1.075, 0.975, 0.875]. "
        "A total for each of [0.1, 0.5, 0.9]."
    ]


def test_a_step_is_drawn_within_a_frame(page: Page) -> None:
    show(page, SWEEP)
    median = frame_time(page, ".steps", 24)
    print(f"a step of the code stepper is drawn in {median:.1f} ms (median)")
    assert median < 50


def test_light_dark_and_paper(page: Page) -> None:
    show(page, SMOKE)
    chosen = page.locator(".panel.current [aria-selected=true]")
    light = chosen.evaluate("node => getComputedStyle(node).borderInlineStartColor")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert chosen.evaluate("node => getComputedStyle(node).borderInlineStartColor") != light
    assert not page.locator(".stands-in").is_visible()
    page.emulate_media(media="print")
    assert page.locator(".stands-in tbody tr").count() == len(SMOKE.steps)
    assert page.locator(".stands-in").is_visible() and not page.locator(".stage").is_visible()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_built_pages_hold_their_steppers_and_keep_their_places(
    browser: Browser, book: Rendered, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    for name, steps in (
        ("01-convex-combination", 8), ("02-numpy-sweep", 24), ("03-fixed-weight-loss", 12),
        ("09-adaptive-combiners", 17),
    ):  # fmt: skip
        page.goto((book.html / "notebooks" / f"{name}.html").as_uri())
        element = page.locator("code-stepper.live")
        assert slider(page).get_attribute("max") == str(steps)
        live = element.evaluate("node => node.offsetHeight")
        kept = element.evaluate("node => (node.classList.remove('live'), node.offsetHeight)")
        assert kept == pytest.approx(live, rel=0.06)
    page.close()


def test_without_scripts_there_is_a_table(browser: Browser) -> None:
    page = browser.new_page(java_script_enabled=False)
    show(page, SMOKE)
    rows = page.locator(".stands-in tbody tr")
    assert rows.count() == len(SMOKE.steps) and rows.first.is_visible()
    assert "rul_loss.grad = 0.7" in page.locator(".stands-in").inner_text()
    page.close()
