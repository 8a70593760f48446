"""The rule of the sweep, on planted tables."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import scipy.stats
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
        ([5.4, 5.4, 5, 5.4, 5.4], 0.4, "keep", 0.5, "same" + 3 * " not better"),
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


@pytest.mark.parametrize(
    ("means", "spread", "text"),
    [
        ([5, 5, 5, 5, 5], 0.1, "flat: all are within ±0.5 of 0.5 (5 seeds): keep 0.5"),
        (
            [5, 5, 5, 5, 3.8],
            0.1,
            "λ = 0.7 is better than 0.5 by 1.2 ± 0.17 (5 seeds, 95 % interval, p = 0.00016): "
            "take 0.7",
        ),
        (
            [5.4, 5.4, 5, 5.4, 5.4],
            0.4,
            "keep 0.5: no other weight is better by 0.5 (5 seeds)",
        ),
        (
            [6, 5.2, 5, 5.2, 6],
            0.1,
            "keep 0.5: no other weight is better by 0.5 (5 seeds); worse: 0.3, 0.7",
        ),
        (
            [5, 5, 5, 5, 3.8],
            4.0,
            "undecided after 5 seeds: about 109 more would tell. Until then keep 0.5",
        ),
        (
            [5, 5, 5, 5, 5],
            40.0,
            "undecided after 5 seeds: not even 1000 would tell. Until then keep 0.5",
        ),
    ],
)
def test_a_decision_says_what_to_do(means: list[float], spread: float, text: str) -> None:
    assert str(decide(table(means, spread), margin=0.5)) == text


def test_a_decision_and_its_comparisons_stay_as_they_are() -> None:
    found = decide(table([5, 5, 5, 5, 5]), margin=0.5)
    for record, field in ((found, "verdict"), (found.comparisons[0], "finding")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(record, field, "better")


def test_the_numbers_of_a_comparison_are_scipys() -> None:
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
@pytest.mark.parametrize("scale", [1.0, 1e-4, 1e4, 1e4 / 3])
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


@pytest.mark.parametrize("level", [0.0, 0.75])
def test_scores_that_are_all_equal_are_the_same_and_prove_no_difference(level: float) -> None:
    found = decide({0.3: [level] * 6, 0.5: [level] * 6}, 0.5)
    (c,) = found.comparisons
    assert (found.verdict, c.finding, c.mean, c.half) == ("flat", "same", 0, 0)
    assert (c.p, c.p_same, c.p_not_better) == (1, 0.5**6, 0.5**6)


@pytest.mark.parametrize(("other", "finding"), [(0.25, "better"), (0.75, "worse")])
def test_a_difference_of_the_very_margin_is_not_within_it(other: float, finding: str) -> None:
    found = decide({0.3: [other] * 6, 0.5: [0.5] * 6}, 0.25)
    (c,) = found.comparisons
    assert (c.finding, c.p, c.p_same) == (finding, 2 * 0.5**6, 1)
    assert c.p_not_better == (1 if finding == "better" else 0.5**6)


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


def seeds_that_tell(loss: Any, margin: float) -> int:
    """The first number of seeds with a power of 80 %, seed by seed and weight by weight."""
    seeds, m = loss.shape
    ties = np.ptp(loss, axis=0) == 0
    spread = math.sqrt(np.mean([np.var(c, ddof=1) for c in loss.T[~ties]] or [math.nan]))
    for n in range(seeds + 1, 1000):
        better, not_better = [], []
        for tie, mean in zip(ties, loss.mean(axis=0), strict=True):
            if tie:  # each half of the two-sided test by its sign, and Bonferroni
                better.append(mean < 0 and 2 * m * 0.5**n < 0.05)
                not_better.append(mean > -margin and 0.5**n < 0.05)
            else:
                least, size = scipy.stats.t(n - 1).ppf, math.sqrt(n) / spread
                power = scipy.stats.nct(n - 1, mean * size).cdf(least(0.025 / m))
                better.append(power >= 0.8)
                power = scipy.stats.nct(n - 1, (mean + margin) * size).sf(least(0.95))
                not_better.append(power >= 1 - 0.2 / m)
        if any(better) or all(not_better):
            return n
    raise AssertionError("choose another case")


@pytest.mark.parametrize(
    ("seeds", "margin", "means", "spreads"),
    [
        (5, 0.5, [-2.0], [1]),  # one more
        (5, 0.5, [-1.0], [1]),
        (5, 0.5, [-0.5], [1]),
        (5, 0.5, [0.0], [1]),
        (5, 0.5, [-0.5, 0.1], [1, 1]),
        (5, 0.5, [0.5, 0.5, 0.5, 0.5], [1, 1, 1, 1]),
        (5, 0.5, [0.2, 0.1, 0.5, 0.3], [1, 1, 2, 1]),
        (3, 0.5, [0, 0, 0, 0], [0.3, 0.3, 0.3, 0.3]),
        (3, 0.5, [-2.0, 1, 1, 1], [1, 1, 1, 1]),
        (2, 0.1, [-0.3, 0.3], [0.3, 0.4]),
        # Where a degree of freedom more or less would tell at another number.
        (2, 2.0, [-0.5], [1]),
        (2, 2.0, [-0.25], [1]),
        (2, 2.0, [-0.75, -0.75], [1, 1]),
        (2, 2.0, [0.0, 0.0], [1, 1]),
        (2, 0.5, [-2.5, -2.5, -2.5, -2.5], [1, 1, 1, 1]),
        # Weights without a spread, alone and beside others.
        (3, 0.25, [-0.25, 0.25, 0.5], [0, 0, 0]),
        (3, 0.25, [-0.125, 0.25, 0.5], [0, 0, 0]),
        (2, 0.25, [0.25, 0.5], [0, 0]),
        (2, 0.25, [0.0, 0.5], [0, 0]),
        (3, 0.25, [-0.25, 0.25, 0.5], [0, 0.1, 0.2]),
        (3, 0.25, [0.0, 0.25, 0.5], [0, 0.1, 0.2]),
        (2, 0.25, [0.25, 0.0], [0, 0.5]),
        (3, 0.25, [0.0, -0.25], [0, 0.75]),
    ],
)  # fmt: skip
def test_what_would_tell_is_the_first_number_of_seeds_with_the_power(
    seeds: int, margin: float, means: list[float], spreads: list[float]
) -> None:
    noise = np.random.default_rng(3).normal(size=(seeds, len(means)))
    noise = (noise - noise.mean(axis=0)) / noise.std(axis=0, ddof=1)
    loss = means + spreads * noise
    wanted, found = seeds_that_tell(loss, margin), seeds + (more_seeds(loss, margin) or 0)
    assert wanted <= found < 1.1 * wanted, "steps of a tenth, so exact below eleven"
    if wanted <= 10:
        assert found == wanted


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


@pytest.mark.parametrize("level", [0.0, 100.0])
def test_luck_by_hand(level: float) -> None:
    """Of two weights the better leads by 1/√π standard errors, and one seed knows no error."""
    scores = {0.3: [level + 1, level + 2], 0.7: [level + 2, level + 1]}
    assert luck(scores) == pytest.approx(math.sqrt(0.5 / math.pi), rel=1e-6)
    assert math.isnan(luck({0.3: [1.0], 0.7: [2.0]}))


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
