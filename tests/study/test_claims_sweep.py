"""The rules about the sweep turn rows into verdicts, on invented rows whose verdict is known."""

from collections.abc import Callable

import numpy as np
import pytest
from invented_rows import (
    BASE,
    Cost,
    bowl,
    bowl_but_one_cell,
    cells,
    coin,
    flat,
    half_a_cycle_or_so,
    in_both,
    one_gamble,
    only_on,
    ramp,
    worse_alone,
    worse_at_three_neighbours,
)

from amnl.study import claims
from amnl.study.claims import CONDITION, FAILS, HOLDS, OPEN, Ruling


@pytest.mark.parametrize(
    ("claim", "cost", "verdict", "condition"),
    [
        (claims.claim_3, bowl, HOLDS, ""),
        (claims.claim_3, bowl_but_one_cell, CONDITION, "on average over the seeds"),
        (claims.claim_3, only_on("FD001", "FD002", "FD004", otherwise=ramp), FAILS, ""),
        (claims.claim_4, bowl, HOLDS, ""),
        (claims.claim_4, half_a_cycle_or_so, OPEN, ""),
        (claims.claim_4, flat, FAILS, ""),
        (claims.claim_4, lambda s, k, lam: 2 * bowl(s, k, lam), FAILS, ""),
        (claims.claim_4, lambda s, k, lam: bowl(s, k, lam) * (lam < 0.5), FAILS, ""),
        (claims.claim_5, bowl, HOLDS, ""),
        (
            claims.claim_5,
            worse_at_three_neighbours,
            CONDITION,
            "for 0.4 on FD001, 0.4 on FD003 and 0.6 on FD003",
        ),
        (claims.claim_5, flat, FAILS, ""),
        (claims.claim_5, coin, FAILS, ""),
        (claims.claim_10, bowl, HOLDS, ""),
        (claims.claim_10, only_on("FD002", otherwise=coin), CONDITION, "on FD002"),
        (
            claims.claim_10,
            only_on("FD002", "FD003", "FD004"),
            CONDITION,
            "on FD002, FD003 and FD004",
        ),
        (claims.claim_10, flat, FAILS, ""),
        (claims.claim_10, coin, OPEN, ""),
        (claims.claim_11, worse_alone, HOLDS, ""),
        (claims.claim_11, ramp, FAILS, ""),
        (claims.claim_13, bowl, HOLDS, ""),
        (claims.claim_13, ramp, FAILS, ""),
    ],
)
def test_each_rule_gives_each_of_its_verdicts(
    claim: Callable[..., Ruling], cost: Cost, verdict: str, condition: str
) -> None:
    ruling = in_both(claim, cost)
    assert (ruling.verdict, ruling.condition) == (verdict, condition)


def test_a_better_weight_on_one_subset_is_enough_to_refute_and_open_ones_are_not() -> None:
    mixed = in_both(claims.claim_10, lambda s, k, lam: (ramp if s == "FD003" else coin)(s, k, lam))
    assert mixed.verdict == FAILS
    assert "FD001 +0.00 undecided" in mixed.measured
    assert "FD003 −2.50 better" in mixed.measured


def test_the_coarse_sweep_can_be_enough_at_full_length_alone() -> None:
    families = [cells(name, bowl) for name in "ab"]
    for rows in families:
        rows["val_rmse_e15"] = abs(rows["lam"] - 0.3)
    ruling = claims.claim_13(*families)
    assert (ruling.verdict, ruling.condition) == (CONDITION, "for runs of full length")
    assert "with all epochs FD001 +0.00" in ruling.measured
    assert "with epochs 1 to 15 FD001 +2.0" in ruling.measured


def test_the_coarse_sweep_can_stay_undecided() -> None:
    # Among all eleven, validation prefers 1.0, which is as often better as it is worse.
    ruling = in_both(claims.claim_13, coin, believed=ramp)
    assert ruling.verdict == HOLDS  # 0.7 and 1.0 cost the same here
    for costly_at in (None, 0.3):
        rows = cells("a", one_gamble, believed=ramp)
        if costly_at:  # short runs that choose badly refute nothing
            rows.loc[rows["lam"] == costly_at, "test_rmse"] += 10.0
            rows["val_rmse_e15"] = abs(rows["lam"] - costly_at)
        assert claims.claim_13(rows, rows).verdict == OPEN


def test_one_costly_subset_refutes_the_coarse_sweep() -> None:
    cost = only_on("FD001", "FD002", "FD003", otherwise=ramp)
    assert in_both(claims.claim_13, cost).verdict == FAILS


@pytest.mark.parametrize(
    ("cost", "believed", "verdict", "condition"),
    [
        (worse_alone, ramp, HOLDS, ""),
        (only_on("FD004"), ramp, CONDITION, "on FD004"),
        (bowl, bowl, FAILS, ""),
        (ramp, ramp, FAILS, ""),
        (coin, ramp, OPEN, ""),
    ],
)
def test_tuning_is_judged_by_what_validation_chose(
    cost: Cost, believed: Cost, verdict: str, condition: str
) -> None:
    ruling = in_both(claims.claim_14, cost, believed)
    assert (ruling.verdict, ruling.condition) == (verdict, condition)


