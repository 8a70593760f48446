"""The source's 17 claims, each judged by the rule that the protocol fixed before the runs.

Every `claim_N` returns a `Ruling`; `ledger` puts them beside what the source says. Families of
cells a to f are the protocol's, as DataFrames with one row a cell. Holm's correction runs
over the ten other weights of a subset; comparisons that are none of these ten (claims 12, 13,
14, and 15 against unweighted samples) come once a subset, and are corrected over the four.
"""

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from amnl.cmapss import SUBSETS
from amnl.combine import (
    FIVE,
    LAMBDAS,
    LOSS_HS,
    LOSS_RUL,
    SOURCE_LAMS,
    combine_losses,
    simulate_sweep,
)
from amnl.stats import ALPHA, MARGIN, holm, interval, sign_flip
from amnl.study.tables import LAMS, by_lam, check_cells, choose, compare, judge, wins

HOLDS = "holds"
CONDITION = "holds only under a stated condition"
FAILS = "does not hold"
OPEN = "cannot be decided here"

# The protocol's families: the values of each column, and all their combinations are the cells.
GRIDS: dict[str, dict[str, Sequence[Any]]] = {
    "a": {
        "subset": SUBSETS,
        "seed": range(10),
        "lam": LAMS,
        "rul_unit": (1.0,),
        "sample_weighted": (True,),
    },
    "b": {
        "subset": SUBSETS,
        "seed": range(10),
        "lam": LAMS,
        "rul_unit": (125.0,),
        "sample_weighted": (True,),
    },
    "c": {
        "subset": ("FD001", "FD002"),
        "seed": range(5),
        "lam": (0.5,),
        "rul_unit": (0.1, 0.3, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 125.0, 250.0, 500.0, 1000.0),
        "sample_weighted": (True,),
    },
    "d": {
        "subset": SUBSETS,
        "seed": range(10),
        "lam": (0.5, 0.75),
        "rul_unit": (1.0,),
        "sample_weighted": (False,),
    },
}
# The rivals of families e and f: combiner, settings, whether samples are weighted.
RIVALS: dict[str, tuple[str, dict[str, Any], bool]] = {
    "AMNL, running means": ("amnl", {}, True),
    "AMNL, batch values": ("amnl", {"normalise": "batch"}, True),
    "GRACE": ("grace", {}, True),
    "GABA": ("gaba", {}, False),
    "GradNorm": ("gradnorm", {}, True),
    "uncertainty": ("uncertainty", {}, True),
    "uncertainty, 25 times as fast": ("uncertainty", {"speed": 25.0}, True),
    "DWA": ("dwa", {}, True),
}
ADAPTIVE = ("GRACE", "GABA", "GradNorm", "uncertainty", "DWA")  # those that claim 12 is about
GRIDS["e"] = {"subset": SUBSETS, "seed": range(10), "rival": tuple(RIVALS), "rul_unit": (1.0,)}
GRIDS["f"] = {
    "subset": SUBSETS,
    "seed": range(10),
    "rival": ("GRACE", "GradNorm", "uncertainty", "uncertainty, 25 times as fast", "DWA"),
    "rul_unit": (125.0,),
}
_CYCLES = "with the RUL loss in cycles²"
_UNIT_125 = "with the RUL error divided by 125 cycles"


class Ruling(NamedTuple):
    """A verdict, one line of the numbers behind it, and the condition of a conditional one."""

    verdict: str
    measured: str
    condition: str = ""


@dataclass(frozen=True)
class Verdict:
    """One line of the ledger. `evidence` is a link to its section of the book."""

    number: int
    claim: str
    source: str
    evidence: str
    verdict: str
    measured: str
    condition: str = ""


