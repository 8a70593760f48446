"""Errors of cells that learn from few engines, with those of families a and l that have all."""

import pandas as pd

from amnl.study import tables
from amnl.study.rows import load_rows

ROWS = "sweep-compact-few-engines"  # of family t
WITH_ALL = {1.0: "sweep-compact-cycles2", 35.0: "sweep-compact-unit35"}  # by unit (cycles)
ALL = 80  # training engines of FD001
LAMS = (0.5, 0.9, 1.0)
PAIRS = {"0.5 less 1": (0.5, 1.0), "0.9 less 1": (0.9, 1.0)}


def errors() -> pd.DataFrame:
    """Test RMSE (cycles) on FD001: one row a (`rul_unit`, `engines`, `seed`), one column a λ.

    Raises
    ------
    ValueError
        Names cells that are missing.

    Examples
    --------
    >>> errors().shape
    (100, 3)
    """
    kept = [load_rows(ROWS)]
    for name in WITH_ALL.values():
        rows = load_rows(name)
        kept.append(rows[(rows.subset == "FD001") & rows.lam.isin(LAMS)].assign(engines=ALL))
    found = pd.concat(kept)
    cells = {"rul_unit": WITH_ALL, "engines": found.engines.unique(), "seed": range(10)}
    tables.check_cells(found, cells | {"lam": LAMS}, ROWS)
    return found.pivot(index=list(cells), columns="lam", values="test_rmse")


def judge() -> pd.DataFrame:
    """What the second task costs, the errors of `PAIRS`, with Holm over the numbers of engines.

    Returns
    -------
    pandas.DataFrame
        What `amnl.study.tables.judge` returns, one row a (`unit`, `pair`, `engines`).
    """
    table = errors()
    judged = {
        (unit, pair): tables.judge((table[one] - table[other]).loc[unit].unstack("engines"))
        for unit in WITH_ALL
        for pair, (one, other) in PAIRS.items()
    }
    return pd.concat(judged, names=["unit", "pair", "engines"])
