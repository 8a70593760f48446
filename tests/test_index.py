"""The front page's numbers are those of the stored rows."""

import pages
import pandas as pd
import pytest

from amnl.study import claims, tables
from amnl.study.rows import load_rows

TEXT = " ".join((pages.ROOT / "book" / "index.md").read_text().split())
FAMILIES = ("cycles2", "unit125", "odds", "unweighted", "rivals-cycles2", "rivals-unit125")
WORDS = {0: "none", 2: "two", 4: "four", 11: "eleven"}


@pytest.fixture(scope="module")
def families() -> list[pd.DataFrame]:
    return [load_rows(f"sweep-compact-{name}") for name in FAMILIES]


def test_how_many_claims_hold(families: list[pd.DataFrame]) -> None:
    verdicts = pd.Series(
        [v.verdict for v in claims.ledger(claims.Families(*families))]
    ).value_counts()
    assert set(verdicts.index) == {claims.HOLDS, claims.CONDITION, claims.FAILS}
    hold, under, fail = (WORDS[verdicts[v]] for v in (claims.HOLDS, claims.CONDITION, claims.FAILS))
    assert f"{hold} hold, {under} hold under a condition, and {fail} do not" in TEXT


def test_every_weight_is_as_good_as_half_in_cycles2(families: list[pd.DataFrame]) -> None:
    judged = tables.compare(families[0])
    assert "40 comparisons with 0.5, and in all of them the two differ by less than" in TEXT
    assert len(judged) == 40 and (judged["high"] < 0.5).all() and (judged["low"] > -0.5).all()
    better = judged[judged["finding"] == "better"]
    assert list(better.index.get_level_values("lam")) == [0.1]
    assert better["mean"].item() == pytest.approx(-1 / 8, abs=0.01)
    assert set(judged["finding"]) == {"better", "equivalent"}
