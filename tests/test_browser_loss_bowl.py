"""Chapter 2's bowl under mouse, finger and keys shows what Python computes from the same data."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from playing import (
    SPOKEN,
    TEXTS,
    Hand,
    alone,
    built_page,
    centre,
    dark,
    kept_and_live,
    scrolled,
    still,
)
from playwright.sync_api import Browser, Locator, Page
from shared import Rendered

from amnl.study.explorables import loss_bowl
from amnl.study.explorables.loss_bowl import ROWS, SETTINGS
from amnl.study.shared_regression import TwoTasks, draw, excess, fit, optimum, simulate

pytestmark = pytest.mark.browser

BOWL = loss_bowl()
LAMS = np.arange(101) / 100
READ = """() => {
  const bowl = document.querySelector('loss-bowl'), stage = bowl.querySelector('.stage');
  const at = (css, key) => Number(bowl.querySelector(css).dataset[key]);
  return {lam: bowl.querySelector('.views input').valueAsNumber, seed: Number(stage.dataset.seed),
    dials: [...bowl.querySelectorAll('.dials input')].map(input => input.valueAsNumber),
    value: at('.chart circle.here', 'value'), ring: at('.ring', 'lam'),
    optimum: at('.best', 'optimum'), lowest: stage.dataset.lowest.split(' ').map(Number)};
}"""
DATA = """([tasks, seeds]) => seeds.map(seed => {
  const {x1, y1, x2, y2, truth, other} = amnl.cores['loss-bowl'].draw(tasks, seed);
  return [x1, y1, x2, y2, truth, other].map(part => Array.from(part));
})"""
CORE = """([x1, y1, x2, y2, truth, lams, t]) => {
  const core = amnl.cores['loss-bowl'];
  const errors = core.sweep(x1, y1, x2, y2, truth, lams);
  return {fits: lams.map(lam => core.fit(x1, y1, x2, y2, lam)), errors,
    lowest: core.lowest(lams, errors), losses: [core.loss(x1, y1, [0.3, -0.2]),
      core.loss(x2, y2, [0.3, -0.2])],
    excess: lams.map(lam => core.excess(t, lam)), optimum: core.optimum(t),
    ends: [core.primaryVariance(t), core.auxiliaryError(t)]};
}"""


@pytest.fixture(scope="module")
def opened(browser: Browser) -> Iterator[Page]:
    with alone(browser, BOWL) as page:
        yield page


@pytest.fixture
def page(opened: Page) -> Page:
    """At its first setting, with one data set."""
    opened.evaluate("scrollTo(0, 0)")
    hundred = opened.get_by_role("button", name="a hundred at once")
    if hundred.get_attribute("aria-pressed") == "true":
        hundred.click()
    press(opened, "best at 0.5")
    lam_slider(opened).fill("0.5")
    still(opened)
    return opened


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    still(page)


def lam_slider(page: Page) -> Locator:
    return page.get_by_role("slider", name="λ, the weight of the primary loss")


def dial(page: Page, group: str, name: str) -> Locator:
    return page.get_by_role("group", name=group).get_by_role("slider", name=name)


def as_json(tasks: TwoTasks) -> dict[str, float]:
    return {name: float(value) for name, value in vars(tasks).items()}


def read(page: Page) -> Any:
    """What is shown, after a check that it is what Python computes from the data that are shown."""
    still(page)
    shown = page.evaluate(READ)
    n_primary, noise_primary, n_auxiliary, noise_auxiliary, disagreement = shown["dials"]
    tasks = TwoTasks(
        dim=2,
        n_primary=ROWS[int(n_primary)],
        n_auxiliary=ROWS[int(n_auxiliary)],
        noise_primary=noise_primary,
        noise_auxiliary=noise_auxiliary,
        disagreement=disagreement,
    )
    seeds = [shown["seed"] + k for k in range(len(shown["lowest"]))]
    # Of a hundred data sets the mean is shown: four of them are checked alone.
    checked = seeds if len(seeds) == 1 else [*seeds[:2], *seeds[-2:]]
    errors = []
    for seed, parts in zip(checked, page.evaluate(DATA, [as_json(tasks), checked]), strict=True):
        x1, y1, x2, y2, truth, _ = map(np.array, parts)
        errors.append([np.sum((fit(x1, y1, x2, y2, lam) - truth) ** 2) for lam in LAMS])
        lowest = shown["lowest"][seeds.index(seed)]
        assert errors[-1][round(100 * lowest)] == pytest.approx(min(errors[-1]), abs=1e-9)
    if len(seeds) == 1:
        assert shown["value"] == pytest.approx(errors[0][round(100 * shown["lam"])], abs=1e-9)
        assert shown["ring"] == shown["lowest"][0]
    assert shown["optimum"] == pytest.approx(optimum(tasks), abs=1e-9)
    shown["tasks"] = tasks
    return shown


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("white", [True, False])
def test_the_core_is_the_python_of_the_page(page: Page, name: str, white: bool) -> None:
    tasks, rng = SETTINGS[name], np.random.default_rng(3)
    x1, y1, x2, y2, truth = draw(tasks, rng)
    if not white:
        x1, x2 = x1 + 0.3 * rng.normal(size=x1.shape), x2 + 0.3 * rng.normal(size=x2.shape)
    fits = [fit(x1, y1, x2, y2, lam) for lam in LAMS]
    errors = [np.sum((w - truth) ** 2) for w in fits]
    given = [part.tolist() for part in (x1, y1, x2, y2, truth, LAMS)]
    found = page.evaluate(CORE, [*given, as_json(tasks)])
    assert np.allclose(found["fits"], fits, rtol=0, atol=1e-9)
    assert np.allclose(found["errors"], errors, rtol=0, atol=1e-9)
    assert found["lowest"] == LAMS[int(np.argmin(errors))]
    other = np.array([0.3, -0.2])
    losses = [np.mean((x @ other - y) ** 2) for x, y in ((x1, y1), (x2, y2))]
    assert found["losses"] == pytest.approx(losses, abs=1e-9)
    assert np.allclose(found["excess"], excess(tasks, LAMS), rtol=0, atol=1e-9)
    assert found["optimum"] == pytest.approx(optimum(tasks), abs=1e-9)
    ends = [tasks.primary_variance, tasks.auxiliary_error]
    assert found["ends"] == pytest.approx(ends, abs=1e-9)


def test_its_draws_are_those_of_the_chapter(page: Page) -> None:
    """White inputs, the asked distance of the truths, and errors that scatter as NumPy's do."""
    tasks = SETTINGS["best at 0.5"]
    sets = page.evaluate(DATA, [as_json(tasks), list(range(1, 301))])
    ends = []
    for parts in sets:
        x1, y1, x2, y2, truth, other = map(np.array, parts)
        assert (len(y1), len(y2)) == (tasks.n_primary, tasks.n_auxiliary)
        for x in (x1, x2):
            assert np.allclose(x.T @ x, len(x) * np.eye(2), rtol=0, atol=1e-9)
        assert np.linalg.norm(other - truth) == pytest.approx(tasks.disagreement)
        ends.append([np.sum((fit(x1, y1, x2, y2, lam) - truth) ** 2) for lam in (0.0, 0.5, 1.0)])
    lams = np.array([0.0, 0.5, 1.0])
    numpy_draws = simulate(tasks, lams, repeats=300, seed=1)
    mean, error = np.mean(ends, axis=0), np.std(ends, axis=0, ddof=1) / np.sqrt(len(ends))
    assert np.all(np.abs(mean - np.asarray(excess(tasks, lams))) < 4 * error)
    assert np.std(ends, axis=0) == pytest.approx(numpy_draws.std(axis=0), rel=0.3)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_button_sets_all_dials(page: Page, name: str) -> None:
    press(page, name)
    assert read(page)["tasks"] == SETTINGS[name]
    pressed = page.locator("button[aria-pressed=true]").all_inner_texts()
    assert pressed == [name]


