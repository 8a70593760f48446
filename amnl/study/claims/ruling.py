"""What a rule finds: a verdict and its numbers, and the rules that several claims share."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd

from amnl.minus import minus_signs

HOLDS = "holds"
CONDITION = "holds only under a stated condition"
FAILS = "does not hold"
OPEN = "cannot be decided here"

Rows = TypeVar("Rows")


class Ruling(NamedTuple):
    """A verdict, one line of the numbers behind it, and the condition of a conditional one."""

    verdict: str  # one of the four above
    measured: str
    condition: str = ""


def in_either_unit(
    rule: Callable[[Rows], Ruling], cycles2: Rows, unit125: Rows, what: str = ""
) -> Ruling:
    """Judge both units apart; cycles² decides, unless the claim holds in one unit alone.

    Parameters
    ----------
    rule
        Judges one table.
    cycles2, unit125
        The tables, with the RUL loss in cycles² and with the error divided by 125 cycles.
    what
        What is compared with what, where the numbers do not say so.
    """
    in_cycles, in_125 = rule(cycles2), rule(unit125)
    intro = f"{what}; cycles²" if what else "cycles²"
    holds = [ruling.verdict in (HOLDS, CONDITION) for ruling in (in_cycles, in_125)]
    # What holds in both units may hold in the other one in part: the verdict does not say so.
    part = f", only {in_125.condition}" if all(holds) and in_125.condition else ""
    measured = f"{intro}: {in_cycles.measured}. Divided by 125{part}: {in_125.measured}"
    if holds[0] == holds[1]:
        return Ruling(in_cycles.verdict, measured, in_cycles.condition)
    ruling = in_cycles if holds[0] else in_125
    unit = "with the RUL " + ("loss in cycles²" if holds[0] else "error divided by 125 cycles")
    return Ruling(CONDITION, measured, f"{ruling.condition} {unit}".lstrip())


def worse_on_every_subset(judged: pd.DataFrame) -> Ruling:
    """The rule of "X is worse than Y on every subset".

    `judged` has one row of `judge` a subset: the columns `mean` (cycles) and `finding`.
    """
    finding = judged["finding"]
    measured = ", ".join(
        f"{s} {signed(row['mean'])} {row['finding']}" for s, row in judged.iterrows()
    )
    worse = list(judged.index[finding == "worse"])
    if len(worse) == len(judged):
        return Ruling(HOLDS, measured)
    if worse:
        return Ruling(CONDITION, measured, f"on {listed(worse)}")
    return Ruling(FAILS if finding.isin(["better", "equivalent"]).any() else OPEN, measured)


def within(intervals: Iterable[tuple[float, float]], low: float, high: float) -> str:
    """Holds if every interval lies in [low, high]; does not if one lies wholly outside."""
    intervals = list(intervals)
    if all(low <= left and right <= high for left, right in intervals):
        return HOLDS
    return FAILS if any(right < low or left > high for left, right in intervals) else OPEN


def signed(cycles: float) -> str:
    """With its sign, in hundredths of a cycle."""
    return minus_signs(f"{np.round(cycles, 2) + 0.0:+.2f}")  # adding 0 turns -0.00 into +0.00


def span(ends: tuple[float, float]) -> str:
    """An interval in brackets."""
    return minus_signs(f"[{ends[0]:.2f}, {ends[1]:.2f}]")


def listed(names: Sequence[str]) -> str:
    """In words: a, b and c."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
