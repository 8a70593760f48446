"""A learning rate of its own for every λ: chosen on three seeds, judged on ten others."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from amnl.study import tables
from amnl.study.protocol import ALIKE, FIVE_LAMS, OPTIMISERS, RATES, UNCLIPPED
from amnl.study.rows import load_rows

if TYPE_CHECKING:
    from amnl.training import TrainConfig

ROWS, FRESH_ROWS = "sweep-compact-rates", "sweep-compact-tuned"  # of families r and s
USUAL = "sweep-compact-unit15"  # of family k: AdamW at a rate of 10⁻³
CHOOSING, FRESH = range(3), range(10, 20)  # seeds of families r and s
_CASE = ["how", "subset"]  # each optimiser on each subset


def optimiser_of(rows: pd.DataFrame) -> pd.Series:
    """The key of `OPTIMISERS` that each row of families r or s was trained by."""
    adamw = (rows.optimiser == "adamw").map({True: "AdamW", False: "SGD"})
    return adamw.where(rows["clip"] < UNCLIPPED, "SGD, not clipped")


def chosen_rates(rows: pd.DataFrame) -> pd.DataFrame:
    """The learning rate with the lowest mean validation RMSE, for each optimiser, subset and λ.

    Parameters
    ----------
    rows
        Of family r: `subset`, `seed`, `lam`, `lr`, `optimiser`, `clip`, `val_rmse` (cycles). Test
        errors are not looked at. A training that failed has no row, and its rate is not chosen.

    Returns
    -------
    pandas.DataFrame
        Columns `how`, `subset`, `lam`, `lr`, `val_rmse`, and `edge`: whether the rate is the lowest
        or the highest that was tried.

    Raises
    ------
    ValueError
        Where no rate has all its seeds.
    """
    table = rows.assign(how=optimiser_of(rows))
    found = []
    for how, settings in OPTIMISERS.items():
        rates = RATES[settings.get("optimiser", "adamw")]
        for subset in ALIKE:
            for lam in FIVE_LAMS:
                mine = table[(table.how == how) & (table.subset == subset) & (table.lam == lam)]
                scores = mine.pivot(index="seed", columns="lr", values="val_rmse")
                means = scores.reindex(CHOOSING).mean(skipna=False).dropna()
                if means.empty:
                    raise ValueError(f"{how}, {subset}, λ = {lam:g}: no rate has all three seeds")
                best = float(means.idxmin())
                found.append(
                    {"how": how, "subset": subset, "lam": lam, "lr": best,
                     "val_rmse": means[best], "edge": best in (rates[0], rates[-1])}
                )  # fmt: skip
    return pd.DataFrame(found)


def fresh_cells(preset: str | None = None) -> "list[TrainConfig]":
    """Family s: ten seeds that chose nothing, each λ at its own rate.

    Raises
    ------
    ValueError
        Before the rows of family r are published.
    """
    from amnl.sweep import grid

    try:
        rows = load_rows(ROWS)
    except FileNotFoundError:
        raise ValueError(
            f"family s takes its learning rates from the rows of family r ({ROWS}.csv), which are "
            "not published yet; amnl sweep --family r trains them"
        ) from None
    cells = [
        cell
        for one in chosen_rates(rows).itertuples()
        for cell in grid(
            (one.subset,), FRESH, rul_units=(15.0,), lams=(one.lam,), lr=one.lr,
            preset=preset or "compact", **OPTIMISERS[one.how],
        )
    ]  # fmt: skip
    return sorted(cells, key=lambda cell: cell.seed)


def errors(rows: pd.DataFrame) -> pd.DataFrame:
    """Test RMSE (cycles) in family s: one row a (`how`, `subset`, `seed`), one column a λ.

    Raises
    ------
    ValueError
        Names cells that are missing or failed: they have no pair.
    """
    of_how = rows.assign(how=optimiser_of(rows)).groupby("how", sort=False)
    return pd.concat({h: tables.by_lam(part, FIVE_LAMS) for h, part in of_how}, names=["how"])


def judge_weights(rows: pd.DataFrame) -> pd.DataFrame:
    """Every other λ against 0.5, each at its own rate, with Holm over the four.

    Parameters
    ----------
    rows
        Of family s.

    Returns
    -------
    pandas.DataFrame
        What `amnl.study.tables.judge` returns, one row a (`how`, `subset`, `lam`).

    Raises
    ------
    ValueError
        As `errors`.
    """
    judged = {case: _against(part, 0.5) for case, part in errors(rows).groupby(_CASE, sort=False)}
    return pd.concat(judged, names=[*_CASE, "lam"])


def _against(table: pd.DataFrame, lam: float) -> pd.DataFrame:
    return tables.judge(table.drop(columns=lam).sub(table[lam], axis="index"))


def middle_optima(rows: pd.DataFrame) -> pd.Series:
    """Whether there is an optimum in the middle, by the rule that the protocol registered.

    The lowest mean is at 0.5 or at one of its neighbours, and 0.1 and 0.9 are both significantly
    worse than that weight.

    Parameters
    ----------
    rows
        Of family s.

    Returns
    -------
    pandas.Series
        True or False, one a (`how`, `subset`).

    Raises
    ------
    ValueError
        As `errors`.
    """
    found = {}
    ends = [FIVE_LAMS[0], FIVE_LAMS[-1]]
    for case, table in errors(rows).groupby(_CASE, sort=False):
        lowest = float(table.mean().idxmin())
        worse = lowest not in ends and _against(table, lowest).loc[ends, "finding"] == "worse"
        found[case] = bool(np.all(worse))
    return pd.Series(found).rename_axis(_CASE)


def ranges(rows: pd.DataFrame) -> pd.DataFrame:
    """How far the five weights lie apart with one rate for all, and with a rate for each.

    Both are taken on the seeds and rows of family r, so that they share their noise. The one rate
    is that with the lowest mean validation RMSE, over all weights and seeds.

    Parameters
    ----------
    rows
        Of family r.

    Returns
    -------
    pandas.DataFrame
        One row a (`how`, `subset`): the one `lr`, and the range of the five mean test RMSE at it,
        `one`, and with a rate for each weight, `own` (cycles).

    Raises
    ------
    ValueError
        Where no rate trained every weight with all seeds.
    """
    table = rows.assign(how=optimiser_of(rows)).groupby([*_CASE, "lam", "lr"])
    means = table[["val_rmse", "test_rmse"]].mean()[table.size() == len(CHOOSING)]
    chosen = chosen_rates(rows).set_index([*_CASE, "lam", "lr"])
    own = means.test_rmse[means.index.isin(chosen.index)]
    found = {}
    for (how, subset), part in means.groupby(_CASE, sort=False):
        scores = part.val_rmse.unstack("lr").mean(skipna=False).dropna()
        if scores.empty:
            raise ValueError(f"{how}, {subset}: no rate trained every weight with all seeds")
        best = float(scores.idxmin())
        at_one = part.test_rmse.xs(best, level="lr")
        found[how, subset] = {
            "lr": best, "one": np.ptp(at_one), "own": np.ptp(own.loc[(how, subset)])
        }  # fmt: skip
    return pd.DataFrame.from_dict(found, orient="index").rename_axis(_CASE)


def registered_ranges(rows: pd.DataFrame) -> pd.DataFrame:
    """The range of AdamW's five mean test RMSE: at 10⁻³, from family k, and at a rate for each.

    Parameters
    ----------
    rows
        Of family s.

    Returns
    -------
    pandas.DataFrame
        Columns `fixed` and `own` (cycles), one row a subset.

    Raises
    ------
    ValueError
        As `errors`.
    """
    own = errors(rows).loc["AdamW"].groupby("subset").mean()
    k = load_rows(USUAL)
    fixed = tables.by_lam(k[k.subset.isin(own.index)], FIVE_LAMS).groupby("subset").mean()
    return pd.DataFrame({"fixed": np.ptp(fixed, axis=1), "own": np.ptp(own, axis=1)}, own.index)
