"""The rule of families q and t: does an effect grow over decades of what was varied?"""

import numpy as np
import pandas as pd
import pytest

from amnl.study.trend import differences, judge_pairs, judge_trends, slopes

SIZES = (11_124, 41_700, 132_882, 404_230)


def lines(slope: float, start: float, noise: float, seeds: int = 10) -> pd.DataFrame:
    """Effects on a straight line over log₁₀ of the sizes, with noise."""
    rng = np.random.default_rng(0)
    line = start + slope * np.log10(SIZES)
    return pd.DataFrame(line + noise * rng.normal(size=(seeds, 4)), columns=SIZES)


def test_a_slope_is_that_of_least_squares() -> None:
    table = lines(0.7, -2, 0.5)
    fitted = [np.polyfit(np.log10(SIZES), row, 1)[0] for row in table.to_numpy()]
    assert slopes(table).tolist() == pytest.approx(fitted)


@pytest.mark.parametrize(
    ("slope", "start", "noise", "finding"),
    [
        (0.8, -3.0, 0.1, "grows"),
        (-0.8, 6.0, 0.1, "shrinks"),
        (-0.8, -1.0, 0.1, "grows"),  # a negative effect that becomes more so
        (0.0, 1.0, 0.1, "stays"),
        (0.0, 1.0, 3.0, "open"),
    ],
)
def test_findings(slope: float, start: float, noise: float, finding: str) -> None:
    assert judge_trends({"it": lines(slope, start, noise)}).finding["it"] == finding


def test_questions_asked_together_are_corrected_together() -> None:
    weak = lines(0.25, 0, 0.35)
    alone = judge_trends({"weak": weak})
    both = judge_trends({"weak": weak, "none": lines(0.0, 1.0, 0.4)})
    assert both.p["weak"] == alone.p["weak"]
    assert both.p_holm["weak"] == pytest.approx(2 * alone.p["weak"])


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (pd.DataFrame({10: [1.0]}), "two columns or more"),
        (pd.DataFrame({0: [1.0], 10: [1.0]}), "above 0"),
        (pd.DataFrame({1: [np.nan], 10: [1.0]}), "cannot be paired"),
    ],
)
def test_what_has_no_slope_says_so(table: pd.DataFrame, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        slopes(table)


PAIRS = {"0.5 less 0.9": (0.5, 0.9), "0.5 less 1": (0.5, 1.0)}


@pytest.fixture
def errors() -> pd.DataFrame:
    """In units of 35 cycles, 0.5 costs more the larger the network; elsewhere it costs nothing."""
    flat, rising = lines(0.0, 0.0, 0.1), lines(0.25, -1.0, 0.35)
    cost = pd.concat({1.0: flat, 35.0: rising}, names=["rul_unit", "seed"]).stack()
    cost.index.names = ["rul_unit", "seed", "parameters"]
    return pd.DataFrame({0.5: 14.0 + cost, 0.9: 14.0 + 0.5 * cost, 1.0: 14.0})


def test_each_pair_is_judged_over_the_units_together(errors: pd.DataFrame) -> None:
    found = judge_pairs(errors, PAIRS, "parameters").set_index(["pair", "unit"])
    assert list(found.index) == [(pair, unit) for pair in PAIRS for unit in (1.0, 35.0)]
    for pair, (one, other) in PAIRS.items():
        gap = errors[one] - errors[other]
        tables = {u: gap.loc[u].unstack("parameters") for u in (1.0, 35.0)}
        by_hand = judge_trends({str(u): table for u, table in tables.items()})
        assert found.loc[pair].p_holm.tolist() == by_hand.p_holm.tolist()
        assert found.loc[pair].p_holm.tolist() != found.loc[pair].p.tolist()


def test_differences_are_those_of_each_seed_and_their_means(errors: pd.DataFrame) -> None:
    each, means = differences(errors, PAIRS, "parameters")
    assert len(each) == 2 * 2 * 4 * 10 and len(means) == 2 * 2 * 4
    first = each[(each.pair == "0.5 less 1") & (each.unit == 35) & (each.x == SIZES[0])]
    assert first.gap.to_numpy() == pytest.approx(lines(0.25, -1.0, 0.35)[SIZES[0]].to_numpy())
    row = means[(means.pair == "0.5 less 1") & (means.unit == 35) & (means.x == SIZES[0])].iloc[0]
    assert row.low < row["mean"] == pytest.approx(first.gap.mean()) and row["mean"] < row.high
