"""The protocol's tests and intervals against statsmodels, simulation and cases counted by hand."""

import itertools
import subprocess
import sys
import tracemalloc
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from amnl.combine import SOURCE_LAMS
from amnl.stats import (
    ALPHA,
    FIVE,
    LAMS,
    MARGIN,
    by_lam,
    check_cells,
    choose,
    compare,
    equivalence,
    holm,
    interval,
    judge,
    sign_flip,
    wins,
)

quick = settings(max_examples=60, deadline=None)
SIGNS = np.array(list(itertools.product((1, -1), repeat=10)))


def table(score: Callable[[str, int, float], float], lams=LAMS, subsets=("FD001",)) -> pd.DataFrame:
    """One row a cell for ten seeds; `score(subset, seed, lam)` is the test RMSE."""
    cells = list(itertools.product(subsets, range(10), lams))
    rows = pd.DataFrame(cells, columns=["subset", "seed", "lam"])
    return rows.assign(test_rmse=[float(score(*cell)) for cell in cells])


def two_sided(differences: np.ndarray) -> np.ndarray:
    """Exact two-sided sign-flip p-values of the columns of a (10, k) array, all at once."""
    means = SIGNS @ differences
    return (np.abs(means) >= np.abs(differences.sum(axis=0)) - 1e-9).mean(axis=0)


# ------------------------------------------------------------------------------------------ tests


def test_three_differences_enumerated_by_hand() -> None:
    # Of the eight sums of ±1 ±2 ±4, only 7 is at least 7; only 7 and 5 are at least 5.
    assert sign_flip([1, 2, 4], "greater") == 1 / 8
    assert sign_flip([1, 2, 4], "less") == 1.0
    assert sign_flip([1, 2, 4]) == 2 / 8
    assert sign_flip([-1, 2, 4]) == 4 / 8


def test_ten_equal_signs_are_the_strongest_evidence_and_five_reject_nothing() -> None:
    assert sign_flip(np.arange(1, 11) / 7) == 2 / 1024
    assert sign_flip(-np.arange(1, 11) / 7) == 2 / 1024
    assert sign_flip([5.0, 6.0, 7.0, 8.0, 9.0]) == 2 / 2**5 > ALPHA


@quick
@given(st.lists(st.integers(-30, 30), min_size=2, max_size=8))
def test_rounding_breaks_no_tie(tenths: list[int]) -> None:
    sums = [np.dot(signs, tenths) for signs in itertools.product((1, -1), repeat=len(tenths))]
    exact = np.mean([abs(s) >= abs(sum(tenths)) for s in sums])
    # 12.3 - 12.0 is not 0.3: the differences of a real table carry such dust.
    dusty = 12.0 + np.array(tenths) / 10 - 12.0
    assert sign_flip(dusty) == pytest.approx(exact, abs=1e-12)


def test_no_difference_gives_one() -> None:
    assert sign_flip(np.zeros(10)) == 1.0
    # Two of the eight sums are zero, up to rounding: they count on both sides.
    for side in ("greater", "less"):
        assert sign_flip([0.1, 0.2, -0.3], side) == 5 / 8


def test_the_level_is_kept_when_nothing_differs() -> None:
    rng = np.random.default_rng(0)
    null = rng.laplace(size=(10, 3000)) * rng.uniform(0.1, 5.0, size=(10, 1))
    p = two_sided(null)
    np.testing.assert_array_equal(sign_flip(null[:, :50]), p[:50])
    assert sign_flip(null[:, 7]) == p[7]
    rejections = int((p < ALPHA).sum())
    assert scipy.stats.binomtest(rejections, p.size, 50 / 1024).pvalue > 1e-3


def test_holm_keeps_the_level_of_ten_comparisons_with_one_reference() -> None:
    rng = np.random.default_rng(1)
    false_alarms = 0
    for _ in range(1000):
        scores = rng.normal(size=(10, 11))
        false_alarms += (holm(two_sided(scores[:, 1:] - scores[:, :1])) < ALPHA).any()
    assert scipy.stats.binomtest(int(false_alarms), 1000, ALPHA, "greater").pvalue > 1e-3


def test_a_planted_effect_is_found() -> None:
    rng = np.random.default_rng(2)
    planted = rng.normal(0.5, 0.3, size=(10, 200))
    assert (two_sided(planted) < ALPHA).mean() > 0.9
    assert sign_flip(planted[:, 0]) < ALPHA
    assert sign_flip(planted[:, 0], "less") > 0.9


