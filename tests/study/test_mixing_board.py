"""Chapter 1's mixing board as Python makes it."""

import re

import numpy as np
import pytest
from playing import page_functions

from amnl.drawing import on_dark
from amnl.palette import HEALTH_COLOUR, RUL_COLOUR
from amnl.study.explorables import SCRIPTS, mixing_board
from amnl.study.explorables.mixing_board import UNITS
from amnl.study.rows import load_rows

CHAPTER = page_functions("01-convex-combination", "at_angle", "useful_interval", "share")


def test_the_table_says_what_the_page_computes() -> None:
    board = mixing_board(225.0, CHAPTER["useful_interval"], CHAPTER["share"])
    body = board.stands_in.partition("<tbody>")[2]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in body.split("</tr>")[:-1]]
    assert [row[0] for row in rows] == ["1", "5", "15", "45", "125"]
    for unit, length, part, *ends in ([float(cell) for cell in row] for row in rows):
        ratio = 225 / unit**2
        gradients = CHAPTER["at_angle"](0, ratio), CHAPTER["at_angle"](120, 1)
        assert length == pytest.approx(ratio, rel=0.005)
        assert part == pytest.approx(CHAPTER["share"](0.5, ratio), abs=5e-4)
        assert ends == pytest.approx(CHAPTER["useful_interval"](*gradients), abs=5e-5)


def test_the_sizes_are_those_that_chapter_7_measured() -> None:
    rows = load_rows("gradient_norms")
    first = rows[(rows.epoch == 0) & (rows.rul_unit == 1)]
    ratio = np.exp(np.log(first.rul_norm / first.health_norm).mean())
    assert round(ratio) == 225
    # 15 of the dial's units is the one of equal lengths; its ends are the two that the text names.
    assert UNITS[0] == 1 and UNITS[-1] == 125
    assert min(UNITS, key=lambda unit: abs(np.log(ratio / unit**2))) == 15


def test_the_colours_are_the_books() -> None:
    css = (SCRIPTS / "mixing-board.css").read_text(encoding="utf-8")
    for name, colour in (("rul", RUL_COLOUR), ("hs", HEALTH_COLOUR)):
        light, dark, forced = re.findall(rf"--{name}: (\S+);", css)
        assert (light, dark) == (colour.lower(), on_dark(colour.lower()))
        assert not forced.startswith("#")
