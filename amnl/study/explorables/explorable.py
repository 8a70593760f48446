"""One explorable as HTML: its numbers, what stands in for it, and in a notebook its script."""

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["SCRIPTS", "Explorable"]

SCRIPTS = Path(__file__).parent / "scripts"
SHARED = ("d3.min.js", "explorables.js")  # before a script of one explorable
# The book serves these files to the page once, so what is stored of a page is without them:
# tools/book/pages.py takes out what stands between the tags.
OFFLINE = "<{tag} data-offline>{text}</{tag}>\n"


@dataclass(frozen=True)
class Explorable:
    """What the last line of a cell shows.

    Parameters
    ----------
    name
        Its element, `scripts/NAME.js` and `scripts/NAME.css`, such as "mixing-board". A browser
        asks for a hyphen in it.
    label
        What it is, in words, for a screen reader.
    numbers
        What the script reads, as JSON: numbers, strings, lists and mappings of them. No NaN.
    stands_in
        HTML that is shown where scripts do not run and on paper: a picture and the numbers.

    Raises
    ------
    ValueError
        For NaN or an infinity among the numbers.

    Examples
    --------
    >>> dial = Explorable("half-dial", "A dial", {"lam": 0.5}, "<p>λ is 0.5.</p>")
    >>> dial
    <half-dial: A dial>
    """

    name: str
    label: str
    numbers: Mapping[str, Any]
    stands_in: str

    def __post_init__(self) -> None:
        self.data()

    def data(self) -> str:
        """The numbers as JSON that may stand inside a script element."""
        text = json.dumps(self.numbers, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return text.replace("<", "\\u003c")

    def element(self) -> str:
        """The element alone, for a page that loads the scripts."""
        label = html.escape(self.label)
        return (
            f'<{self.name} class="explorable" role="group" aria-label="{label}">\n'
            f'<script type="application/json">{self.data()}</script>\n'
            f'<div class="stage"></div>\n<div class="stands-in">\n{self.stands_in}\n</div>\n'
            f"</{self.name}>\n"
        )

    def _repr_html_(self) -> str:
        styles = "".join(read(file) for file in ("explorables.css", f"{self.name}.css"))
        scripts = [*SHARED, f"{self.name}.js"]
        return (
            self.element()
            + OFFLINE.format(tag="style", text=styles)
            + "".join(OFFLINE.format(tag="script", text=read(file)) for file in scripts)
        )

    def __repr__(self) -> str:
        return f"<{self.name}: {self.label}>"


def read(file: str) -> str:
    """A script or style sheet, if there is one of this name."""
    path = SCRIPTS / file
    return path.read_text(encoding="utf-8") if path.exists() else ""
