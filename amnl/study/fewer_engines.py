"""Errors of cells that learn from few engines, with those of families a and l that have all."""

import pandas as pd

from amnl.study.rows import load_rows

ALL = 80  # training engines of FD001
LAMS = (0.5, 0.9, 1.0)
_WITH_ALL = ("sweep-compact-cycles2", "sweep-compact-unit35")


def errors() -> pd.DataFrame:
    """Test RMSE (cycles) on FD001: one row a (`rul_unit`, `engines`, `seed`), one column a λ.

    Examples
    --------
    >>> errors().shape
    (100, 3)
    """
    kept = [load_rows("sweep-compact-few-engines")]
    for name in _WITH_ALL:
        rows = load_rows(name)
        kept.append(rows[(rows.subset == "FD001") & rows.lam.isin(LAMS)].assign(engines=ALL))
    cells = ["rul_unit", "engines", "seed"]
    return pd.concat(kept).pivot(index=cells, columns="lam", values="test_rmse")
