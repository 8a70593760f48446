"""Newer rules for weighing two tasks against λ = 0.5, in three units."""

import pandas as pd

from amnl.study.claims import judge_rivals, rival_differences
from amnl.study.rows import load_rows
from amnl.study.tables import by_lam

ROWS = "sweep-compact-newer-rules"  # of family v
HALVES = {  # unit of the RUL error (cycles) → the table with λ = 0.5 in it
    1.0: "sweep-compact-cycles2",
    15.0: "sweep-compact-unit15",
    125.0: "sweep-compact-unit125",
}


def differences(rows: pd.DataFrame) -> dict[float, pd.DataFrame]:
    """Test RMSE of each rule minus that of 0.5, in cycles, by the unit of the RUL error.

    Parameters
    ----------
    rows
        Of family v.

    Returns
    -------
    dict
        A unit (cycles) → one row a (`rival`, `seed`), one column a subset.
    """
    return {unit: _from_half(rows[rows.rul_unit == unit], unit) for unit in HALVES}


def _from_half(rows: pd.DataFrame, unit: float) -> pd.DataFrame:
    half = by_lam(load_rows(HALVES[unit]), (0.5,))[0.5].loc[rows.subset.unique().tolist()]
    return rival_differences(rows, lambda weighted: half)


def judge(rows: pd.DataFrame) -> pd.DataFrame:
    """Each rule against 0.5 in its unit, with Holm over the two subsets.

    Returns
    -------
    pandas.DataFrame
        What `amnl.study.claims.judge_rivals` returns, one row a (`unit`, `rival`, `subset`).
    """
    judged = {unit: judge_rivals(each) for unit, each in differences(rows).items()}
    return pd.concat(judged, names=["unit"])
