"""The rule of families q and t: does an effect grow over decades of what was varied?"""

import numpy as np
import pandas as pd
import pytest

from amnl.study.trend import judge_trends, slopes

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
