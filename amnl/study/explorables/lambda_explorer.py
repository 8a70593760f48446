"""The λ explorer: sweeps over the weight, and what each weight does to the test engines."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from amnl import stats
from amnl.cmapss import SUBSETS, health_state
from amnl.study import figures
from amnl.study.explorables.explorable import Explorable
from amnl.study.tables import LAMS, by_lam
from amnl.task_losses import macro_f1

__all__ = [
    "Curve", "Sweep", "cut_scores", "explorable", "lambda_explorer", "our_sweep", "pull_ratios",
    "source_sweep",
]  # fmt: skip

SEED = 0  # whose predictions the explorer shows
NAMES = {1: "cycles2", 15: "unit15", 35: "unit35", 125: "unit125"}


@dataclass(frozen=True)
class Curve:
    """Test RMSE (cycles) at each λ of a sweep; of our runs also the interval and every seed."""

    rmse: list[float]
    low: list[float] = field(default_factory=list)  # of the 95 % interval of the mean
    high: list[float] = field(default_factory=list)
    seeds: list[list[float]] = field(default_factory=list)  # of each λ, its seeds
    head: list[float | None] = field(default_factory=list)  # macro-F1; None where none is trained
    cut: list[float] = field(default_factory=list)  # macro-F1 of the predicted RUL cut at 80 and 30
    tenths: list[list[int]] = field(default_factory=list)  # RUL at each λ that `SEED` predicts


@dataclass(frozen=True)
class Sweep:
    """Curves over one grid of λ."""

    name: str  # in the page's address
    title: str
    unit: float | None  # cycles in which the RUL error was squared, None where it is not known
    digits: int  # to print
    lambdas: list[float]
    curves: dict[str, Curve]  # keys are those of the figures' `PALETTE`


def source_sweep(table: pd.DataFrame) -> Sweep:
    """The source's table as printed: columns `lambda`, one a subset, and `mean` (cycles)."""
    curves = {name: Curve(table[name].tolist()) for name in (*SUBSETS, "mean")}
    return Sweep("source", "the source’s table", None, 1, table["lambda"].tolist(), curves)


def our_sweep(
    rows: pd.DataFrame, predictions: pd.DataFrame | None = None, lams: Sequence[float] = LAMS
) -> Sweep:
    """Mean over seeds of the test RMSE (cycles), its 95 % interval, and every seed.

    Means keep six decimals and seeds four, or several λ could be the lowest; the rest keeps two.
    The curve `mean` averages the four subsets; its interval resamples seeds within each subset, as
    the protocol does, and a seed's value is the average of its four runs.

    Parameters
    ----------
    rows
        Columns `subset`, `seed`, `lam`, `rul_unit` (cycles, one value), `test_rmse` (cycles) and
        `health_macro_f1`: every cell of four subsets.
    predictions
        Of these cells, as `load_predictions` returns them; None where they were not kept.
    lams
        The weights to show.

    Raises
    ------
    ValueError
        Names cells missing, doubled or failed.
    KeyError
        For a missing subset.
    """
    table = by_lam(rows, lams)
    heads = by_lam(rows, lams, "health_macro_f1").groupby("subset").mean()
    parts = {name: [table.loc[name]] for name in SUBSETS}
    parts["mean"] = [part for (part,) in parts.values()]
    # At λ = 1 nothing trains the head.
    health: dict[str, dict[str, Any]] = {
        name: {"head": [None if lam == 1 else round(heads.at[name, lam], 3) for lam in lams]}
        for name in SUBSETS
    }
    if predictions is not None:
        cuts = cut_scores(predictions).groupby("subset").mean()
        first = predictions[predictions["seed"] == SEED].set_index("subset")
        for name in SUBSETS:
            health[name]["cut"] = cuts.loc[name, list(lams)].round(3).tolist()
            tenths = first.loc[name].pivot(index="lam", columns="engine", values="pred") * 10
            health[name]["tenths"] = tenths.loc[list(lams)].round().astype(int).to_numpy().tolist()
    curves = {name: _curve(part, lams, **health.get(name, {})) for name, part in parts.items()}
    (unit,) = rows["rul_unit"].unique()
    title = "ours, in cycles" if unit == 1 else f"ours, in units of {unit:g} cycles"
    return Sweep(NAMES.get(unit, f"unit{unit:g}"), title, float(unit), 2, list(lams), curves)


def _curve(parts: Sequence[pd.DataFrame], lams: Sequence[float], **health: Any) -> Curve:
    """The mean of some (seed × λ) tables of one shape."""
    seeds = sum(parts) / len(parts)
    bounds = [stats.interval(*(part[lam] for part in parts)) for lam in lams]
    return Curve(
        rmse=seeds.mean().round(6).tolist(),
        low=[round(low, 2) for low, _ in bounds],
        high=[round(high, 2) for _, high in bounds],
        seeds=seeds.round(4).T.to_numpy().tolist(),
        **health,
    )


