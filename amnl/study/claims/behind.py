"""What a picture of each claim shows: the numbers that its rule weighs, from the rule's own parts.

Differences are in cycles of test RMSE, as in `amnl.study.tables`: positive where what is named is
worse than what it is compared with.
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import NamedTuple

import numpy as np
import pandas as pd

from amnl.combine import LAMBDAS, LOSS_HS, LOSS_RUL, simulate_sweep
from amnl.stats import ALPHA, MARGIN, holm, interval, sign_flip
from amnl.study.claims import rules_algebra, rules_rivals, rules_sweep
from amnl.study.claims.verdicts import Families
from amnl.study.tables import compare, rounding_band

CYCLES2, UNIT125 = "cycles²", "units of 125"
Limits = tuple[float | None, float | None]  # None: without an end
WORSE: Limits = (0.0, None)


class Mark(NamedTuple):
    """A number, its 95 % interval, and what a rule finds of it.

    `rounding` is half the band of a difference that is only rounding (cycles), where there is one;
    it was measured at λ = 0.5 in cycles².
    """

    group: str  # the unit of the RUL loss, or what it is compared with
    name: str
    value: float
    low: float
    high: float
    finding: str = ""
    rounding: float | None = None


class Curve(NamedTuple):
    """Numbers over numbers."""

    group: str
    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Evidence:
    """The numbers behind a verdict: marks on a line, or curves.

    Parameters
    ----------
    kind
        "differences" (cycles, all on one scale), "numbers" (each on a scale of its own), "curves"
        or "checks" (1 for what passed, 0 for what failed).
    what
        What a mark says, or the heights of the curves.
    along
        What the curves run along.
    claimed
        Where on the line, or along the curves, the source's claim puts it.
    lowest
        Whether the question is where the curves are lowest.
    """

    kind: str
    what: str
    claimed: Limits | None = None
    marks: tuple[Mark, ...] = ()
    curves: tuple[Curve, ...] = ()
    along: str = ""
    lowest: bool = False


def evidence(families: Families, copies: pd.DataFrame) -> dict[int, Evidence]:
    """The numbers behind all 17 verdicts.

    Parameters
    ----------
    families
        What `ledger` judges.
    copies
        Family o, from which `rounding_band` comes.
    """
    bands: dict[str, float] = dict(rounding_band(copies))
    means = copies.groupby(["seed", "nudge"], as_index=False)["test_rmse"].mean()
    bands["all"] = float(rounding_band(means.assign(subset="all"))["all"])
    both = {CYCLES2: families.cycles2, UNIT125: families.unit125}

    compared = {unit: compare(rows) for unit, rows in both.items()}
    tuned = {unit: rules_sweep.tuned(rows) for unit, rows in both.items()}

    def marks(judged: Mapping[str, pd.DataFrame]) -> tuple[Mark, ...]:
        return tuple(mark for group in judged for mark in _judged(group, judged[group], bands))

    def against_half(lam: float) -> tuple[Mark, ...]:
        return marks({unit: found.xs(lam, level="lam") for unit, found in compared.items()})

    neighbours = {unit: rules_sweep.neighbours(found) for unit, found in compared.items()}
    rival = rules_rivals.against_half(
        families.cycles2,
        families.unit125,
        families.unweighted,
        families.rivals_cycles2,
        families.rivals_unit125,
    )
    adaptive = dict(zip(both, map(rules_rivals.judge_adaptive, rival), strict=True))
    twice = rules_sweep.weighted_twice(families.cycles2, families.unweighted)
    half = compared[CYCLES2].xs(0.75, level="lam")
    from_half = partial(Evidence, "differences")
    return {
        1: _totals(),
        2: _slopes(),
        3: Evidence(
            "curves",
            "mean test RMSE minus that at 0.5 (cycles)",
            (0.5, 0.5),
            curves=tuple(c for unit, rows in both.items() for c in _from_half(unit, rows)),
            along="λ",
            lowest=True,
        ),
        4: from_half(
            "difference from 0.5 over all subsets (cycles)",
            rules_sweep.A_CYCLE,
            tuple(
                _mark(unit, f"{lam:g}", (mean, *ends), rounding=bands["all"])
                for unit, rows in both.items()
                for lam, (mean, ends) in rules_sweep.pooled_costs(rows).items()
            ),
        ),
        5: from_half("difference from 0.5 (cycles)", WORSE, marks(neighbours)),
        6: _toy_sweep(),
        7: _units(families.odds),
        8: _wrong_answer(),
        9: _balance(),
        10: from_half("0.75 minus 0.5 (cycles)", WORSE, against_half(0.75)),
        11: from_half("1 minus 0.5 (cycles)", WORSE, against_half(1.0)),
        12: from_half("rival minus 0.5 (cycles)", (-MARGIN, None), marks(adaptive)),
        13: from_half(
            "five weights minus all eleven (cycles)",
            (None, MARGIN),
            tuple(m for unit, rows in both.items() for m in _regrets(unit, rows, bands)),
        ),
        14: from_half("tuned λ minus 0.5 (cycles)", WORSE, marks(tuned)),
        15: from_half(
            "weighted samples at 0.75 minus another (cycles)",
            WORSE,
            marks({"against unweighted samples": twice, "against λ = 0.5": half}),
        ),
        16: Evidence(
            "checks",
            "called as the trainer calls it",
            marks=tuple(
                _mark("", name, 3 * (runs,), "runs" if runs else "raises TypeError")
                for name, runs in rules_algebra.swaps().items()
            ),
        ),
        17: Evidence(
            "numbers",
            "ratio of mean test RMSE at 0.5",
            rules_sweep.HALF_MORE,
            tuple(
                _mark("", pair, (ratio, *ends))
                for pair, (ratio, ends) in rules_sweep.ratios(families.cycles2).items()
            ),
        ),
    }


def tables_of(number: int) -> list[str]:
    """Which families a claim's rule reads: names of the fields of `Families`."""
    modules = (rules_algebra, rules_sweep, rules_rivals)
    (rule,) = (vars(m)[f"claim_{number}"] for m in modules if hasattr(m, f"claim_{number}"))
    return list(signature(rule).parameters)