# Number: the claim, what the source says, a link to the evidence.
CLAIMS = {
    1: (
        "the combined loss lies between the smaller and the larger of the two",
        "0.5 · 1.95 + 0.5 · 1.10 = 1.525, for one",
        "01-convex-combination.ipynb#bound-the-total",
    ),
    2: (
        "∂L/∂L_rul is λ, and the shared gradient is λ·g_rul + (1−λ)·g_hs",
        "its smoke test prints 0.50 for both weights",
        "01-convex-combination.ipynb#take-the-gradient",
    ),
    3: (
        "λ = 0.5 is best on every subset, in every seed, against every other weight",
        "lowest of ten rows on every subset: 10.8, 13.9, 11.2, 17.4 cycles",
        "06-weight-sweep.ipynb#count-the-wins",
    ),
    4: (
        "moving λ to 0.4 or 0.6 costs about one cycle",
        "mean over the subsets 13.3 at 0.5, 14.4 at 0.4, 14.1 at 0.6",
        "06-weight-sweep.ipynb#test-every-difference-and-test-for-sameness-too",
    ),
    5: (
        "the gap to 0.4 and 0.6 is significant",
        "p < 0.05 with five seeds",
        "06-weight-sweep.ipynb#test-every-difference-and-test-for-sameness-too",
    ),
    6: (
        "the toy sweep's argmin is 0.5",
        "0.5 for RUL losses 0.85, 1.95, 0.92, 2.10 and health loss 1.10",
        "02-numpy-sweep.ipynb#run-the-sweep-as-given",
    ),
    7: (
        "rescaling a dataset's losses does not move the optimum",
        "one λ for RUL losses from 0.85 to 2.10",
        "07-units-and-scale.ipynb#translate-a-weight",
    ),
    8: (
        "cross-entropy over K classes is at most log K",
        "log 3 = 1.0986 as the bound, 1.10 as the health loss of its example",
        "02-numpy-sweep.ipynb#compare-the-health-loss-with-log-3",
    ),
    9: (
        "a lower total means better balanced gradients",
        "reads the balance off the combined loss",
        "01-convex-combination.ipynb#do-not-read-balance-off-the-total",
    ),
    10: (
        "more weight on RUL, 0.75 to 0.25, loses to 0.5",
        "11.6, 15.8, 12.2, 18.9 cycles at 0.75; 10.8, 13.9, 11.2, 17.4 at 0.5",
        "06-weight-sweep.ipynb#test-every-difference-and-test-for-sameness-too",
    ),
    11: (
        "the health task helps: λ = 1 is worse than 0.5",
        "12.9, 17.2, 13.5, 20.8 cycles at 0.9, the last row of its table; in chapter 17.2 of its "
        "older edition RUL alone on FD002 27.27 against 6.74, +304.7 %",
        "06-weight-sweep.ipynb#test-every-difference-and-test-for-sameness-too",
    ),
    12: (
        "fixed 0.5/0.5 matches or beats adaptive weighting",
        "says so, and has on FD001: "
        "GRACE 9.14, uncertainty 9.15, GradNorm 9.38, GABA 9.63, 0.5/0.5 10.08",
        "08-adaptive-combiners.ipynb#compare-them-with-a-weight-that-stands-still",
    ),
    13: (
        "five weights from 0.3 to 0.7 with short runs are enough to choose λ",
        "a sweep over {0.3, 0.4, 0.5, 0.6, 0.7} with 10 to 15 epochs each",
        "06-weight-sweep.ipynb#choose-the-weight-on-validation-and-pay-the-regret",
    ),
    14: (
        "tuning λ finely on validation data overfits",
        "advises against it, and freezes 0.5",
        "06-weight-sweep.ipynb#choose-the-weight-on-validation-and-pay-the-regret",
    ),
    15: (
        "weighting the same samples twice leaves the stable regime",
        "weight 2 at failure, times 0.75/0.5, is three times the pull",
        "06-weight-sweep.ipynb#weigh-the-same-samples-twice",
    ),
    16: (
        "a combiner without **kwargs breaks the swap",
        "the trainer always passes shared_params and model",
        "03-fixed-weight-loss.ipynb#leave-out-the-keyword-arguments-and-watch-the-swap-fail",
    ),
    17: (
        "RMSE on FD002 and FD004 is about 1.5 times that on FD001 and FD003",
        "its table: 13.9 to 10.8 and 17.4 to 11.2 cycles",
        "06-weight-sweep.ipynb#compare-the-subsets",
    ),
}


