"""The front page's numbers are those of the stored rows."""

import pages
import pandas as pd
import pytest

from amnl import combine
from amnl.study import claims, tables
from amnl.study.rows import load_rows

TEXT = " ".join((pages.ROOT / "book" / "index.md").read_text().split())
FAMILIES = ("cycles2", "unit125", "odds", "unweighted", "rivals-cycles2", "rivals-unit125")
SETTINGS = [
    "subset", "preset", "combiner", "combiner_settings", "rul_unit", "sample_weighted", "stride"
]  # fmt: skip
WORDS = {0: "none", 2: "two", 4: "four", 11: "eleven"}


@pytest.fixture(scope="module")
def families() -> list[pd.DataFrame]:
    return [load_rows(f"sweep-compact-{name}") for name in FAMILIES]


def test_how_many_networks(families: list[pd.DataFrame]) -> None:
    cells = pd.concat(families).drop_duplicates([*SETTINGS, "seed"])
    seeds = cells.groupby(SETTINGS)["seed"].transform("nunique")
    assert f"We trained {len(cells):,} networks" in TEXT
    assert f"{(seeds == 10).sum():,} of the {len(cells):,} networks come in ten seeds" in TEXT


def test_how_many_claims_hold(families: list[pd.DataFrame]) -> None:
    verdicts = pd.Series(
        [v.verdict for v in claims.ledger(claims.Families(*families))]
    ).value_counts()
    assert set(verdicts.index) == {claims.HOLDS, claims.CONDITION, claims.FAILS}
    hold, under, fail = (WORDS[verdicts[v]] for v in (claims.HOLDS, claims.CONDITION, claims.FAILS))
    assert f"{hold} hold, {under} hold under a condition, and {fail} do not" in TEXT


def test_what_the_weights_cost(families: list[pd.DataFrame]) -> None:
    cycles2, unit125 = families[:2]
    judged = tables.compare(cycles2)
    assert "all 40 comparisons with 0.5 come out equal within half a cycle" in TEXT
    assert len(judged) == 40 and (judged["high"] < 0.5).all() and (judged["low"] > -0.5).all()
    better = judged[judged["finding"] == "better"]
    assert list(better.index.get_level_values("lam")) == [0.1]
    assert better["mean"].item() == pytest.approx(-1 / 8, abs=0.01)
    assert set(judged["finding"]) == {"better", "equivalent"}

    best = tables.by_lam(cycles2, combine.SOURCE_LAMS).idxmin(axis="columns")
    assert f"0.5 wins {(best == 0.5).sum()} contests of {len(best)}" in TEXT

    costs = (tables.by_lam(unit125)[0.5] - tables.by_lam(cycles2)[0.5]).groupby("subset").mean()
    assert f"0.5 costs {costs.min():.1f} to {costs.max():.2f} cycles" in TEXT
