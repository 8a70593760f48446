"""The study's tables: complete grids of cells, their comparisons, wins and choices.

A table holds one row a cell: `subset`, `seed`, `lam` and scores in cycles. Cells of one subset and
seed share their engine split, initial weights and batch order, so every comparison is paired by
seed. A difference is score(other) − score(0.5): positive means that 0.5 is better. Source: the page
"The protocol".
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

import amnl.compare
from amnl.combine import SOURCE_LAMS

LAMS = (*SOURCE_LAMS, 1.0)


def check_cells(
    rows: pd.DataFrame, grid: Mapping[str, Iterable[Any]], name: str = "the table"
) -> None:
    """Check that a table has exactly the cells of a grid, each once.

    Parameters
    ----------
    rows
        One row a cell.
    grid
        Columns and their values; the cells are all combinations.
    name
        What the error calls the table.

    Raises
    ------
    ValueError
        Says how many cells are missing, doubled or foreign, and names the first three.
    """
    wanted = set(itertools.product(*grid.values()))
    if not wanted:
        raise ValueError(f"{name} has no rows")
    found = Counter(rows[list(grid)].itertuples(index=False, name=None))
    faults = {
        "lacks": (wanted - found.keys(), "Finish the sweep first."),
        "repeats": ({cell for cell, n in found.items() if n > 1}, "Keep one row of each."),
        "has foreign": (found.keys() - wanted, "Check which sweep these rows are from."),
    }
    for fault, (cells, way_out) in faults.items():
        if cells:
            named = (
                " ".join(f"{column} {value}" for column, value in zip(grid, cell, strict=True))
                for cell in sorted(cells)[:3]
            )
            more = ", …" if len(cells) > 3 else ""
            raise ValueError(
                f"{name} {fault} cells, {len(cells)}: {', '.join(named)}{more}. {way_out}"
            )


def by_lam(
    rows: pd.DataFrame, lams: Sequence[float] = LAMS, column: str = "test_rmse"
) -> pd.DataFrame:
    """`column` with one row a (subset, seed) and one column a λ of `lams`.

    Every subset in `rows` must have every seed in `rows` at every λ, once; rows at other λ are
    ignored.

    Raises
    ------
    ValueError
        Names cells missing, doubled, or failed (NaN or infinite).
    """
    grid = {"subset": set(rows["subset"]), "seed": set(rows["seed"]), "lam": lams}
    rows = rows[rows["lam"].isin(lams)]
    check_cells(rows, grid)
    failed = rows[~np.isfinite(rows[column])]
    if len(failed):
        first = failed.iloc[0]
        raise ValueError(
            f"{column} is {first[column]} in {len(failed)} cells, the first is {first['subset']} "
            f"seed {first['seed']} λ {first['lam']}; a failed cell cannot be paired"
        )
    table = rows.pivot(index=["subset", "seed"], columns="lam", values=column)
    return table[list(lams)]


def judge(differences: pd.DataFrame) -> pd.DataFrame:
    """Test paired differences that Holm corrects together.

    Parameters
    ----------
    differences
        In cycles, one row a seed and one column a comparison.

    Returns
    -------
    DataFrame
        One row a comparison: `mean`, `low`, `high` (cycles), `p`, `p_holm`, `p_equivalent_holm`,
        and the `finding` about what was compared: significantly "worse" (a positive difference) or
        "better", else "equivalent", else "undecided"; and `smallest`, the difference (cycles) that
        so many seeds would have shown four times in five.
    """
    judged = amnl.compare.judge(dict(differences.items()))
    return judged.rename_axis(index=differences.columns.name)


def compare(
    rows: pd.DataFrame, lam: float = 0.5, lams: Sequence[float] = LAMS, column: str = "test_rmse"
) -> pd.DataFrame:
    """Every other λ against `lam`, subset by subset, with Holm over the others of one subset.

    Returns
    -------
    DataFrame
        What `judge` returns, with one row a (subset, lam); findings are about the *other* λ.

    Raises
    ------
    ValueError
        As `by_lam`, and when `lam` is none of `lams`.
    """
    if lam not in lams:
        raise ValueError(f"cannot compare with λ = {lam}: it is none of {lams}")
    table = by_lam(rows, lams, column)
    differences = table.drop(columns=lam).sub(table[lam], axis="index")
    judged = {subset: judge(part) for subset, part in differences.groupby(level="subset")}
    return pd.concat(judged, names=["subset", "lam"])


@dataclass(frozen=True)
class Wins:
    """In how many cells a λ won, with the exact 95 % interval of that share."""

    count: int
    n: int  # cells
    low: float  # of the share, in [0, 1]
    high: float
    chance: float  # the share of blind luck


def wins(
    rows: pd.DataFrame,
    lam: float = 0.5,
    lams: Sequence[float] = SOURCE_LAMS,
    column: str = "test_rmse",
) -> Wins:
    """Count the (subset, seed) cells whose smallest score over `lams` is at `lam`.

    A tie counts for `lam`. The interval takes the cells as independent; those of one seed share its
    initial weights, whatever their subset.

    Raises
    ------
    ValueError
        As `compare`.
    """
    import scipy.stats

    if lam not in lams:
        raise ValueError(f"λ = {lam} cannot win: it is none of {lams}")
    table = by_lam(rows, lams, column)
    count, n = int((table[lam] <= table.min(axis="columns")).sum()), len(table)
    share = scipy.stats.binomtest(count, n).proportion_ci(0.95, method="exact")
    return Wins(count, n, float(share.low), float(share.high), 1.0 / len(lams))


def choose(
    rows: pd.DataFrame,
    lams: Sequence[float] = LAMS,
    by: str = "val_rmse",
    column: str = "test_rmse",
) -> pd.DataFrame:
    """For each (subset, seed), the λ with the smallest `by` (the first on ties), and its `column`.

    Regret is such a score minus the score of what it is compared with.

    Returns
    -------
    DataFrame
        Over (subset, seed), with the columns `lam` and `column`.

    Raises
    ------
    ValueError
        As `by_lam`.
    """
    lam = by_lam(rows, lams, by).idxmin(axis="columns")
    scores = by_lam(rows, lams, column)
    chosen = [scores.at[cell, value] for cell, value in lam.items()]
    return pd.DataFrame({"lam": lam, column: chosen})


def rounding_band(copies: pd.DataFrame, seeds: int = 10) -> "pd.Series[float]":
    """Half the 95 % band, by subset, of a mean difference over `seeds` that is only rounding.

    Parameters
    ----------
    copies
        Family o: columns `subset`, `seed`, `nudge` (of two values) and `test_rmse` (cycles). The
        two copies of a cell differ by nothing that matters.

    Returns
    -------
    Series
        Cycles, t₀.₉₇₅ times the standard deviation of the copies' difference over the root of
        `seeds`.

    Raises
    ------
    ValueError
        For other than two copies.
    """
    import scipy.stats

    table = copies.pivot(index=["subset", "seed"], columns="nudge", values="test_rmse")
    if table.shape[1] != 2:
        raise ValueError(f"rounding is the difference of two copies, got {table.shape[1]}")
    accident = (table.iloc[:, 1] - table.iloc[:, 0]).unstack("subset")
    wide = float(scipy.stats.t.ppf(0.975, len(accident) - 1))
    return wide * accident.std() / np.sqrt(seeds)