@pytest.mark.parametrize(
    ("weighted", "unweighted", "verdict"),
    [
        (bowl, flat, HOLDS),
        (flat, flat, FAILS),
        (bowl, bowl, OPEN),  # loses to 0.5, but not to unweighted samples
        (coin, flat, OPEN),
        (only_on("FD001"), flat, OPEN),
    ],
)
def test_double_weighting_must_lose_twice(weighted: Cost, unweighted: Cost, verdict: str) -> None:
    ruling = claims.claim_15(cells("a", weighted), cells("d", unweighted))
    assert ruling.verdict == verdict
    assert ruling.measured.startswith("0 of 40 runs fail")


@pytest.mark.parametrize("last", [np.nan, 42.1])
def test_one_doubly_weighted_run_that_fails_settles_it(last: float) -> None:
    rows = cells("a", flat)
    cell = (rows["subset"] == "FD002") & (rows["seed"] == 7) & (rows["lam"] == 0.75)
    rows.loc[cell, "test_rmse_last"] = last
    ruling = claims.claim_15(rows, cells("d", flat))
    assert ruling.verdict == HOLDS
    assert ruling.measured.startswith("1 of 40 runs")


def test_a_failure_at_another_weight_is_none_of_double_weighting() -> None:
    rows = cells("a", flat)
    rows.loc[rows["lam"] == 0.8, "test_rmse_last"] = 99.0
    assert claims.claim_15(rows, cells("d", flat)).verdict == FAILS


@pytest.mark.parametrize(
    ("hard", "spread", "verdict"),
    [(0.0, 0.0, HOLDS), (-6.0, 0.0, FAILS), (6.0, 0.0, FAILS), (-2.4, 2.0, OPEN)],
)
def test_the_ratio_of_the_hard_subsets(hard: float, spread: float, verdict: str) -> None:
    def cost(subset: str, seed: int, _lam: float) -> float:
        return (hard + spread * (-1) ** seed) * (subset in {"FD002", "FD004"})

    ruling = claims.claim_17(cells("a", cost))
    assert ruling.verdict == verdict
    assert f"FD002 / FD001 {(18 + hard) / 12:.2f}" in ruling.measured


def test_one_ratio_outside_is_enough() -> None:
    rows = cells("a", lambda subset, *_: 6.0 * (subset == "FD004"))
    assert claims.claim_17(rows).verdict == FAILS


# What must not change, and what must.


def test_a_seeds_luck_changes_no_paired_finding() -> None:
    a, b = cells("a", bowl_but_one_cell), cells("b", flat)
    lucky = a.assign(test_rmse=a["test_rmse"] + 5.0 * np.sin(a["seed"] + a["subset"].map(BASE)))
    for claim in (claims.claim_3, claims.claim_4, claims.claim_10):
        assert claim(lucky, b)[::2] == claim(a, b)[::2]


@pytest.mark.parametrize("cost", [bowl_but_one_cell, worse_at_three_neighbours])
def test_a_change_of_unit_of_the_score_changes_only_what_is_in_cycles(cost: Cost) -> None:
    a, b = cells("a", cost), cells("b", cost)
    twice = [rows.assign(test_rmse=2.0 * rows["test_rmse"]) for rows in (a, b)]
    for claim in (claims.claim_3, claims.claim_5):
        assert claim(*twice)[::2] == claim(a, b)[::2]
    assert claims.claim_17(twice[0]) == claims.claim_17(a)


def test_lam_one_is_no_rival_in_the_sources_contest() -> None:
    for contest, verdict in ((bowl, HOLDS), (bowl_but_one_cell, CONDITION)):
        rows = cells("a", contest)
        rows.loc[rows["lam"] == 1.0, "test_rmse"] = 5.0
        assert claims.claim_3(rows, rows).verdict == verdict


@pytest.mark.parametrize("number", claims.OF_ONE_SWEEP)
@pytest.mark.parametrize("cost", [bowl, flat, ramp, worse_alone])
def test_one_sweep_is_judged_by_the_rule_of_two(number: int, cost: Cost) -> None:
    """Where both units have the same rows, they find what one finds."""
    rows = cells("a", cost)
    one, two = claims.in_one_unit(number, rows), getattr(claims, f"claim_{number}")(rows, rows)
    assert (one.verdict, one.condition) == (two.verdict, two.condition)
    assert one.measured in two.measured


def test_a_claim_that_is_not_about_one_sweep_is_refused() -> None:
    with pytest.raises(ValueError, match="claim 12 is not about one sweep; those that are: 3, 4"):
        claims.in_one_unit(12, cells("a", flat))