def _one(number: float) -> float:
    """To a millionth: what is beyond that may differ from machine to machine."""
    return round(float(number), 6) + 0.0


def _exact(*numbers: float) -> tuple[float, ...]:
    return tuple(map(_one, numbers))


def _mark(
    group: str,
    name: str,
    numbers: tuple[float, float, float],
    finding: str = "",
    rounding: float | None = None,
) -> Mark:
    value, low, high = _exact(*numbers)
    return Mark(group, name, value, low, high, finding, rounding and _one(rounding))


def _judged(group: str, judged: pd.DataFrame, bands: Mapping[str, float]) -> Iterator[Mark]:
    """Rows of `judge`; a subset is in their index, and perhaps what else they are about."""
    for place, row in judged.iterrows():
        names: tuple[Hashable, ...] = place if isinstance(place, tuple) else (place,)
        (subset,) = (name for name in names if name in bands)
        words = [f"{n:g}" if isinstance(n, float) else str(n) for n in names if n != subset]
        name = " on ".join([*words, str(subset)])
        numbers = row["mean"], row["low"], row["high"]
        yield _mark(group, name, numbers, row["finding"], bands[str(subset)])


def _regrets(unit: str, rows: pd.DataFrame, bands: Mapping[str, float]) -> Iterator[Mark]:
    for epochs, regret in rules_sweep.regrets_of_five(rows).items():
        below = holm(sign_flip(regret - MARGIN, "less")) < ALPHA
        above = holm(sign_flip(regret, "greater")) < ALPHA
        for k, (subset, mean) in enumerate(regret.mean().items()):
            found = "below the margin" if below[k] else "above zero" if above[k] else "undecided"
            numbers = (mean, *interval(regret[subset]))
            yield _mark(unit, f"{subset}, {epochs}", numbers, found, bands[str(subset)])


def _from_half(unit: str, rows: pd.DataFrame) -> Iterator[Curve]:
    means = rules_sweep.mean_curves(rows)
    for subset, curve in means.sub(means[0.5], axis="index").iterrows():
        yield Curve(unit, str(subset), _exact(*curve.index), _exact(*curve))


def _totals() -> Evidence:
    losses = np.array([*rules_algebra.random_totals()])
    smaller, larger = losses[:, :2].min(axis=1), losses[:, :2].max(axis=1)
    place = (losses[:, 2] - smaller) / (larger - smaller)
    mark = _mark("", f"{len(place):,} totals", (place.mean(), place.min(), place.max()))
    what = "place of the total: 0 at the smaller loss, 1 at the larger"
    return Evidence("numbers", what, (0.0, 1.0), (mark,))


def _slopes() -> Evidence:
    found = rules_algebra.slopes()
    lams = _exact(*found)
    curves = (
        Curve("", "autograd", lams, _exact(*(slope for slope, _ in found.values()))),
        Curve("", "the claim", lams, lams),
    )
    return Evidence("curves", "slope of the total along the RUL loss", curves=curves, along="λ")


def _toy_sweep() -> Evidence:
    lams = _exact(*LAMBDAS)
    totals = simulate_sweep(LOSS_RUL, LOSS_HS, LAMBDAS)["sweep"]
    curves = tuple(Curve("", subset, lams, _exact(*y)) for subset, y in totals.items())
    return Evidence("curves", "total loss", (0.5, 0.5), curves=curves, along="λ", lowest=True)


def _units(odds: pd.DataFrame) -> Evidence:
    means = odds.groupby(["subset", "rul_unit"])["test_rmse"].mean().unstack("subset")
    x = _exact(*np.log10(means.index.to_numpy(dtype=float)))
    curves = tuple(Curve("", str(subset), x, _exact(*means[subset])) for subset in means)
    what, along = "mean test RMSE at λ = 0.5 (cycles)", "log₁₀ of the RUL unit in cycles"
    return Evidence("curves", what, curves=curves, along=along, lowest=True)


def _wrong_answer() -> Evidence:
    loss = rules_algebra.wrong_answer()
    mark = _mark("", "a logit of 10 on the wrong class", 3 * (loss,))
    return Evidence("numbers", "cross-entropy over three classes", (0.0, _one(np.log(3))), (mark,))


def _balance() -> Evidence:
    constants = np.linspace(0.0, 100.0, 11)
    found = [rules_algebra.total_and_gradient(constant) for constant in constants]
    curves = (
        Curve("", "total", _exact(*constants), _exact(*(total for total, _ in found))),
        Curve(
            "",
            "length of its gradient",
            _exact(*constants),
            _exact(*(np.hypot(*slopes) for _, slopes in found)),
        ),
    )
    what, along = "the total and its gradient", "constant added to the health loss"
    return Evidence("curves", what, curves=curves, along=along)
