"""The study's tables against cases counted by hand."""

import itertools
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from amnl.combine import FIVE, SOURCE_LAMS
from amnl.stats import ALPHA, MARGIN, equivalence, holm, sign_flip
from amnl.study.tables import (
    LAMS,
    by_lam,
    check_cells,
    choose,
    compare,
    judge,
    rounding_band,
    wins,
)


def table(score: Callable[[str, int, float], float], lams=LAMS, subsets=("FD001",)) -> pd.DataFrame:
    """One row a cell for ten seeds; `score(subset, seed, lam)` is the test RMSE."""
    cells = list(itertools.product(subsets, range(10), lams))
    rows = pd.DataFrame(cells, columns=["subset", "seed", "lam"])
    return rows.assign(test_rmse=[float(score(*cell)) for cell in cells])


def test_scores_are_paired_by_subset_and_seed() -> None:
    rows = table(lambda subset, seed, lam: 100 * int(subset[-1]) + seed + lam, subsets=("B1", "A2"))
    scores = by_lam(rows.sample(frac=1.0, random_state=0), (0.7, 0.3))
    assert list(scores.columns) == [0.7, 0.3]
    assert scores.loc[("A2", 3)].tolist() == [203.7, 203.3]
    assert scores.loc["B1", 0.3].tolist() == [100.3 + seed for seed in range(10)]


def test_a_missing_cell_is_named() -> None:
    rows = table(lambda *_: 1.0, subsets=("FD001", "FD004"))
    gap = (rows.subset == "FD004") & (rows.seed == 3) & rows.lam.isin([0.2, 0.75])
    for use in (by_lam, compare, wins):
        with pytest.raises(ValueError, match=r"lacks cells, 2: subset FD004 seed 3 lam 0\.2, "):
            use(rows[~gap])
    with pytest.raises(ValueError, match=r"lacks cells, 20: .*, …"):
        by_lam(rows[rows.lam != 0.5], FIVE)
    by_lam(rows[~gap], (*FIVE[:2], 0.9))  # the missing weights are not asked for


def test_a_doubled_cell_is_named() -> None:
    rows = table(lambda *_: 1.0)
    with pytest.raises(ValueError, match=r"repeats cells, 1: subset FD001 seed 0 lam 0\.3"):
        compare(pd.concat([rows, rows[2:3]]))


def test_a_failed_cell_is_named() -> None:
    rows = table(lambda _, seed, lam: np.nan if (seed, lam) == (4, 0.9) else 1.0)
    with pytest.raises(ValueError, match=r"nan in 1 cells, the first is FD001 seed 4 λ 0\.9"):
        compare(rows)
    by_lam(rows, FIVE)


def test_foreign_cells_and_empty_tables_are_refused() -> None:
    rows = table(lambda *_: 1.0, lams=FIVE)
    grid = {"subset": ["FD001"], "seed": range(10), "lam": FIVE[:4]}
    with pytest.raises(ValueError, match=r"family x has foreign cells, 10: .* lam 0\.7"):
        check_cells(rows, grid, "family x")
    with pytest.raises(ValueError, match="no rows"):
        compare(rows[:0])
    check_cells(rows, {**grid, "lam": FIVE})


@pytest.mark.parametrize("use", [compare, wins])
def test_a_reference_outside_the_grid_is_named(use) -> None:
    with pytest.raises(ValueError, match=r"0\.55"):
        use(table(lambda *_: 1.0), lam=0.55)


def test_findings_are_about_the_other_weight() -> None:
    jitter = np.random.default_rng(7).normal(0.0, 0.05, size=(10, 11))
    shift = {0.1: 2.0, 0.2: -2.0, 0.3: 0.2, 0.4: 0.0}

    def score(_: str, seed: int, lam: float) -> float:
        coin = 3.0 * (-1) ** seed if lam == 0.9 else 0.0
        return 14.0 + seed + shift.get(lam, 0.0) + coin + jitter[seed, LAMS.index(lam)]

    judged = compare(table(score)).loc["FD001"]
    assert judged["finding"].to_dict() == {
        0.1: "worse",
        0.2: "better",
        0.3: "worse",  # significant first, though within the margin
        0.4: "equivalent",
        0.6: "equivalent",
        0.7: "equivalent",
        0.75: "equivalent",
        0.8: "equivalent",
        0.9: "undecided",
        1.0: "equivalent",
    }
    assert judged.loc[0.3, "p_equivalent_holm"] < ALPHA
    assert judged.loc[0.1, "mean"] == pytest.approx(2.0, abs=0.1)
    assert judged.loc[0.1, "low"] < judged.loc[0.1, "mean"] < judged.loc[0.1, "high"]
    np.testing.assert_allclose(judged["p_holm"], holm(judged["p"]))
    # against another reference, the signs turn
    assert compare(table(score), lam=0.1).loc[("FD001", 0.5), "finding"] == "better"


def test_holm_runs_over_one_subset_at_a_time() -> None:
    # In FD001 all ten gaps have one sign: p = 2/1024 each, and Holm's first factor is 10, not 20.
    rows = table(lambda s, seed, lam: (lam != 0.5) * (1.0 + seed / 10), subsets=("FD001", "FD002"))
    assert compare(rows)["p_holm"].tolist() == pytest.approx([20 / 1024] * 20)