@pytest.mark.parametrize("test", [sign_flip, equivalence, interval])
def test_what_cannot_be_tested_is_refused(test) -> None:
    with pytest.raises(ValueError, match="a difference is nan"):
        test([1.0, np.nan, 2.0])
    with pytest.raises(ValueError, match="a difference is inf"):
        test([np.inf, 1.0])
    with pytest.raises(ValueError, match="empty"):
        test([])


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (lambda: sign_flip(np.ones(25)), r"25 differences.*20 at most.*ttest"),
        (lambda: equivalence(np.ones(21)), r"21 differences"),
        (lambda: sign_flip(np.ones((2, 2, 2))), r"\(n, m\), got \(2, 2, 2\)"),
        (lambda: sign_flip(1.0), r"\(n,\)"),
        (lambda: interval(np.ones((3, 2))), r"\(n,\), got \(3, 2\)"),
        (lambda: interval(2.0), r"\(n,\), got \(\)"),
    ],
)
def test_what_a_test_has_no_room_for_is_named(use: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        use()


def test_eighteen_seeds_need_little_memory() -> None:
    rng = np.random.default_rng(0)
    d = rng.normal(size=(18, 4))
    tracemalloc.start()
    p = sign_flip(d)
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert held < 300e6
    for k in range(4):
        assert p[k] == sign_flip(d[:, k])


@pytest.mark.parametrize("outlier", [1e-9, 2e-9, 2e-8, 1e-3])
def test_nine_equal_and_one_other_have_an_interval(
    outlier: float, recwarn: pytest.WarningsRecorder
) -> None:
    low, high = interval([1.0] * 9 + [1.0 + outlier])
    assert 1.0 <= low <= high <= 1.0 + outlier
    assert not recwarn


def test_differences_in_a_tiny_unit_are_mentioned() -> None:
    with pytest.warns(UserWarning, match="below a billionth.*1e-10.*smaller unit"):
        assert sign_flip([1e-10] * 10) == 1.0


def test_dust_is_no_difference(recwarn: pytest.WarningsRecorder) -> None:
    assert sign_flip([0.1 + 0.2 - 0.3] * 10) == 1.0
    assert not recwarn


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12))
def test_holm_is_that_of_statsmodels(p: list[float]) -> None:
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], atol=1e-15)


@pytest.mark.parametrize("bad", [-0.1, 1.1, np.nan])
def test_holm_names_what_is_no_p_value(bad: float) -> None:
    with pytest.raises(ValueError, match=f"got {bad}"):
        holm([0.5, bad])


def test_flat_is_a_finding_and_a_gap_of_a_cycle_is_not_flat() -> None:
    noise = np.random.default_rng(3).normal(0.0, 0.2, size=10)
    assert equivalence(noise - noise.mean()) < ALPHA
    for gap in (1.0, -1.0):
        assert equivalence(noise + gap) > 0.5
    # Flat must be shown: noise as large as the margin shows nothing.
    assert equivalence(20 * (noise - noise.mean())) > ALPHA


def test_equivalence_is_the_weaker_of_its_two_sides() -> None:
    d = [0.4, 0.1, 0.3]  # inside ±0.5, all three: 1/8 on both sides
    assert equivalence(d) == 1 / 8
    # Less 0.35 they are 0.05, −0.25, −0.05: three of eight sums are as low as −0.25.
    assert equivalence(d, margin=0.35) == 3 / 8
    assert equivalence([-x for x in d], margin=0.35) == 3 / 8


def test_the_interval_covers_the_mean_nearly_as_often_as_it_says() -> None:
    draws = np.random.default_rng(4).exponential(size=(400, 10))
    covered = [low <= 1.0 <= high for low, high in map(interval, draws)]
    # Ten skewed draws: BCa is known to fall short of 95 %, though not far.
    assert 0.83 < np.mean(covered) < 0.97


def test_the_interval_leans_to_the_long_tail() -> None:
    rng = np.random.default_rng(9)
    d = scipy.stats.expon.ppf(np.linspace(0.05, 0.95, 10))
    plain = np.quantile(rng.choice(d, size=(9999, 10)).mean(axis=1), [0.025, 0.975])
    assert (np.array(interval(d)) > plain + 0.03).all()


def test_one_seed_fixes_the_interval() -> None:
    d = np.random.default_rng(5).normal(size=10)
    assert interval(d) == interval(d)
    assert interval(d)[0] < d.mean() < interval(d)[1]
    np.testing.assert_allclose(interval(d + 3.0), np.add(interval(d), 3.0))


def test_equal_differences_give_a_point_without_a_warning(recwarn: pytest.WarningsRecorder) -> None:
    dusty = np.arange(10.0) + 0.1 - np.arange(10.0)
    assert interval(dusty) == pytest.approx((0.1, 0.1))
    assert interval([1.0, 1.0], [3.0, 3.0]) == (2.0, 2.0)
    assert interval([0.7]) == (0.7, 0.7)
    assert not recwarn.list


def test_pooling_resamples_within_each_subset() -> None:
    # The subsets differ by far more than their seeds. Resampled together, the interval would be
    # wide; within each, the subset's level cannot move.
    rng = np.random.default_rng(6)
    subsets = [level + rng.normal(0.0, 0.1, size=10) for level in (0.0, 10.0, 20.0, 30.0)]
    low, high = interval(*subsets)
    assert low < np.mean(subsets) < high
    assert high - low < 0.1


def test_a_large_subset_counts_no_more_than_a_small_one() -> None:
    low, high = interval([0.0, 0.0], [9.0, 9.0, 9.0, 9.0, 9.0, 9.2])
    assert 4.5 <= low <= high <= 4.6


# ----------------------------------------------------------------------------------------- tables


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


# --------------------------------------------------------------------------------- wins and regret


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
