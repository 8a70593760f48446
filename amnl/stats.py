"""The tests of the protocol, on top of SciPy: differences, equivalence, intervals, wins, regret.

Tables hold one row a cell: `subset`, `seed`, `lam` and scores in cycles. Cells of one subset and
seed share their engine split, initial weights and batch order, so every comparison is paired by
seed. A difference is score(other) − score(0.5): positive means that 0.5 is better. Source: the
page "The protocol".
"""

import itertools
import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import scipy.stats
from numpy.typing import ArrayLike, NDArray

from amnl.combine import SOURCE_LAMS

LAMS = (*SOURCE_LAMS, 1.0)
FIVE = (0.3, 0.4, 0.5, 0.6, 0.7)  # the source's coarse sweep
ALPHA = 0.05
MARGIN = 0.5  # cycles; within it two weights are called equivalent
RESAMPLES = 9_999
MOST = 20  # differences of an exact test: a million sign patterns
_DECIMALS = 9  # scores that differ by less than a billionth of a cycle are equal
_DUST = 1e-12  # what additions leave of equal scores
_AT_ONCE = 2**22  # numbers that a test holds in memory

Array = NDArray[np.float64]
Alternative = Literal["two-sided", "less", "greater"]


# ------------------------------------------------------------------------------------------ tests


