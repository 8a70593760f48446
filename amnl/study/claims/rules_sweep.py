"""Claims about the sweep over λ, judged by its runs."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from amnl.combine import FIVE, SOURCE_LAMS
from amnl.stats import ALPHA, MARGIN, holm, interval, sign_flip
from amnl.study.claims.ruling import (
    CONDITION,
    FAILS,
    HOLDS,
    OPEN,
    Ruling,
    in_either_unit,
    listed,
    signed,
    span,
    within,
    worse_on_every_subset,
)
from amnl.study.tables import by_lam, choose, compare, judge, wins

Scores = npt.NDArray[np.float64]
A_CYCLE = (0.5, 1.5)  # what claim 4 calls about one, in cycles
HALF_MORE = (1.3, 1.7)  # what claim 17 calls about 1.5


def claim_3(cycles2: pd.DataFrame, unit125: pd.DataFrame) -> Ruling:
    """Best everywhere: all cells won, or every subset's mean curve, or neither."""
    return in_either_unit(_best_everywhere, cycles2, unit125)


def _best_everywhere(rows: pd.DataFrame) -> Ruling:
    won = wins(rows)
    alone = mean_curves(rows, (1.0,))[1.0]
    means = mean_curves(rows)
    lowest = means.idxmin(axis="columns")
    lower = list(means.index[alone < means.min(axis="columns")])
    measured = (
        f"0.5 wins {won.count} of {won.n} contests "
        f"({won.low:.0%} to {won.high:.0%}, chance {won.chance:.0%}); "
        f"mean curves lowest at {', '.join(f'{lam:g} on {s}' for s, lam in lowest.items())}; "
        "λ = 1, none of the source's ten, is lower still on "
        f"{listed(lower) if lower else 'no subset'}"
    )
    if won.count == won.n:
        return Ruling(HOLDS, measured)
    if (means[0.5] <= means.min(axis="columns")).all():
        return Ruling(CONDITION, measured, "on average over the seeds")
    return Ruling(FAILS, measured)


def mean_curves(rows: pd.DataFrame, lams: Sequence[float] = SOURCE_LAMS) -> pd.DataFrame:
    """Mean test RMSE over the seeds, one row a subset and one column a λ."""
    return by_lam(rows, lams).groupby(level="subset").mean()


def claim_4(cycles2: pd.DataFrame, unit125: pd.DataFrame) -> Ruling:
    """About one cycle: the pooled cost of 0.4 and of 0.6 lies in [0.5, 1.5]."""
    return in_either_unit(_costs_a_cycle, cycles2, unit125)


def _costs_a_cycle(rows: pd.DataFrame) -> Ruling:
    costs = pooled_costs(rows)
    measured = ", ".join(
        f"{lam} costs {signed(mean)} {span(ends)}" for lam, (mean, ends) in costs.items()
    )
    return Ruling(within((ends for _, ends in costs.values()), *A_CYCLE), measured)


def pooled_costs(rows: pd.DataFrame) -> dict[float, tuple[float, tuple[float, float]]]:
    """0.4 and 0.6 → what they cost against 0.5 over all subsets (cycles), and its interval."""
    table = by_lam(rows)
    costs = {lam: (table[lam] - table[0.5]).unstack("subset") for lam in (0.4, 0.6)}
    return {lam: (d.mean().mean(), interval(*d.to_numpy().T)) for lam, d in costs.items()}


def claim_5(cycles2: pd.DataFrame, unit125: pd.DataFrame) -> Ruling:
    """Significantly worse at 0.4 and at 0.6 on each subset: eight comparisons."""
    return in_either_unit(_neighbours_are_worse, cycles2, unit125)


def _neighbours_are_worse(rows: pd.DataFrame) -> Ruling:
    judged = neighbours(compare(rows))
    worse = judged.index[judged["finding"] == "worse"]
    measured = (
        f"{len(worse)} of {len(judged)} significantly worse, "
        f"mean differences {signed(judged['mean'].min())} to {signed(judged['mean'].max())}"
    )
    if len(worse) == len(judged):
        return Ruling(HOLDS, measured)
    if len(worse):
        named = listed([f"{lam:g} on {subset}" for subset, lam in worse])
        return Ruling(CONDITION, measured, f"for {named}")
    return Ruling(FAILS, measured)


def neighbours(judged: pd.DataFrame) -> pd.DataFrame:
    """What `compare` says of 0.4 and of 0.6."""
    return judged.loc[(slice(None), [0.4, 0.6]), :]


def claim_10(cycles2: pd.DataFrame, unit125: pd.DataFrame) -> Ruling:
    """0.75 is worse than 0.5."""
    return in_either_unit(partial(_worse_than_half, 0.75), cycles2, unit125, "0.75 against 0.5")


def claim_11(cycles2: pd.DataFrame, unit125: pd.DataFrame) -> Ruling:
    """1.0, the RUL task alone, is worse than 0.5."""
    return in_either_unit(partial(_worse_than_half, 1.0), cycles2, unit125, "1 against 0.5")


def _worse_than_half(lam: float, rows: pd.DataFrame) -> Ruling:
    return worse_on_every_subset(compare(rows).xs(lam, level="lam"))


def claim_13(cycles2: pd.DataFrame, unit125: pd.DataFrame) -> Ruling:
    """Choosing among five weights costs less than the margin, with short runs and with full."""
    return in_either_unit(_coarse_is_enough, cycles2, unit125, "five weights against all eleven")


