"""The rule of the sweep, on planted tables."""

import math
from typing import Any

import numpy as np
import pytest
from small_problem import table

from amnl.combine import FIVE
from amnl.weigh import decide
from amnl.weigh.decision import luck, more_seeds, reference_of


@pytest.mark.parametrize(
    ("means", "spread", "verdict", "recommended", "findings"),
    [
        ([5, 5, 5, 5, 5], 0.1, "flat", 0.5, "same same same same"),
        ([5, 5, 5, 5, 3.8], 0.1, "better", 0.7, "same same same better"),
        ([4.0, 4.4, 5, 6, 7], 0.1, "better", 0.3, "better better worse worse"),
        ([6, 5.2, 5, 5.2, 6], 0.1, "keep", 0.5, "worse same same worse"),
        ([5, 5, 5, 5, 3.8], 4.0, "undecided", 0.5, "open open open open"),
        # A gain that is surely smaller than the margin moves nobody.
        ([4.8, 5, 5, 5, 7], 0.05, "keep", 0.5, "same same same worse"),
    ],
)
def test_verdicts_on_planted_tables(
    means: list[float], spread: float, verdict: str, recommended: float, findings: str
) -> None:
    for higher in (False, True):
        scores = table([-m for m in means] if higher else means, spread)
        found = decide(scores, margin=0.5, higher_is_better=higher)
        assert (found.verdict, found.recommended) == (verdict, recommended)
        assert " ".join(c.finding for c in found.comparisons) == findings


def test_the_numbers_of_a_comparison_are_scipys() -> None:
    import scipy.stats

    scores = table([4, 4.5, 5, 5.5, 6], 0.5)
    found = decide(scores, margin=0.5)
    d = np.subtract(scores[0.3], scores[0.5])
    one = found.comparisons[0]
    low, high = scipy.stats.ttest_1samp(d, 0).confidence_interval(0.95)
    assert [one.mean - one.half, one.mean + one.half] == pytest.approx([low, high])
    least = min(scipy.stats.ttest_1samp(np.subtract(scores[k], scores[0.5]), 0).pvalue for k in
                FIVE if k != 0.5)  # fmt: skip
    assert min(c.p for c in found.comparisons) == pytest.approx(4 * least)
    not_better = scipy.stats.ttest_1samp(d, -0.5, alternative="greater").pvalue
    not_worse = scipy.stats.ttest_1samp(d, 0.5, alternative="less").pvalue
    assert one.p_not_better == pytest.approx(not_better)
    assert one.p_same == pytest.approx(max(not_better, not_worse))


def test_one_seed_decides_nothing() -> None:
    found = decide({0.3: [1.0], 0.5: [9.0]}, margin=0.5)
    assert (found.verdict, found.recommended, found.more_seeds) == ("undecided", 0.5, None)
    assert "one seed" in str(found)


def steps_of(kind: Any, seeds: int, others: int) -> dict[float, list[float]]:
    """Accuracies in hundredths: every weight but the reference is better by 0.1 at each seed."""
    lams = (0.5, 0.7, 0.3, 0.6, 0.4)[: others + 1]
    worse = [0.5 + k / 100 for k in range(seeds)]
    return {lam: [float(kind(a if lam == 0.5 else a + 0.1)) for a in worse] for lam in lams}


@pytest.mark.parametrize("others", [1, 4])
@pytest.mark.parametrize("kind", [float, np.float32], ids=["double", "single"])
@pytest.mark.parametrize("scale", [1.0, 1e-4, 1e4])
def test_ties_in_any_rounding_are_judged_by_their_sign_and_so_is_what_would_tell(
    kind: Any, others: int, scale: float
) -> None:
    enough = {1: 6, 4: 8}[others]  # 2 · others · 0.5ⁿ < 0.05
    for seeds in range(2, enough + 2):
        scores = steps_of(lambda a: float(kind(scale * a)), seeds, others)
        found = decide(scores, 0.05 * scale, higher_is_better=True)
        assert found.verdict == ("undecided" if seeds < enough else "better")
        if seeds < enough:
            assert found.more_seeds == enough - seeds


def test_a_tie_beside_a_spread_is_counted_too() -> None:
    loss = np.array([[-0.1, -0.1, -0.1, -0.1], [-0.1, -0.3, 0.2, -0.1]]).T
    assert more_seeds(loss, 0.01, 1e-9) == 7 - 4


@pytest.mark.parametrize(("seeds", "verdict"), [(2, "undecided"), (5, "undecided"), (6, "better")])
def test_differences_without_spread_are_judged_by_their_sign(seeds: int, verdict: str) -> None:
    """As the exact test does: two equal accuracies prove nothing, six one-sided coins do."""
    scores = {0.5: [0.8] * seeds, 0.7: [0.9] * seeds}
    assert decide(scores, 0.05, higher_is_better=True).verdict == verdict


@pytest.mark.parametrize(
    ("lams", "reference"),
    [((0.1, 0.5, 0.9), 0.5), ((0.4, 0.6), 0.4), ((0.6, 0.4), 0.4), ((0.7, 0.9), 0.7)],
)
def test_the_reference_is_the_nearest_to_a_half(lams: tuple[float, ...], reference: float) -> None:
    assert reference_of(lams) == reference


def test_the_power_calculation_is_borne_out() -> None:
    """With the number of seeds it names, about 80 % of sweeps of this kind are settled."""
    rng = np.random.default_rng(1)
    truth = np.array([0.4, 0.4, 0.4, -0.6])  # one of four is better, by more than the margin
    pilot = rng.normal(size=(5, 4))
    pilot = (pilot - pilot.mean(axis=0)) / pilot.std(axis=0, ddof=1) + truth
    n = 5 + (more_seeds(pilot, 0.5) or 0)
    assert 15 < n < 60
    settled = 0
    for _ in range(300):
        d = truth + rng.normal(size=(n, 4))
        scores = {0.5: np.zeros(n), **dict(zip((0.3, 0.4, 0.6, 0.7), d.T, strict=True))}
        settled += decide({k: v.tolist() for k, v in scores.items()}, 0.5).verdict != "undecided"
    assert 0.7 < settled / 300 < 0.95


def test_more_than_a_thousand_seeds_are_not_named() -> None:
    rng = np.random.default_rng(1)
    d = rng.normal(size=(5, 4)) * 100
    assert more_seeds(d - d.mean(axis=0), 0.5) is None


def test_luck_is_the_expected_lead_of_the_best_of_equals() -> None:
    rng = np.random.default_rng(2)
    tables = rng.normal(size=(400, 5, 9))  # seeds, weights
    lead = np.mean([t.mean(axis=0).max() - t.mean() for t in tables])
    said = np.mean([luck(dict(enumerate(t.T.tolist()))) for t in tables])
    assert said == pytest.approx(lead, rel=0.05)


@pytest.mark.parametrize(
    ("scores", "margin", "words"),
    [
        ({0.3: [1.0, 2.0], 0.5: [1.0]}, 0.5, "0.5: 2 finite"),
        ({0.3: [1.0, math.nan], 0.5: [1.0, 2.0]}, 0.5, "finite.*nan"),
        ({0.5: [1.0, 2.0]}, 0.5, "two λ"),
        ({0.3: [1.0], 0.5: [1.0]}, 0.0, "margin.*0.0"),
        ({0.3: [], 0.5: []}, 0.5, "1 finite"),
    ],
)
def test_scores_that_do_not_pair_are_refused(scores: Any, margin: float, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        decide(scores, margin)
