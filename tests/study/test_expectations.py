"""Registered expectations are scored by the rows, and other rows would score them otherwise."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from amnl.study import expectations as scored_by
from amnl.study import fewer_engines
from amnl.study.expectations import expectations, score
from amnl.study.protocol import PUBLISHED
from amnl.study.rows import load_rows

Change = Callable[[pd.DataFrame], pd.DataFrame]


def met(family: str) -> list[bool]:
    return [bool(found.met) for found in expectations(family)]


def test_every_family_with_a_registered_expectation_is_scored() -> None:
    """Families a to d had hypotheses and no expectations of ours."""
    assert {found.family for found in expectations()} == set(PUBLISHED) - set("abcd")


def test_a_family_that_expected_nothing_is_named() -> None:
    with pytest.raises(ValueError, match="family 'a' has no scored expectations"):
        expectations("a")


def test_the_table_of_a_page() -> None:
    table = score(expectations("no"))
    assert list(table) == ["family", "expected", "came", "met"]
    assert set(table.met) == {"yes", "no"} and table.family.unique().tolist() == ["n", "o"]


def worse(lam: float, by: float) -> Change:
    """The rows with the error at a weight raised."""

    def change(rows: pd.DataFrame) -> pd.DataFrame:
        return rows.assign(test_rmse=rows.test_rmse + by * np.isclose(rows.lam, lam))

    return change


def wider(rows: pd.DataFrame) -> pd.DataFrame:
    """Copies that lie as far apart as was expected."""
    mean = rows.groupby(["subset", "seed"]).test_rmse.transform("mean")
    apart = rows.test_rmse - mean
    return rows.assign(
        test_rmse=mean + 0.2 * apart / apart.groupby(rows["subset"]).transform("std")
    )


def level(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(test_rmse=rows.groupby(["subset", "seed"]).test_rmse.transform("mean"))


def told(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(fault_macro_f1_best=1.0)


def late(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(best_epoch=40)


def level_engines(rows: pd.DataFrame) -> pd.DataFrame:
    """Five cycles more with five engines, and no effect of the weight."""
    return rows.assign(test_rmse=20.0 + 5 * (rows.engines == 5 if "engines" in rows else 0))


def as_expected(rows: pd.DataFrame) -> pd.DataFrame:
    """An error that falls slowly with size, and half a cycle more at 0.5 in units of 35."""
    noise = 0.02 * np.random.default_rng(0).normal(size=len(rows))
    cost = 0.7 * ((rows.rul_unit == 35) & (rows.lam <= 0.5))
    return rows.assign(test_rmse=15 - 0.2 * np.log10(rows.parameters) + cost + noise)


@pytest.mark.parametrize(
    ("family", "change", "flipped"),
    [
        ("i", worse(0.4, 1.0), {0}),
        ("i", worse(1.0, 2.0), {1}),
        ("i", late, {3}),
        ("j", worse(1.0, 9.0), {0}),
        ("k", worse(0.5, -9.0), {1}),
        ("l", worse(0.1, -9.0), {0}),
        ("n", worse(0.1, 2.0), {0}),
        ("o", wider, {0}),
        ("p", told, {0}),
        ("m", level, {0}),
        ("q", worse(0.5, 2.0), {0}),
        ("q", as_expected, {1, 2, 3}),
        ("q", late, {4}),
        ("t", worse(1.0, 9.0), {1}),
        ("t", level_engines, {0, 2}),
    ],
)
def test_other_rows_score_otherwise(
    family: str, change: Change, flipped: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = met(family)
    for module in (scored_by, fewer_engines):
        monkeypatch.setattr(module, "load_rows", lambda name: change(load_rows(name)))
    scored_by._scores.cache_clear()
    try:
        after = met(family)
    finally:
        scored_by._scores.cache_clear()
    assert {k for k, pair in enumerate(zip(before, after, strict=True)) if pair[0] != pair[1]} >= (
        flipped
    )