def test_another_data_set_has_another_lowest_point(page: Page) -> None:
    lowest = []
    for _ in range(8):
        lowest.append(read(page)["ring"])
        press(page, "draw another data set")
    assert len(set(lowest)) > 3 and max(lowest) - min(lowest) > 0.3


@pytest.mark.parametrize("name", ["best at 0.5", "best near 0", "best near 1"])
def test_a_hundred_lowest_points_spread_as_those_of_numpy(page: Page, name: str) -> None:
    press(page, name)
    press(page, "a hundred at once")
    shown = read(page)
    assert len(shown["lowest"]) == 100
    errors = simulate(SETTINGS[name], LAMS[::5], repeats=300, seed=2)
    quarters = np.quantile(LAMS[::5][errors.argmin(axis=1)], [0.25, 0.5, 0.75])
    assert np.quantile(shown["lowest"], [0.25, 0.5, 0.75]) == pytest.approx(quarters, abs=0.16)
    assert page.locator(".counts").get_attribute("d")
    page.wait_for_timeout(450)
    spread = f"go from {min(shown['lowest']):.2f} to {max(shown['lowest']):.2f}"
    assert spread in page.locator(".spoken").inner_text()
    press(page, "draw another data set")
    assert read(page)["seed"] == shown["seed"] + 100
    press(page, "a hundred at once")
    assert len(read(page)["lowest"]) == 1


