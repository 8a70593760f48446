"""The source's unit decides, unless a claim holds in one unit alone."""

import pytest
from invented_rows import cells, flat, only_on

from amnl.study import claims
from amnl.study.claims import CONDITION, FAILS, HOLDS, OPEN, Ruling
from amnl.study.claims.ruling import in_either_unit


@pytest.mark.parametrize(
    ("in_cycles", "in_125", "verdict", "condition"),
    [
        (HOLDS, HOLDS, HOLDS, ""),
        (FAILS, FAILS, FAILS, ""),
        (OPEN, FAILS, OPEN, ""),
        (FAILS, OPEN, FAILS, ""),
        (HOLDS, FAILS, CONDITION, "with the RUL loss in cycles²"),
        (HOLDS, OPEN, CONDITION, "with the RUL loss in cycles²"),
        (FAILS, HOLDS, CONDITION, "with the RUL error divided by 125 cycles"),
        (CONDITION, FAILS, CONDITION, "on A with the RUL loss in cycles²"),
        (OPEN, CONDITION, CONDITION, "on B with the RUL error divided by 125 cycles"),
        (CONDITION, HOLDS, CONDITION, "on A"),
        (HOLDS, CONDITION, HOLDS, ""),
    ],
)
def test_the_sources_unit_decides_unless_the_claim_holds_in_one_alone(
    in_cycles: str, in_125: str, verdict: str, condition: str
) -> None:
    a, b = (
        Ruling(given, f"numbers of {where}", f"on {where}" if given == CONDITION else "")
        for given, where in ((in_cycles, "A"), (in_125, "B"))
    )
    ruling = in_either_unit(lambda family: family, a, b)
    assert (ruling.verdict, ruling.condition) == (verdict, condition)
    assert "numbers of A" in ruling.measured and "numbers of B" in ruling.measured


def test_a_real_claim_that_holds_in_one_unit_says_so() -> None:
    ruling = claims.claim_10(cells("a", flat), cells("b", only_on("FD001", "FD003")))
    assert ruling.verdict == CONDITION
    assert ruling.condition == "on FD001 and FD003 with the RUL error divided by 125 cycles"
