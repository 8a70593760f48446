"""Intervals: the textbook's cases, a library's numbers, and coverage in simulated fleets."""

import math

import numpy as np
import pytest
from crepes import ConformalRegressor

from amnl.predict import Calibration, engines_needed, half_width
from amnl.predict.conformal import Floats


@pytest.mark.parametrize(
    ("engines", "level", "expected"),
    [(8, 0.9, math.inf), (9, 0.9, 9.0), (10, 0.9, 10.0), (19, 0.9, 18.0),
     (18, 0.95, math.inf), (19, 0.95, 19.0)],
)  # fmt: skip
def test_few_engines_give_no_bound_and_never_the_greatest_error_seen(
    engines: int, level: float, expected: float
) -> None:
    """crepes issue 6 (an index error) and MAPIE issue 974 (a bound that does not exist)."""
    assert half_width(np.arange(1.0, engines + 1), np.arange(engines), level) == expected


def test_the_engines_that_a_level_needs_are_told() -> None:
    assert [engines_needed(level) for level in (0.8, 0.9, 0.95, 0.99)] == [4, 9, 19, 99]


@pytest.mark.parametrize("level", [0, 1, -0.1, 90, math.nan])
def test_a_level_that_is_none_is_named(level: float) -> None:
    with pytest.raises(ValueError, match=f"between 0 and 1, such as 0.9, not {level}"):
        half_width(np.ones(20), np.arange(20), level)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("engines", [22, 40, 100])
def test_with_one_moment_an_engine_it_is_what_crepes_finds(engines: int, level: float) -> None:
    """Where the rank is no whole number: at 19 engines and 90 % crepes rounds 0.1 × 20 to 1."""
    errors = np.random.default_rng(engines).exponential(size=engines)
    oracle = ConformalRegressor().fit(errors)
    low, high = oracle.predict_int(np.zeros(1), confidence=level)[0]
    assert half_width(errors, np.arange(engines), level) == pytest.approx((high - low) / 2)


def test_by_fifths_it_is_what_crepes_finds_in_bins() -> None:
    rng = np.random.default_rng(0)
    pred = np.linspace(0, 125, 300)
    rul = np.clip(pred + rng.normal(size=300) * (2 + pred / 10), 0, 125)
    ours = Calibration("split", 125.0, np.arange(300), pred, rul)
    oracle = ConformalRegressor().fit(rul - pred, bins=ours.fifth(pred))
    found = oracle.predict_int(np.zeros(5), bins=np.arange(5), confidence=0.9)
    assert ours.half_widths(0.9) == pytest.approx((found[:, 1] - found[:, 0]) / 2)


def test_an_engine_has_one_vote_however_long_it_lived() -> None:
    """A thousand small errors of one engine outvote none of nine others."""
    errors = np.r_[np.full(1000, 0.5), np.arange(1.0, 10)]
    engine = np.r_[np.zeros(1000, int), np.arange(1, 10)]
    assert half_width(errors, engine, 0.9) == 9.0
    assert half_width(errors[engine != 1], engine[engine != 1], 0.9) == 9.0


CAP = 125.0


def lives(rng: np.random.Generator, engines: int) -> tuple[Floats, Floats, Floats]:
    """Engine, predicted and true life over whole lives: each engine errs in a way of its own."""
    length = rng.integers(120, 300, engines)
    engine = np.repeat(np.arange(engines), length)
    true = np.concatenate([np.arange(n)[::-1] for n in length]).astype(float)
    own = rng.normal(size=engines)[engine] * 12 * np.minimum(true, CAP) / CAP
    noise = rng.normal(size=len(true)) * 3
    return engine, np.clip(np.minimum(true, CAP) + own + noise, 0, CAP + 10), true


@pytest.mark.parametrize("capped", [True, False])
def test_the_level_holds_at_the_stop_and_over_the_life(capped: bool) -> None:
    """rul-datasets issue 65: calibration runs to failure, new engines are stopped at random."""
    rng = np.random.default_rng(1)
    at_stop, over_life = [], []
    for _ in range(60):
        engine, pred, true = lives(rng, 30)
        judged = Calibration("split", CAP, engine, pred, np.minimum(true, CAP))
        engine, pred, true = lives(rng, 30)
        low, high = judged.interval(pred, 0.9)
        truth = np.minimum(true, CAP) if capped else true
        held = (low <= truth) & (truth <= high)
        for k in range(30):
            mine = np.flatnonzero(engine == k)
            over_life.append(held[mine].mean())
            at_stop.append(held[rng.choice(mine)])
    assert 0.885 < np.mean(over_life) < 0.955
    assert 0.875 < np.mean(at_stop) < 0.965


def test_a_bound_at_the_cap_is_none() -> None:
    """No life beyond the cap was taught, so none is ruled out."""
    engine = np.repeat(np.arange(20), 5)
    pred = np.tile([10.0, 30.0, 60.0, 90.0, 120.0], 20)
    judged = Calibration("split", CAP, engine, pred, pred + 8)
    low, high = judged.interval(np.array([10.0, 90.0, 120.0, 140.0]), 0.9)
    assert low.tolist() == [2.0, 82.0, 112.0, 125.0]
    assert high.tolist() == [18.0, 98.0, math.inf, math.inf]


def test_a_life_that_no_engine_was_ever_predicted_has_no_bound() -> None:
    judged = Calibration("split", CAP, np.arange(20), np.full(20, 60.0), np.full(20, 50.0))
    low, high = judged.interval(np.array([60.0, 5.0]), 0.9)
    assert (low.tolist(), high.tolist()) == ([50.0, 0.0], [70.0, math.inf])