def cut_scores(predictions: pd.DataFrame) -> pd.DataFrame:
    """Macro-F1 of the states that the predicted RUL has, cut at 80 and 30 cycles.

    Returns
    -------
    DataFrame
        Over (subset, seed), one column a λ.
    """
    cells = predictions.groupby(["subset", "seed", "lam"])[["pred", "health"]]
    return cells.apply(lambda c: macro_f1(health_state(c["pred"]), c["health"])).unstack("lam")


def pull_ratios(gradients: pd.DataFrame) -> dict[str, float]:
    """RUL's pull on the trunk over health's, at λ = 0.5 with the error in cycles.

    Geometric means over the stored runs, before training (`start`) and from the tenth epoch on
    (`later`). At λ and a unit u, the ratio times λ/(1 − λ)/u² is RUL's pull over health's.
    """
    ratio = gradients["rul_norm"] / gradients["health_norm"] * gradients["rul_unit"] ** 2
    epoch = gradients["epoch"]
    return {
        "start": float(np.exp(np.log(ratio[epoch == 0]).mean())),
        "later": float(np.exp(np.log(ratio[epoch >= 10]).mean())),
    }


def lambda_explorer(
    source: pd.DataFrame,
    runs: Sequence[pd.DataFrame],
    gradients: pd.DataFrame,
    predictions: Mapping[float, pd.DataFrame],
) -> Explorable:
    """The source's table beside our runs, to move λ through.

    Parameters
    ----------
    source
        The source's table as printed: columns `lambda`, one a subset, and `mean` (cycles).
    runs
        Sweeps over the eleven weights of the protocol, a unit of the RUL error each, as `load_rows`
        returns them: every cell of four subsets.
    gradients
        Rows of `gradient_norms`, from which the pulls of the tasks follow.
    predictions
        The unit of a sweep (cycles) → its predictions as `load_predictions` returns them. A sweep
        without them is shown without.

    Raises
    ------
    ValueError
        Names cells missing, doubled or failed.
    """
    ours = [our_sweep(rows, predictions.get(rows["rul_unit"].iloc[0])) for rows in runs]
    truth = {}
    for table in predictions.values():
        engines = table.drop_duplicates(["subset", "engine"]).sort_values("engine")
        truth = {name: part.tolist() for name, part in engines.groupby("subset")["rul"]}
    return explorable([source_sweep(source), *ours], pull_ratios(gradients), truth)


def explorable(
    sweeps: Sequence[Sweep],
    pull: Mapping[str, float] | None = None,
    truth: Mapping[str, list[float]] | None = None,
) -> Explorable:
    """Sweeps to play with; `truth` is subset → the test engines' capped RUL (cycles)."""
    numbers = {"sweeps": [*map(asdict, sweeps)], "pull": pull or {}, "truth": truth or {}}
    curves = {
        sweep.title: (sweep.lambdas, {name: curve.rmse for name, curve in sweep.curves.items()})
        for sweep in sweeps
    }
    picture = figures.show(lambda: figures.curves_side_by_side(curves))
    tables = "\n".join(map(_table, sweeps))
    label = "The λ explorer: the error on the test engines at each weight"
    return Explorable("lambda-explorer", label, numbers, f"{picture.html}\n{tables}")


def _table(sweep: Sweep) -> str:
    """One sweep as an HTML table, a row a λ, each curve's lowest value in bold."""
    names = "".join(f'<th scope="col">{name}</th>' for name in sweep.curves)
    rows = []
    for i, lam in enumerate(sweep.lambdas):
        cells = "".join(_cell(curve, i, sweep.digits) for curve in sweep.curves.values())
        rows.append(f'<tr><th scope="row">{lam:g}</th>{cells}</tr>')
    title = html.escape(sweep.title[:1].upper() + sweep.title[1:])
    caption = f"{title}: root mean square error (RMSE) on the test engines (cycles), lowest in bold"
    if any(curve.low for curve in sweep.curves.values()):
        caption += ", 95 % interval of the mean below"
    return (
        f'<div class="scrolls" tabindex="0" role="region" aria-label="{title}">'
        f"<table><caption>{caption}</caption>\n"
        f'<thead><tr><th scope="col">λ</th>{names}</tr></thead>\n'
        "<tbody>\n" + "\n".join(rows) + "\n</tbody></table></div>"
    )


def _cell(curve: Curve, i: int, digits: int) -> str:
    value = f"{curve.rmse[i]:.{digits}f}"
    if curve.rmse[i] == min(curve.rmse):
        value = f"<b>{value}</b>"
    if curve.low:
        value += f"<br><small>{curve.low[i]:.{digits}f} – {curve.high[i]:.{digits}f}</small>"
    return f"<td>{value}</td>"
