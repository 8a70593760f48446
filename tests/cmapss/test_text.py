"""Rows and remaining lives, or the line that is wrong."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amnl import cmapss
from amnl.cmapss import DataError
from cmapss.tiny_fleet import edit, field, seal


def cut_mid_line(lines: list[str]) -> list[str]:
    return [*lines[:-1], lines[-1][:60]]


BAD_ROWS = {
    "cut": (cut_mid_line, r"line 190: \d+ columns, not 26 \(cut off in mid-line\?\)"),
    "25 columns": (
        lambda x: [*x[:7], " ".join(x[7].split()[:25]) + "  \n", *x[8:]],
        "line 8: 25 columns, not 26",
    ),
    "25 columns throughout": (
        lambda x: [" ".join(line.split()[:25]) + "  \n" for line in x],
        "line 1: 25 columns, not 26",
    ),
    "27 columns": (lambda x: [*x[:7], "0 " + x[7], *x[8:]], "line 8: 27 columns, not 26"),
    "NaN": (lambda x: [*x[:4], field(x[4], 11, "NaN"), *x[5:]], "line 5, column 12: NaN"),
    "infinity": (lambda x: [*x[:4], field(x[4], 11, "inf"), *x[5:]], "line 5, column 12: inf"),
    "what Python alone reads": (
        lambda x: [*x[:4], field(x[4], 11, "6_4.2"), *x[5:]],
        "line 5, column 12: 6_4.2 is no finite number",
    ),
    "digits of another script": (
        lambda x: [*x[:4], field(x[4], 11, "٣"), *x[5:]],
        "line 5, column 12: ٣",
    ),
    "too large": (lambda x: [*x[:4], field(x[4], 11, "1e999"), *x[5:]], "line 5, column 12: 1e999"),
    "a comment": (lambda x: [*x[:4], f"#{x[4]}", *x[5:]], "line 5, column 1: #1"),
    "a word": (lambda x: [*x[:4], field(x[4], 11, "n/a"), *x[5:]], "line 5, column 12: n/a"),
    "interleaved": (
        lambda x: [*x[:10], x[31], *x[10:31], *x[32:]],
        "line 11: engine 2 cycle 1 where|line 12: engine 1 cycle 11 where",
    ),
    "two rows swapped": (lambda x: [x[0], x[2], x[1], *x[3:]], "line 2: engine 1 cycle 3 where"),
    "a row missing": (
        lambda x: [*x[:5], *x[6:]],
        "line 6: engine 1 cycle 7 where engine 1 cycle 6",
    ),
    "an engine missing": (lambda x: x[31:], "line 1: engine 2 cycle 1 where engine 1 cycle 1"),
    "empty": (lambda x: [], "the file is empty"),
}


@pytest.mark.parametrize("fault", BAD_ROWS)
def test_bad_rows_are_named_by_the_parser(tiny: Path, cache: Path, fault: str) -> None:
    change, message = BAD_ROWS[fault]
    edit(tiny / "train_FD001.txt", change)
    seal(tiny)  # the checksum agrees: the parser alone stands guard
    with pytest.raises(DataError, match=rf"train_FD001\.txt.*({message})"):
        cmapss.load("FD001", 0, tiny)
    assert not list(cache.glob("*"))


@pytest.mark.parametrize("fault", BAD_ROWS)
def test_bad_rows_in_nasa_files_come_with_the_way_out(tiny_nasa: Path, fault: str) -> None:
    change, message = BAD_ROWS[fault]
    edit(tiny_nasa / "train_FD001.txt", change)
    with pytest.raises(DataError, match=rf"SHA-256.*damaged.*({message}).*--download.*AMNL_DATA"):
        cmapss.load("FD001", 0, tiny_nasa)


BAD_LIVES = {
    "too few": (lambda x: x[:-1], "2 lines for 3 test engines"),
    "too many": (lambda x: [*x, "9 \n"], "4 lines for 3 test engines"),
    "what Python alone reads": (lambda x: ["1_12\n", *x[1:]], "line 1: '1_12' is not"),
    "a word": (lambda x: [x[0], "many\n", x[2]], "line 2: 'many' is not a remaining life"),
    "negative": (lambda x: [x[0], "-3\n", x[2]], "line 2: '-3' is not"),
    "NaN": (lambda x: [x[0], x[1], "nan\n"], "line 3: 'nan' is not"),
    "two columns": (lambda x: ["1 2\n", *x[1:]], "line 1: '1 2' is not"),
    "a blank line": (lambda x: [x[0], "\n", *x[1:]], "line 2: '' is not"),
}


@pytest.mark.parametrize("fault", BAD_LIVES)
@pytest.mark.parametrize("sealed", [True, False])
def test_bad_remaining_lives_are_named(tiny_nasa: Path, fault: str, sealed: bool) -> None:
    change, message = BAD_LIVES[fault]
    edit(tiny_nasa / "RUL_FD001.txt", change)
    if sealed:
        seal(tiny_nasa)
    else:
        message = rf"SHA-256.*{message}.*--download"
    with pytest.raises(DataError, match=rf"RUL_FD001\.txt.*{message}"):
        cmapss.load("FD001", 0, tiny_nasa)


@pytest.mark.parametrize(
    ("life", "said"), [("9" * 30, "'9{30}'"), ("1e400", "'1e400'"), ("7.5", "'7.5'")]
)
def test_a_life_that_no_engine_has_is_named(tiny: Path, life: str, said: str) -> None:
    edit(tiny / "RUL_FD001.txt", lambda lines: [*lines[:2], f"{life}\n"])
    seal(tiny)
    with pytest.raises(DataError, match=rf"line 3: {said} is not a remaining life"):
        cmapss.load("FD001", 0, tiny)


def test_a_blank_line_inside_is_named(tiny: Path) -> None:
    edit(tiny / "train_FD001.txt", lambda lines: [*lines[:7], "\n", *lines[7:]])
    seal(tiny)
    with pytest.raises(DataError, match="line 8: 0 columns, not 26"):
        cmapss.load("FD001", 0, tiny)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=24, max_size=24))
def test_numbers_are_read_as_python_reads_them(values: list[float]) -> None:
    line = " ".join(["1 1", *map(repr, values)])
    assert cmapss.parse_rows(line.encode(), "a line").tolist() == [[1.0, 1.0, *values]]
