"""Adaptive combiners are judged against 0.5, and known by their settings."""

from collections.abc import Callable
from typing import Any

import pytest
from invented_rows import cells, flat, rivals

from amnl.study import claims
from amnl.study.claims import CONDITION, FAILS, HOLDS, OPEN, Ruling
from amnl.study.tables import by_lam


def judged_12(
    in_cycles: Callable[[str, str, int], float], in_125: Callable[[str, str, int], float]
) -> Ruling:
    a, b, d = cells("a", flat), cells("b", flat), cells("d", flat)
    return claims.claim_12(a, b, d, rivals("e", in_cycles), rivals("f", in_125))


def test_half_that_nobody_beats() -> None:
    ruling = judged_12(lambda *_: 0.0, lambda *_: 1.0)
    assert (ruling.verdict, ruling.condition) == (HOLDS, "")
    assert "GRACE +1.00 (4 worse)" in ruling.measured
    assert "GABA" in ruling.measured and "AMNL" not in ruling.measured


def test_one_better_rival_on_one_subset_limits_the_claim_to_the_others() -> None:
    def cost(rival: str, subset: str, seed: int) -> float:
        return -1.0 if (rival, subset) == ("DWA", "FD003") else 0.0

    expected = "against GRACE, GABA, GradNorm and uncertainty"
    assert judged_12(cost, cost)[::2] == (CONDITION, expected)


def test_rivals_that_do_not_count_do_not_count() -> None:
    def cost(rival: str, subset: str, seed: int) -> float:
        return 0.0 if rival in claims.ADAPTIVE else -5.0

    assert judged_12(cost, cost).verdict == HOLDS


def test_rivals_that_all_win_refute_it_and_a_gamble_leaves_it_open() -> None:
    def better(*_: object) -> float:
        return -1.0

    def gamble(_rival: str, _subset: str, seed: int) -> float:
        return 3.0 * (-1) ** seed

    assert judged_12(better, better).verdict == FAILS
    assert judged_12(gamble, gamble).verdict == OPEN
    one_unit = judged_12(better, lambda *_: 0.0)
    assert one_unit.verdict == CONDITION and "divided by 125" in one_unit.condition


def test_gaba_is_compared_with_unweighted_samples() -> None:
    a, b, d = cells("a", flat), cells("b", flat), cells("d", flat)
    d["test_rmse"] += 2.0  # without sample weights everything is harder
    e = rivals("e", lambda rival, *_: 2.0 * (rival == "GABA"))
    assert claims.claim_12(a, b, d, e, rivals("f", lambda *_: 0.0)).verdict == HOLDS


@pytest.mark.parametrize("rival", claims.RIVALS)
@pytest.mark.parametrize(
    "odd",
    [
        {"combiner_settings": '{"speed": 3.0}'},
        {"combiner_settings": '{"floor": 0.1}'},
        {"combiner_settings": "{"},
        {"sample_weighted": "the other"},
        {"combiner": "uncertainty", "combiner_settings": '{"gain": 1}'},
    ],
    ids=lambda odd: "-".join(odd),
)
def test_a_run_of_other_settings_is_no_rival(rival: str, odd: dict[str, Any]) -> None:
    rows = rivals("e", lambda *_: 0.0)
    half = by_lam(cells("a", flat), (0.5,))[0.5]
    chosen = claims.with_rivals(rows)["rival"] == rival
    if "sample_weighted" in odd:
        odd = {"sample_weighted": not claims.RIVALS[rival][2]}
    for column, value in odd.items():
        rows.loc[chosen, column] = value
    named = set(claims.with_rivals(rows)["rival"])
    assert len(named - set(claims.RIVALS)) == 1 and rival not in named
    with pytest.raises(ValueError, match="is no rival"):
        claims.rival_differences(rows, lambda weighted: half)


@pytest.mark.parametrize("written", ['{"speed": 25}', '{"speed":25.0}', '{"speed": 2.5e1}'])
def test_a_setting_is_compared_as_a_number(written: str) -> None:
    rows = rivals("f", lambda *_: 0.0)
    before = claims.with_rivals(rows)["rival"]
    rows["combiner_settings"] = rows["combiner_settings"].replace('{"speed": 25.0}', written)
    assert (claims.with_rivals(rows)["rival"] == before).all()
