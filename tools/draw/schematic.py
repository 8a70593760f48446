"""Draw the training of this book as a schematic, from the window to the gradient, in
`book/_static/`: `schematic-NAME.html` for the pages, for two widths of column and both themes, and
`schematic-NAME.svg` for notebooks that are read elsewhere. A name says what is lit.
"""

from dataclasses import dataclass
from html import escape
from pathlib import Path

from amnl.drawing import both_widths
from amnl.palette import HEALTH_COLOUR, RUL_COLOUR

STATIC = Path(__file__).resolve().parents[2] / "book" / "_static"
RUL, HEALTH, NEUTRAL = RUL_COLOUR.lower(), HEALTH_COLOUR.lower(), "#333333"
TINTS = {RUL: "#eceaf7", HEALTH: "#f7f0e4", NEUTRAL: "#f1f1f1"}
PALE, GREY = "#c4c4c4", "#6e6e6e"  # lines and words of what is not lit
SENSORS = ("0 6 4 2 5 7 3 6 8 9 8", "4 3 5 4 4 2 4 3 2 3 1", "3 4 3 5 4 5 4 6 5 7 8")

WORDS = {
    "window": ("30 cycles", "of sensors"),
    "trunk": ("shared", "network", "(trunk)"),
    "RUL head": ("RUL head:", "how long?"),
    "health head": ("health head:", "how healthy?"),
    "RUL loss": ("RUL loss",),
    "health loss": ("health loss",),
    "λ": ("× λ",),
    "1 − λ": ("× (1 − λ)",),
    "+": ("+",),
    "number": ("one", "number"),
}
ON_ONE_LINE = ("window", "trunk", "number")  # where the column is narrow
ROUND = ("λ", "1 − λ", "+")

Box = tuple[float, float, float, float]  # middle, then width and height
Point = tuple[float, float]
Points = list[Point]


@dataclass(frozen=True)
class Variant:
    """What a drawing lights, what its gradient is called, and what it says to those who only hear.

    pulls: thickness of the gradients of the RUL loss and of the health loss, where it shows both.
    """

    label: str
    lit: tuple[str, ...] = tuple(WORDS)
    gradient: str = "gradient"
    is_learning: bool = True  # the gradient is lit
    combiner: bool = False
    pulls: tuple[float, float] | None = None


FLOW = (
    "A window of 30 cycles of sensors goes into the shared network, the trunk. It feeds two heads: "
    "the RUL head, how long, and the health head, how healthy. Each head has a loss. The RUL loss "
    "times λ, plus the health loss times 1 − λ, is one number."
)
PULLS = (
    "The same training, with the two gradients that go back from the weighted losses to the shared "
    "network. "
)
MIXING = ("λ", "1 − λ", "+", "number")
LOSSES = ("RUL loss", "health loss")
VARIANTS = {
    "all": Variant(FLOW + " Its gradient goes back to the network."),
    "1": Variant(
        FLOW + " Lit are the two weights, the sum and the one number.", MIXING, is_learning=False
    ),
    "3": Variant(
        FLOW + " Lit are the two losses and, in a frame called combiner, the weights and the sum.",
        LOSSES + MIXING, is_learning=False, combiner=True,
    ),
    "5": Variant(
        FLOW + " Its gradient goes back to the network, once for each batch.",
        gradient="gradient, for each batch",
    ),
    "7": Variant(
        PULLS + "That of the RUL loss is many times as thick as that of the health loss.",
        ("trunk", *LOSSES, "λ", "1 − λ"), pulls=(10, 1.2),
    ),
    "8": Variant(
        PULLS + "Both are equally thick.", ("trunk", *LOSSES, "λ", "1 − λ"), pulls=(5, 5)
    ),
}  # fmt: skip

