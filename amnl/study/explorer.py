"""The λ explorer: sweeps as one HTML block, which a script served with the book makes draggable.

Without that script, as in Jupyter, in Colab or on paper, the block is a table of the same numbers.
"""

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import pandas as pd

from amnl import stats
from amnl.cmapss import SUBSETS
from amnl.study.tables import LAMS, by_lam

__all__ = ["Curve", "Explorer", "Sweep", "explorer", "our_sweep", "source_sweep"]


@dataclass(frozen=True)
class Curve:
    """Test RMSE (cycles) at each λ of a sweep; of our runs also the interval and every seed."""

    rmse: list[float]
    low: list[float] = field(default_factory=list)  # of the 95 % interval of the mean
    high: list[float] = field(default_factory=list)
    seeds: list[list[float]] = field(default_factory=list)  # of each λ, its seeds


@dataclass(frozen=True)
class Sweep:
    """Curves over one grid of λ."""

    title: str
    unit: str | None  # in which the RUL error was squared, None where it is not known
    digits: int  # to print
    lambdas: list[float]
    curves: dict[str, Curve]  # keys are those of the figures' `PALETTE`


def source_sweep(table: pd.DataFrame) -> Sweep:
    """The source's table as printed: columns `lambda`, one a subset, and `mean` (cycles)."""
    curves = {name: Curve(table[name].tolist()) for name in (*SUBSETS, "mean")}
    return Sweep("The source's table", None, 1, table["lambda"].tolist(), curves)


def our_sweep(rows: pd.DataFrame, unit: str, lams: Sequence[float] = LAMS) -> Sweep:
    """Mean over seeds of the test RMSE (cycles), its 95 % interval, and every seed.

    Means keep six decimals, or several λ could be the lowest; the rest keeps two. The curve `mean`
    averages the four subsets; its interval resamples seeds within each subset, as the protocol
    does, and a seed's value is the average of its four runs.

    Parameters
    ----------
    rows
        Columns `subset`, `seed`, `lam`, `test_rmse` (cycles): every cell of four subsets.
    unit
        In which the RUL error was squared.
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
    parts = {name: [table.loc[name]] for name in SUBSETS}
    parts["mean"] = [part for (part,) in parts.values()]
    curves = {name: _curve(part, lams) for name, part in parts.items()}
    return Sweep(f"Our runs, error in {unit}", unit, 2, list(lams), curves)


def _curve(parts: Sequence[pd.DataFrame], lams: Sequence[float]) -> Curve:
    """The mean of some (seed × λ) tables of one shape."""
    seeds = sum(parts) / len(parts)
    bounds = [stats.interval(*(part[lam] for part in parts)) for lam in lams]
    return Curve(
        rmse=seeds.mean().round(6).tolist(),
        low=[round(low, 2) for low, _ in bounds],
        high=[round(high, 2) for _, high in bounds],
        seeds=seeds.round(2).T.to_numpy().tolist(),
    )


@dataclass(frozen=True)
class Explorer:
    """What a notebook shows: the sweeps as tables, and as data for `lambda-explorer.js`."""

    sweeps: Sequence[Sweep]

    def __repr__(self) -> str:
        return f"Explorer({', '.join(sweep.title for sweep in self.sweeps)})"

    def _repr_html_(self) -> str:
        data = json.dumps([asdict(sweep) for sweep in self.sweeps], separators=(",", ":"))
        # Inside a script element only "<" could end it early.
        data = data.replace("<", "\\u003c")
        tables = "\n".join(map(_table, self.sweeps))
        return (
            '<div class="lambda-explorer">\n'
            f'<script type="application/json">{data}</script>\n'
            '<details class="numbers" open><summary>All the numbers</summary>\n'
            f"{tables}\n</details>\n</div>"
        )


def explorer(source: pd.DataFrame, runs: Mapping[str, pd.DataFrame]) -> Explorer:
    """The source's table beside our runs.

    `source` is what `source_sweep` takes; `runs` maps the unit of the RUL error to what `our_sweep`
    takes.
    """
    ours = [our_sweep(rows, unit) for unit, rows in runs.items()]
    return Explorer([source_sweep(source), *ours])


def _table(sweep: Sweep) -> str:
    """One sweep as an HTML table, a row a λ, each curve's lowest value in bold."""
    names = "".join(f'<th scope="col">{name}</th>' for name in sweep.curves)
    rows = []
    for i, lam in enumerate(sweep.lambdas):
        cells = "".join(_cell(curve, i, sweep.digits) for curve in sweep.curves.values())
        rows.append(f'<tr><th scope="row">{lam:g}</th>{cells}</tr>')
    caption = html.escape(f"{sweep.title}: RMSE on the test engines (cycles), lowest in bold")
    if any(curve.low for curve in sweep.curves.values()):
        caption += ", 95 % interval of the mean below"
    return (
        f'<div class="scrolls" tabindex="0" role="region" aria-label="{html.escape(sweep.title)}">'
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
