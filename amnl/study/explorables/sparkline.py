"""The evidence of one claim as a small picture: inline SVG that needs no script.

Its colours are the classes of `scripts/claims-ledger.css`.
"""

from collections.abc import Callable, Iterable
from html import escape

from amnl.minus import minus_signs
from amnl.stats import MARGIN
from amnl.study.claims import Curve, Evidence, Mark

WIDTH, HEIGHT = 140.0, 36.0
EDGE = 6.0  # free at both ends
SCALE = 1.6  # cycles from the middle to either end, for all differences alike
FOOT = 5.0  # below the marks, where the claimed range is shown
Place = Callable[[float], float]


def sparkline(evidence: Evidence) -> str:
    """A picture of 140 units wide, with a title that says what it shows."""
    draw = {"differences": differences, "numbers": numbers, "curves": curves, "checks": checks}
    height, body = draw[evidence.kind](evidence)
    return (
        f'<svg class="spark {evidence.kind}" viewBox="0 0 {WIDTH:g} {height:g}" '
        f'width="{WIDTH:g}" height="{height:g}" role="img"><title>{escape(title(evidence))}</title>'
        f"{''.join(body)}</svg>"
    )


def title(evidence: Evidence) -> str:
    """The picture in words."""
    said = [evidence.what]
    if evidence.kind == "checks":
        said += [f"{mark.name} {mark.finding}" for mark in evidence.marks]
    elif evidence.kind == "numbers":
        low, high = evidence.claimed or (None, None)
        said += [f"{mark.name}: {mark.value:.2f}" for mark in evidence.marks]
        said += [f"claimed: {low:.2f} to {high:.2f}"]
    elif evidence.marks:
        for group in groups(evidence.marks):
            values = [mark.value for mark in evidence.marks if mark.group == group]
            said += [f"{group}: {min(values):+.2f} to {max(values):+.2f}"]
    elif evidence.lowest:
        for curve in evidence.curves:
            name = f"{curve.name} in {curve.group}" if curve.group else curve.name
            places = (f"{x:.3g}" for x, _ in lowest(curve))
            said += [f"{name} lowest at {evidence.along} {' and '.join(places)}"]
    else:
        for curve in evidence.curves:
            said += [f"{curve.name} from {curve.y[0]:.2f} to {curve.y[-1]:.2f}"]
    return minus_signs("; ".join(said))


def differences(evidence: Evidence) -> tuple[float, list[str]]:
    """Differences one below another, on the scale that all of them share."""
    pitch = min(5.0, max(1.6, 40.0 / len(evidence.marks)))
    units = groups(evidence.marks)
    gap = 4.0
    height = 2 * gap + len(evidence.marks) * pitch + (len(units) - 1) * gap + FOOT
    band = at(MARGIN) - at(-MARGIN)
    back = [rect("margin", at(-MARGIN), 0, band, height - FOOT)]
    front = [line("zero", at(0), 0, at(0), height - FOOT)]
    y = gap
    for k, unit in enumerate(units):
        y += gap if k else 0.0
        for mark in (mark for mark in evidence.marks if mark.group == unit):
            half = at(mark.rounding or 0.0) - at(0)
            back.append(rect("rounding", at(0) - half, y, 2 * half, pitch))
            front.append(drawn(mark, at, y + pitch / 2, min(2.6, 0.35 * pitch + 0.7), k))
            y += pitch
    return height, [*back, *front, foot(evidence, at, height)]


def at(cycles: float) -> float:
    """Where a difference stands."""
    return WIDTH / 2 + cycles / SCALE * (WIDTH / 2 - EDGE)


def numbers(evidence: Evidence) -> tuple[float, list[str]]:
    """Numbers with their intervals, on a scale that holds them and what is claimed."""
    ends = [end for mark in evidence.marks for end in (mark.low, mark.high)]
    place = between([*ends, *(end for end in evidence.claimed or () if end is not None)])
    pitch = (HEIGHT - FOOT) / (len(evidence.marks) + 1)
    marks = (drawn(mark, place, pitch * (k + 1), 2.6, 0) for k, mark in enumerate(evidence.marks))
    return HEIGHT, [*marks, foot(evidence, place, HEIGHT)]


