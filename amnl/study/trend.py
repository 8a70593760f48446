"""Does an effect grow with something that was varied over decades, such as a network's size?"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from amnl import stats

__all__ = ["LEVEL", "differences", "judge_pairs", "judge_trends", "slopes"]

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


def differences(
    errors: pd.DataFrame, pairs: Mapping[str, tuple[float, float]], varied: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The paired differences between weights, for `amnl.study.figures.effects_over`.

    Parameters
    ----------
    errors
        In cycles, one row a (`rul_unit`, `varied`, `seed`), one column a λ.
    pairs
        A name → two weights; the error at the second is taken from that at the first.
    varied
        The level of the index that was varied.

    Returns
    -------
    tuple of DataFrame
        One row a `pair`, `unit`, `x` (what was varied) and `seed`, with the `gap` (cycles); and one
        a `unit`, `pair` and `x`, with its `mean` over the seeds and the 95 % interval, `low` to
        `high`.
    """
    gaps = {pair: errors[one] - errors[other] for pair, (one, other) in pairs.items()}
    each = pd.concat(gaps, names=["pair"]).rename("gap").reset_index()
    each = each.rename(columns={"rul_unit": "unit", varied: "x"})
    found = []
    for (unit, pair, x), part in each.groupby(["unit", "pair", "x"]):
        low, high = stats.interval(part["gap"])
        row = {"unit": unit, "pair": pair, "x": x, "mean": part["gap"].mean()}
        found.append({**row, "low": low, "high": high})
    return each, pd.DataFrame(found)


def judge_pairs(
    errors: pd.DataFrame, pairs: Mapping[str, tuple[float, float]], varied: str
) -> pd.DataFrame:
    """`judge_trends` for each pair of `differences`, with Holm over the units of one pair.

    Returns
    -------
    DataFrame
        One row a `pair` and `unit`, with the columns of `judge_trends`.

    Examples
    --------
    >>> index = pd.MultiIndex.from_product(
    ...     [[1.0], [10, 100], range(6)], names=["rul_unit", "engines", "seed"]
    ... )
    >>> errors = pd.DataFrame({0.5: [15.0] * 6 + [17.0] * 6, 1.0: 14.0}, index)
    >>> found = judge_pairs(errors, {"0.5 less 1": (0.5, 1.0)}, "engines")
    >>> found[["pair", "unit", "mean", "finding"]].to_numpy().tolist()
    [['0.5 less 1', 1.0, 2.0, 'grows']]
    """
    found = []
    for pair, (one, other) in pairs.items():
        gap = errors[one] - errors[other]
        units = gap.index.unique("rul_unit")
        judged = judge_trends({str(unit): gap.loc[unit].unstack(varied) for unit in units})
        found.append(judged.assign(pair=pair, unit=list(units)))
    return pd.concat(found, ignore_index=True)
