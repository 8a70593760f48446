"""Claim 12: a fixed weight against combiners that adapt."""

import json
from collections.abc import Callable
from contextlib import suppress

import pandas as pd

from amnl.study.claims.ruling import (
    CONDITION,
    FAILS,
    HOLDS,
    OPEN,
    Ruling,
    in_either_unit,
    listed,
    signed,
)
from amnl.study.protocol import NEWER_RULES, RIVALS
from amnl.study.tables import by_lam, judge

_KNOWN = RIVALS | NEWER_RULES
ADAPTIVE = ("GRACE", "GABA", "GradNorm", "uncertainty", "DWA")  # those that claim 12 is about


def claim_12(
    cycles2: pd.DataFrame,
    unit125: pd.DataFrame,
    unweighted: pd.DataFrame,
    rivals_cycles2: pd.DataFrame,
    rivals_unit125: pd.DataFrame,
) -> Ruling:
    """0.5 matches or beats every adaptive combiner on all four subsets."""
    units = against_half(cycles2, unit125, unweighted, rivals_cycles2, rivals_unit125)
    return in_either_unit(_matches_the_adaptive, *units, "rival against 0.5")


def against_half(
    cycles2: pd.DataFrame,
    unit125: pd.DataFrame,
    unweighted: pd.DataFrame,
    rivals_cycles2: pd.DataFrame,
    rivals_unit125: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`rival_differences` from 0.5 in both units."""

    def at_half(weighted: bool) -> pd.Series:
        return by_lam(cycles2 if weighted else unweighted, (0.5,))[0.5]

    half125 = by_lam(unit125, (0.5,))[0.5]
    return (
        rival_differences(rivals_cycles2, at_half),
        rival_differences(rivals_unit125, lambda weighted: half125),
    )


def with_rivals(rows: pd.DataFrame) -> pd.DataFrame:
    """Name the rival that each row of an adaptive combiner is.

    Parameters
    ----------
    rows
        Columns `combiner`, `combiner_settings` (JSON) and `sample_weighted`.

    Returns
    -------
    pd.DataFrame
        The same and the column `rival`: a key of `RIVALS` or `NEWER_RULES`, or else what
        the row says of itself, which is none.
    """
    keys = zip(rows["combiner"], rows["combiner_settings"], rows["sample_weighted"], strict=True)
    return rows.assign(rival=[_rival(*key) for key in keys])


def _rival(combiner: str, settings: str, weighted: bool) -> str:
    with suppress(ValueError, TypeError):
        found = (combiner, json.loads(settings), bool(weighted))  # 25 and 25.0 are one setting
        for rival, known in _KNOWN.items():
            if found == known:
                return rival
    return f"{combiner} {settings}, samples {'' if weighted else 'not '}weighted"


def rival_differences(rows: pd.DataFrame, reference: Callable[[bool], pd.Series]) -> pd.DataFrame:
    """Test RMSE of every rival minus that of a reference, in cycles.

    Parameters
    ----------
    rows
        The columns that `with_rivals` reads, `subset`, `seed` and `test_rmse` (cycles).
    reference
        `sample_weighted` → the test RMSE to compare with, over (subset, seed).

    Returns
    -------
    pd.DataFrame
        One row a (rival, seed), one column a subset.

    Raises
    ------
    ValueError
        For a row that is of no rival.
    """
    found = {}
    for rival, part in with_rivals(rows).groupby("rival", sort=False):
        if rival not in _KNOWN:
            raise ValueError(f"{rival} is no rival; the protocol's are {'; '.join(_KNOWN)}")
        scores = part.set_index(["subset", "seed"])["test_rmse"]
        found[rival] = (scores - reference(_KNOWN[rival].sample_weighted)).unstack("subset")
    order = [rival for rival in _KNOWN if rival in found]
    return pd.concat({rival: found[rival] for rival in order}, names=["rival"])


def judge_rivals(differences: pd.DataFrame) -> pd.DataFrame:
    """What `judge` says of each rival in `rival_differences`, with Holm over the subsets.

    Returns one row a (rival, subset), with the columns of `judge`.
    """
    judged = {r: judge(d) for r, d in differences.groupby(level="rival", sort=False)}
    return pd.concat(judged, names=["rival", "subset"])


def judge_adaptive(differences: pd.DataFrame) -> pd.DataFrame:
    """`judge_rivals` of those that claim 12 is about, in the order of `ADAPTIVE`."""
    judged = judge_rivals(differences)
    found = judged.index.get_level_values("rival")
    return judged.loc[[rival for rival in ADAPTIVE if rival in found]]


def _matches_the_adaptive(differences: pd.DataFrame) -> Ruling:
    judged = judge_adaptive(differences)
    counted = list(dict.fromkeys(judged.index.get_level_values("rival")))
    beaten, lost, measured = [], [], []
    for rival in counted:
        finding = judged.loc[rival, "finding"]
        if finding.isin(["worse", "equivalent"]).all():
            beaten.append(rival)
        if (finding == "better").any():
            lost.append(rival)
        found = ", ".join(f"{n} {what}" for what, n in finding.value_counts().items())
        measured.append(f"{rival} {signed(judged.loc[rival, 'mean'].mean())} ({found})")
    line = ", ".join(measured)
    if len(beaten) == len(counted):
        return Ruling(HOLDS, line)
    if beaten:
        return Ruling(CONDITION, line, f"against {listed(beaten)}")
    return Ruling(FAILS if lost else OPEN, line)
