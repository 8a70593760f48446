"""The explorer in a browser with other data than the book's: ties, one table alone, none."""

from collections.abc import Iterator

import pages
import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from shared import find_browser

from amnl.study.explorer import Curve, Explorer, Sweep

pytestmark = pytest.mark.browser

STATIC = pages.ROOT / "book" / "_static"
D3 = pages.ROOT / "amnl" / "study" / "explorables" / "scripts"
SCRIPTS = [D3 / "d3.min.js", STATIC / "vendor" / "plot.umd.min.js"]
SCRIPTS.append(STATIC / "lambda-explorer.js")
LAMS = [0.1, 0.5, 0.9]


def swept(unit: str | None, rmse: list[float], seeds: int = 3) -> Sweep:
    ours = unit is not None
    low, high = ([v - 1 for v in rmse], [v + 1 for v in rmse]) if ours else ([], [])
    each = [[v] * seeds for v in rmse] if ours else []
    return Sweep(unit or "source", unit, 1, LAMS, {"FD001": Curve(rmse, low, high, each)})


SOURCE, OURS = swept(None, [2.0, 1.0, 3.0]), swept("cycles", [3.0, 2.0, 1.0])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser(), args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1000, "height": 800})
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    page.close()
    assert faults == []


def show(page: Page, *explorers: Explorer) -> None:
    body = "\n".join(one._repr_html_() for one in explorers)
    page.set_content(f"<!doctype html><html><body>{body}</body></html>")
    for script in SCRIPTS:
        page.add_script_tag(path=script)


@pytest.mark.parametrize(
    ("sweeps", "readout"),
    [
        ([SOURCE, OURS], "1.0 at 0.5"),
        ([OURS, SOURCE], "1.0 at 0.5"),
        ([SOURCE], "1.0 at 0.5"),
        ([OURS], "1.0 at 0.9"),
        ([], None),
    ],
)
def test_an_explorer_has_what_it_is_given_and_leaves_the_next_alone(
    page: Page, sweeps: list[Sweep], readout: str | None
) -> None:
    show(page, Explorer(sweeps), Explorer([SOURCE, OURS]))
    first, second = page.locator(".lambda-explorer").all()
    if readout:
        assert first.locator(".readout tbody td").last.inner_text() == readout
        numbers = first.get_by_role("group", name="Numbers")
        assert numbers.get_by_role("radio").count() == len(sweeps)
    assert second.locator(".readout tbody td").last.inner_text() == "1.0 at 0.5"
    second.get_by_role("radio", name="our runs").check()
    assert second.locator(".readout tbody td").last.inner_text() == "1.0 at 0.9"


@pytest.mark.parametrize(
    ("values", "lowest"),
    [([2.0, 1.0, 3.0], "0.5"), ([1.0, 2.0, 1.0], "0.1, 0.9"), ([1.0, 1.0, 1.0], "0.1, 0.5, 0.9")],
)
def test_every_lowest_point_has_a_ring(page: Page, values: list[float], lowest: str) -> None:
    """And a bold number in the table, which has no script."""
    explorer = Explorer([swept(None, values), OURS])
    show(page, explorer)
    assert page.locator(".readout tbody td").last.inner_text() == f"1.0 at {lowest}"
    places = len(lowest.split(", "))
    assert page.locator(".minima circle, circle.minima").count() == places
    assert explorer._repr_html_().partition("</table>")[0].count("<b>") == places


@pytest.mark.parametrize("seeds", [2, 10])
def test_seeds_are_as_many_as_there_are(page: Page, seeds: int) -> None:
    show(page, Explorer([swept("cycles", [3.0, 2.0, 1.0], seeds)]))
    assert f"{seeds} seeds" in page.locator(".readout thead").inner_text()
