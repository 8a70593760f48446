"""Claims that no run decides, and what they notice."""

import numpy as np
import pytest
import torch
from invented_rows import cells, flat

from amnl.cmapss import SUBSETS
from amnl.study import claims
from amnl.study.claims import CONDITION, FAILS, HOLDS, OPEN, rules_algebra


def test_the_settled_claims_and_their_numbers() -> None:
    c = cells("c", lambda subset, *_: 0.0)
    assert claims.claim_1() == (
        HOLDS,
        "0 of 100,000 random totals lie outside their two losses",
        "",
    )
    assert claims.claim_2()[:2] == (HOLDS, "autograd agrees with both formulas at 10 of 10 weights")
    assert claims.claim_6()[:2] == (
        FAILS,
        "lowest at 0.9 on FD001, 0.1 on FD002, 0.9 on FD003, 0.1 on FD004",
    )
    assert claims.claim_7(c)[::2] == (CONDITION, "for a factor common to both losses")
    assert claims.claim_8()[0] == FAILS and "costs 10.000; log 3 is 1.0986" in claims.claim_8()[1]
    assert claims.claim_9()[0] == FAILS and "gradient by 0.00" in claims.claim_9()[1]
    assert claims.claim_16()[0] == HOLDS and "raises TypeError" in claims.claim_16()[1]


def test_the_range_over_units_is_that_of_the_means() -> None:
    c = cells("c", flat)
    c["test_rmse"] = np.where(c["rul_unit"] == 1000.0, 30.0, 14.0) + (c["seed"] - 2)
    c.loc[c.index[0], "test_rmse"] = np.nan
    measured = claims.claim_7(c).measured
    assert "on 0 of 4 subsets" in measured and "RUL loss on 2" in measured
    assert "over 13 RUL units" in measured
    assert "14.00 to 30.00 cycles on FD002; 1 of 130 runs failed" in measured


def test_the_settled_claims_notice_broken_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules_algebra, "combine_losses", lambda a, b, lam: lam * a + b)
    assert claims.claim_1().verdict == FAILS
    monkeypatch.setattr(rules_algebra, "combine_losses", lambda a, b, lam: lam * a * (1 - lam) * b)
    assert claims.claim_9().verdict == OPEN
    half = dict.fromkeys(SUBSETS, 0.5)
    monkeypatch.setattr(rules_algebra, "simulate_sweep", lambda *_: {"best": half})
    assert claims.claim_6().verdict == HOLDS
    assert claims.claim_7(cells("c", flat)).verdict == OPEN


def test_the_torch_claims_notice_broken_code(monkeypatch: pytest.MonkeyPatch) -> None:
    from amnl.combiners import FixedWeightLoss

    monkeypatch.setattr(FixedWeightLoss, "forward", lambda self, rul, hs: self.rul_weight * rul)
    assert claims.claim_2().verdict == FAILS
    assert claims.claim_16().verdict == FAILS
    monkeypatch.setattr(torch.nn.functional, "cross_entropy", lambda *_: torch.tensor(1.0))
    assert claims.claim_8().verdict == OPEN
