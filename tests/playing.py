"""What browser tests of explorables share: one alone on a page, and hands that move it."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pages
from playwright.sync_api import Browser, Locator, Page

from amnl.study.explorables import Explorable

# The theme's colours as the book sets them, and room to scroll.
ALONE = """<!doctype html><html lang="en" data-theme="light"><head><title>alone</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>
html {{ --pst-color-background: #fff; --pst-color-text-base: #222832; }}
html[data-theme=dark] {{ --pst-color-background: #14181e; --pst-color-text-base: #ced6dd; }}
body {{ background: var(--pst-color-background); font: 16px sans-serif; margin: 16px; }}
main {{ max-width: 680px; padding-bottom: 1500px; }}
</style></head><body><main>{element}</main></body></html>"""
FRAMES = """() => {
  window.frames_ms = [];
  addEventListener('pointermove', () => {
    const began = performance.now(), painted = new MessageChannel();
    painted.port1.onmessage = () => frames_ms.push(performance.now() - began);
    requestAnimationFrame(() => painted.port2.postMessage(0));
  }, true);
}"""
SPOKEN = """() => {
  window.spoken_times = 0;
  new MutationObserver(() => spoken_times++)
    .observe(document.querySelector('.explorable .spoken'), {childList: true});
}"""
# Text that is seen: its words, its size and the contrast of its colour with what is behind it.
TEXTS = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = colour => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = colour => {
    const [r, g, b] = rgb(colour).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = getComputedStyle(document.body).backgroundColor;
  const found = [];
  for (const text of document.querySelectorAll('.explorable .stage *')) {
    const own = [...text.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (!own || !text.getClientRects().length || text.matches('.spoken')) continue;
    const style = getComputedStyle(text), svg = text instanceof SVGElement;
    let behind = ground;
    for (let up = text; up && !svg; up = up.parentElement) {
      const painted = getComputedStyle(up).backgroundColor;
      if (!/, 0\\)|transparent|\\/ 0\\)/.test(painted)) { behind = painted; break; }
    }
    const [a, b] = [light(svg ? style.fill : style.color), light(behind)];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    found.push([text.textContent.trim(), parseFloat(style.fontSize), contrast]);
  }
  return found;
}"""


@contextmanager
def alone(
    browser: Browser, explorable: Explorable, width: int = 1000, **options: Any
) -> Iterator[Page]:
    """An explorable on a page of its own, as a notebook shows it; it may ask for no other file."""
    page = browser.new_page(viewport={"width": width, "height": 700}, **options)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: faults.append(f"request: {request.url}"))
    page.set_content(ALONE.format(element=explorable._repr_html_()))
    still(page)
    try:
        yield page
        assert faults == []
    finally:
        page.close()


def still(page: Page) -> None:
    """Wait until what was asked for is drawn."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")


def centre(node: Locator) -> tuple[float, float]:
    box = node.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


class Hand:
    """A mouse, or a finger."""

    def __init__(self, page: Page, *, finger: bool = False) -> None:
        self.page = page
        self.remote = page.context.new_cdp_session(page) if finger else None

    def down(self, x: float, y: float) -> None:
        if self.remote:
            self._touch("touchStart", x, y)
        else:
            self.page.mouse.move(x, y)
            self.page.mouse.down()

    def move(self, x: float, y: float) -> None:
        if self.remote:
            self._touch("touchMove", x, y)
        else:
            self.page.mouse.move(x, y)

    def up(self) -> None:
        if self.remote:
            self.remote.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        else:
            self.page.mouse.up()
        still(self.page)

    def pull(self, start: Sequence[float], by: Sequence[float], steps: int = 20) -> None:
        """From a place by so many pixels, without letting go."""
        self.down(*start)
        for step in range(1, steps + 1):
            self.move(start[0] + by[0] * step / steps, start[1] + by[1] * step / steps)
        still(self.page)

    def _touch(self, kind: str, x: float, y: float) -> None:
        assert self.remote
        points = [{"x": x, "y": y}]
        self.remote.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


def scrolled(page: Page) -> float:
    offset: float = page.evaluate("scrollY")
    return offset


def dark(page: Page) -> None:
    page.evaluate("document.documentElement.dataset.theme = 'dark'")


def page_functions(page: str, *names: str) -> dict[str, Any]:
    """Functions that a page of the book defines in its cells."""
    text = (pages.ROOT / "book" / f"{page}.md").read_text(encoding="utf-8")
    space: dict[str, Any] = {"np": np}
    for name in names:
        found = re.search(rf"^def {name}\(.*?(?=^\S)", text, re.DOTALL | re.MULTILINE)
        assert found, f"{page} defines no {name}"
        exec(found[0], space)
    return space


def built_page(html: Path, page: str) -> str:
    return (html / "notebooks" / f"{page}.html").as_uri()


def kept_and_live(page: Page, name: str) -> list[float]:
    """Heights of an explorable: that which is kept for it until its script comes, and its own."""
    heights: list[float] = page.evaluate(
        """name => {
          const element = document.querySelector(name), live = element.offsetHeight;
          element.classList.remove('live');
          const kept = element.offsetHeight;
          element.classList.add('live');
          return [kept, live];
        }""",
        name,
    )
    return heights


def frame_time(page: Page, slider: str, steps: int) -> float:
    """Milliseconds that a step of a slider takes to be laid out, the median of so many."""
    frames: list[float] = page.evaluate(
        """async ([slider, steps]) => {
          const input = document.querySelector(slider), times = [];
          for (let step = 1; step <= steps; step++) {
            const began = performance.now();
            input.value = step;
            input.dispatchEvent(new Event('input'));
            document.body.offsetHeight;
            times.push(performance.now() - began);
            await new Promise(requestAnimationFrame);
          }
          return times;
        }""",
        [slider, steps],
    )
    return sorted(frames)[len(frames) // 2]
