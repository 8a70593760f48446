"""Does an effect grow with something that was varied over decades, such as a network's size?"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from amnl import stats

__all__ = ["LEVEL", "judge_trends", "slopes"]

LEVEL = 0.25  # a mean slope within ± this many cycles per factor of ten is level, as registered


def slopes(effects: pd.DataFrame) -> "pd.Series[float]":
    """The slope of a straight line over log₁₀ of the columns, fitted to each row.

    Parameters
    ----------
    effects
        In cycles, one row a seed; columns are what was varied, all above 0.

    Returns
    -------
    Series
        Cycles per factor of ten, one a seed.

    Raises
    ------
    ValueError
        For fewer than two columns, a column that is not above 0, and NaN.

    Examples
    --------
    >>> slopes(pd.DataFrame({10: [1.0, 0.0], 100: [3.0, 0.5]})).tolist()
    [2.0, 0.5]
    """
    varied = np.asarray(effects.columns, dtype=float)
    if len(varied) < 2 or not (varied > 0).all():
        raise ValueError(f"a slope needs two columns or more, all above 0, got {list(varied)}")
    if not np.isfinite(effects.to_numpy()).all():
        raise ValueError("an effect is missing; a failed cell cannot be paired")
    x = np.log10(varied)
    x -= x.mean()
    return effects @ x / (x @ x)


def judge_trends(effects: Mapping[str, pd.DataFrame], level: float = LEVEL) -> pd.DataFrame:
    """Test mean slopes that Holm corrects together.

    Parameters
    ----------
    effects
        A name → what `slopes` takes.
    level
        Cycles per factor of ten.

    Returns
    -------
    DataFrame
        One row a name: `mean`, `low`, `high` of the slope (cycles per factor of ten), `p`,
        `p_holm`, and the `finding`: the effect "grows" or "shrinks" (away from zero or towards it)
        where the exact test rejects a slope of zero, else it "stays" where the 95 % interval lies
        within ±`level`, else the question is "open".

    Raises
    ------
    ValueError
        As `slopes`.
    """
    found = {}
    for name, table in effects.items():
        each = slopes(table)
        low, high = stats.interval(each)
        found[name] = {"mean": each.mean(), "low": low, "high": high, "p": stats.sign_flip(each)}
    judged = pd.DataFrame.from_dict(found, orient="index")
    judged["p_holm"] = stats.holm(judged["p"])
    judged["finding"] = [
        _finding(row, float(np.sign(effects[str(name)].to_numpy().mean())), level)
        for name, row in judged.iterrows()
    ]
    return judged


def _finding(row: "pd.Series[float]", sign: float, level: float) -> str:
    if row["p_holm"] <= 0.05:
        return "grows" if row["mean"] * sign > 0 else "shrinks"
    return "stays" if -level < row["low"] <= row["high"] < level else "open"
