"""What the protocol expected of each family before it ran, and what came.

Every expectation is one that the page "The protocol" registered. Where a computation can decide it,
the rows do, here; nothing is judged by eye. Families g and h never ran.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from amnl import stats
from amnl.study import all_windows, fewer_engines, newer_rules, tables, tuned_rates
from amnl.study.claims import judge_rivals
from amnl.study.claims.rules_rivals import against_half
from amnl.study.pareto import on_front
from amnl.study.protocol import PUBLISHED
from amnl.study.rows import load_rows
from amnl.study.trend import judge_trends

__all__ = ["Expectation", "expectations", "score"]


class Expectation(NamedTuple):
    """One sentence of the protocol, and what the rows say of it."""

    family: str
    expected: str
    came: str  # a number with its unit, or a count
    met: bool


def expectations(families: Iterable[str] | None = None) -> list[Expectation]:
    """The scored expectations of some families, or of all that were published.

    Raises
    ------
    ValueError
        For a family without scored expectations.
    FileNotFoundError
        For a family whose rows are not published.

    Examples
    --------
    >>> expectations("o")[0].met
    False
    """
    found = []
    published = [name for name in _OF if name in PUBLISHED]
    for name in published if families is None else families:
        if name not in _OF:
            raise ValueError(f"family {name!r} has no scored expectations; {', '.join(_OF)} have")
        found += [Expectation(name, *each) for each in _OF[name]()]
    return found


def score(found: Iterable[Expectation]) -> pd.DataFrame:
    """A table for a page: `family`, `expected`, `came`, and `met` as "yes" or "no"."""
    table = pd.DataFrame(found, columns=Expectation._fields)
    return table.assign(met=np.where(table.met.astype(bool), "yes", "no"))


Scored = list[tuple[str, str, bool]]


@cache
def _scores(name: str) -> pd.DataFrame:
    """Test RMSE over (subset, seed) by λ."""
    return tables.by_lam(load_rows(f"sweep-{name}"))


def _means(name: str) -> pd.DataFrame:
    return _scores(name).groupby("subset").mean()


def _within(values: Iterable[float], low: float, high: float) -> tuple[str, bool]:
    """How many lie within, and whether all do."""
    inside = [low <= value <= high for value in values]
    return f"{sum(inside)} of {len(inside)}", all(inside)


def _below(bound: float) -> float:
    return float(np.nextafter(bound, -np.inf))


def _are(findings: Iterable[str], *words: str) -> tuple[str, bool]:
    return _within([float(finding in words) for finding in findings], 1, 1)


def _rivals() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Adaptive rules against 0.5, in cycles² and in units of 125 cycles."""
    names = ("cycles2", "unit125", "unweighted", "rivals-cycles2", "rivals-unit125")
    rows = [load_rows(f"sweep-compact-{name}") for name in names]
    e, f = map(judge_rivals, against_half(*rows))
    return e, f


def _of_e() -> Scored:
    found = _rivals()[0].finding
    movers = found.loc[["GABA", "GRACE"]]
    epochs = load_rows("rivals_epochs")
    last = epochs[(epochs.epoch == epochs.epoch.max()) & (epochs.rul_unit == 1)]
    fast = last[last.combiner_settings.str.contains("25")]
    odds = np.exp(np.log(fast.rul_weight / fast.health_weight).mean())
    return [
        ("GABA and GRACE lose to 0.5 in cycles²", *_are(movers, "worse")),
        ("GradNorm matches 0.5", *_are(found.loc["GradNorm"], "equivalent")),
        (
            "uncertainty weighting at the paper's pace matches 0.5",
            *_are(found.loc["uncertainty"], "equivalent"),
        ),
        (
            "25 times as fast it ends near odds of 1:1,000",
            f"1:{1 / odds:,.0f}",
            1 / 2000 < odds < 1 / 500,
        ),
        ("DWA matches 0.5", *_are(found.loc["DWA"], "equivalent")),
    ]


def _of_f() -> Scored:
    found = _rivals()[1].finding
    rows = (load_rows(f"sweep-compact-rivals-{unit}") for unit in ("cycles2", "unit125"))
    grace = [
        part[part.combiner == "grace"].set_index(["subset", "seed"]).test_rmse for part in rows
    ]
    same = tables.judge((grace[1] - grace[0]).unstack("subset")).finding
    return [
        ("GRACE beats 0.5 or matches it", *_are(found.loc["GRACE"], "better", "equivalent")),
        ("GRACE does not care which unit the loss has", *_are(same, "equivalent")),
    ]