WIDE: dict[str, Box] = {
    "window": (44, 90, 86, 106), "trunk": (146, 90, 78, 106),
    "RUL head": (268, 38, 114, 52), "health head": (268, 142, 114, 52),
    "RUL loss": (386, 38, 86, 38), "health loss": (386, 142, 86, 38),
    "λ": (492, 38, 74, 34), "1 − λ": (492, 142, 74, 34),
    "+": (556, 90, 30, 30), "number": (636, 90, 70, 52),
}  # fmt: skip
NARROW: dict[str, Box] = {
    "window": (175, 35, 164, 68), "trunk": (175, 116, 176, 38),
    "RUL head": (93, 198, 136, 52), "health head": (257, 198, 136, 52),
    "RUL loss": (93, 268, 108, 38), "health loss": (257, 268, 108, 38),
    "λ": (93, 340, 78, 34), "1 − λ": (257, 340, 78, 34),
    "+": (175, 386, 30, 30), "number": (175, 454, 116, 38),
}  # fmt: skip


def colour_of(part: str) -> str:
    if part in ("RUL head", "RUL loss", "λ"):
        return RUL
    return HEALTH if part in ("health head", "health loss", "1 − λ") else NEUTRAL


def text(x: float, y: float, words: str, size: float, colour: str, more: str = "") -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="middle" font-size="{size:g}" '
        f'style="fill: {colour}; {more}">{escape(words)}</text>'
    )


def box(part: str, place: Box, words: tuple[str, ...], size: float, is_lit: bool) -> str:
    """A part with its name; the window has some sensors above it, and a head its question below."""
    x, y, width, height = place
    ink = colour_of(part)
    fill, line, word = (TINTS[ink], ink, "#000000") if is_lit else ("#ffffff", PALE, GREY)
    radius = height / 2 if part in ROUND else 7
    made = [
        f'<rect x="{x - width / 2:g}" y="{y - height / 2:g}" width="{width:g}" '
        f'height="{height:g}" rx="{radius:g}" '
        f'style="fill: {fill}; stroke: {line}; stroke-width: {1.6 if is_lit else 1.2}"/>'
    ]
    step = 1.25 * size
    first = y - (len(words) - 1) * step / 2
    if part == "window":
        first = y + height / 2 - (len(words) - 0.25) * step
        room = height - len(words) * step - 18
        made += sensors(x, y - height / 2 + 9, width - 20, room, line)
    for k, line_of_text in enumerate(words):
        bold = "font-weight: 600" if k == 0 and part.endswith("head") else ""
        points = size + 5 if part == "+" else size
        made.append(text(x, first + k * step + 0.35 * points, line_of_text, points, word, bold))
    return "".join(made)


def sensors(x: float, top: float, width: float, height: float, colour: str) -> list[str]:
    """Three sensors' readings: a picture, not data."""
    made = []
    for k, readings in enumerate(SENSORS):
        values = [float(value) for value in readings.split()]
        points = " ".join(
            f"{x - width / 2 + i * width / (len(values) - 1):.1f},"
            f"{top + (k + 1 - value / 10) * height / 3:.1f}"
            for i, value in enumerate(values)
        )
        made.append(
            f'<polyline points="{points}" style="fill: none; stroke: {colour}; stroke-width: 1.3"/>'
        )
    return made


def arrow(points: Points, colour: str, thickness: float = 1.6, dashes: str = "") -> str:
    """A line with round corners and a small head at its end."""
    long, half = 7 + 0.9 * thickness, 3 + 0.75 * thickness
    (x0, y0), (x1, y1) = points[-2:]
    distance = abs(x1 - x0) + abs(y1 - y0)  # lines run along the axes
    u, v = (x1 - x0) / distance, (y1 - y0) / distance
    neck = (x1 - u * long, y1 - v * long)
    path = f"M{points[0][0]:g} {points[0][1]:g}"
    for before, corner, after in zip(points, points[1:], [*points[2:-1], neck], strict=False):
        into, out = (toward(corner, other, 8 + 0.8 * thickness) for other in (before, after))
        path += f"L{into[0]:g} {into[1]:g}Q{corner[0]:g} {corner[1]:g} {out[0]:g} {out[1]:g}"
    path += f"L{neck[0]:g} {neck[1]:g}"
    head = " ".join(
        f"{a:g},{b:g}"
        for a, b in (
            (x1, y1),
            (neck[0] - v * half, neck[1] + u * half),
            (neck[0] + v * half, neck[1] - u * half),
        )
    )
    return (
        f'<path d="{path}" style="fill: none; stroke: {colour}; stroke-width: {thickness:g}; '
        f'stroke-dasharray: {dashes or "none"}"/>'
        f'<polygon points="{head}" style="fill: {colour}"/>'
    )


