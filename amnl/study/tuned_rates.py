"""A learning rate of its own for every λ: chosen on three seeds, judged on ten others."""

from typing import TYPE_CHECKING

import pandas as pd

from amnl.study.protocol import ALIKE, FIVE_LAMS, OPTIMISERS, RATES, UNCLIPPED

if TYPE_CHECKING:
    from amnl.training import TrainConfig

ROWS = "sweep-compact-rates"  # of family r
CHOOSING, FRESH = range(3), range(10, 20)  # seeds of families r and s


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
    from amnl.study.rows import load_rows
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