def curves(evidence: Evidence) -> tuple[float, list[str]]:
    """Lines, with a ring around every lowest point where that is what the claim is about."""
    across = between([x for curve in evidence.curves for x in curve.x])
    values = [y for curve in evidence.curves for y in curve.y]
    in_cycles = evidence.what.endswith("at 0.5 (cycles)")
    up = between([*values, -MARGIN, MARGIN] if in_cycles else values)

    def height(value: float) -> float:  # the lowest value at the bottom
        return 4 + (WIDTH - EDGE - up(value)) / (WIDTH - 2 * EDGE) * (HEIGHT - FOOT - 8)

    body = []
    if in_cycles:
        band = height(-MARGIN) - height(MARGIN)
        body += [rect("margin", 0, height(MARGIN), WIDTH, band)]
        body += [line("zero", 0, height(0), WIDTH, height(0))]
    units, rings = groups(evidence.curves), []
    for curve in evidence.curves:
        look = f"group-{units.index(curve.group)}" if curve.group else curve.name.split()[0]
        points = " ".join(
            f"{across(x):.2f},{height(y):.2f}" for x, y in zip(curve.x, curve.y, strict=True)
        )
        body.append(f'<polyline class="{look}" points="{points}"/>')
        if evidence.lowest:
            rings += [circle(f"ring {look}", across(x), height(y), 3) for x, y in lowest(curve)]
    return HEIGHT, [*body, *rings, foot(evidence, across, HEIGHT)]


def checks(evidence: Evidence) -> tuple[float, list[str]]:
    """A tick for what passed, a cross for what failed."""
    shapes = ("M-6 -6L6 6M6 -6L-6 6", "M-7 0L-2 6L7 -6")
    step = WIDTH / (len(evidence.marks) + 1)
    return HEIGHT, [
        f'<path class="check" transform="translate({step * (k + 1):.2f} {HEIGHT / 2:g})" '
        f'd="{shapes[int(mark.value)]}"/>'
        for k, mark in enumerate(evidence.marks)
    ]


def drawn(mark: Mark, place: Place, y: float, size: float, group: int) -> str:
    """An interval and its number: a disc or, of the second group, a diamond; full where found."""
    full = " found" if mark.finding in ("worse", "better", "above zero") else ""
    x = place(mark.value)
    span = line("span", place(mark.low), y, place(mark.high), y)
    if group:
        s = 1.2 * size
        shape = (
            f'<path class="dot" data-x="{x:.2f}" d="M{x - s:.2f} {y:.2f}L{x:.2f} {y - s:.2f}'
            f'L{x + s:.2f} {y:.2f}L{x:.2f} {y + s:.2f}Z"/>'
        )
    else:
        shape = circle("dot", x, y, size)
    return f'<g class="mark group-{group}{full}">{span}{shape}</g>'


def foot(evidence: Evidence, place: Place, height: float) -> str:
    """A bar below the marks, as far as the claim would have them."""
    if evidence.claimed is None:
        return ""
    low, high = evidence.claimed
    left = 0.0 if low is None else place(low)
    right = WIDTH if high is None else place(high)
    if left == right:  # a single place
        left, right = left - 3, right + 3
    return rect("claimed", left, height - 3, right - left, 3)


def groups(items: Iterable[Mark] | Iterable[Curve]) -> list[str]:
    """The groups in their order."""
    return list(dict.fromkeys(item.group for item in items))


def lowest(curve: Curve) -> list[tuple[float, float]]:
    """The lowest points, all of them if they tie."""
    low = min(curve.y)
    return [(x, y) for x, y in zip(curve.x, curve.y, strict=True) if y == low]


def between(values: list[float]) -> Place:
    """A scale that spreads numbers from edge to edge."""
    low, high = min(values), max(values)
    return lambda value: EDGE + (value - low) / (high - low) * (WIDTH - 2 * EDGE)


def rect(name: str, x: float, y: float, width: float, height: float) -> str:
    return (
        f'<rect class="{name}" x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}"/>'
    )


def line(name: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{name}" x1="{x1:.2f}" y1="{y1:.2f}" x2="{x2:.2f}" y2="{y2:.2f}"/>'


def circle(name: str, x: float, y: float, r: float) -> str:
    return f'<circle class="{name}" cx="{x:.2f}" cy="{y:.2f}" r="{r:.2f}"/>'
