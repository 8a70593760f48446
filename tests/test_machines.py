"""Trained numbers are held against what other machines found."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from amnl import machines

HEAD = "page,cell,what,this,other,third\n"
ROWS = """05-page,check,05 score,1.0,1.1,1.2
05-page,check,05 steady,2.5,2.5,2.5
05-page,check,05 verdict,flat,flat,keep
05-page,3,"score … [1]",1.0,1.1,1.2
"""


@pytest.fixture(autouse=True)
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of three machines in the place of the book's."""
    path = tmp_path / "machines.csv"
    path.write_text(HEAD + ROWS)
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    monkeypatch.setattr(machines, "table", lambda: rows)
    monkeypatch.delenv(machines.RECORD, raising=False)


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("05 score", 1.15, "1 to 1.2 on 3 machines"),
        ("05 score", 1.3, "1 to 1.2 on 3 machines"),  # beyond what was met, by less than they vary
        ("05 steady", 2.504, "2.5 on 3 machines"),  # the page shows three digits
        ("05 verdict", "keep", "as on 1 of 3 machines"),
    ],
)
def test_what_machines_agree_on_is_said(name: str, value: float | str, line: str) -> None:
    assert machines.check(name, value) == line


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("05 score", 5.0, r"05 score: this run gave 5, 3 machines gave 1 to 1.2"),
        ("05 score", math.nan, "this run gave nan"),
        ("05 steady", 2.51, "this run gave 2.51"),
        ("05 verdict", "better", "this run says 'better', other machines"),
    ],
)
def test_what_no_machine_found_is_refused(name: str, value: float | str, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        machines.check(name, value)


def test_a_number_that_was_never_measured_is_named() -> None:
    with pytest.raises(KeyError, match="'05 scroe' was never measured"):
        machines.check("05 scroe", 1.0)


def test_measuring_records_and_compares_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(machines.RECORD, str(tmp_path / "found"))
    for name, value in (("05 new", np.float64(9.5)), ("05 verdict", "better")):
        assert machines.check(name, value) == "measured"
    lines = (tmp_path / "found").read_text().splitlines()
    assert [json.loads(line)["value"] for line in lines] == [9.5, "better"]


@pytest.mark.parametrize("n", [3, 12])
def test_one_more_machine_lies_within_the_limits_in_999_of_1000_cases(n: int) -> None:
    draws = np.random.default_rng(0).normal(10.0, 0.5, (20_000, n + 1))
    missed = 0
    for row in draws:
        low, high = machines.limits(row[:n].tolist())
        missed += not low <= row[n] <= high
    assert 5 <= missed <= 40, "20 are expected; 5 or fewer, 40 or more, in one test of 10,000"


def test_settings_that_a_training_never_meets_do_not_narrow_the_limits() -> None:
    values = [1.0, 1.1, 1.2]
    assert machines.limits(values * 4) == machines.limits(values)
