"""The book's figures: one style, one palette, and the drawing code too long for a page.

Functions draw the arrays they are given and return the matplotlib figure; they compute nothing that
the page states as a number. `show` puts such a figure on a page. A figure of chapter 6 lies in
`chapter_06_sweep.py`; what several chapters draw lies in `curves.py` and `findings.py`.
"""

from amnl.drawing import Drawn, show
from amnl.study.figures.chapter_01_combination import gradient_fans, shares
from amnl.study.figures.chapter_02_toy_sweep import (
    bowl,
    bowls,
    knobs,
    shared_noise,
    wins_by_weight,
)
from amnl.study.figures.chapter_03_loss import three_halves
from amnl.study.figures.chapter_04_data import (
    before_and_after,
    class_shares,
    cut_lives,
    end_of_life,
    flight_conditions,
    label_distributions,
    labels_over_life,
    sensor_life,
    windows_over_rows,
)
from amnl.study.figures.chapter_05_training import (
    TitledRun,
    error_prices,
    leak_by_seed,
    learning_curves,
    predicted_against_true,
    two_histories,
)
from amnl.study.figures.chapter_06_sweep import differences, regrets, sweep_curves, winners
from amnl.study.figures.chapter_07_units import one_curve, pulls
from amnl.study.figures.chapter_08_balance import front, pull_curve
from amnl.study.figures.chapter_09_adaptive import rivals, rule_pulls, trajectories
from amnl.study.figures.chapter_11_battery import discharges
from amnl.study.figures.chapter_12_verdicts import verdict_rates
from amnl.study.figures.curves import curves_over_lambda, curves_side_by_side
from amnl.study.figures.front_page import claim_and_finding
from amnl.study.figures.objections import (
    effects_over,
    likelihood_odds,
    rates_tried,
    shared_label,
    weights_compared,
)
from amnl.study.figures.predict_page import ageing, coverage_by_life
from amnl.study.figures.style import (
    HEALTH_COLOUR,
    MARKERS,
    MUTED,
    PALETTE,
    RUL_COLOUR,
    TOTAL_COLOUR,
)

__all__ = [  # noqa: RUF022 (by chapter)
    "Drawn", "show",
    "HEALTH_COLOUR", "MARKERS", "MUTED", "PALETTE", "RUL_COLOUR", "TOTAL_COLOUR",
    "curves_over_lambda", "curves_side_by_side", "claim_and_finding",
    "gradient_fans", "shares",
    "bowl", "bowls", "knobs", "shared_noise", "wins_by_weight",
    "three_halves",
    "before_and_after", "class_shares", "cut_lives", "end_of_life", "flight_conditions",
    "label_distributions", "labels_over_life", "sensor_life", "windows_over_rows",
    "error_prices", "leak_by_seed", "learning_curves", "predicted_against_true", "two_histories",
    "TitledRun",
    "differences", "regrets", "sweep_curves", "winners",
    "one_curve", "pulls",
    "front", "pull_curve",
    "rivals", "rule_pulls", "trajectories",
    "discharges",
    "verdict_rates",
    "ageing", "coverage_by_life",
    "effects_over", "likelihood_odds", "rates_tried", "shared_label", "weights_compared",
]  # fmt: skip
