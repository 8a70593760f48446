"""A reader's own table: what it must not be is said in one line, and what it says is kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from amnl.cmapss import Columns, DataError, Fleet, Reading, clean, read_table
from cmapss.own_tables import fleet_of, lines, read
from cmapss.tiny_fleet import Notes

HEAD = "unit,cycle,s1"


def refused(what: Callable[[], object]) -> str:
    """What is said of a table, in one line."""
    with pytest.raises(DataError) as caught:
        what()
    message = str(caught.value)
    assert len(message.splitlines()) == 1 and len(message) < 400, message
    return message


# ------------------------------------------------------------------------------- bad tables, a line

BAD = {
    "a gap": (
        (HEAD, "1,1,.1", "1,3,.2"),
        r"unit 1 goes from cycle 1 to 3 \(rows 1, 2\); .*life='cycles'.*'rows'",
    ),
    "two gaps": (
        (HEAD, "1,1,.1", "1,3,.2", "1,9,.3"),
        r"from cycle 1 to 3 \(rows 1, 2\), and 1 other gap;",
    ),
    "half a cycle": ((HEAD, "1,1,.1", "1,1.5,.2"), r"row 2: cycle 1\.5 is no whole number.*life="),
    "text": (
        (HEAD, "1,1,.1", "1,2,open"),
        r"s1, row 2: 'open' is no finite number; leave the column out",
    ),
    "text beside numbers": (
        (f"{HEAD},valve", "1,1,.1,open", "1,2,.3,shut"),
        r"valve, row 1: 'open' is no finite number",
    ),
    "a date among the features": (
        (f"{HEAD},day", "1,1,.1,2024-01-31", "1,2,.3,2024-02-01"),
        r"day, row 1: '2024-01-31' is no finite number; a date is no feature",
    ),
    "an infinity": ((HEAD, "1,1,inf", "1,2,.3"), r"s1, row 1: 'inf' is no finite number"),
    "a number of another script": ((HEAD, "1,1,1_000", "1,2,.3"), r"row 1: '1_000' is no finite"),
    "thousands": ((HEAD, '1,1,"1,234.5"', "1,2,.3"), r"row 1: '1,234\.5' is no finite number"),
    "a column of blanks": (
        (f"{HEAD},s2", "1,1,.1,", "1,2,.3,NA"),
        r"s2 is blank in every row; leave the column out",
    ),
    "no such column": (("id,cycle,s1", "1,1,.1"), r"no column 'unit'; it has id, cycle, s1"),
    "two columns of a name": ((f"{HEAD},s1", "1,1,.1,.2"), r"has two columns 's1'"),
    "a spelling too many": (
        (HEAD, "1,1,.1", "1.0,2,.2"),
        r"unit has 1 and 1\.0, which may be one unit or two",
    ),
    "a constant": ((f"{HEAD},s2", "1,1,.1,5", "1,2,.2,5"), r"s2 is constant \(5\).*leave it out"),
    "days that are no dates": ((HEAD, "1,1,.1", "1,2,.2"), r"life='days' counts dates.*'1', row 1"),
}
HOW: dict[str, dict[str, Any]] = {
    "a constant": {"features": ["s1", "s2"]},
    "a column of blanks": {"features": ["s1", "s2"]},
    "days that are no dates": {"life": "days"},
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_table_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    rows, message = BAD[name]
    said = refused(lambda: fleet_of(read(tmp_path, *rows), **HOW.get(name, {})))
    assert said.startswith(str(tmp_path / "my.csv")), "the file is named"
    assert pd.Series([said]).str.contains(message).all(), said


FILES = {
    "empty": (b"", r"is empty; it takes a header"),
    "a header": (b"unit,cycle,s1\n", r"has a header and no rows"),
    "a line too long": (b"unit,cycle,s1\n1,1,2\n1,2,0,5\n", r"line 3: 4 fields where .* has 3"),
    "a line too short": (b"unit,cycle,s1\n1,1\n", r"line 2: 2 fields where the header has 3"),
    "Latin-1": ("unit,cycle,Öl\n1,1,2\n".encode("latin-1"), r"is no UTF-8 text .*save it as CSV"),
    "a workbook": (b"PK\x03\x04\x00\x00\x00unit", r"is no text; save the table as CSV"),
    "half a gz": (b"\x1f\x8b\x08\x00\x00", r"cannot be read: .*name a CSV file"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    content, message = FILES[name]
    path = tmp_path / "my.csv"
    path.write_bytes(content)
    said = refused(lambda: read_table(path))
    assert str(path) in said and pd.Series([said]).str.contains(message).all(), said


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        assert f"{path} cannot be read" in refused(lambda path=path: read_table(path))


@pytest.mark.parametrize(
    "encoded",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: __import__("gzip").compress(text.encode()),
        lambda text: text.replace(",", " , ").encode(),
        lambda text: (text + "\n\n").encode(),
    ],
    ids=["a byte-order mark", "UTF-16", "CRLF", "CR", "gz", "blanks", "blank lines at the end"],
)
def test_other_bytes_are_the_same_table(encoded: Callable[[str], bytes], tmp_path: Path) -> None:
    text = lines(HEAD, "007,1,.1", "007,2,.3")
    (tmp_path / "plain.csv").write_text(text)
    (tmp_path / "other.csv").write_bytes(encoded(text))
    plain, other = (read_table(tmp_path / name) for name in ("plain.csv", "other.csv"))
    pd.testing.assert_frame_equal(plain, other)


@pytest.mark.parametrize(
    "how",
    [{"decimal": "'"}, {"life": "weeks"}, {"aggregate": "sum"}, {"fill": "backward"}],
    ids=str,
)
def test_a_reading_that_there_is_not_lists_those_that_there_are(how: dict[str, str]) -> None:
    ((name, value),) = how.items()
    assert f"{name} {value!r}: there are '" in refused(lambda: Reading(**how))  # type: ignore


def test_an_unknown_argument_lists_the_known_ones() -> None:
    with pytest.raises(TypeError, match="unknown argument 'lives'; to read a table: decimal, life"):
        Fleet.from_frame(pd.DataFrame(), "unit", "cycle", lives="rows")


def test_a_column_of_two_kinds_is_refused() -> None:
    table = pd.DataFrame({"unit": [1, 1], "cycle": [1, 2], "s1": [0.1, 0.2]})
    assert "'s1' is named for two things" in refused(
        lambda: fleet_of(table, features=["s1"], conditions=["s1"])
    )


# ---------------------------------------------------------------------------- cases of other people


def test_ids_are_text(tmp_path: Path) -> None:
    fleet = fleet_of(read(tmp_path, HEAD, "007,1,.1", "007,2,.2", "7,1,.3", "7,2,.4"))
    assert fleet.units == ("007", "7") and fleet.rul.tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize("units", [[1, 1, "1", "1"], [1.0, 1, "1", "1 "]], ids=str)
def test_one_unit_of_two_kinds_is_no_two_half_lives(units: list[Any], notes: Notes) -> None:
    table = pd.DataFrame({"unit": units, "cycle": [1, 2, 3, 4], "s1": [0.1, 0.4, 0.2, 0.7]})
    fleet = fleet_of(table)
    assert fleet.units == ("1",) and fleet.rul.tolist() == [3, 2, 1, 0]
    assert any("unit holds text and numbers; 1 and '1' are one unit" in line for line in notes())


def test_a_blank_makes_no_decimals_of_names() -> None:
    table = pd.DataFrame({"unit": [4.0, 4.0, np.nan], "cycle": [1, 2, 1], "s1": [0.1, 0.4, 0.2]})
    assert fleet_of(table, drop_keyless=True).units == ("4",)


def test_a_decimal_comma_is_stated(tmp_path: Path) -> None:
    rows = ("unit;cycle;s1", "1;1;0,52", "1;2;0,61")
    said = refused(lambda: read(tmp_path, *rows))
    assert "--separator ';'" in said and "s1 then holds '0,52'" in said and "--decimal ," in said
    table = read(tmp_path, *rows, separator=";")
    said = refused(lambda: fleet_of(table))
    assert (
        "s1, row 1: '0,52' is no finite number; a decimal comma" in said and "--decimal ," in said
    )
    fleet = fleet_of(table, decimal=",")
    assert fleet.names == ("s1",) and fleet.values.tolist() == [[0.52], [0.61]]
    numbers = table.assign(s1=pd.Series([0.52, "0,61"], dtype=object))
    assert fleet_of(numbers, decimal=",").values.tolist() == [[0.52], [0.61]]
    mixed = read(tmp_path, "unit;cycle;s1", "1;1;0,52", "1;2;0.61", separator=";")
    assert "a point is no part of a number" in refused(lambda: fleet_of(mixed, decimal=","))


DOUBLED = {
    "unit": [1, 1, 1, 1, 2, 2, 2, 2, 2, 2],
    "cycle": [1, 2, 2, 3, 1, 1, 1, 2, 2, 3],
    "s1": [0.5, 1.0, 2.0, 0.0, 3.0, 3.0, 6.0, 1.0, 2.0, 9.0],
}


def test_a_doubled_cycle_is_no_gap(notes: Notes) -> None:
    table = pd.DataFrame(DOUBLED)
    said = refused(lambda: fleet_of(table))
    assert "unit 1, cycle 2 twice (rows 2, 3), and 2 other cycles more than once" in said
    assert "--aggregate mean" in said
    assert "cycle 1 3 times (rows 1, 2, 3)" in refused(lambda: fleet_of(table[4:]))
    mean, last = (fleet_of(table, aggregate=how) for how in ("mean", "last"))
    assert mean.rul.tolist() == last.rul.tolist() == [2, 1, 0, 2, 1, 0]
    assert mean.values[:, 0].tolist() == [0.5, 1.5, 0, 4, 1.5, 9]
    assert last.values[:, 0].tolist() == [0.5, 2, 0, 6, 2, 9]
    assert any("10 rows made 6, one a cycle (mean)" in line for line in notes())


DAYS = ("2024-01-01", "2024-01-02", "2024-01-05")


@pytest.mark.parametrize("typed", [False, True], ids=["text", "dates"])
def test_dates_are_refused_until_it_is_said_what_a_life_is(typed: bool) -> None:
    table = pd.DataFrame({"unit": "A", "cycle": list(DAYS), "s1": [0.1, 0.5, 0.3]})
    if typed:
        table["cycle"] = pd.to_datetime(table["cycle"])
    for life in (None, "cycles"):
        said = refused(lambda life=life: fleet_of(table, life=life))
        assert "cycle holds dates (2024-01-01" in said and "life='rows', 'days' or 'hours'" in said
    found = {life: fleet_of(table, life=life).rul.tolist() for life in ("rows", "days", "hours")}
    assert found == {"rows": [2, 1, 0], "days": [4, 3, 0], "hours": [96, 72, 0]}


@pytest.mark.parametrize("date", ["01/02/2024", "2.1.2024", "31-12-24"])
def test_a_date_that_reads_two_ways_is_refused(date: str) -> None:
    table = pd.DataFrame({"unit": "A", "cycle": ["2024-01-01", date], "s1": [0.1, 0.5]})
    said = refused(lambda: fleet_of(table, life="days"))
    assert f"cycle, row 2: '{date}' may be read in two ways" in said and "2024-01-31" in said


def test_gaps_count_where_they_are_said_to() -> None:
    table = pd.DataFrame({"unit": "A", "cycle": [1, 2.5, 7], "s1": [0.1, 0.5, 0.3]})
    assert fleet_of(table, life="cycles").rul.tolist() == [6, 4.5, 0]
    assert fleet_of(table, life="rows").rul.tolist() == [2, 1, 0]


def test_rows_without_a_key_are_counted_or_refused(notes: Notes) -> None:
    rows = {"unit": ["a"] * 5 + ["b"] * 5, "cycle": [1, 2, 3, 4, 5] * 2}
    table = pd.DataFrame(rows).assign(s1=np.arange(10) ** 2 / 7).astype(object)
    table.loc[4, "unit"], table.loc[8, "cycle"], table.loc[9, "cycle"] = None, "n/a", np.nan
    said = refused(lambda: fleet_of(table))
    assert "3 rows of 10" in said and "row 5 (no unit), row 9 (cycle 'n/a'), row 10 (no" in said
    assert "--drop-keyless" in said
    fleet = fleet_of(table, drop_keyless=True)
    assert fleet.rul.tolist() == [3, 2, 1, 0, 2, 1, 0]
    assert any("10 rows = 7 used + 3 left out: row 5" in line for line in notes())
    table["unit"] = None
    assert "no row has a unit" in refused(lambda: fleet_of(table, drop_keyless=True))


def test_what_a_table_holds_besides_features_is_left_out_and_named(
    tmp_path: Path, notes: Notes
) -> None:
    rows = (",unit,cycle,s1,RUL,n,flat,dead", "0,1,1,.5,1,10,7,0", "1,1,2,.7,0,11,7,1")
    rows += ("2,2,1,.2,1,12,7,0", "3,2,2,.1,0,13,7,1")
    fleet = fleet_of(read(tmp_path, *rows))
    assert fleet.names == ("s1",)
    (said,) = (line for line in notes() if "feature" in line)
    assert "1 feature: s1; left out: '' (without a name), RUL (the answer)" in said
    assert "n (only counts rows), dead (1 at each last row alone: an event?), flat (con" in said
    assert fleet_of(read(tmp_path, *rows), features=["s1", "n"]).names == ("s1", "n")
    assert any("the feature n: only counts rows" in line for line in notes())


@pytest.mark.parametrize(
    "name", ["Unnamed: 0", "rul", "Remaining useful life", "TTF", "time_to_failure"]
)
def test_names_that_give_the_answer_away(name: str) -> None:
    table = pd.DataFrame(
        {"unit": 1, "cycle": [1, 2, 3], "s1": [0.3, 0.1, 0.7], name: [0.2, 0.1, 0]}
    )
    assert fleet_of(table).names == ("s1",)
    assert "is a feature" in refused(lambda: fleet_of(table.drop(columns="s1")))


BLANKS = (HEAD, "1,1,0.1", "1,2,", "1,3,0.3", "2,1,", "2,2,0.2", "2,3,0.3")


def test_a_blank_stops_before_training_and_is_filled_from_its_own_past(tmp_path: Path) -> None:
    said = refused(lambda: fleet_of(read(tmp_path, *BLANKS)))
    assert "unit 1, cycle 2 (row 2): s1 is blank (2 blank readings in all)" in said
    assert "--fill forward" in said
    said = refused(lambda: fleet_of(read(tmp_path, *BLANKS), fill="forward"))
    assert "unit 2, cycle 1 (row 4): s1 is blank; no earlier row of the unit" in said
    fleet = fleet_of(read(tmp_path, *BLANKS[:4], *BLANKS[5:]), fill="forward", life="rows")
    assert fleet.values[:, 0].tolist() == [0.1, 0.1, 0.3, 0.2, 0.3]


@pytest.mark.parametrize("values", [[1, 1, 1, 1, 1, 0, 0, 0], [0, 0, 0, 0, 1, 0, 0, 0]], ids=str)
@pytest.mark.parametrize("kind", [int, float, bool, str])
def test_a_unit_that_still_runs_has_no_end(values: list[int], kind: type, notes: Notes) -> None:
    table = pd.DataFrame({"unit": list("AAAAABBB"), "cycle": [1, 2, 3, 4, 5, 1, 2, 3]})
    table["s1"] = [0.1, 0.4, 0.2, 0.3, 0.9, 0.3, 0.8, 0.1]
    plain = fleet_of(table)
    assert plain.rul.tolist() == [4, 3, 2, 1, 0, 2, 1, 0] and not plain.running.any()
    assert any("last row counts as its failure" in line and "--event" in line for line in notes())
    table["failed"] = [kind(value) for value in values]
    fleet = fleet_of(table, event="failed")
    assert fleet.rul.tolist()[:5] == [4, 3, 2, 1, 0] and np.isnan(fleet.rul[5:]).all()
    assert fleet.running.tolist() == [False, True]
    said = notes()
    assert any("2 units = 1 that failed + 1 that still run by failed" in line for line in said)
    assert not any("counts as its failure" in line for line in said)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0, 0, 1, 0, 1, 0], r"unit B has failed at row 5 by f, and still runs at its last row"),
        ([0, 0, 1, 0, 0, "x"], r"unit B, cycle 3 \(row 6\): f is 'x', neither 1"),
        ([0, 0, 1, 0, None, 1], r"unit B, cycle 2 \(row 5\): f is neither 1"),
        ([0, 0, 1, 0, 2, 7], r"row 5\): f is '2', neither 1 .* nor 0 .*, as in 1 other row"),
    ],
)
def test_an_event_that_says_nothing_is_refused(values: list[Any], message: str) -> None:
    table = pd.DataFrame({"unit": list("AAABBB"), "cycle": [1, 2, 3] * 2, "s1": [1, 4, 2, 3, 9, 3]})
    table["f"] = pd.Series(values, dtype=object)
    with pytest.raises(DataError, match=message):
        fleet_of(table, event="f")


# ------------------------------------------------------------------------------------ what is made


def test_rows_may_stand_in_any_order_and_under_an_index() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"unit": ["b"] * 4 + ["a"] * 3, "cycle": [1, 2, 3, 4, 1, 2, 3]})
    table["s1"] = rng.normal(size=7)
    expected = fleet_of(table)
    assert expected.units == ("b", "a")
    order = np.array([0, 4, 3, 6, 1, 2, 5])
    for other in (table.iloc[order], table.set_index(["unit", "cycle"]), table.astype(str)):
        found = fleet_of(other)
        assert str(found) == str(expected)
        assert np.array_equal(found.values, expected.values)


def test_clean_gives_a_table_of_what_was_asked_for() -> None:
    table = pd.DataFrame({"u": ["x", "x"], "t": ["2", "1"], "a": ["0.5", "1e1"], "c": [1.0, "1"]})
    found = clean(table, Columns("u", "t", ("a",), ("c",)))
    assert found.to_dict("list") == {"u": ["x", "x"], "t": [1, 2], "a": [10, 0.5], "c": ["1", "1"]}
