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
ROWS = """05-page,check,fleet: score,abc1234,1.0,1.1,1.2
05-page,check,fleet: steady,abc1234,2.5,2.5,2.5
05-page,check,fleet: verdict,abc1234,flat,flat,keep
05-page,3,"score … [1]",abc1234,1.0,1.1,1.2
"""


# What the pages say of a trained number in words: by page and by what is trained, the words, the
# number's name, and the range that the words leave it.
PROSE = {
    ("train-cmapss", "FD001"): [
        ("two or three epochs later the best is over", "epoch chosen on validation", 12, 13),
        ("the RUL loss by half", "RUL loss at the end, as a share of epoch 12", 0.4, 0.6),
        ("health loss by a quarter", "health loss at the end, as a share of epoch 12", 0.7, 0.8),
        ("the model is best where it matters most", "RMSE, 0-30 cycles", 0, 5),
        ("less to see, and the errors are largest", "RMSE, 31-80 cycles", 18, 22),
        ("about ten engines of a hundred make up most", "share of the dearest ten", 0.6, 1),
        ("on some it is a tenth to a quarter of a cycle", "the leak", 0, 0.3),
        ("neither run is as good as the published compact one", "test RMSE", 13, 15.6),
    ],
    ("weigh-your-problem", "battery"): [
        ("some five hundred times as hard", "divisor", 450, 550),
        ("nearly three times the error of the unbalanced one", "RMSE at 0.5, percent²", 2.4, 2.8),
        ("nearly three times the error of the unbalanced one", "RMSE at 0.5, balanced", 7.0, 7.4),
        ("its best weight of five is still behind every weight", "RMSE at 0.7, balanced", 3, 6),
        ("the error falls steeply up to 0.9", "RMSE at 0.9, beyond", 3.2, 3.7),
        ("by most of a point to 0.99", "RMSE at 0.99, beyond", 2.7, 2.9),
        ("by less than a tenth from there to 1", "RMSE at 1, beyond", 2.7, 2.8),
        ("not half of the faults are named", "faults named in percent²", 0.4, 0.5),
        ("at 0.9 seven faults of eight are named", "faults named at 0.9", 0.86, 0.89),
        ("the health pays three quarters of a point", "what the health pays at 0.9", 0.7, 0.8),
    ],
    ("pitfalls", "battery"): [
        ("with the loss divided by 519", "divisor", 518.5, 519.5),
    ],
    ("how-far-to-believe-it", "battery"): [
        ("from below 3 to above 4.4 points", "RMSE at 0.5, hurried", 2.9, 4.5),
        ("the battery in percent² sits on the first line", "spread, percent²", 0.2, 0.35),
        ("anywhere from the third line to well past the last", "spread, hurried", 0.9, 4),
    ],
}  # fmt: skip


def name_of(slug: str) -> str:
    """A page's name, whatever its number."""
    (name,) = (n for n in pages.page_names(pages.ROOT) if n.lstrip("0123456789-") == slug)
    return name


def test_a_number_is_named_once_and_stands_on_a_page_of_the_book() -> None:
    """No name has the number of a chapter, so that a page may move and its rows with it."""
    rows = machines.table()
    checks = rows[rows.cell == "check"]
    assert not checks.what.duplicated().any()
    assert not checks.what.str.match(r"\d").any()
    assert set(rows.page) <= set(pages.page_names(pages.ROOT))


@pytest.mark.parametrize(
    ("slug", "words", "name", "low", "high"),
    [
        (slug, words, f"{trained}: {name}", low, high)
        for (slug, trained), rows in PROSE.items()
        for words, name, low, high in rows
    ],
)
def test_the_text_says_what_holds_on_every_machine(
    slug: str, words: str, name: str, low: float, high: float
) -> None:
    page = pages.source_half(pages.ROOT, name_of(slug))
    assert words.casefold() in " ".join(page.read_text(encoding="utf-8").split()).casefold()
    found = machines.measured(name).astype(float)
    assert low <= found.min() and found.max() <= high


def test_one_sweep_has_three_verdicts() -> None:
    """As the page says of the battery that is trained in a hurry, and of it alone."""
    found = machines.measured("battery: verdict, hurried").value_counts().to_dict()
    assert found == {"undecided": 9, "better": 1, "keep": 1}
    for name, verdict in (("percent²", "flat"), ("balanced", "better")):
        assert set(machines.measured(f"battery: verdict, {name}")) == {verdict}


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
        ("fleet: score", 1.15, "1 to 1.2 on 3 machines"),
        (
            "fleet: score",
            1.3,
            "1 to 1.2 on 3 machines",
        ),  # beyond what was met, by less than they vary
        ("fleet: steady", 2.504, "2.5 on 3 machines"),  # the page shows three digits
        ("fleet: verdict", "keep", "as on 1 of 3 machines"),
    ],
)
@pytest.mark.usefixtures("measured")
def test_what_machines_agree_on_is_said(name: str, value: float | str, line: str) -> None:
    assert machines.check(name, value) == line


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("fleet: score", 5.0, r"fleet: score: this run gave 5, 3 machines gave 1 to 1.2"),
        ("fleet: score", math.nan, "this run gave nan"),
        ("fleet: steady", 2.51, "this run gave 2.51"),
        ("fleet: verdict", "better", "this run says 'better', other machines"),
    ],
)
@pytest.mark.usefixtures("measured")
def test_what_no_machine_found_is_refused(name: str, value: float | str, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        machines.check(name, value)


@pytest.mark.usefixtures("measured")
def test_a_number_that_was_never_measured_is_named() -> None:
    with pytest.raises(KeyError, match="'fleet: scroe' was never measured"):
        machines.check("fleet: scroe", 1.0)


@pytest.mark.usefixtures("measured")
def test_measuring_records_and_compares_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(machines.RECORD, str(tmp_path / "found"))
    for name, value in (("fleet: new", np.float64(9.5)), ("fleet: verdict", "better")):
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