def ledger(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> list[Verdict]:
    """All verdicts, in order, from the six families of the protocol.

    Raises `ValueError` that names the family and its first cells that are missing, doubled or
    foreign, and for a failed cell that a rule would have to pair.
    """
    e, f = with_rivals(e), with_rivals(f)
    for name, rows in zip("abcdef", (a, b, c, d, e, f), strict=True):
        check_cells(rows, GRIDS[name], f"family {name}")
    rulings = {
        1: claim_1(),
        2: claim_2(),
        3: claim_3(a, b),
        4: claim_4(a, b),
        5: claim_5(a, b),
        6: claim_6(),
        7: claim_7(c),
        8: claim_8(),
        9: claim_9(),
        10: claim_10(a, b),
        11: claim_11(a, b),
        12: claim_12(a, b, d, e, f),
        13: claim_13(a, b),
        14: claim_14(a, b),
        15: claim_15(a, d),
        16: claim_16(),
        17: claim_17(a),
    }
    return [Verdict(number, *CLAIMS[number], *ruling) for number, ruling in rulings.items()]


def to_frame(verdicts: Iterable[Verdict]) -> Any:
    """A DataFrame with one row a claim, indexed by its number."""
    return pd.DataFrame([dataclasses.asdict(v) for v in verdicts]).set_index("number")


# ------------------------------------------------------------------------- claims about the sweep


def claim_3(a: Any, b: Any) -> Ruling:
    """Best everywhere: all cells won, or every subset's mean curve, or neither."""
    return in_either_unit(_best_everywhere, a, b)


def claim_4(a: Any, b: Any) -> Ruling:
    """About one cycle: the pooled cost of 0.4 and of 0.6 lies in [0.5, 1.5]."""
    return in_either_unit(_costs_a_cycle, a, b)


def claim_5(a: Any, b: Any) -> Ruling:
    """Significantly worse at 0.4 and at 0.6 on each subset: eight comparisons."""
    return in_either_unit(_neighbours_are_worse, a, b)


def claim_10(a: Any, b: Any) -> Ruling:
    """0.75 is worse than 0.5."""
    return in_either_unit(partial(_worse_than_half, 0.75), a, b, "0.75 against 0.5")


def claim_11(a: Any, b: Any) -> Ruling:
    """1.0, the RUL task alone, is worse than 0.5."""
    return in_either_unit(partial(_worse_than_half, 1.0), a, b, "1 against 0.5")


def claim_12(a: Any, b: Any, d: Any, e: Any, f: Any) -> Ruling:
    """0.5 matches or beats every adaptive combiner on all four subsets."""
    cycles2 = rival_differences(e, lambda weighted: by_lam(a if weighted else d, (0.5,))[0.5])
    unit125 = rival_differences(f, lambda weighted: by_lam(b, (0.5,))[0.5])
    return in_either_unit(_matches_the_adaptive, cycles2, unit125, "rival against 0.5")


def with_rivals(rows: Any) -> Any:
    """Rows of adaptive combiners with the column `rival`: a key of `RIVALS`, or else what the row
    says of itself, which is none."""
    keys = zip(rows["combiner"], rows["combiner_settings"], rows["sample_weighted"], strict=True)
    return rows.assign(rival=[_rival(*key) for key in keys])


def _rival(combiner: str, settings: str, weighted: bool) -> str:
    with suppress(ValueError, TypeError):
        found = (combiner, json.loads(settings), bool(weighted))  # 25 and 25.0 are one setting
        for rival, known in RIVALS.items():
            if found == known:
                return rival
    return f"{combiner} {settings}, samples {'' if weighted else 'not '}weighted"


def rival_differences(rows: Any, reference: Callable[[bool], Any]) -> Any:
    """Test RMSE of every rival in `rows` minus that of a reference, in cycles.

    `reference(sample_weighted)` gives the test RMSE to compare with, as a Series over (subset,
    seed). Returns a DataFrame with one row a (rival, seed) and one column a subset. Raises
    `ValueError` for a row that is of no rival.
    """
    found = {}
    for rival, part in with_rivals(rows).groupby("rival", sort=False):
        if rival not in RIVALS:
            raise ValueError(f"{rival} is no rival; the protocol's are {'; '.join(RIVALS)}")
        scores = part.set_index(["subset", "seed"])["test_rmse"]
        found[rival] = (scores - reference(RIVALS[rival][2])).unstack("subset")
    order = [rival for rival in RIVALS if rival in found]
    return pd.concat({rival: found[rival] for rival in order}, names=["rival"])


def judge_rivals(differences: Any) -> Any:
    """What `judge` says of each rival, with Holm over the subsets: one row a (rival, subset)."""
    judged = {r: judge(d) for r, d in differences.groupby(level="rival", sort=False)}
    return pd.concat(judged, names=["rival", "subset"])


def claim_13(a: Any, b: Any) -> Ruling:
    """Choosing among five weights costs less than the margin, with short runs and with full."""
    return in_either_unit(_coarse_is_enough, a, b, "five weights against all eleven")


def claim_14(a: Any, b: Any) -> Ruling:
    """λ chosen on validation among all eleven is worse than 0.5."""
    return in_either_unit(_tuned_is_worse, a, b, "tuned λ against 0.5")


def claim_15(a: Any, d: Any) -> Ruling:
    """Weighted samples at 0.75 fail, or lose to unweighted ones and to weighted ones at 0.5."""
    doubly = a[a["lam"] == 0.75]
    # Not "last > constant": a failed run has NaN there, and must count.
    broken = doubly[~(doubly["test_rmse_last"] <= doubly["constant_rmse"])]
    ends = f"{len(broken)} of {len(doubly)} runs fail or end worse than a constant"
    if len(broken):
        return Ruling(HOLDS, ends)
    unweighted = by_lam(d, (0.75,))[0.75]
    rulings = {
        "unweighted samples": worse_on_every_subset(
            judge((by_lam(a, (0.75,))[0.75] - unweighted).unstack("subset"))
        ),
        "λ = 0.5": _worse_than_half(0.75, a),
    }
    against = "; ".join(f"against {what}: {r.measured}" for what, r in rulings.items())
    verdicts = {ruling.verdict for ruling in rulings.values()}
    verdict = verdicts.pop() if verdicts in ({HOLDS}, {FAILS}) else OPEN
    return Ruling(verdict, f"{ends}; {against}")


def claim_17(a: Any) -> Ruling:
    """FD002 / FD001 and FD004 / FD003, mean RMSE at 0.5, both in [1.3, 1.7]."""
    scores = by_lam(a, (0.5,))[0.5].unstack("subset")
    means = scores.mean()
    pairs = (("FD002", "FD001"), ("FD004", "FD003"))
    intervals = [interval(scores[p], scores[q], statistic=_ratio) for p, q in pairs]
    measured = ", ".join(
        f"{p} / {q} {means[p] / means[q]:.2f} {_span(ends)}"
        for (p, q), ends in zip(pairs, intervals, strict=True)
    )
    return Ruling(_within(intervals, 1.3, 1.7), measured)


def _ratio(numerator: Any, denominator: Any, axis: int) -> Any:
    return np.mean(numerator, axis=axis) / np.mean(denominator, axis=axis)


# ---------------------------------------------------------------------------------- shared rules


def in_either_unit(rule: Callable[[Any], Ruling], a: Any, b: Any, what: str = "") -> Ruling:
    """Judge families a and b apart; a decides, unless the claim holds in one unit alone.

    `what` says what is compared with what, where the numbers do not.
    """
    in_cycles, in_125 = rule(a), rule(b)
    intro = f"{what}; cycles²" if what else "cycles²"
    holds = [ruling.verdict in (HOLDS, CONDITION) for ruling in (in_cycles, in_125)]
    # What holds in both units may hold in the other one in part: the verdict does not say so.
    part = f", only {in_125.condition}" if all(holds) and in_125.condition else ""
    measured = f"{intro}: {in_cycles.measured}. Divided by 125{part}: {in_125.measured}"
    if holds[0] == holds[1]:
        return Ruling(in_cycles.verdict, measured, in_cycles.condition)
    unit, ruling = (_CYCLES, in_cycles) if holds[0] else (_UNIT_125, in_125)
    return Ruling(CONDITION, measured, " ".join(filter(None, (ruling.condition, unit))))


def worse_on_every_subset(judged: Any) -> Ruling:
    """The rule of "X is worse than Y on every subset", from one row of `judge` a subset."""
    finding = judged["finding"]
    measured = ", ".join(
        f"{s} {_signed(row['mean'])} {row['finding']}" for s, row in judged.iterrows()
    )
    worse = list(judged.index[finding == "worse"])
    if len(worse) == len(judged):
        return Ruling(HOLDS, measured)
    if worse:
        return Ruling(CONDITION, measured, f"on {_listed(worse)}")
    return Ruling(FAILS if finding.isin(["better", "equivalent"]).any() else OPEN, measured)


def _worse_than_half(lam: float, rows: Any) -> Ruling:
    return worse_on_every_subset(compare(rows).xs(lam, level="lam"))


def _best_everywhere(rows: Any) -> Ruling:
    won = wins(rows)
    alone = by_lam(rows, (1.0,))[1.0].groupby(level="subset").mean()
    means = by_lam(rows, SOURCE_LAMS).groupby(level="subset").mean()
    lowest = means.idxmin(axis="columns")
    lower = list(means.index[alone < means.min(axis="columns")])
    measured = (
        f"0.5 wins {won.count} of {won.n} cells "
        f"({won.low:.0%} to {won.high:.0%}, chance {won.chance:.0%}); "
        f"mean curves lowest at {', '.join(f'{lam:g} on {s}' for s, lam in lowest.items())}; "
        f"λ = 1, none of the source's ten, is lower still on {_listed(lower) if lower else 'none'}"
    )
    if won.count == won.n:
        return Ruling(HOLDS, measured)
    if (means[0.5] <= means.min(axis="columns")).all():
        return Ruling(CONDITION, measured, "on average over the seeds")
    return Ruling(FAILS, measured)


def _costs_a_cycle(rows: Any) -> Ruling:
    table = by_lam(rows)
    costs = {lam: (table[lam] - table[0.5]).unstack("subset") for lam in (0.4, 0.6)}
    intervals = {lam: interval(*d.to_numpy().T) for lam, d in costs.items()}
    measured = ", ".join(
        f"{lam} costs {_signed(d.mean().mean())} {_span(intervals[lam])}"
        for lam, d in costs.items()
    )
    return Ruling(_within(intervals.values(), 0.5, 1.5), measured)


def _neighbours_are_worse(rows: Any) -> Ruling:
    judged = compare(rows).loc[(slice(None), [0.4, 0.6]), :]
    worse = judged.index[judged["finding"] == "worse"]
    measured = (
        f"{len(worse)} of {len(judged)} significantly worse, "
        f"mean differences {_signed(judged['mean'].min())} to {_signed(judged['mean'].max())}"
    )
    if len(worse) == len(judged):
        return Ruling(HOLDS, measured)
    if len(worse):
        named = _listed([f"{lam:g} on {subset}" for subset, lam in worse])
        return Ruling(CONDITION, measured, f"for {named}")
    return Ruling(FAILS, measured)


def _matches_the_adaptive(differences: Any) -> Ruling:
    judged = judge_rivals(differences)
    counted = [rival for rival in ADAPTIVE if rival in judged.index.get_level_values("rival")]
    beaten, lost, measured = [], [], []
    for rival in counted:
        finding = judged.loc[rival, "finding"]
        if finding.isin(["worse", "equivalent"]).all():
            beaten.append(rival)
        if (finding == "better").any():
            lost.append(rival)
        found = ", ".join(f"{n} {what}" for what, n in finding.value_counts().items())
        measured.append(f"{rival} {_signed(judged.loc[rival, 'mean'].mean())} ({found})")
    line = ", ".join(measured)
    if len(beaten) == len(counted):
        return Ruling(HOLDS, line)
    if beaten:
        return Ruling(CONDITION, line, f"against {_listed(beaten)}")
    return Ruling(FAILS if lost else OPEN, line)


def _coarse_is_enough(rows: Any) -> Ruling:
    reference = choose(rows)["test_rmse"]
    full, short = (
        (choose(rows, FIVE, by)["test_rmse"] - reference).unstack("subset")
        for by in ("val_rmse", "val_rmse_e15")
    )
    measured = f"with all epochs {_means(full)}; with epochs 1 to 15 {_means(short)}"
    if _stays_below_margin(full):
        if _stays_below_margin(short):
            return Ruling(HOLDS, measured)
        return Ruling(CONDITION, measured, "for runs of full length")
    above = holm(sign_flip(full, "greater")) < ALPHA
    return Ruling(FAILS if above.any() else OPEN, measured)


def _stays_below_margin(regret: Any) -> bool:
    return bool((holm(sign_flip(regret - MARGIN, "less")) < ALPHA).all())


def _tuned_is_worse(rows: Any) -> Ruling:
    regret = choose(rows)["test_rmse"] - by_lam(rows)[0.5]
    return worse_on_every_subset(judge(regret.unstack("subset")))


def _within(intervals: Iterable[tuple[float, float]], low: float, high: float) -> str:
    """Holds if every interval lies in [low, high]; does not if one lies wholly outside."""
    intervals = list(intervals)
    if all(low <= left and right <= high for left, right in intervals):
        return HOLDS
    return FAILS if any(right < low or left > high for left, right in intervals) else OPEN


def _signed(cycles: Any) -> str:
    return f"{np.round(cycles, 2) + 0.0:+.2f}"  # adding 0 turns -0.00 into +0.00


def _span(ends: tuple[float, float]) -> str:
    return f"[{ends[0]:.2f}, {ends[1]:.2f}]"


def _means(regret: Any) -> str:
    return ", ".join(f"{subset} {_signed(mean)}" for subset, mean in regret.mean().items())


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


# --------------------------------------------------------------------- claims settled by algebra


def claim_1() -> Ruling:
    """The total against its two losses, on random triples."""
    rng = np.random.default_rng(0)
    triples = zip(*rng.exponential(10.0, size=(2, 10_000)), rng.uniform(size=10_000), strict=True)
    outside, n = 0, 0
    for a, b, lam in triples:
        slack = 1e-12 * max(a, b)  # rounding
        outside += not min(a, b) - slack <= combine_losses(a, b, lam) <= max(a, b) + slack
        n += 1
    measured = f"{outside} of {n:,} random totals lie outside their two losses"
    return Ruling(FAILS if outside else HOLDS, measured)


def claim_2() -> Ruling:
    """Autograd's gradients against the formulas, at the source's ten weights."""
    import torch

    from amnl.combiners import FixedWeightLoss

    theta = torch.tensor([0.5, -1.0], dtype=torch.float64, requires_grad=True)
    agree = 0
    for lam in SOURCE_LAMS:
        rul, hs = 4.0 * (theta - 2.0).square().sum(), theta.square().sum() + theta.prod()
        total = FixedWeightLoss.convex(lam)(rul, hs)
        g, g_rul, g_hs = (
            torch.autograd.grad(loss, theta, retain_graph=True)[0] for loss in (total, rul, hs)
        )
        (slope,) = torch.autograd.grad(total, rul)
        mixture = lam * g_rul + (1.0 - lam) * g_hs
        agree += math.isclose(float(slope), lam) and torch.allclose(g, mixture, rtol=1e-12)
    measured = f"autograd agrees with both formulas at {agree} of {len(SOURCE_LAMS)} weights"
    return Ruling(HOLDS if agree == len(SOURCE_LAMS) else FAILS, measured)


def claim_6() -> Ruling:
    """The source's own sweep, run."""
    best = simulate_sweep(LOSS_RUL, LOSS_HS, LAMBDAS)["best"]
    measured = "argmin " + ", ".join(f"{lam:g} on {subset}" for subset, lam in best.items())
    return Ruling(HOLDS if set(best.values()) == {0.5} else FAILS, measured)


def claim_7(c: Any) -> Ruling:
    """A factor common to both losses against one on RUL alone; family c shows what the unit does.

    The runs do not enter the verdict. Means are over the runs that did not fail.
    """
    both, alone = _moved(rul=2.0, hs=2.0), _moved(rul=2.0, hs=1.0)
    means = c.groupby(["subset", "rul_unit"])["test_rmse"].mean().groupby(level="subset")
    ranges = ", ".join(
        f"{low:.2f} to {high:.2f} cycles on {subset}"
        for subset, low, high in means.agg(["min", "max"]).itertuples()
    )
    measured = (
        f"doubling both losses moves the toy's argmin on {both} of {len(LOSS_RUL)} subsets, "
        f"doubling the RUL loss on {alone}; over {c['rul_unit'].nunique()} RUL units at λ = 0.5 "
        f"mean test RMSE is {ranges}; {c['test_rmse'].isna().sum()} of {len(c)} runs failed"
    )
    if both or not alone:
        return Ruling(OPEN, measured)
    return Ruling(CONDITION, measured, "for a factor common to both losses")


def _moved(rul: float, hs: float) -> int:
    """On how many subsets the toy's argmin moves when its losses are multiplied."""
    before = simulate_sweep(LOSS_RUL, LOSS_HS, LAMBDAS)["best"]
    louder = [
        {name: factor * loss for name, loss in losses.items()}
        for factor, losses in ((rul, LOSS_RUL), (hs, LOSS_HS))
    ]
    after = simulate_sweep(louder[0], louder[1], LAMBDAS)["best"]
    return sum(before[name] != after[name] for name in before)


def claim_8() -> Ruling:
    """Cross-entropy of a confident wrong answer, against log 3."""
    import torch
    from torch.nn import functional as F

    logit, bound = 10.0, math.log(3)
    loss = float(F.cross_entropy(torch.tensor([[logit, 0.0, 0.0]]), torch.tensor([1])))
    measured = (
        f"a logit of {logit:g} on the wrong class of three costs {loss:.3f}; log 3 is {bound:.4f}"
    )
    return Ruling(FAILS if loss > bound else OPEN, measured)


def claim_9() -> Ruling:
    """Adding a constant to one loss moves the total and no gradient."""

    def total(theta: float, constant: float) -> float:
        return combine_losses(4.0 * (theta - 2.0) ** 2, (theta + 1.0) ** 2 + constant, 0.5)

    def slope(constant: float) -> float:
        return (total(0.5 + 1e-4, constant) - total(0.5 - 1e-4, constant)) / 2e-4

    low, high = total(0.5, 0.0), total(0.5, 100.0)
    turn = abs(slope(100.0) - slope(0.0))
    measured = (
        f"adding 100 to the health loss lifts the total from {low:.2f} to {high:.2f} and changes "
        f"its gradient by {turn:.2f}"
    )
    return Ruling(FAILS if low < high and turn < 1e-6 else OPEN, measured)


def claim_16() -> Ruling:
    """Two combiners, called as the trainer calls them."""
    import torch
    from torch import Tensor, nn

    from amnl.combiners import FixedWeightLoss

    class Bare(nn.Module):
        def forward(self, rul_loss: Tensor, health_loss: Tensor) -> Tensor:
            return 0.5 * rul_loss + 0.5 * health_loss

    def fits(combiner: nn.Module) -> bool:
        try:
            combiner(torch.tensor(1.95), torch.tensor(1.10), shared_params=[], model=combiner)
        except TypeError:
            return False
        return True

    outcome = {True: "runs", False: "raises TypeError"}
    bare, fixed = fits(Bare()), fits(FixedWeightLoss())
    measured = (
        f"called as the trainer calls it, the bare formula {outcome[bare]}, "
        f"FixedWeightLoss {outcome[fixed]}"
    )
    return Ruling(HOLDS if fixed and not bare else FAILS, measured)
