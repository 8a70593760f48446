"""Cells that learn from every window, beside those of family a, which learn from some."""

import pandas as pd

from amnl.study import tables
from amnl.study.rows import load_rows

ROWS = "sweep-compact-all-windows"  # of family u
THINNED = "sweep-compact-cycles2"  # of family a
LAMS = (0.1, 0.5, 0.9, 1.0)


def errors(rows: pd.DataFrame) -> pd.DataFrame:
    """Test RMSE (cycles): one row a (`windows`, `subset`, `seed`), one column a λ.

    Parameters
    ----------
    rows
        Of family u.
    """
    thinned = load_rows(THINNED)
    thinned = thinned[thinned.subset.isin(rows.subset.unique())]
    both = {"thinned": tables.by_lam(thinned, LAMS), "all": tables.by_lam(rows, LAMS)}
    return pd.concat(both, names=["windows"])


def judge_verdicts(rows: pd.DataFrame) -> pd.DataFrame:
    """Each weight against 0.5 with all windows, and whether that changes what family a found.

    A verdict changes, as registered, where a comparison that is equivalent in family a is better or
    worse here. Holm's correction runs over family a's ten comparisons there, and over three here.

    Parameters
    ----------
    rows
        Of family u.

    Returns
    -------
    pandas.DataFrame
        What `amnl.study.tables.compare` returns, one row a (`subset`, `lam`), and columns `before`
        (the finding of family a) and `changes`.
    """
    judged = tables.compare(rows, lams=LAMS)
    before = tables.compare(load_rows(THINNED)).finding.loc[judged.index]
    changes = (before == "equivalent") & judged.finding.isin(["better", "worse"])
    return judged.assign(before=before, changes=changes)
