"""What the page says of the measured coverage, from the rows."""

import pandas as pd
import pytest

from amnl.cmapss import SUBSETS, find, read
from amnl.study.rows import load_rows

ENGINES = {"FD001": 100, "FD002": 259, "FD003": 100, "FD004": 248}


@pytest.fixture(scope="module")
def stop() -> pd.DataFrame:
    rows = load_rows("interval_coverage")
    return rows[rows.moment == "stop"]


@pytest.mark.parametrize("kind", ["split", "cross"])
@pytest.mark.parametrize("subset", SUBSETS)
def test_every_subset_is_measured_on_all_its_engines(
    stop: pd.DataFrame, subset: str, kind: str
) -> None:
    rows = stop[(stop.subset == subset) & (stop.calibration == kind)]
    for _, of in rows.groupby("seed"):
        parts = of[of.fifth != "all"]
        whole = of[of.fifth == "all"].iloc[0]
        assert parts.engines.sum() == whole.engines == ENGINES[subset]
        held = (parts.covered * parts.engines).sum() / whole.engines
        assert held == pytest.approx(whole.covered, abs=1e-3)


@pytest.mark.parametrize("kind", ["split", "cross"])
def test_near_failure_it_holds_less_often_than_was_asked(stop: pd.DataFrame, kind: str) -> None:
    near = stop[(stop.calibration == kind) & (stop.fifth == "0")]
    assert (near.covered * near.engines).sum() / near.engines.sum() < 0.9


@pytest.mark.nasa
def test_no_test_engine_is_stopped_in_its_last_five_cycles() -> None:
    source = find()
    assert min(read(source, subset, "test").end_rul.min() for subset in SUBSETS) == 6
