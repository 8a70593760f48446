"""Trained numbers are held against what other machines found."""

import json
import math
from pathlib import Path

import numpy as np
import pages
import pandas as pd
import pytest

from amnl.study import machines

HEAD = "page,cell,what,commit,this,other,third\n"
ROWS = """05-page,check,05 score,abc1234,1.0,1.1,1.2
05-page,check,05 steady,abc1234,2.5,2.5,2.5
05-page,check,05 verdict,abc1234,flat,flat,keep
05-page,3,"score … [1]",abc1234,1.0,1.1,1.2
"""


# What the pages say of a trained number in words: the page, its words, the number's name, and the
# range that the words leave it.
PROSE = [
    ("05", "two or three epochs later the best is over", "epoch chosen on validation", 12, 13),
    ("05", "the RUL loss by half", "RUL loss at the end, as a share of epoch 12", 0.4, 0.6),
    ("05", "health loss by a quarter", "health loss at the end, as a share of epoch 12", 0.7, 0.8),
    ("05", "the model is best where it matters most", "RMSE, 0-30 cycles", 0, 5),
    ("05", "less to see, and the errors are largest", "RMSE, 31-80 cycles", 18, 22),
    ("05", "about ten engines of a hundred make up most", "share of the dearest ten", 0.6, 1),
    ("05", "on some it is a tenth to a quarter of a cycle", "the leak", 0, 0.3),
    ("05", "neither run is as good as the published compact one", "test RMSE", 13, 15.6),
    ("10", "some five hundred times as hard", "divisor", 450, 550),
    ("10", "with the loss divided by 519", "divisor", 518.5, 519.5),
    ("10", "nearly three times the error of the unbalanced one", "RMSE at 0.5, percent²", 2.4, 2.8),
    ("10", "nearly three times the error of the unbalanced one", "RMSE at 0.5, balanced", 7.0, 7.4),
    ("10", "its best weight of five is still behind every weight", "RMSE at 0.7, balanced", 3, 6),
    ("10", "the error falls steeply up to 0.9", "RMSE at 0.9, beyond", 3.2, 3.7),
    ("10", "by most of a point to 0.99", "RMSE at 0.99, beyond", 2.7, 2.9),
    ("10", "by less than a tenth from there to 1", "RMSE at 1, beyond", 2.7, 2.8),
    ("10", "from below 3 to above 4.4 points", "RMSE at 0.5, hurried", 2.9, 4.5),
    ("10", "the battery in percent² sits on the first line", "spread, percent²", 0.2, 0.35),
    ("10", "anywhere from the third line to well past the last", "spread, hurried", 0.9, 4),
    ("10", "not half of the faults are named", "faults named in percent²", 0.4, 0.5),
    ("10", "at 0.9 seven faults of eight are named", "faults named at 0.9", 0.86, 0.89),
    ("10", "the health pays three quarters of a point", "what the health pays at 0.9", 0.7, 0.8),
]  # fmt: skip


@pytest.mark.parametrize(("chapter", "words", "name", "low", "high"), PROSE)
def test_the_text_says_what_holds_on_every_machine(
    chapter: str, words: str, name: str, low: float, high: float
) -> None:
    (page,) = (pages.ROOT / "book").glob(f"{chapter}-*.md")
    assert words.casefold() in " ".join(page.read_text(encoding="utf-8").split()).casefold()
    found = machines.measured(f"{chapter} {name}").astype(float)
    assert low <= found.min() and found.max() <= high


def test_one_sweep_has_three_verdicts() -> None:
    """As chapter 10 says of the battery that is trained in a hurry, and of it alone."""
    found = machines.measured("10 verdict, hurried").value_counts().to_dict()
    assert found == {"undecided": 9, "better": 1, "keep": 1}
    for name, verdict in (("percent²", "flat"), ("balanced", "better")):
        assert set(machines.measured(f"10 verdict, {name}")) == {verdict}


@pytest.fixture
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
@pytest.mark.usefixtures("measured")
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
@pytest.mark.usefixtures("measured")
def test_what_no_machine_found_is_refused(name: str, value: float | str, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        machines.check(name, value)


@pytest.mark.usefixtures("measured")
def test_a_number_that_was_never_measured_is_named() -> None:
    with pytest.raises(KeyError, match="'05 scroe' was never measured"):
        machines.check("05 scroe", 1.0)


@pytest.mark.usefixtures("measured")
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