def test_the_corrections_of_both_tests_are_their_own() -> None:
    d = pd.DataFrame({"x": np.linspace(0.8, 1.2, 10), "y": np.linspace(-0.1, 0.1, 10)})
    judged = judge(d)
    assert judged["finding"].to_dict() == {"x": "worse", "y": "equivalent"}
    for column, test in (("p_holm", sign_flip), ("p_equivalent_holm", equivalence)):
        np.testing.assert_allclose(judged[column], holm([test(d[name]) for name in d]))


def test_another_column_can_be_compared() -> None:
    rows = table(lambda _, seed, lam: lam).assign(test_rmse_leaked=lambda r: -r.test_rmse)
    assert compare(rows).loc[("FD001", 1.0), "mean"] == pytest.approx(0.5)
    leaked = compare(rows, column="test_rmse_leaked")
    assert leaked.loc[("FD001", 1.0), "mean"] == pytest.approx(-0.5)
    assert wins(rows, 0.9, column="test_rmse_leaked").count == 10


def test_wins_on_a_table_counted_by_hand() -> None:
    # 0.5 wins seeds 0 to 2, ties in seed 3, loses seeds 4 to 9; 1.0 would beat it everywhere.
    def score(_: str, seed: int, lam: float) -> float:
        if lam == 1.0:
            return 0.0
        if lam == 0.5:
            return 10.0
        return {3: 10.0}.get(seed, 11.0 if seed < 3 else 9.0) if lam == 0.4 else 12.0

    won = wins(table(score))
    assert (won.count, won.n, won.chance) == (4, 10, 0.1)
    assert wins(table(score), lams=LAMS).count == 0
    exact = scipy.stats.binomtest(4, 10).proportion_ci(0.95, "exact")
    assert (won.low, won.high) == (exact.low, exact.high)


def test_none_of_ten_still_allows_three_in_ten() -> None:
    won = wins(table(lambda _, seed, lam: lam))
    assert (won.count, won.low) == (0, 0.0)
    assert won.high == pytest.approx(0.3085, abs=5e-5)  # Clopper and Pearson's table
    assert wins(table(lambda _, seed, lam: abs(lam - 0.5))).low == pytest.approx(0.6915, abs=5e-5)


def test_blind_luck_wins_at_the_stated_rate() -> None:
    rng = np.random.default_rng(8)
    subsets = [f"S{k}" for k in range(100)]
    won = wins(table(lambda *_: rng.normal(), subsets=subsets))
    assert scipy.stats.binomtest(won.count, 1000, won.chance).pvalue > 1e-3
    assert won.low < won.chance < won.high


def test_choice_and_regret_worked_by_hand() -> None:
    rows = table(lambda _, seed, lam: 10 + 10 * lam + seed)
    # Validation prefers 0.8 with even seeds and 0.3 with odd ones; early on it prefers 0.6.
    rows["val_rmse"] = abs(rows.lam - np.where(rows.seed % 2, 0.3, 0.8))
    rows["val_rmse_e15"] = abs(rows.lam - 0.6)
    chosen = choose(rows)
    assert chosen["lam"].tolist() == [0.8, 0.3] * 5
    assert chosen["test_rmse"].tolist() == pytest.approx([18 - 5 * (s % 2) + s for s in range(10)])
    coarse = choose(rows, FIVE)
    assert coarse["lam"].tolist() == [0.7, 0.3] * 5
    regret = coarse["test_rmse"] - chosen["test_rmse"]
    assert regret.tolist() == pytest.approx([-1.0, 0.0] * 5)
    assert set(choose(rows, by="val_rmse_e15")["lam"]) == {0.6}


def test_a_tied_choice_goes_to_the_first_weight() -> None:
    rows = table(lambda _, seed, lam: lam).assign(val_rmse=1.0)
    assert set(choose(rows, (0.4, 0.2))["lam"]) == {0.4}


def test_the_constants_are_the_protocols() -> None:
    assert (MARGIN, ALPHA, len(SOURCE_LAMS), LAMS[-1]) == (0.5, 0.05, 10, 1.0)
    assert set(FIVE) < set(SOURCE_LAMS) < set(LAMS)


def test_judging_needs_no_torch() -> None:
    code = "import sys, amnl.study.claims; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_rounding_is_what_two_copies_differ_by() -> None:
    rows = pd.DataFrame(
        [
            ("FD001", seed, nudge, 15.0 + (nudge > 0) * (-1) ** seed)
            for seed in range(10)
            for nudge in (1e-6, -1e-6)
        ],
        columns=["subset", "seed", "nudge", "test_rmse"],
    )
    band = rounding_band(rows)["FD001"]
    assert band == pytest.approx(2.262 * np.sqrt(10 / 9) / np.sqrt(10), abs=1e-3)
    assert rounding_band(rows, seeds=40)["FD001"] == pytest.approx(band / 2)
    with pytest.raises(ValueError, match="two copies, got 1"):
        rounding_band(rows[rows.nudge > 0])