def _of_full_size(name: str) -> Scored:
    """What families i and j share."""
    scores, means = _scores(f"paper-{name}"), _means(f"paper-{name}")
    over_seeds = scores.groupby("subset").std().mean(axis="columns")
    over_lams = np.ptp(means.drop(columns=1.0), axis=1)
    epochs = {
        size: load_rows(f"sweep-{size}-{name}").groupby("subset").best_epoch.median()
        for size in ("paper", "compact")
    }
    earlier = (epochs["paper"] < epochs["compact"]).sum()
    return [
        (
            "seeds differ by more than weights",
            f"{(over_seeds > over_lams).sum()} of 4 subsets",
            bool((over_seeds > over_lams).all()),
        ),
        (
            "the best epoch comes earlier than the compact network's",
            f"{earlier} of 4 subsets",
            bool(earlier == 4),
        ),
    ]


def _of_i() -> Scored:
    means = _means("paper-cycles2")
    flat = np.ptp(means.loc[:, 0.3:0.9], axis=1)
    alone = tables.compare(load_rows("sweep-paper-cycles2")).finding.xs(1.0, level="lam")
    return [
        (
            "flat from 0.3 to 0.9 (means within half a cycle)",
            *_within(flat, 0, stats.MARGIN),
        ),
        ("1 no worse than 0.5", *_are(alone, "better", "equivalent", "undecided")),
        *_of_full_size("cycles2"),
    ]


def _of_j() -> Scored:
    means = _means("paper-unit125")
    lowest = int((means.idxmin(axis="columns") == 0.5).sum())
    return [
        ("falling to the right (1 below 0.1)", *_within(means[0.1] - means[1.0], 0, np.inf)),
        ("0.5 is no minimum", f"lowest {lowest} times", lowest == 0),
        *_of_full_size("unit125"),
    ]


def _of_k() -> Scored:
    means = _means("compact-unit15")
    return [
        *_of_balance(means),
        ("0.9 better than 0.5 by 0.1 to 0.5 cycle", *_within(means[0.5] - means[0.9], 0.1, 0.5)),
        ("0.9 equal to 1 within 0.3 cycle", *_within((means[0.9] - means[1.0]).abs(), 0, 0.3)),
    ]


def _of_l() -> Scored:
    means = _means("compact-unit35")
    return [
        *_of_balance(means),
        ("0.9 better than 0.5 by 0.3 to 1.0 cycle", *_within(means[0.5] - means[0.9], 0.3, 1.0)),
    ]


def _of_balance(means: pd.DataFrame) -> Scored:
    lowest = int((means.idxmin(axis="columns") == 0.5).sum())
    return [
        ("the curves fall (0.1 above 1)", *_within(means[0.1] - means[1.0], 0, np.inf)),
        ("0.5 is the lowest mean of no subset", f"lowest {lowest} times", lowest == 0),
    ]


def _of_n() -> Scored:
    rows = load_rows("sweep-compact-more-seeds")
    table = tables.by_lam(rows[rows.rul_unit == 1], (0.1, 0.5))
    new = (table[0.1] - table[0.5]).groupby("seed").mean()
    pooled, p = abs(new.mean()), stats.sign_flip(new)
    table = tables.by_lam(rows[rows.rul_unit == 125], (0.5, 1.0))
    fd004 = (table[1.0] - table[0.5]).mean()
    return [
        (
            "0.1 and 0.5 within 0.1 cycle, undecided by the new seeds",
            f"{pooled:.3f} cycles, p = {p:.2f}",
            bool(pooled < 0.1 and p > 0.05),
        ),
        ("on FD004 in units of 125, 1 is better", f"{fd004:+.2f} cycles", bool(fd004 < 0)),
    ]


def _of_o() -> Scored:
    copies = load_rows("sweep-compact-nudged")
    copies = copies.pivot(index=["subset", "seed"], columns="nudge", values="test_rmse")
    rounding = (copies[1e-6] - copies[-1e-6]).unstack("subset").std()
    steps = _scores("compact-cycles2").diff(axis=1).drop(columns=0.1)
    steps = steps.groupby("subset").std().mean(axis=1)
    part = (rounding**2 / steps**2).mean()
    return [
        ("standard deviation of 0.2 to 0.6 cycle", *_within(rounding, 0.2, 0.6)),
        (
            "most of the spread between neighbouring weights is rounding",
            f"{part:.0%} of its variance",
            bool(part > 0.5),
        ),
    ]