def sign_flip(differences: ArrayLike, alternative: Alternative = "two-sided") -> Any:
    """p-value of the exact sign-flip test that paired differences are symmetric around zero.

    `differences` has shape (n,), or (n, m) for m tests, one a column: the result is a float or an
    array (m,). The statistic is the mean, against all 2ⁿ sign patterns. The smallest two-sided
    value is 2/2ⁿ, so five seeds never reach 0.05. Differences below a billionth count as none, with
    a warning where all are: cycles have no such, in another unit scale them. Raises `ValueError`
    for fewer than two differences, for more than 20, NaN and infinity.
    """
    d = _finite(differences)
    if d.ndim not in (1, 2):
        raise ValueError(f"differences have shape (n,) or (n, m), got {d.shape}")
    if len(d) > MOST:
        raise ValueError(
            f"{len(d)} differences have 2**{len(d)} sign patterns; an exact test takes {MOST} at "
            "most. For more, a t-test does: scipy.stats.ttest_1samp"
        )
    if _DUST < np.abs(d).max() < 0.5 * 10.0**-_DECIMALS:
        warnings.warn(
            f"all differences are below a billionth, the largest is {np.abs(d).max():.1g}, and "
            "count as none; give the scores in a smaller unit",
            stacklevel=2,
        )
    result = scipy.stats.permutation_test(
        (d,),
        _rounded(np.mean),
        permutation_type="samples",
        n_resamples=np.inf,
        batch=max(1, _AT_ONCE // d.size),
        vectorized=True,
        alternative=alternative,
    )
    return result.pvalue


def equivalence(differences: ArrayLike, margin: float = MARGIN) -> Any:
    """p-value of "the mean difference is not within ±`margin` cycles".

    Two one-sided exact sign-flip tests, of d + margin and of d − margin; the larger p-value
    counts. Shapes and errors as in `sign_flip`.
    """
    d = _finite(differences)
    return np.maximum(sign_flip(d + margin, "greater"), sign_flip(d - margin, "less"))


def holm(p_values: ArrayLike) -> Array:
    """p-values, shape (m,), corrected together by Holm's step-down method (Holm 1979).

    Raises `ValueError` for a value that is NaN or outside [0, 1].
    """
    p = np.asarray(p_values, dtype=np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"a p-value lies in [0, 1], got {p[~((p >= 0) & (p <= 1))][0]}")
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def _mean_of_means(*samples: Array, axis: int) -> Any:
    return np.mean([np.mean(sample, axis=axis) for sample in samples], axis=0)


def interval(
    *samples: ArrayLike, statistic: Callable[..., Any] = _mean_of_means
) -> tuple[float, float]:
    """95 % bootstrap interval, bias-corrected and accelerated, 9,999 resamples, fixed seed.

    Each sample has shape (n,) and is resampled within itself: one sample gives the interval of its
    mean, four subsets that of the mean of their means. `statistic(*samples, axis)` replaces the
    mean. Samples without spread give a point. Raises `ValueError` for an empty sample, one that is
    not of shape (n,), NaN and infinity.
    """
    checked = [_finite(sample) for sample in samples]
    for sample in checked:
        if sample.ndim != 1:
            raise ValueError(f"a sample has shape (n,), got {sample.shape}; give each by itself")
    if all(np.ptp(sample) < 10.0**-_DECIMALS for sample in checked):
        point = float(statistic(*checked, axis=-1))
        return point, point
    for method in ("BCa", "percentile"):  # the first has no answer where all but one are equal
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            warnings.simplefilter("ignore", scipy.stats.DegenerateDataWarning)
            low, high = scipy.stats.bootstrap(
                checked,
                _rounded(statistic),
                n_resamples=RESAMPLES,
                vectorized=True,
                method=method,
                rng=np.random.default_rng(0),
            ).confidence_interval
        if math.isfinite(low) and math.isfinite(high):
            break
    return float(low), float(high)


def _rounded(statistic: Callable[..., Any]) -> Callable[..., Any]:
    # Resamples with equal means must tie exactly, whatever the order of their additions.
    return lambda *samples, axis: np.round(statistic(*samples, axis=axis), _DECIMALS)


def _finite(values: ArrayLike) -> Array:
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        raise ValueError("no differences to test: the array is empty")
    if not np.isfinite(array).all():
        bad = array[~np.isfinite(array)][0]
        raise ValueError(f"a difference is {bad}; a failed cell cannot be paired")
    return array


# ----------------------------------------------------------------------------------------- tables


def check_cells(rows: Any, grid: Mapping[str, Iterable[Any]], name: str = "the table") -> None:
    """Raise `ValueError` unless a DataFrame has exactly the cells of a grid, each once.

    `grid` maps columns to their values; the cells are all combinations. The error says how many
    cells are missing, doubled or foreign, and names the first three.
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


def by_lam(rows: Any, lams: Sequence[float] = LAMS, column: str = "test_rmse") -> Any:
    """`column` as a DataFrame with one row a (subset, seed) and one column a λ of `lams`.

    Every subset in `rows` must have every seed in `rows` at every λ, once; rows at other λ are
    ignored. Raises `ValueError` that names cells missing, doubled, or failed (NaN or infinite).
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


def judge(differences: Any) -> Any:
    """Test paired differences that Holm corrects together.

    `differences` is a DataFrame in cycles with one row a seed and one column a comparison. Returns
    a DataFrame with one row a comparison: `mean`, `low`, `high` (cycles), `p`, `p_holm`,
    `p_equivalent_holm`, and the `finding` about what was compared: significantly "worse" (a
    positive difference) or "better", else "equivalent", else "undecided".
    """
    low, high = zip(*(interval(differences[name]) for name in differences), strict=True)
    p = sign_flip(differences)
    table = pd.DataFrame(
        {
            "mean": differences.mean(),
            "low": low,
            "high": high,
            "p": p,
            "p_holm": holm(p),
            "p_equivalent_holm": holm(equivalence(differences)),
        }
    )
    different = table["p_holm"] < ALPHA
    table["finding"] = np.select(
        [
            different & (table["mean"] > 0),
            different & (table["mean"] < 0),
            table["p_equivalent_holm"] < ALPHA,
        ],
        ["worse", "better", "equivalent"],
        "undecided",
    )
    return table


def compare(
    rows: Any, lam: float = 0.5, lams: Sequence[float] = LAMS, column: str = "test_rmse"
) -> Any:
    """Every other λ against `lam`, subset by subset, with Holm over the others of one subset.

    Returns what `judge` returns, with one row a (subset, lam); findings are about the *other* λ.
    Same errors as `by_lam`, and `ValueError` when `lam` is none of `lams`.
    """
    if lam not in lams:
        raise ValueError(f"cannot compare with λ = {lam}: it is none of {lams}")
    table = by_lam(rows, lams, column)
    differences = table.drop(columns=lam).sub(table[lam], axis="index")
    judged = {subset: judge(part) for subset, part in differences.groupby(level="subset")}
    return pd.concat(judged, names=["subset", "lam"])


@dataclass(frozen=True)
class Wins:
    """In how many of `n` cells a λ won, the exact 95 % interval of that share, and blind luck's."""

    count: int
    n: int
    low: float
    high: float
    chance: float


def wins(
    rows: Any, lam: float = 0.5, lams: Sequence[float] = SOURCE_LAMS, column: str = "test_rmse"
) -> Wins:
    """Count the (subset, seed) cells whose smallest score over `lams` is at `lam`.

    A tie counts for `lam`. The interval takes the cells as independent; those of one seed share its
    initial weights, whatever their subset. Same errors as `compare`.
    """
    if lam not in lams:
        raise ValueError(f"λ = {lam} cannot win: it is none of {lams}")
    table = by_lam(rows, lams, column)
    count, n = int((table[lam] <= table.min(axis="columns")).sum()), len(table)
    share = scipy.stats.binomtest(count, n).proportion_ci(0.95, method="exact")
    return Wins(count, n, float(share.low), float(share.high), 1.0 / len(lams))


def choose(
    rows: Any,
    lams: Sequence[float] = LAMS,
    by: str = "val_rmse",
    column: str = "test_rmse",
) -> Any:
    """For each (subset, seed), the λ with the smallest `by` (the first on ties), and its `column`.

    Returns a DataFrame over (subset, seed) with the columns `lam` and `column`. Regret is such a
    score minus the score of what it is compared with. Same errors as `by_lam`.
    """
    lam = by_lam(rows, lams, by).idxmin(axis="columns")
    scores = by_lam(rows, lams, column)
    chosen = [scores.at[cell, value] for cell, value in lam.items()]
    return pd.DataFrame({"lam": lam, column: chosen})