def toward(corner: Point, other: Point, radius: float) -> Point:
    """Where the line leaves a round corner."""
    distance = abs(other[0] - corner[0]) + abs(other[1] - corner[1])
    part = min(radius, distance / 2) / distance
    return (
        corner[0] + part * (other[0] - corner[0]),
        corner[1] + part * (other[1] - corner[1]),
    )


@dataclass(frozen=True)
class Sheet:
    """The places of the parts on a column of one width."""

    places: dict[str, Box]
    width: float
    size: float  # of the text, in pixels
    is_wide: bool

    def side(self, part: str, which: str) -> Point:
        x, y, width, height = self.places[part]
        away = {"left": (-1, 0), "right": (1, 0), "top": (0, -1), "bottom": (0, 1)}[which]
        return x + away[0] * (width / 2 + 1), y + away[1] * (height / 2 + 1)

    def flow(self) -> list[tuple[str, str, Points]]:
        """Arrows from part to part, forward."""
        out, into = ("right", "left") if self.is_wide else ("bottom", "top")
        steps = [("window", "trunk"), ("+", "number")]
        made = [(a, b, [self.side(a, out), self.side(b, into)]) for a, b in steps]
        for head, loss, weight, edge in (
            ("RUL head", "RUL loss", "λ", "top" if self.is_wide else "left"),
            ("health head", "health loss", "1 − λ", "bottom" if self.is_wide else "right"),
        ):
            start, end = self.side("trunk", out), self.side(head, into)
            between = (start[0] + end[0]) / 2 - 2, (start[1] + end[1]) / 2 - 2
            bend = (
                [(between[0], start[1]), (between[0], end[1])]
                if self.is_wide
                else [(start[0], between[1]), (end[0], between[1])]
            )
            made.append(("trunk", head, [start, *bend, end]))
            for a, b in ((head, loss), (loss, weight)):
                made.append((a, b, [self.side(a, out), self.side(b, into)]))
            start, end = self.side(weight, out), self.side("+", edge)
            corner = (end[0], start[1]) if self.is_wide else (start[0], end[1])
            made.append((weight, "+", [start, corner, end]))
        return made

    def draw(self, variant: Variant) -> str:
        made, word = [], NEUTRAL if variant.is_learning else GREY
        top, height = (0.0, 212.0 if self.is_wide else 474.0)
        for a, b, points in self.flow():
            is_lit = a in variant.lit and b in variant.lit
            made.append(arrow(points, colour_of(a) if is_lit else PALE, 1.6 if is_lit else 1.2))
        if variant.combiner:
            made.append(self.combiner())
        for part, place in self.places.items():
            words = WORDS[part]
            if not self.is_wide and part in ON_ONE_LINE:
                words = (" ".join(words),)
            made.append(box(part, place, words, self.size, part in variant.lit))
        if variant.pulls:
            made += self.pulls(variant.pulls)
            top, height = (-52.0, 286.0) if self.is_wide else (0.0, 474.0)
        else:
            made.append(self.gradient(variant.gradient, variant.is_learning, word))
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width:g}" height="{height:g}" '
            f'viewBox="0 {top:g} {self.width:g} {height:g}" '
            f'style="font-family: inherit">{"".join(made)}</svg>'
        )

    def label(self, x: float, y: float, words: str, colour: str) -> str:
        """Words on a line, which they interrupt."""
        width = 0.6 * self.size * len(words)
        ground = (
            f'<rect x="{x - width / 2:g}" y="{y - 8:g}" width="{width:g}" height="16" '
            f'style="fill: #ffffff"/>'
        )
        return ground + text(x, y + 0.35 * self.size, words, self.size, colour)

    def gradient(self, words: str, is_lit: bool, word: str) -> str:
        ink, thick = (NEUTRAL, 1.6) if is_lit else (PALE, 1.2)
        if self.is_wide:
            start, end, low = self.side("number", "bottom"), self.side("trunk", "bottom"), 196
            points = [start, (start[0], low), (end[0], low), end]
            label = self.label((start[0] + end[0]) / 2, low, words, word)
        else:
            start, end, far = self.side("number", "right"), self.side("trunk", "right"), 341
            points = [start, (far, start[1]), (far, end[1]), end]
            first, comma, rest = words.partition(", ")
            label = text(290, start[1] - 8, first + comma, self.size, word)
            if rest:
                label += text(290, start[1] + 18, rest, self.size, word)
        return arrow(points, ink, thick, "6 4") + label

    def pulls(self, thickness: tuple[float, float]) -> list[str]:
        made = []
        for (loss, weight, ink), thick, sign in zip(
            (("RUL", "λ", RUL), ("health", "1 − λ", HEALTH)), thickness, (-1, 1), strict=True
        ):
            dashes = f"{6 + thick:g} {4 + 0.4 * thick:g}"
            if self.is_wide:
                edge, far = ("top", -28) if sign < 0 else ("bottom", 208)
                start, end = self.side(weight, edge), self.side("trunk", edge)
                points = [start, (start[0], far), (end[0], far), end]
                words = self.label((start[0] + end[0]) / 2, far, f"{loss} gradient", "#000000")
            else:
                edge, far = ("left", 9) if sign < 0 else ("right", 341)
                start, end = self.side(weight, edge), self.side("trunk", edge)
                points = [start, (far, start[1]), (far, end[1]), end]
                middle = 175 + sign * 130
                words = text(middle, end[1] - 34, loss, self.size, "#000000")
                words += text(middle, end[1] - 17, "gradient", self.size, "#000000")
            made += [arrow(points, ink, thick, dashes), words]
        return made

    def combiner(self) -> str:
        x, y, width, height = (508.5, 90, 141, 160) if self.is_wide else (175, 358, 276, 106)
        frame = (
            f'<rect x="{x - width / 2:g}" y="{y - height / 2:g}" width="{width}" '
            f'height="{height}" rx="12" style="fill: none; stroke: {NEUTRAL}; stroke-width: 1.6"/>'
        )
        place = (x - 16.5, y + 5) if self.is_wide else (x, y - 13)
        return frame + text(*place, "combiner", self.size, "#000000", "font-weight: 600")


SHEETS = (Sheet(WIDE, 672, 14, True), Sheet(NARROW, 350, 13.5, False))


def fragment(variant: Variant) -> str:
    """HTML for a page. `schematic` tells it from the figures that a page's cells draw."""
    html = both_widths(*(sheet.draw(variant) for sheet in SHEETS))
    html = html.replace("<p>Run this cell to see its figure.</p>\n", "")
    return html.replace(
        'class="drawn" role="img" aria-label="figure"',
        f'class="drawn schematic" role="img" aria-label="{escape(variant.label)}"',
    )


def picture(variant: Variant) -> str:
    """A file of its own, on white."""
    svg = SHEETS[0].draw(variant)
    svg = svg.replace("font-family: inherit", "font-family: sans-serif; background: #ffffff")
    return svg.replace(">", f"><title>{escape(variant.label)}</title>", 1)


def drawings() -> dict[str, str]:
    """File name → its text."""
    made = {}
    for name, variant in VARIANTS.items():
        made[f"schematic-{name}.html"] = fragment(variant) + "\n"
        made[f"schematic-{name}.svg"] = picture(variant) + "\n"
    return made


def main() -> None:
    for name, made in drawings().items():
        (STATIC / name).write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