def _of_m() -> Scored:
    rows = load_rows("sweep-compact-front")
    errors, heads, cuts = (
        rows.pivot(index=["subset", "seed"], columns="lam", values=column)
        for column in ("test_rmse", "health_macro_f1_best", "health_macro_f1_rul")
    )
    level = {
        subset: tables.judge(part.drop(columns=[0.0, 1.0]).sub(part[1.0], axis="index"))
        for subset, part in errors.groupby(level="subset")
    }
    found = pd.concat(level, names=["subset", "lam"]).finding
    lams = found.index.get_level_values("lam")
    means = heads.groupby("subset").mean()
    best = means.drop(columns=1.0).max(axis="columns")
    upto = means.loc[:, means.columns <= 0.1]
    beyond = means.loc[:, (means.columns > 0.1) & (means.columns < 1)].rsub(best, axis="index")
    alone = cuts[1.0].groupby("subset").mean()
    front = pd.Series(
        {
            subset: on_front(errors.loc[subset].mean(), heads.loc[subset].mean()).sum()
            for subset in means.index
        }
    )
    return [
        (
            "RUL error level from odds of 1:100 on (equivalent to λ = 1)",
            *_are(found[lams >= 0.01 / 1.01 - 1e-9], "equivalent"),
        ),
        (
            "RUL error higher below odds of 1:333 (worse than λ = 1)",
            *_are(found[lams < 0.002], "worse"),
        ),
        (
            "head as good up to odds of 1:10, within 0.02",
            *_within(np.ptp(upto, axis=1), 0, 0.02),
        ),
        ("head worse beyond, by more than 0.02", *_within(beyond.to_numpy().ravel(), 0.02, 1)),
        ("cut RUL of λ = 1 within 0.03 of the best head", *_within(best - alone, -1, 0.03)),
        (
            "most of the eleven weights on the front",
            f"{front.min()} to {front.max()} of 11",
            bool((front > 5).all()),
        ),
    ]


def _of_p() -> Scored:
    rows = load_rows("sweep-compact-fault")
    told = rows.groupby(["subset", "lam"]).fault_macro_f1_best.mean().unstack("subset")
    gap = rows.groupby(["lam", "subset"]).test_rmse.mean().unstack("subset")
    gap = gap.sub(gap.loc[1.0]).drop(index=1.0)
    small = gap.index[np.argmin(np.abs(gap.index - 0.01 / 1.01))]
    fd003, fd004 = float(gap.loc[small, "FD003"]), float(gap["FD004"].abs().max())
    return [
        (
            "fault told with F1 above 0.9 at odds of 1:10 and less",
            *_within(told[told.index < 0.11].to_numpy().ravel(), 0.9, 1),
        ),
        (
            "FD003 at odds of 1:100 better by 0.1 to 0.4 cycle",
            f"{fd003:+.2f} cycles",
            -0.4 <= fd003 <= -0.1,
        ),
        ("FD004 within 0.3 cycle either way", f"at most {fd004:.2f} cycles", fd004 < 0.3),
    ]


def _of_q() -> Scored:
    rows = load_rows("sweep-ladder")
    cells = rows.pivot(index=["rul_unit", "seed", "parameters"], columns="lam", values="test_rmse")
    cost = (cells[0.5] - cells[1.0]).unstack("parameters")
    judged = judge_trends({f"{unit:g}": cost.loc[unit] for unit in (1.0, 35.0)})
    errors = cells[0.5].groupby(["rul_unit", "parameters"]).mean().unstack("rul_unit")
    change = errors.iloc[-1] - errors.iloc[0]
    epochs = rows.groupby(["rul_unit", "parameters"]).best_epoch.median().unstack("rul_unit")
    sooner = bool((epochs.diff().iloc[1:] < 0).all(axis=None))
    effects = tables.judge(cost.loc[1.0])
    return [
        (
            "in cycles² no effect at any size (0.5 equivalent to 1)",
            *_are(effects.finding, "equivalent"),
        ),
        (
            "in units of 35, an effect of 0.4 to 1.0 cycle at every size",
            *_within(cost.loc[35.0].mean(), 0.4, 1.0),
        ),
        (
            "the effect in units of 35 stays over the sizes",
            judged.finding["35"],
            judged.finding["35"] == "stays",
        ),
        (
            "the error at 0.5 falls by less than half a cycle over the sizes",
            ", ".join(f"{gap:+.2f}" for gap in change) + " cycles",
            bool(((change < 0) & (change > -0.5)).all()),
        ),
        (
            "the best epoch comes earlier",
            ", ".join(f"{a:g} to {b:g}" for a, b in epochs.iloc[[0, -1]].T.to_numpy())
            + " (medians over all weights)",
            sooner,
        ),
    ]


def _of_r() -> Scored:
    """What r's rows decide; a neighbour of 10⁻³ on the grid is within a factor of three."""
    rows = load_rows(tuned_rates.ROWS)
    chosen = tuned_rates.chosen_rates(rows)
    by_sgd = tuned_rates.ranges(rows).drop("AdamW")
    return [
        (
            "AdamW chooses rates within a factor of three of 0.001",
            *_within(chosen.lr[chosen.how == "AdamW"], 3e-4, 3e-3),
        ),
        (
            "with SGD a rate for each weight leaves less than half of the range of the means",
            *_within(by_sgd.own / by_sgd.one, 0, _below(0.5)),
        ),
    ]


