"""The ledger on a page: its table, its pictures and its JSON say what the Python ledger says."""

import json
import math
import re
from dataclasses import asdict
from html import escape
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest
from real_ledger import whole

from amnl.stats import MARGIN
from amnl.study import claims
from amnl.study.claims import Evidence, Mark
from amnl.study.explorables import sparkline
from amnl.study.explorables.claims_ledger import KEYS, badge
from amnl.study.explorables.sparkline import SCALE, at

NUMBERS = range(1, 18)
Spark = ElementTree.Element


def stored() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(whole().explorable.data())
    return found


def claim(number: int) -> dict[str, Any]:
    (found,) = (c for c in stored()["claims"] if c["number"] == number)
    return dict(found)


def spark(number: int) -> Spark:
    html = whole().explorable.stands_in
    row = html[html.index(f'id="claim-{number}"') :]
    return ElementTree.fromstring(re.findall(r'<svg class="spark .*?</svg>', row)[0])


def ones(svg: Spark, name: str) -> list[Spark]:
    return [part for part in svg.iter() if name in part.get("class", "").split()]


def number_of(part: Spark, name: str) -> float:
    return float(part.get(name, "nan"))


# ------------------------------------------------------------------------------------- the JSON


def test_the_json_is_the_python_ledger() -> None:
    fields = claims.to_frame(whole().verdicts)
    found = {c["number"]: c for c in stored()["claims"]}
    assert sorted(found) == list(NUMBERS) == sorted(fields.index)
    for number, row in fields.iterrows():
        assert {name: found[number][name] for name in fields} == dict(row)
        assert found[number]["rule"] == claims.RULES[number]
        assert found[number]["key"] == KEYS[row["verdict"]]
        assert row["evidence"].startswith(f"{found[number]['chapter']:02d}-")
        picture, behind = found[number]["picture"], asdict(whole().evidence[number])
        behind["marks"] = [mark._asdict() for mark in whole().evidence[number].marks]
        behind["curves"] = [curve._asdict() for curve in whole().evidence[number].curves]
        assert picture == json.loads(json.dumps(behind))
    assert stored()["margin"] == MARGIN and stored()["scale"] == SCALE


def test_the_json_has_the_second_columns_and_the_rows() -> None:
    ten = claim(10)
    assert ten["balanced"] == {"15": whole().balanced[10][15]._asdict()}
    assert ten["large"]["verdict"] == claims.FAILS and ten["large"]["measured"]
    assert ten["rows"] == [
        {"table": "sweep-compact-cycles2", "networks": 440},
        {"table": "sweep-compact-unit125", "networks": 440},
    ]
    assert claim(1)["rows"] == [] and claim(1)["large"] is None and claim(1)["balanced"] == {}
    assert [row["networks"] for row in claim(12)["rows"]] == [440, 440, 80, 320, 200]


def test_claims_stand_verdict_by_verdict() -> None:
    keys = [c["key"] for c in stored()["claims"]]
    assert keys == sorted(keys, key=list(KEYS.values()).index)


# ------------------------------------------------------------------------ the table without scripts


