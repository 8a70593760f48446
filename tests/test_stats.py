"""The protocol's tests and intervals against statsmodels, simulation and cases counted by hand."""

import itertools
import subprocess
import sys
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from amnl.stats import (
    ALPHA,
    RESAMPLES,
    crossed_differences,
    equivalence,
    holm,
    interval,
    sign_flip,
    smallest_difference,
)

quick = settings(max_examples=60, deadline=None)
SIGNS = np.array(list(itertools.product((1, -1), repeat=10)))


def two_sided(differences: np.ndarray) -> np.ndarray:
    """Exact two-sided sign-flip p-values of the columns of a (10, k) array, all at once."""
    means = SIGNS @ differences
    return (np.abs(means) >= np.abs(differences.sum(axis=0)) - 1e-9).mean(axis=0)


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


def test_without_spread_too_few_pairs_still_show_nothing() -> None:
    assert smallest_difference(0.0, 5) == np.inf and smallest_difference(0.0, 8) == 0.0


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


def test_another_seed_or_generator_gives_another_interval() -> None:
    d = np.random.default_rng(5).normal(size=10)
    assert interval(d, rng=0) == interval(d) != interval(d, rng=1)
    assert interval(d, rng=np.random.default_rng(1)) == interval(d, rng=1)


def test_the_tests_need_no_tables_and_load_scipys_when_they_run() -> None:
    """It takes a third of a second, and `amnl.five_point_sweep` needs Holm's correction alone."""
    strays = "{'pandas', 'torch', 'scipy.stats'} & sys.modules.keys()"
    code = f"import sys, amnl.stats; amnl.stats.holm([0.5]); sys.exit(' '.join({strays}) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()


# ------------------------------------------------------------------ what so many seeds could show


@pytest.mark.parametrize("tests", [1, 4, 10])
def test_ten_seeds_show_the_smallest_difference_four_times_in_five(tests: int) -> None:
    """With samples of another seed than the function draws."""
    effect = smallest_difference(1.0, 10, tests)
    sample = np.random.default_rng(1).normal(effect, 1.0, (10, 2_000))
    shown = (two_sided(sample) < ALPHA / tests).mean()
    assert shown == pytest.approx(0.8, abs=0.04)


def test_the_t_test_stands_in_where_it_agrees() -> None:
    effect = smallest_difference(1.0, 15)
    found = scipy.stats.ttest_1samp(np.random.default_rng(1).normal(effect, 1.0, (15, 20_000)), 0)
    assert (found.pvalue < ALPHA).mean() == pytest.approx(0.8, abs=0.01)
    assert smallest_difference(1.0, 13) < smallest_difference(1.0, 12)


def test_the_smallest_difference_scales_and_five_seeds_have_none() -> None:
    assert smallest_difference(0.3, 8) == pytest.approx(0.3 * smallest_difference(1.0, 8))
    assert smallest_difference(0.3, 5) == np.inf
    assert smallest_difference(0.3, 8, tests=7) == np.inf  # 2/2⁸ is above 0.05/7
    assert smallest_difference(0.0, 10) == 0.0


def test_new_engines_add_their_luck() -> None:
    """One seed more or less says nothing here: the engines differ, and so must the resamples."""
    rng = np.random.default_rng(0)
    engines = rng.exponential(1.0, (1, 50)) * np.ones((6, 1))
    draws = crossed_differences(engines, np.ones((6, 50)))
    assert draws.shape == (RESAMPLES,)
    roots = [np.sqrt(rng.choice(engines[0], 50).mean()) - 1 for _ in range(4_000)]
    assert draws.std() == pytest.approx(np.std(roots), rel=0.06)
    seeds = np.arange(6.0)[:, None] * np.ones(50)
    draws = crossed_differences((1 + seeds) ** 2, np.ones((6, 50)))
    assert draws.std() == pytest.approx(np.arange(6).std() / np.sqrt(6), rel=0.06)


def test_both_scores_meet_the_same_seeds_and_engines() -> None:
    squared = np.random.default_rng(0).exponential(1.0, (5, 40))
    assert np.allclose(crossed_differences(4 * squared, squared).std(), 0.0, atol=0.2)
    assert crossed_differences(squared, squared).max() == 0.0


@pytest.mark.parametrize("shapes", [((3, 4), (3, 5)), ((3,), (3,))])
def test_squared_errors_of_other_shapes_are_refused(shapes: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(ValueError, match="shape"):
        crossed_differences(*(np.ones(shape) for shape in shapes))