DIALS = [
    ("Primary task", "Rows", "n_primary"),
    ("Primary task", "Noise", "noise_primary"),
    ("Auxiliary task", "Rows", "n_auxiliary"),
    ("Auxiliary task", "Noise", "noise_auxiliary"),
    ("Auxiliary task", "Distance", "disagreement"),
]


@pytest.mark.parametrize(("group", "label", "name"), DIALS)
def test_a_dial_moves_by_keys_and_the_best_weight_with_it(
    page: Page, group: str, label: str, name: str
) -> None:
    before = read(page)
    dial(page, group, label).press("ArrowRight")
    after = read(page)
    assert getattr(after["tasks"], name) > getattr(before["tasks"], name)
    # More noise of the one is weight for the other; more rows likewise, the other way round.
    rises = name in ("n_primary", "noise_auxiliary", "disagreement")
    assert (after["optimum"] > before["optimum"]) == rises
    for key in ("Home", "End"):
        page.keyboard.press(key)
        read(page)
    assert scrolled(page) == 0
    assert dial(page, group, label).evaluate("node => node === document.activeElement")


def test_the_luck_stays_when_a_dial_moves(page: Page) -> None:
    first = read(page)
    noise = dial(page, "Primary task", "Noise")
    noise.press("ArrowRight")
    assert read(page)["value"] != first["value"]
    noise.press("ArrowLeft")
    assert read(page)["value"] == first["value"]


@pytest.mark.parametrize("finger", [False, True])
def test_a_hand_drags_lambda_along_the_path(browser: Browser, finger: bool) -> None:
    options: dict[str, Any] = {"has_touch": True, "is_mobile": True} if finger else {}
    with alone(browser, BOWL, 390 if finger else 1000, **options) as page:
        slider = lam_slider(page)
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        assert box
        page.evaluate(SPOKEN)
        hand = Hand(page, finger=finger)
        middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        offset = scrolled(page)
        hand.pull(middle, (0.25 * (box["width"] - 22), 3))
        hand.up()
        assert read(page)["lam"] == pytest.approx(0.75, abs=0.011)
        assert scrolled(page) == offset
        # The line of the chart stands over the slider's thumb.
        line = page.locator(".now").bounding_box()
        assert line and line["x"] == pytest.approx(middle[0] + 0.25 * (box["width"] - 22), abs=3)
        page.wait_for_timeout(450)
        assert 1 <= page.evaluate("spoken_times") < 5
        page.keyboard.press("ArrowRight")
        assert read(page)["lam"] == pytest.approx(0.76, abs=0.011)


@pytest.mark.parametrize("finger", [False, True])
@pytest.mark.parametrize("svg", ["chart", "plane"])
def test_a_hand_drags_what_shows_lambda(browser: Browser, svg: str, finger: bool) -> None:
    options: dict[str, Any] = {"has_touch": True, "is_mobile": True} if finger else {}
    with alone(browser, BOWL, 390 if finger else 1000, **options) as page:
        handle = page.locator(f".{svg} .handle")
        handle.scroll_into_view_if_needed()
        mark = page.locator(f".{svg} circle.here")
        start, offset = centre(mark), scrolled(page)
        if svg == "chart":  # by its line, far from the dot
            box = page.locator(".chart .now").bounding_box()
            assert box
            start, by = (start[0], box["y"] + 30), (60.0, 3.0)
        else:  # towards the answer at λ = 1
            goal = centre(page.locator(".answer.one"))
            by = (0.5 * (goal[0] - start[0]), 0.5 * (goal[1] - start[1]))
        hand = Hand(page, finger=finger)
        hand.pull(start, by)
        assert centre(mark)[0] == pytest.approx(start[0] + by[0], abs=3)
        hand.up()
        shown = read(page)
        assert shown["lam"] > 0.6
        assert scrolled(page) == offset
        assert handle.evaluate("node => node === document.activeElement")
        # A hand that goes past the end stops there.
        hand.pull(centre(mark), (1000 * by[0] / abs(by[0]), 0))
        hand.up()
        assert read(page)["lam"] == 1