class Tags(HTMLParser):
    """What tags are left open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.left: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("col", "br"):
            self.left.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.left.pop() == tag


def test_the_table_is_whole_without_a_script() -> None:
    html = whole().explorable.stands_in
    assert Tags(html).left == []
    assert re.findall(r'<tbody id="claim-(\d+)"', html) == [
        str(c["number"]) for c in stored()["claims"]
    ]
    body = html.partition("<tbody")[2]
    assert body.count("<details>") == body.count("<summary>") == body.count("spark ") == 17
    text = re.sub(r"<[^>]*>", "", html)
    for c in stored()["claims"]:
        for part in ("claim", "rule", "source", "measured"):
            assert escape(c[part]) in text
        assert f'href="{c["evidence"]}"' in html


def test_every_verdict_has_a_badge_of_its_own() -> None:
    badges = [badge({"verdict": v, "condition": "x" * (v == claims.CONDITION)}) for v in KEYS]
    for shown, told in zip(
        badges, ("holds", "holds only x", claims.FAILS, claims.OPEN), strict=True
    ):
        assert f"<span>{told}</span>" in shown
    shapes = {re.sub(r"<span.*?>|</span>", "", shown.partition("</svg>")[0]) for shown in badges}
    assert len(shapes) == 4  # told apart without colours


# --------------------------------------------------------------------------------- the sparklines


@pytest.mark.parametrize("number", NUMBERS)
def test_a_picture_says_in_words_what_it_shows(number: int) -> None:
    title = spark(number)[0]
    assert title.tag == "title" and spark(number).get("role") == "img"
    assert (title.text or "").startswith(whole().evidence[number].what)
    assert len((title.text or "").split()) > 5


@pytest.mark.parametrize("number", NUMBERS)
def test_a_picture_has_its_unit_below_it(number: int) -> None:
    """Only differences stand on the scale of the table's head."""
    html = whole().explorable.stands_in
    row = html[html.index(f'id="claim-{number}"') :]
    (label,) = re.findall(r'</svg><span class="what"[^>]*>(.*?)</span></td>', row)[:1]
    picture = claim(number)["picture"]
    assert label.startswith(escape(picture["what"]))
    if picture["kind"] == "differences":
        assert picture["what"].endswith("(cycles)")
    elif picture["kind"] == "numbers":
        assert all(f"{mark['value']:.2f}" in label for mark in picture["marks"])
    elif picture["kind"] == "curves":
        assert label.endswith(f", over {picture['along']}")
    assert "(cycles)" not in html[html.index("<thead") : html.index("</thead")]


DIFFERENCES = [n for n in NUMBERS if n in (4, 5, 10, 11, 12, 13, 14, 15)]


@pytest.mark.parametrize("number", DIFFERENCES)
def test_differences_are_drawn_where_the_json_has_them(number: int) -> None:
    svg, picture = spark(number), claim(number)["picture"]
    assert picture["kind"] == "differences"
    drawn, units = ones(svg, "mark"), list(dict.fromkeys(m["group"] for m in picture["marks"]))
    assert len(drawn) == len(picture["marks"]) == len(ones(svg, "rounding"))
    back = {y: band for band in ones(svg, "rounding") for y in [number_of(band, "y")]}
    marks = sorted(picture["marks"], key=lambda m: units.index(m["group"]))
    for mark, place, y in zip(marks, drawn, sorted(back), strict=True):
        (dot,), (line,) = ones(place, "dot"), ones(place, "span")
        x = number_of(dot, "cx" if dot.tag == "circle" else "data-x")
        assert cycles(x) == pytest.approx(mark["value"], abs=1e-3)
        ends = cycles(number_of(line, "x1")), cycles(number_of(line, "x2"))
        assert ends == pytest.approx((mark["low"], mark["high"]), abs=1e-3)
        assert max(map(abs, (mark["low"], mark["high"]))) < SCALE
        half = number_of(back[y], "width") / 2 / (at(1) - at(0))
        assert half == pytest.approx(mark["rounding"], abs=1e-3)
        found = mark["finding"] in ("worse", "better", "above zero")
        assert ("found" in place.get("class", "")) == found
        assert (dot.tag == "circle") == (mark["group"] == units[0])
    (margin,) = ones(svg, "margin")
    assert cycles(number_of(margin, "x")) == pytest.approx(-MARGIN, abs=1e-3)
    assert number_of(margin, "width") / (at(1) - at(0)) == pytest.approx(2 * MARGIN, abs=1e-3)


def cycles(x: float) -> float:
    return (x - at(0)) / (at(1) - at(0))