def _of_s() -> Scored:
    rows = load_rows(tuned_rates.FRESH_ROWS)
    means = tuned_rates.errors(rows).groupby(["how", "subset"]).mean()
    adamw = means.loc["AdamW"]
    usual = _means("compact-unit15").loc[adamw.index, adamw.columns]
    as_usual = (adamw.rank(axis="columns") == usual.rank(axis="columns")).all(axis="columns")
    by_sgd = means.drop("AdamW")
    from_half = by_sgd.drop(columns=0.5).sub(by_sgd[0.5], axis="index").abs()
    middle = int(tuned_rates.middle_optima(rows).sum())
    return [
        ("AdamW orders the five weights as family k does", *_within(as_usual, 1, 1)),
        (
            "with AdamW 0.9 is ahead of 0.5 by less than half a cycle",
            *_within(adamw[0.5] - adamw[0.9], 0, _below(stats.MARGIN)),
        ),
        (
            "with SGD no weight differs from 0.5 by half a cycle",
            *_within(from_half.to_numpy().ravel(), 0, _below(stats.MARGIN)),
        ),
        ("no optimum in the middle", f"{middle} of {len(means)}", middle == 0),
    ]


def _of_t() -> Scored:
    means = fewer_engines.errors().groupby(["rul_unit", "engines"]).mean()
    rise = means.xs(5, level="engines") - means.xs(fewer_engines.ALL, level="engines")
    judged = fewer_engines.judge()
    better, undecided = ((judged.finding == word).sum() for word in ("better", "undecided"))
    return [
        (
            "the error rises by 3 to 8 cycles from 80 engines to 5",
            *_within(rise.to_numpy().ravel(), 3, 8),
        ),
        (
            "the second task helps nowhere (no weight is better than 1)",
            f"{better} of {len(judged)} better, {undecided} undecided",
            better == 0,
        ),
        (
            "in units of 35 its effect is between −0.5 and +1",
            *_within(judged["mean"][35.0], -0.5, 1),
        ),
    ]


def _of_u() -> Scored:
    rows = load_rows(all_windows.ROWS)
    errors = all_windows.errors(rows)
    shift = (errors.loc["all"] - errors.loc["thinned"]).groupby("subset").mean()
    last = (rows.best_epoch == rows.epochs).mean()
    changes = int(all_windows.judge_verdicts(rows).changes.sum())
    return [
        ("all errors fall by 0.2 to 1 cycle", *_within(shift.to_numpy().ravel(), -1.0, -0.2)),
        ("fewer than a tenth of the cells choose the last epoch", f"{last:.0%}", last < 0.1),
        ("no verdict changes", f"{changes} change", changes == 0),
    ]


def _of_v() -> Scored:
    rows = load_rows(newer_rules.ROWS)
    judged, by_unit = newer_rules.judge(rows), newer_rules.differences(rows)
    imtl_g = judged.xs("IMTL-G", level="rival")
    behind = imtl_g.loc[1.0]
    ahead = [
        float(gap)
        for each in by_unit.values()
        for gap in (each.loc["IMTL-G"] - each.loc["MGDA"]).mean()
    ]
    return [
        (
            "IMTL-G is equivalent to 0.5 in units of 15 cycles",
            *_are(imtl_g.loc[15.0, "finding"], "equivalent"),
        ),
        (
            "in cycles² it is worse by 0.5 to 1.2 cycles",
            *_within(behind["mean"].where(behind.finding == "worse", np.inf), 0.5, 1.2),
        ),
        ("in units of 125 it is better", *_are(imtl_g.loc[125.0, "finding"], "better")),
        (
            "MGDA is nowhere ahead of IMTL-G by more than half a cycle",
            *_within(ahead, -np.inf, stats.MARGIN),
        ),
        (
            "random weights are equivalent to 0.5 in every unit",
            *_are(judged.xs("random weights", level="rival").finding, "equivalent"),
        ),
    ]


_OF: dict[str, Callable[[], Scored]] = {
    "e": _of_e,
    "f": _of_f,
    "i": _of_i,
    "j": _of_j,
    "k": _of_k,
    "l": _of_l,
    "m": _of_m,
    "n": _of_n,
    "o": _of_o,
    "p": _of_p,
    "q": _of_q,
    "r": _of_r,
    "s": _of_s,
    "t": _of_t,
    "u": _of_u,
    "v": _of_v,
}