@pytest.mark.parametrize("svg", ["chart", "plane"])
def test_keys_move_what_shows_lambda(page: Page, svg: str) -> None:
    handle = page.locator(f".{svg} .handle")
    keys = {"End": 1, "PageDown": 0.9, "ArrowLeft": 0.89, "ArrowUp": 0.9, "Home": 0, "ArrowDown": 0}
    for key, lam in keys.items():
        handle.press(key)
        assert read(page)["lam"] == pytest.approx(lam)
        assert handle.get_attribute("aria-valuenow") == f"{lam}"
        assert (handle.get_attribute("aria-valuetext") or "").startswith(f"{lam:.2f}: error")
    assert scrolled(page) == 0


def test_the_ends_of_lambda_are_the_two_answers(page: Page) -> None:
    slider = lam_slider(page)
    for key, lam in (("End", 1), ("Home", 0), ("PageUp", 0.1), ("ArrowDown", 0.09)):
        slider.press(key)
        assert read(page)["lam"] == pytest.approx(lam)
    text = slider.get_attribute("aria-valuetext") or ""
    assert text.startswith("0.09: error above the noise 0.") and "expected best 0.50" in text
    assert scrolled(page) == 0


def test_a_swipe_on_the_plot_scrolls_the_page(browser: Browser) -> None:
    with alone(browser, BOWL, 390, has_touch=True, is_mobile=True) as page:
        Hand(page, finger=True).pull((60, 330), (0, -150))
        page.wait_for_timeout(100)
        assert scrolled(page) > 50


def test_tab_goes_through_all_and_out(page: Page) -> None:
    page.get_by_role("button", name="best at 0.5").focus()
    kinds = []
    for _ in range(15):
        kinds.append(page.evaluate("document.activeElement.tagName"))
        page.keyboard.press("Tab")
    assert kinds == ["BUTTON"] * 4 + ["g"] + ["BUTTON"] * 2 + ["g"] + ["INPUT"] * 6 + ["BODY"]


@pytest.mark.parametrize("width", [1000, 390])
def test_words_are_legible_in_light_and_dark(browser: Browser, width: int) -> None:
    with alone(browser, BOWL, width) as page:
        for theme in ("light", "dark"):
            if theme == "dark":
                dark(page)
            for name in SETTINGS:
                press(page, name)
                texts = page.evaluate(TEXTS)
                assert len(texts) > 25
                assert [text for text in texts if text[1] < 12 or text[2] < 4.5] == []
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_on_paper_stands_the_picture_with_its_numbers(page: Page) -> None:
    page.emulate_media(media="print")
    assert page.locator(".stands-in table").is_visible()
    assert not page.locator("loss-bowl .stage").is_visible()
    page.emulate_media(media="screen")


TIMED = """async css => {
  const bowl = document.querySelector('loss-bowl'), input = bowl.querySelector(css);
  const times = [], painted = new MessageChannel();
  for (let k = 0; k < 30; k++) {
    let began;
    requestAnimationFrame(() => { began = performance.now(); });
    input.value = Number(input.min) + (k % 10 + 1) * Number(input.step);
    input.dispatchEvent(new Event('input'));
    await new Promise(done => {
      painted.port1.onmessage = done;
      requestAnimationFrame(() => painted.port2.postMessage(0));
    });
    times.push(performance.now() - began);
  }
  return times.sort((a, b) => a - b)[15];
}"""


@pytest.mark.parametrize("many", [False, True])
def test_it_is_quick(page: Page, many: bool) -> None:
    if many:
        press(page, "a hundred at once")
    lam = page.evaluate(TIMED, ".views input")
    noise = page.evaluate(TIMED, "fieldset.one .slider:last-child input")
    first = page.evaluate("""() => {
      const copy = document.querySelector('loss-bowl').cloneNode(true);
      copy.classList.remove('live');
      copy.querySelector('.stage').replaceChildren();
      const began = performance.now();
      document.querySelector('main').append(copy);
      copy.getBoundingClientRect();
      const took = performance.now() - began;
      copy.remove();
      return took;
    }""")
    sets = "hundred sets" if many else "one set"
    print(f"{sets}: frame λ {lam:.1f} ms, noise {noise:.1f} ms; first draw {first:.0f} ms")
    assert lam < 50 and noise < (100 if many else 50) and first < 200


def test_the_built_page_shows_it_from_a_file(browser: Browser, book: Rendered) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: faults.append(request.url) if "http" in request.url else 0)
    page.goto(built_page(book.html, "02-numpy-sweep"), wait_until="load")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        still(page)
        kept, live = kept_and_live(page, "loss-bowl")
        assert kept == pytest.approx(live, abs=10)
        assert page.evaluate("document.documentElement.scrollWidth") == width
    press(page, "best near 1")
    assert page.evaluate(READ)["optimum"] == pytest.approx(optimum(SETTINGS["best near 1"]))
    page.close()
    assert faults == []