def _coarse_is_enough(rows: pd.DataFrame) -> Ruling:
    full, short = regrets_of_five(rows).values()
    measured = f"with all epochs {_means(full)}; with epochs 1 to 15 {_means(short)}"
    if _stays_below_margin(full):
        if _stays_below_margin(short):
            return Ruling(HOLDS, measured)
        return Ruling(CONDITION, measured, "for runs of full length")
    above = holm(sign_flip(full, "greater")) < ALPHA
    return Ruling(FAILS if above.any() else OPEN, measured)


def regrets_of_five(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """What choosing among five weights costs by seed and subset (cycles), with long runs and short.

    The reference chooses among all eleven, with all epochs.
    """
    reference = choose(rows)["test_rmse"]
    return {
        epochs: (choose(rows, FIVE, by)["test_rmse"] - reference).unstack("subset")
        for epochs, by in (("all epochs", "val_rmse"), ("epochs 1 to 15", "val_rmse_e15"))
    }


def _stays_below_margin(regret: pd.DataFrame) -> bool:
    return bool((holm(sign_flip(regret - MARGIN, "less")) < ALPHA).all())


def _means(regret: pd.DataFrame) -> str:
    return ", ".join(f"{subset} {signed(mean)}" for subset, mean in regret.mean().items())


def claim_14(cycles2: pd.DataFrame, unit125: pd.DataFrame) -> Ruling:
    """λ chosen on validation among all eleven is worse than 0.5."""
    return in_either_unit(_tuned_is_worse, cycles2, unit125, "tuned λ against 0.5")


def _tuned_is_worse(rows: pd.DataFrame) -> Ruling:
    return worse_on_every_subset(tuned(rows))


def tuned(rows: pd.DataFrame) -> pd.DataFrame:
    """What `judge` says, subset by subset, of λ chosen on validation against 0.5."""
    regret = choose(rows)["test_rmse"] - by_lam(rows)[0.5]
    return judge(regret.unstack("subset"))


def claim_15(cycles2: pd.DataFrame, unweighted: pd.DataFrame) -> Ruling:
    """Weighted samples at 0.75 fail, or lose to unweighted ones and to weighted ones at 0.5."""
    doubly = cycles2[cycles2["lam"] == 0.75]
    # Not "last > constant": a failed run has NaN there, and must count.
    broken = doubly[~(doubly["test_rmse_last"] <= doubly["constant_rmse"])]
    ends = f"{len(broken)} of {len(doubly)} runs fail or end worse than a constant"
    if len(broken):
        return Ruling(HOLDS, ends)
    rulings = {
        "unweighted samples": worse_on_every_subset(weighted_twice(cycles2, unweighted)),
        "λ = 0.5": _worse_than_half(0.75, cycles2),
    }
    against = "; ".join(f"against {what}: {r.measured}" for what, r in rulings.items())
    verdicts = {ruling.verdict for ruling in rulings.values()}
    verdict = verdicts.pop() if verdicts in ({HOLDS}, {FAILS}) else OPEN
    return Ruling(verdict, f"{ends}; {against}")


def weighted_twice(cycles2: pd.DataFrame, unweighted: pd.DataFrame) -> pd.DataFrame:
    """What `judge` says, subset by subset, of weighted samples at 0.75 against unweighted ones."""
    weighting = by_lam(cycles2, (0.75,))[0.75] - by_lam(unweighted, (0.75,))[0.75]
    return judge(weighting.unstack("subset"))


def claim_17(cycles2: pd.DataFrame) -> Ruling:
    """FD002 / FD001 and FD004 / FD003, mean RMSE at 0.5, both in [1.3, 1.7]."""
    found = ratios(cycles2)
    measured = ", ".join(
        f"{pair} {ratio:.2f} {span(ends)}" for pair, (ratio, ends) in found.items()
    )
    return Ruling(within((ends for _, ends in found.values()), *HALF_MORE), measured)


def ratios(cycles2: pd.DataFrame) -> dict[str, tuple[float, tuple[float, float]]]:
    """FD002 / FD001 and FD004 / FD003 → the ratio of their mean RMSE at 0.5, and its interval."""
    scores = by_lam(cycles2, (0.5,))[0.5].unstack("subset")
    means = scores.mean()
    return {
        f"{p} / {q}": (means[p] / means[q], interval(scores[p], scores[q], statistic=_ratio))
        for p, q in (("FD002", "FD001"), ("FD004", "FD003"))
    }


def _ratio(numerator: Scores, denominator: Scores, axis: int) -> Scores:
    ratio: Scores = np.mean(numerator, axis=axis) / np.mean(denominator, axis=axis)
    return ratio


OF_ONE_SWEEP: dict[int, Callable[[pd.DataFrame], Ruling]] = {
    3: _best_everywhere,
    4: _costs_a_cycle,
    5: _neighbours_are_worse,
    10: partial(_worse_than_half, 0.75),
    11: partial(_worse_than_half, 1.0),
    13: _coarse_is_enough,
    14: _tuned_is_worse,
}


def in_one_unit(number: int, rows: pd.DataFrame) -> Ruling:
    """What the rule of a claim about the sweep says of one table, whatever its unit.

    Parameters
    ----------
    number
        3, 4, 5, 10, 11, 13 or 14: the others need more than one sweep, or none.
    rows
        A whole sweep over λ, as `load_rows` gives it.

    Raises
    ------
    ValueError
        For another number.
    """
    if number not in OF_ONE_SWEEP:
        numbers = ", ".join(map(str, OF_ONE_SWEEP))
        raise ValueError(f"claim {number} is not about one sweep; those that are: {numbers}")
    return OF_ONE_SWEEP[number](rows)