@pytest.mark.parametrize("number", [2, 3, 6, 7, 9])
def test_curves_are_drawn_where_the_json_has_them(number: int) -> None:
    svg, picture = spark(number), claim(number)["picture"]
    lines, rings = svg.findall("polyline"), ones(svg, "ring")
    assert len(lines) == len(picture["curves"])
    places = [
        [tuple(map(float, p.split(","))) for p in (line.get("points") or "").split()]
        for line in lines
    ]
    x, y = (
        straight([c["x"] for c in picture["curves"]]),
        straight([c["y"] for c in picture["curves"]]),
    )
    for curve, points in zip(picture["curves"], places, strict=True):
        assert len(points) == len(curve["x"])
        assert [p[0] for p in points] == pytest.approx(
            [*map(x.fit(places, 0), curve["x"])], abs=0.02
        )
        assert [p[1] for p in points] == pytest.approx(
            [*map(y.fit(places, 1), curve["y"])], abs=0.02
        )
    lowest = [
        point
        for curve, points in zip(picture["curves"], places, strict=True)
        for value, point in zip(curve["y"], points, strict=True)
        if value == min(curve["y"])
    ]
    assert [(number_of(r, "cx"), number_of(r, "cy")) for r in rings] == (
        lowest if picture["lowest"] else []
    )
    assert picture["lowest"] == (number in (3, 6, 7))


class straight:
    """The line from the extremes of some numbers to the extremes of where they are drawn."""

    def __init__(self, values: list[list[float]]) -> None:
        flat = [v for row in values for v in row]
        self.flat, self.low, self.high = flat, min(flat), max(flat)

    def fit(self, places: list[list[tuple[float, ...]]], axis: int) -> Any:
        drawn = [point[axis] for points in places for point in points]
        at_low, at_high = drawn[self.flat.index(self.low)], drawn[self.flat.index(self.high)]
        assert (at_low < at_high) == (axis == 0)  # higher values higher up
        return lambda v: at_low + (v - self.low) / (self.high - self.low) * (at_high - at_low)


def test_ratios_are_left_of_what_is_claimed() -> None:
    svg, marks = spark(17), claim(17)["picture"]["marks"]
    (bar,) = ones(svg, "claimed")
    left, width = number_of(bar, "x"), number_of(bar, "width")
    per_unit = width / (1.7 - 1.3)
    for mark, place in zip(marks, ones(svg, "mark"), strict=True):
        (dot,) = ones(place, "dot")
        assert number_of(dot, "cx") == pytest.approx(
            left + (mark["value"] - 1.3) * per_unit, abs=0.05
        )
        assert number_of(dot, "cx") < left


def test_a_failed_check_is_a_cross() -> None:
    crosses = [len(re.findall("M", part.get("d", ""))) == 2 for part in ones(spark(16), "check")]
    assert crosses == [m.finding != "runs" for m in whole().evidence[16].marks]


def test_every_lowest_point_has_a_ring() -> None:
    tie = claims.Curve("", "FD001", (0.1, 0.5, 0.9), (1.0, 2.0, 1.0))
    html = sparkline.sparkline(Evidence("curves", "loss", curves=(tie,), along="λ", lowest=True))
    assert html.count("ring") == 2 and "lowest at λ 0.1 and 0.9" in html


def test_what_is_claimed_is_marked_as_far_as_it_goes() -> None:
    mark = Mark("a", "FD001", 0.0, -0.1, 0.1, "equivalent", 0.05)
    for claimed, ends in (
        ((0.0, None), (at(0), sparkline.WIDTH)),
        ((None, 0.5), (0.0, at(0.5))),
        ((0.5, 1.5), (at(0.5), at(1.5))),
    ):
        html = sparkline.sparkline(Evidence("differences", "x (cycles)", claimed, (mark,)))
        (bar,) = ones(ElementTree.fromstring(html), "claimed")
        x, width = number_of(bar, "x"), number_of(bar, "width")
        assert (x, x + width) == pytest.approx(ends, abs=0.02)
    assert math.isclose(at(-SCALE) + at(SCALE), sparkline.WIDTH)
